"""`WebSocketProtocol`: between a stream, an engine and whoever gets the messages.

The protocol is the stream's consumer.  What comes in goes to the engine, and the messages that
come out go to the handler at once, in the same turn of the reactor.  `WebSocketProtocol._pump`
does that until something stops it: a coroutine of the handler that is not done, a flood (after
`_MESSAGES_PER_TURN` it is others' turn), the end.  What comes in meanwhile is kept, up to
`_BACKLOG` bytes, beyond which the stream stops reading.  So messages are handled one at a time and
in order, and a peer that goes away is noticed all the same.

The end has two steps: both sides say that they are done (`close` and the peer's closing message),
then the stream is closed.  The handler hears of it once, a turn later, whichever way it came.
"""

from __future__ import annotations

import abc
import asyncio
import socket
from asyncio import Future
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

from zope.interface import implementer

from txtornado._twisted import SocketTransport
from txtornado.concurrent import as_future, done_future
from txtornado.interfaces import IStreamConsumer, IUpgradedConnection
from txtornado.iostream import StreamClosedError
from txtornado.iostream._turn import MORE_AT_ONCE, Turn
from txtornado.log import gen_log
from txtornado.stack_context import active_chain
from txtornado.websocket._errors import ProtocolViolation, WebSocketClosedError
from txtornado.websocket._frames import BINARY
from txtornado.websocket._runner import CoroutineRunner

if TYPE_CHECKING:
    from txtornado.websocket._handler import WebSocketHandler
    from txtornado.websocket._prepared import PreparedMessage

__all__ = ["Delegate", "MessageEngine", "WebSocketProtocol"]

#: How many messages are handled before other connections get their turn.
_MESSAGES_PER_TURN = 64
_TURN = range(_MESSAGES_PER_TURN)
#: Bytes that are read ahead while the handler is busy.
_BACKLOG = 65536
#: Seconds for the peer to end its side, and to take what it was sent, once we are closing.
_CLOSE_TIMEOUT = 5.0


class Delegate(Protocol):
    """Who gets the messages: a handler or a client's connection."""

    def on_message(self, message: str | bytes) -> Any: ...

    def on_ping(self, data: bytes) -> Any: ...

    def on_pong(self, data: bytes) -> Any: ...

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> None: ...

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None: ...


class MessageEngine(Protocol):
    """What a version of the protocol is made of."""

    opcode: int

    @property
    def backlog(self) -> int: ...

    def receive_data(self, data: bytes) -> None: ...

    def next_event(self) -> str | bytes | None: ...

    def close(self) -> None: ...


@implementer(IStreamConsumer, IUpgradedConnection)
class WebSocketProtocol(abc.ABC):
    """One WebSocket connection; base of the versions of the protocol.

    Args:
        handler: gets the messages.

    Attributes:
        handler: as above.
        stream: the `~txtornado.iostream.IOStream`; None before the handshake.
        client_terminated: the peer sends no more.
        server_terminated: we send no more.  (Both are named for a server, but a client's
            connection has them in the same sense.)
        close_code: the peer's reason for closing, as a number, if it gave one.
        close_reason: the same in words.
    """

    # What a broadcast looks at is side by side here, and not in a dictionary: for each message a
    # thousand of these have to come from memory.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_counts",
        "_outlet",
        "_sent",
        "_turn",
        "_turn_written",
        "client_terminated",
        "server_terminated",
    )

    client_terminated: bool
    server_terminated: bool
    close_code: int | None = None
    close_reason: str | None = None
    stream: Any = None

    _engine: MessageEngine
    _selected_subprotocol: str | None = None
    _blocked = False  # nothing is handed on at the moment
    _paused = False  # the stream was told to stop reading
    _failed = False  # the peer broke the protocol, or is done: whatever else it sends is dropped
    _told = False  # the handler was told that this is the end
    _yielding = False  # because it is others' turn
    # Whether the end of the stream is told after all that came before it, or at once, so that a
    # coroutine that still runs can take note.
    _patient = False
    _gone = False  # the stream is closed, but the handler has not got everything yet
    _heard = False  # something came in, though it was not looked at
    _pumping = False
    _closer: Any = None
    _runner: CoroutineRunner | None = None

    def __init__(self, handler: Delegate) -> None:
        self.handler = handler
        self.client_terminated = self.server_terminated = False
        # The stream's socket while it lends it, and that is what is to be written to.
        self._outlet: socket.socket | None = None
        # What was written without the engine, see `_prepared.counted`.
        self._counts = 0
        # The turn in which a message was written last, and one more for each that followed.
        self._turn_written = -1

    # ------------------------------------------------------------------ for subclasses

    @abc.abstractmethod
    def accept_connection(self, handler: WebSocketHandler) -> Future[None]:
        """Answer the request of ``handler`` and begin."""

    @abc.abstractmethod
    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Say that we send no more, and close the stream when the peer says so, too."""

    @abc.abstractmethod
    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> Future[None]:
        """Send a message; see `WebSocketHandler.write_message`."""

    @abc.abstractmethod
    def send_prepared(self, message: PreparedMessage) -> bool:
        """Send a prepared message; True when the transport has taken everything."""

    @abc.abstractmethod
    def write_ping(self, data: bytes) -> None:
        """Send a ping, in versions that have them."""

    @abc.abstractmethod
    def start_pinging(self) -> None:
        """Send pings at intervals from now on, if that was asked for."""

    @abc.abstractmethod
    def _handle_message(self, opcode: int, data: bytes) -> Any:
        """Handle what is not a message; what is returned is waited for."""

    # --------------------------------------------------------------------------- state

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that was agreed on, if any."""
        return self._selected_subprotocol

    def is_closing(self) -> bool:
        """Whether either side has begun to close, or the stream is closed."""
        if self.server_terminated or self.client_terminated:
            return True
        return self.stream is not None and bool(self.stream.closed())

    def set_nodelay(self, x: bool) -> None:
        """See `~txtornado.iostream.BaseIOStream.set_nodelay`."""
        self.stream.set_nodelay(x)

    # ----------------------------------------------------------------------- the start

    def _begin(self, stream: Any, opening: Callable[[], Any] | None = None) -> None:
        """Take over ``stream``; ``opening`` comes before the first message."""
        self.stream = stream
        self._turn = Turn.of(stream.io_loop.asyncio_loop)
        # What is returned when there is nothing to wait for.
        self._sent: Future[None] = done_future()
        try:
            result = None if opening is None else opening()
            if result is not None:
                self._wait(result)
        except (Exception, asyncio.CancelledError) as error:
            self._callback_failed(error)
        if stream.closed():
            self.stream_closed(stream.error)
            return
        self.start_pinging()
        stream.set_consumer(self)

    # ----------------------------------------------------------------- from the stream

    def data_received(self, data: bytes) -> None:
        """See `txtornado.interfaces.IStreamConsumer`."""
        if self._failed:
            return
        self._engine.receive_data(data)
        if self._blocked or self._pumping:
            self._heard = True
            self._limit_backlog()
        else:
            self._pump()

    def stream_closed(self, error: BaseException | None) -> None:
        """See `txtornado.interfaces.IStreamConsumer`."""
        waiting = self._yielding or (self._patient and self._blocked)
        if waiting and not self._failed and not self._told:
            self._gone = True  # what came before comes first
            return
        self._ended()

    def _ended(self) -> None:
        self._gone = False
        self.client_terminated = self.server_terminated = True
        if self._closer is not None:
            self._closer.cancel()
            self._closer = None
        self._stopped()
        if self._runner is not None:
            self._runner.close()
        self._engine.close()
        self._tell()

    def _stopped(self) -> None:
        """The connection is at its end: stop what goes on by itself, as pings do."""
        return

    def _limit_backlog(self) -> None:
        if not self._paused and self._engine.backlog > _BACKLOG:
            self._paused = True
            self.stream.pause_reading()

    def _pump(self) -> None:
        """Hand on what is complete."""
        engine = self._engine
        next_event = engine.next_event
        self._pumping = True
        turn = self._turn
        turn.begin()
        try:
            for _ in _TURN:
                event = next_event()
                if event is None:
                    self._drained_input()
                    return
                if engine.opcode <= BINARY:
                    if engine.backlog:
                        self._turn_written = turn.number + MORE_AT_ONCE  # answers follow
                    result = self.handler.on_message(event)
                else:
                    result = self._handle_message(engine.opcode, event)  # type: ignore[arg-type]
                if (result is not None and self._wait(result)) or self._blocked:
                    if self._gone and (self._told or not self._patient):
                        self._ended()
                    return
            self._yield()
        except ProtocolViolation as error:
            self._fail(error)
        except (Exception, asyncio.CancelledError) as error:
            self._callback_failed(error)
        finally:
            self._pumping = False
            turn.end()

    def _drained_input(self) -> None:
        """Everything that came in has been handled."""
        if self._gone:
            self._ended()
        elif self._paused:
            self._resume_reading()

    def _resume_reading(self) -> None:
        self._paused = False
        self.stream.resume_reading()

    # -------------------------------------------------------------------------- waiting

    def _wait(self, awaitable: Any) -> bool:
        """Handle nothing more until ``awaitable`` is done; False when it is done already."""
        if type(awaitable) is CoroutineType and not active_chain():
            return self._run(awaitable)
        future = as_future(awaitable)
        if future.done():
            future.result()
            return False
        self._blocked = True
        future.add_done_callback(self._done_waiting)
        return True

    def _run(self, coro: Any) -> bool:
        runner = self._runner
        if runner is None:
            runner = self._runner = CoroutineRunner(self.stream.io_loop.asyncio_loop)
        if runner.run(coro, self._coroutine_ended):
            return False
        self._blocked = True
        return True

    def _coroutine_ended(self, error: BaseException | None, cancelled: bool) -> None:
        self._blocked = False
        if error is None:
            self._go_on()
        elif cancelled and not self._told:
            self._give_up(1001, None)  # the program ends
        else:
            self._callback_failed(error)

    def _done_waiting(self, future: Future[Any]) -> None:
        self._blocked = False
        try:
            future.result()
        except (Exception, asyncio.CancelledError) as error:
            self._callback_failed(error)
            return
        self._go_on()

    def _yield(self) -> None:
        """Let other connections have their turn."""
        self._blocked = self._yielding = True
        self._later(self._after_yield)

    def _after_yield(self) -> None:
        self._blocked = self._yielding = False
        self._go_on()

    def _go_on(self) -> None:
        if not self._told and not self._failed and not self._pumping:
            self._pump()

    def _later(self, callback: Callable[[], None]) -> None:
        self.stream.io_loop.add_callback(callback)

    # ---------------------------------------------------------------------------- errors

    def _callback_failed(self, error: BaseException) -> None:
        """The handler failed: log that, and give up."""
        over = self._told or self.stream.closed()
        if not over or not isinstance(error, (WebSocketClosedError, asyncio.CancelledError)):
            self.handler.log_exception(type(error), error, error.__traceback__)
        if over:
            if self._gone:
                self._ended()
            return
        self._give_up(1011, None)

    def _fail(self, error: ProtocolViolation) -> None:
        """The peer broke the protocol (RFC 6455, section 7.1.7)."""
        gen_log.debug("closing WebSocket: %s", error.reason)
        self._give_up(error.code, error.reason)

    def _give_up(self, code: int, reason: str | None) -> None:
        """Say why, and end it without waiting for the peer's consent.

        Not at once, though: with bytes left unread the system would reset the connection, and
        the peer might never read our reason.
        """
        self._failed = True
        try:
            self.close(code, reason)
        except WebSocketClosedError:
            pass
        self.client_terminated = True
        self._stopped()
        self._tell()
        if self._paused and not self.stream.closed():
            self._resume_reading()
        self._set_closer()
        if not self.stream.closed():
            self._when_sent(self._half_close)

    def _half_close(self) -> None:
        """End our direction; the stream closes when the peer ends the other."""
        transport = self.stream.transport
        # (Wrappers, such as TLS, hand this on to what is below them, which would not do.)
        if isinstance(transport, SocketTransport):
            transport.loseWriteConnection()  # type: ignore[no-untyped-call]
        else:
            self.stream.close()

    # ----------------------------------------------------------------------------- the end

    def _set_closer(self) -> None:
        if self._closer is None and not self.stream.closed():
            self._closer = self.stream.io_loop.asyncio_loop.call_later(_CLOSE_TIMEOUT, self._abort)

    def _close_stream_when_sent(self) -> None:
        self._set_closer()
        self._when_sent(self.stream.close)

    def _when_sent(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when everything is with the transport, unless the stream closes."""
        if self.stream.closed():
            return
        if not self.stream.writing():
            callback()
            return

        def sent(future: Future[None]) -> None:
            if not future.cancelled() and future.exception() is None:
                callback()

        self.stream.drained().add_done_callback(sent)

    def _abort(self) -> None:
        """Close the stream at once."""
        self.client_terminated = self.server_terminated = self._failed = self._blocked = True
        if self.stream is not None:
            self.stream.close()

    def shut_down(self) -> None:
        """See `txtornado.interfaces.IUpgradedConnection`."""
        if not self.is_closing():
            self.close(1001, "going away")

    def abort(self) -> None:
        """See `txtornado.interfaces.IUpgradedConnection`."""
        self._abort()

    def on_connection_close(self) -> None:
        """The handler has heard of the end: close what is still open."""
        if not self._told:
            self._abort()

    def _tell(self) -> None:
        """Have the handler told that this is the end, once."""
        if not self._told:
            self._told = True
            self._later(self._tell_now)

    def _tell_now(self) -> None:
        try:
            self.handler.on_ws_connection_close(self.close_code, self.close_reason)
        except Exception as error:
            self.handler.log_exception(type(error), error, error.__traceback__)

    # ---------------------------------------------------------------------------- writing

    def _send(self, data: bytes) -> Future[None]:
        """Send bytes; the Future is for flow control.

        Raises:
            WebSocketClosedError: the stream is closed.
        """
        try:
            if self.stream.send(data):
                return self._sent
            return self._drained()
        except StreamClosedError as error:
            raise WebSocketClosedError("the connection is closed") from error

    def _drained(self) -> Future[None]:
        """Resolves when the transport has everything; nobody needs to look at it."""
        future: Future[None] = self.stream.io_loop.asyncio_loop.create_future()
        self.stream.drained().add_done_callback(lambda drained: _pass_on(drained, future))
        return future


def _pass_on(drained: Future[None], future: Future[None]) -> None:
    error = None if drained.cancelled() else drained.exception()
    if future.done():
        return
    if error is None:
        future.set_result(None)
        return
    closed = WebSocketClosedError("the connection was closed before everything was sent")
    closed.__cause__ = error
    future.set_exception(closed)
    future.exception()
