"""The protocol of 2010, known as draft 76 or hixie-76 (draft-hixie-thewebsocketprotocol-76).

Tornado had it from 1.0 to 3.2; see `WebSocketHandler.allow_draft76`.  Engine and protocol are
apart from those of RFC 6455: nothing there knows of this.
"""

from __future__ import annotations

import hashlib
from asyncio import Future
from typing import TYPE_CHECKING, Any

from txtornado.concurrent import done_future
from txtornado.escape import json_encode
from txtornado.websocket._errors import ProtocolViolation, WebSocketClosedError
from txtornado.websocket._frames import BINARY, CLOSE, TEXT
from txtornado.websocket._prepared import PreparedMessage
from txtornado.websocket._shell import Delegate, WebSocketProtocol

if TYPE_CHECKING:
    from txtornado.websocket._handler import WebSocketHandler

__all__ = ["Draft76Engine", "WebSocketProtocol76", "challenge_response", "key_number"]

CHALLENGE = 0x10
_CHALLENGE_SIZE = 8
_CLOSING = b"\xff\x00"


def key_number(key: str) -> bytes:
    """What a ``Sec-WebSocket-Key1`` or ``Key2`` stands for (section 1.3).

    Raises:
        ValueError: it is none.
    """
    spaces = key.count(" ")
    digits = "".join(c for c in key if c in "0123456789")
    if not spaces or not digits:
        raise ValueError(f"not a key: {key!r}")
    number, rest = divmod(int(digits[:20]), spaces)
    if rest or number >> 32:
        raise ValueError(f"not a key: {key!r}")
    return number.to_bytes(4, "big")


def challenge_response(key1: str, key2: str, challenge: bytes) -> bytes:
    """The sixteen bytes that prove to a client that we understood (section 1.3)."""
    data = key_number(key1) + key_number(key2) + challenge
    return hashlib.md5(data, usedforsecurity=False).digest()


class Draft76Engine:
    """Bytes in, messages out; see `txtornado.websocket._engine.Engine`.

    The first event is the eight bytes after the request's head, with the opcode `CHALLENGE`.
    """

    __slots__ = ("_buffer", "_challenged", "_max_size", "_scanned", "opcode")

    def __init__(self, max_message_size: int) -> None:
        self._max_size = max_message_size
        self._buffer = bytearray()
        self._challenged = False
        self._scanned = 1  # up to where there is no end of the first frame
        self.opcode = 0

    @property
    def backlog(self) -> int:
        return len(self._buffer)

    def receive_data(self, data: bytes) -> None:
        self._buffer += data

    def next_event(self) -> str | bytes | None:
        buffer = self._buffer
        if not self._challenged:
            if len(buffer) < _CHALLENGE_SIZE:
                return None
            self._challenged = True
            self.opcode = CHALLENGE
            return self._take(_CHALLENGE_SIZE)
        if not buffer:
            return None
        if buffer[0] == 0x00:
            return self._text()
        if buffer.startswith(_CLOSING):
            self.opcode = CLOSE
            return self._take(2)
        if buffer == b"\xff":
            return None
        raise ProtocolViolation(1002, "unknown frame type")

    def close(self) -> None:
        self._buffer = bytearray()

    def _text(self) -> str | None:
        end = self._buffer.find(0xFF, self._scanned)
        size = (len(self._buffer) if end < 0 else end) - 1
        if size > self._max_size:
            raise ProtocolViolation(1009, "message too big")
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        self._scanned = 1
        self.opcode = TEXT
        return self._take(end + 1)[1:-1].decode("utf-8", "replace")

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


class WebSocketProtocol76(WebSocketProtocol):
    """A server's connection of draft 76: text messages, and no more.

    Args:
        handler: gets the messages.
        max_message_size: bytes of an incoming message.
    """

    _engine: Draft76Engine
    _opening: Any = None

    def __init__(self, handler: Delegate, max_message_size: int) -> None:
        super().__init__(handler)
        self._engine = Draft76Engine(max_message_size)

    def accept_connection(self, handler: WebSocketHandler) -> Future[None]:
        """Answer the request, as far as that can be done before the challenge has come."""
        headers = handler.request.headers
        self._keys = (
            headers.get("Sec-WebSocket-Key1", ""),
            headers.get("Sec-WebSocket-Key2", ""),
        )
        origin = headers.get("Origin")
        try:
            challenge_response(*self._keys, b"")
            if not origin:
                raise ValueError("no Origin")
        except ValueError as error:
            handler._refuse(400, f"Malformed WebSocket headers: {error}")
            return done_future()
        request = handler.request
        handler.set_header("Upgrade", "WebSocket")
        handler.set_header("Connection", "Upgrade")
        handler.set_header("Sec-WebSocket-Origin", origin)
        location = f"{handler.get_websocket_scheme()}://{request.host}{request.uri}"
        handler.set_header("Sec-WebSocket-Location", location)
        proposal = headers.get("Sec-WebSocket-Protocol")
        selected = handler.select_subprotocol([proposal] if proposal else [])
        if selected:
            self._selected_subprotocol = selected
            handler.set_header("Sec-WebSocket-Protocol", selected)
        return handler._upgrade(self, "WebSocket Protocol Handshake")

    def _begin(self, stream: Any, opening: Any = None) -> None:
        self._opening = opening
        super()._begin(stream)

    def _handle_message(self, opcode: int, data: bytes) -> Any:
        if opcode == CHALLENGE:
            self._send(challenge_response(*self._keys, data))
            opening, self._opening = self._opening, None
            return opening()
        self.client_terminated = self._blocked = True
        self._tell()
        self.close()
        return None

    def write_message(
        self, message: str | bytes | dict[str, Any] | PreparedMessage, binary: bool = False
    ) -> Future[None]:
        """Send a text message.

        Raises:
            ValueError: a binary message, or one that is not UTF-8.
            WebSocketClosedError: the connection is closed or closing.
        """
        if isinstance(message, PreparedMessage):
            binary = message.opcode == BINARY
            message = message.payload
        if binary:
            raise ValueError("draft 76 of the WebSocket protocol has no binary messages")
        if self.is_closing():
            raise WebSocketClosedError("the connection is closing")
        if isinstance(message, dict):
            message = json_encode(message)
        data = message.encode("utf-8") if isinstance(message, str) else bytes(message)
        if b"\xff" in data:
            raise ValueError("the message is not UTF-8")
        return self._send(b"\x00" + data + b"\xff")

    def send_prepared(self, message: PreparedMessage) -> bool:
        """See `WebSocketProtocol13.send_prepared`."""
        return self.write_message(message).done()

    def write_ping(self, data: bytes) -> None:
        """There are no pings.

        Raises:
            ValueError: always.
        """
        raise ValueError("draft 76 of the WebSocket protocol has no pings")

    def start_pinging(self) -> None:
        """There are no pings: does nothing."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Say that we send no more, and close when the client has said so, too.

        There is no room for ``code`` and ``reason``.
        """
        if not self.server_terminated:
            self.server_terminated = True
            if not self.stream.closed():
                try:
                    self._send(_CLOSING)
                except WebSocketClosedError:
                    self._abort()
        if self.stream.closed() or self._failed:
            return
        if self.client_terminated:
            self._close_stream_when_sent()
        else:
            self._set_closer()
