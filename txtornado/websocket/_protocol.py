"""`WebSocketProtocol13`: RFC 6455 on a stream."""

from __future__ import annotations

import functools
import socket
from asyncio import Future
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from txtornado.concurrent import done_future, new_future
from txtornado.iostream import StreamClosedError
from txtornado.iostream._turn import MORE_AT_ONCE
from txtornado.log import gen_log
from txtornado.websocket import _frames
from txtornado.websocket._deflate import accept_offer
from txtornado.websocket._engine import Engine
from txtornado.websocket._errors import WebSocketClosedError
from txtornado.websocket._frames import BINARY, CLOSE, FIN, PING, PONG, TEXT
from txtornado.websocket._headers import accept_value, parse_tokens
from txtornado.websocket._prepared import (
    PreparedMessage,
    counted,
    message_bytes,
    plain_frame,
)
from txtornado.websocket._shell import Delegate, WebSocketProtocol

if TYPE_CHECKING:
    from txtornado.websocket._handler import WebSocketHandler

__all__ = ["DEFAULT_MAX_MESSAGE_SIZE", "Parameters", "WebSocketProtocol13"]

DEFAULT_MAX_MESSAGE_SIZE = 10 * 1024 * 1024

de_dupe_gen_log = functools.lru_cache(gen_log.log)
"""Logs each message once (Tornado 6.5)."""


class Parameters:
    """What a connection may be told.

    Args:
        ping_interval: seconds between pings; none are sent for 0 and None.
        ping_timeout: seconds for the answer; 0 is for ever, the default is the interval.
        max_message_size: bytes of an incoming message.
        compression_options: see `WebSocketHandler.get_compression_options`.
    """

    __slots__ = ("compression_options", "max_message_size", "ping_interval", "ping_timeout")

    def __init__(
        self,
        ping_interval: float | None = None,
        ping_timeout: float | None = None,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        compression_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.max_message_size = max_message_size
        self.compression_options = compression_options


class WebSocketProtocol13(WebSocketProtocol):
    """A connection of the protocol's final version, either end of it.

    Args:
        handler: gets the messages.
        mask_outgoing: whether to mask what is sent, which is what makes a client.
        params: limits and options.
    """

    FIN = 0x80
    RSV1 = 0x40
    RSV2 = 0x20
    RSV3 = 0x10
    RSV_MASK = RSV1 | RSV2 | RSV3
    OPCODE_MASK = 0x0F

    _engine: Engine
    _pong_sent: Future[None] | None = None
    _next_pong: bytes | None = None
    _pinger: Any = None
    _last_ping = 0.0
    _ponged = False
    _pong_awaited: Future[None] | None = None

    def __init__(self, handler: Delegate, mask_outgoing: bool, params: Parameters) -> None:
        super().__init__(handler)
        # Frames are the same for all clients: neither masked nor compressed.
        self._plain = not mask_outgoing
        self.mask_outgoing = mask_outgoing
        if mask_outgoing:
            self._patient = True
        self.params = params
        self._engine = Engine(mask_outgoing, params.max_message_size)

    # --------------------------------------------------------------------- the handshake

    @staticmethod
    def compute_accept_value(key: str | bytes) -> str:
        """The ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key``."""
        return accept_value(key)

    def accept_connection(self, handler: WebSocketHandler) -> Future[None]:
        """Answer the request of ``handler`` and begin; a bad request is answered with 400."""
        key = handler.request.headers.get("Sec-WebSocket-Key")
        if not key:
            # (What else it may be is the client's concern: only the client checks our answer.)
            handler._refuse(400, "The header Sec-WebSocket-Key is missing")
            return done_future()
        try:
            answer = self._answer(handler, key)
        except ValueError as error:
            gen_log.debug("malformed WebSocket request", exc_info=True)
            handler._refuse(400, f"Malformed WebSocket headers: {error}")
            return done_future()
        for name, value in answer.items():
            handler.set_header(name, value)
        return handler._upgrade(self)

    def _answer(self, handler: WebSocketHandler, key: str) -> dict[str, str]:
        headers = handler.request.headers
        answer = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept_value(key),
        }
        options = self.params.compression_options
        offers = headers.get("Sec-WebSocket-Extensions")
        if options is not None and offers is not None:
            chosen, agreement = accept_offer(offers, options)
            if chosen is not None and agreement is not None:
                self._engine.use_deflate(agreement, options)
                self._plain = False
                answer["Sec-WebSocket-Extensions"] = chosen
        proposals = parse_tokens(headers.get("Sec-WebSocket-Protocol", ""))
        self._selected_subprotocol = selected = handler.select_subprotocol(proposals)
        if selected:
            if selected not in proposals:
                raise AssertionError(
                    f"select_subprotocol returned {selected!r}, which the client did not propose"
                )
            answer["Sec-WebSocket-Protocol"] = selected
        return answer

    # -------------------------------------------------------------------------- receiving

    def _handle_message(self, opcode: int, data: bytes) -> Any:
        if opcode == PING:
            self._pong(data)
            return self.handler.on_ping(data)
        if opcode == PONG:
            self._ponged = True
            if self._pong_awaited is not None and not self._pong_awaited.done():
                self._pong_awaited.set_result(None)
            return self.handler.on_pong(data)
        if opcode == CLOSE:
            self.close_code, self.close_reason = _frames.parse_close(data)
            self.client_terminated = True
            self._blocked = True
            self._stopped()
            self._tell()
            self.close(self.close_code)
            self._failed = True  # whatever follows is dropped
        return None

    def _pong(self, data: bytes) -> None:
        """Answer a ping; of those that come before a pong is sent only the last is answered."""
        if self._pong_sent is not None:
            self._next_pong = data
            return
        try:
            sent = self._write_frame(True, PONG, data)
        except WebSocketClosedError:
            return
        if not sent.done():
            self._pong_sent = sent
            sent.add_done_callback(self._pong_is_out)

    def _pong_is_out(self, sent: Future[None]) -> None:
        self._pong_sent = None
        data, self._next_pong = self._next_pong, None
        if data is not None and not sent.cancelled() and sent.exception() is None:
            self._pong(data)

    # ---------------------------------------------------------------------------- sending

    def write_message(
        self, message: str | bytes | dict[str, Any] | PreparedMessage, binary: bool = False
    ) -> Future[None]:
        """Send a message; see `WebSocketHandler.write_message`."""
        # (Open, and nothing waits: what is asked here is asked for each client of a broadcast.)
        outlet = self._outlet
        if outlet is None:
            sent = self._write(message, binary)
        else:
            sent = self._send_frame(outlet, *plain_frame(message, binary))
        return self._sent if sent else self._drained()

    def _write(self, message: Any, binary: bool) -> bool:
        """Send a message by way of the stream."""
        if self.server_terminated or self.client_terminated:
            raise WebSocketClosedError("the connection is closing")
        if self._plain:
            return self._send_plain(*plain_frame(message, binary))
        if isinstance(message, PreparedMessage):
            return self.send_prepared(message)
        data = message_bytes(message)
        self.stream.check_room(len(data))
        return self._send_through(self._engine.send_message(BINARY if binary else TEXT, data))

    def send_prepared(self, message: PreparedMessage) -> bool:
        """Send a prepared message, without a Future; ours.

        Returns:
            True when the transport has taken everything.

        Raises:
            WebSocketClosedError: the connection is closed.
        """
        if self._plain:
            return self._send_plain(message.frame, message.counts)
        self.stream.check_room(message.size)
        engine = self._engine
        deflater = engine.deflater
        if self.mask_outgoing:
            return self._send_through(engine.send_message(message.opcode, message.payload))
        if deflater is None or not deflater.able:
            frame = message.frame
        else:
            frame = message.compressed(deflater.settings)
            deflater.forget()
        engine.wire_bytes_out += len(frame)
        engine.message_bytes_out += message.size
        return self._send_through(frame)

    def _send_frame(self, outlet: socket.socket, frame: bytes, counts: int) -> bool:
        """Send a message at once, unless there were many in the same turn."""
        self._counts += counts
        if self._late_in_turn():
            return self._send_through(frame, True)
        outcome: int | OSError
        try:
            outcome = outlet.send(frame)
        except OSError as error:
            outcome = error
        if outcome == len(frame):
            return True
        try:
            return self.stream.unsent(frame, outcome)  # type: ignore[no-any-return]
        except StreamClosedError as error:
            raise WebSocketClosedError("the connection is closed") from error

    def _send_plain(self, frame: bytes, counts: int) -> bool:
        """Likewise, where there is no outlet: something waits, or there is no plain socket."""
        self.stream.check_room(len(frame))
        self._counts += counts
        if self._late_in_turn():
            return self._send_through(frame, True)
        sent = self._send_through(frame)
        if sent:
            self.stream.lend(self)
        return sent

    def _late_in_turn(self) -> bool:
        """Count one more message; whether enough have gone out at once in this turn."""
        number = self._turn.number or self._turn.begin_late(self.stream.io_loop.asyncio_loop)
        written = self._turn_written
        if written >= number + MORE_AT_ONCE:
            return True
        self._turn_written = number if written < number else written + 1
        return False

    def _send_through(self, frame: bytes, gathered: bool = False) -> bool:
        stream = self.stream
        try:
            if gathered:
                return stream.gather(frame)  # type: ignore[no-any-return]
            return stream.send(frame)  # type: ignore[no-any-return]
        except StreamClosedError as error:
            raise WebSocketClosedError("the connection is closed") from error

    def _write_frame(self, fin: bool, opcode: int, data: bytes, flags: int = 0) -> Future[None]:
        """Send a frame as it is."""
        return self._send(self._engine.send_frame((FIN if fin else 0) | flags | opcode, data))

    def write_ping(self, data: bytes) -> None:
        """Send a ping.

        Raises:
            ValueError: ``data`` has more than 125 bytes.
            WebSocketClosedError: the connection is closed or closing.
        """
        if len(data) > _frames.CONTROL_LIMIT:
            raise ValueError(f"a ping may carry 125 bytes, not {len(data)}")
        if self.server_terminated:
            raise WebSocketClosedError("the connection is closing")
        self._write_frame(True, PING, data)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Say that we send no more, and close the stream when the peer has said so, too.

        It gets five seconds for that.

        Raises:
            ValueError: see `WebSocketHandler.close`.
        """
        if not self.server_terminated:
            payload = _frames.close_payload(code, reason)
            self.server_terminated = True
            self._outlet = None
            if not self.stream.closed():
                try:
                    self._write_frame(True, CLOSE, payload)
                except WebSocketClosedError:
                    self._abort()
        if self.stream.closed() or self._failed:
            return
        if self.client_terminated and not self.mask_outgoing:
            self._close_stream_when_sent()  # the server does it first (section 7.1.1)
        else:
            self._set_closer()

    # ------------------------------------------------------------------------------ pings

    @property
    def ping_interval(self) -> float:
        """Seconds between pings; 0 for none."""
        return self.params.ping_interval or 0

    @property
    def ping_timeout(self) -> float:
        """Seconds for the answer to a ping, at most the interval; 0 for no limit."""
        timeout, interval = self.params.ping_timeout, self.ping_interval
        if timeout is None:
            return interval
        if timeout > interval > 0:
            de_dupe_gen_log(
                30,  # a warning
                f"The websocket_ping_timeout ({timeout}) cannot be longer than the "
                f"websocket_ping_interval ({interval}), which is used instead",
            )
            return interval
        return timeout

    @staticmethod
    def ping_sleep_time(*, last_ping_time: float, interval: float, now: float) -> float:
        """Seconds until the next ping is due; 0 if it is overdue."""
        return max(0, last_ping_time + interval - now)

    def start_pinging(self) -> None:
        """Send pings at intervals from now on, if that was asked for."""
        if self.ping_interval > 0 and self._pinger is None and not self.stream.closed():
            self._last_ping = self._clock()
            self._set_pinger(self.ping_interval, self._ping_is_due)

    def _clock(self) -> float:
        return float(self.stream.io_loop.asyncio_loop.time())

    def _set_pinger(self, delay: float, callback: Any) -> None:
        self._pinger = self.stream.io_loop.asyncio_loop.call_later(delay, callback)

    def _ping_is_due(self) -> None:
        self._pinger = None
        if self.is_closing():
            return
        self._ponged = self._heard = False
        self._last_ping = self._clock()
        try:
            self.write_ping(b"")
        except WebSocketClosedError:
            return
        timeout = self.ping_timeout
        if timeout > 0:
            self._set_pinger(timeout, self._pong_is_due)
        else:
            self._set_pinger(self.ping_interval, self._ping_is_due)

    def _pong_is_due(self) -> None:
        self._pinger = None
        if self.is_closing():
            return
        # The pong may be among what waits for a busy handler.
        if not self._ponged and not (self._blocked and self._heard):
            self.close(reason="ping timed out")
            return
        delay = self.ping_sleep_time(
            last_ping_time=self._last_ping, interval=self.ping_interval, now=self._clock()
        )
        self._set_pinger(delay, self._ping_is_due)

    async def periodic_ping(self) -> None:
        """Send one ping and wait for its answer, or the time limit; closes then (Tornado 6.5).

        `start_pinging` does this by itself.
        """
        awaited = self._pong_awaited = new_future()
        self.write_ping(b"")
        self._clock_out(awaited)
        await awaited

    def _clock_out(self, awaited: Future[None]) -> None:
        timeout = self.ping_timeout
        if timeout <= 0:
            awaited.set_result(None)
            return

        def give_up() -> None:
            if not awaited.done():
                awaited.set_result(None)
                self.close(reason="ping timed out")

        self.stream.io_loop.asyncio_loop.call_later(timeout, give_up)

    def _stopped(self) -> None:
        if self._pinger is not None:
            self._pinger.cancel()
            self._pinger = None

    # ------------------------------------------------------------------------- statistics

    @property
    def _message_bytes_in(self) -> int:
        return self._engine.message_bytes_in

    @property
    def _message_bytes_out(self) -> int:
        return self._engine.message_bytes_out + counted(self._counts)[1]

    @property
    def _wire_bytes_in(self) -> int:
        return self._engine.wire_bytes_in

    @property
    def _wire_bytes_out(self) -> int:
        return self._engine.wire_bytes_out + counted(self._counts)[0]
