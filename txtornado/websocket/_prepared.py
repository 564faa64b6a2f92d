"""A message for many: framed once, and compressed once where compression was agreed on.

`prepare_message` and `broadcast` say that a message is for many.  Programs that were written for
Tornado do not: they give it to one handler after the other.  So `plain_frame` remembers the last
one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from txtornado.escape import json_encode
from txtornado.iostream import StreamBufferFullError
from txtornado.websocket._deflate import finish_message, new_compressor
from txtornado.websocket._errors import WebSocketClosedError
from txtornado.websocket._frames import BINARY, FIN, RSV1, TEXT, frame, message_frame

__all__ = [
    "PreparedMessage",
    "broadcast",
    "counted",
    "message_bytes",
    "plain_frame",
    "prepare_message",
]

#: Up to so many bytes of a message are remembered, for the sake of memory.
_REMEMBERED = 1 << 18
#: Types of messages that cannot change meanwhile.
_IMMUTABLE = (str, bytes)
_COUNT_BITS = 64
_COUNT_MASK = (1 << _COUNT_BITS) - 1


class PreparedMessage:
    """What `prepare_message` returns; to be given to ``write_message`` of many handlers.

    A frame of a server does not depend on the client, as it has no mask.  Compression does where
    the context is kept from message to message: here each message is compressed on its own, and
    the connection's context begins anew after it.

    Attributes:
        opcode: TEXT or BINARY.
        payload: the message's bytes.
        size: how many.
        frame: the message as one frame.
        counts: both sizes, see `counted`.
    """

    __slots__ = ("_compressed", "counts", "frame", "opcode", "payload", "size")

    def __init__(self, opcode: int, payload: bytes) -> None:
        self.opcode = opcode
        self.payload = payload
        self.size = len(payload)
        self.frame = message_frame(opcode, payload)
        self.counts = _counts(self.frame, self.size)
        self._compressed: dict[tuple[int, int, int], bytes] | None = None

    def compressed(self, settings: tuple[int, int, int]) -> bytes:
        """The message as one compressed frame, for connections with these settings."""
        if self._compressed is None:
            self._compressed = {}
        data = self._compressed.get(settings)
        if data is None:
            payload = finish_message(new_compressor(settings), self.payload)
            data = self._compressed[settings] = frame(FIN | RSV1 | self.opcode, payload, False)
        return data


def prepare_message(message: str | bytes | dict[str, Any], binary: bool = False) -> PreparedMessage:
    """Prepare a message that goes to many clients; ours.

    ::

        prepared = prepare_message({"news": text})
        for handler in handlers:
            handler.write_message(prepared)

    Args:
        message: as for `WebSocketHandler.write_message`.
        binary: likewise.
    """
    return PreparedMessage(BINARY if binary else TEXT, message_bytes(message))


def message_bytes(message: Any) -> bytes:
    """The payload of a message, of any type that ``write_message`` takes but a prepared one."""
    if isinstance(message, str):
        return message.encode()
    if isinstance(message, bytes):
        return message
    if isinstance(message, dict):
        return json_encode(message).encode()
    if isinstance(message, (bytearray, memoryview)):
        return bytes(message)
    raise TypeError(
        f"a message is str, bytes, a dict or a PreparedMessage, not {type(message).__name__}"
    )


class _Latest:
    """The message that was framed last.

    Attributes:
        entry: the very object that was given, as nothing else is taken for the same; whether it
            was framed as binary; the frame; and its sizes, see `counted`.  (A loop in another
            thread gets all of it or nothing.)
    """

    __slots__ = ("entry",)

    def __init__(self) -> None:
        self.entry: tuple[object, bool, bytes, int] = (self, False, b"", 0)


_latest = _Latest()


def plain_frame(message: Any, binary: bool) -> tuple[bytes, int]:
    """The frame of a message, neither masked nor compressed, and its sizes, see `counted`."""
    known, as_binary, frame, counts = _latest.entry
    if message is known and binary is as_binary:
        return frame, counts
    if isinstance(message, PreparedMessage):
        return message.frame, message.counts
    payload = message_bytes(message)
    frame = message_frame(BINARY if binary else TEXT, payload)
    size = len(payload)
    counts = _counts(frame, size)
    if size <= _REMEMBERED and type(message) in _IMMUTABLE:
        _latest.entry = message, binary, frame, counts
    return frame, counts


def _counts(frame: bytes, size: int) -> int:
    return len(frame) << _COUNT_BITS | size


def counted(counts: int) -> tuple[int, int]:
    """Bytes of frames and bytes of messages, from a sum of ``counts``.

    It is one number, the former above the latter, as each one more that a broadcast has to
    change in a thousand connections shows.
    """
    return counts >> _COUNT_BITS, counts & _COUNT_MASK


def broadcast(
    connections: Iterable[Any],
    message: str | bytes | dict[str, Any] | PreparedMessage,
    binary: bool = False,
) -> int:
    """Send one message to many; ours.

    Connections that are closed or closing are passed over, and so are those of which the stream's
    ``max_write_buffer_size`` would be exceeded.  Nobody waits for the slow ones: what they do not
    take is queued.

    Args:
        connections: `WebSocketHandler` objects; copy what may change meanwhile.
        message: as for `WebSocketHandler.write_message`.
        binary: likewise.

    Returns:
        To how many it was sent.
    """
    prepared = message if isinstance(message, PreparedMessage) else prepare_message(message, binary)
    frame, counts = prepared.frame, prepared.counts
    count = 0
    for connection in connections:
        protocol = connection.ws_connection
        if protocol is None:
            continue
        outlet = protocol._outlet
        try:
            if outlet is not None:
                protocol._send_frame(outlet, frame, counts)
            elif protocol.server_terminated or protocol.client_terminated:
                continue
            else:
                protocol.send_prepared(prepared)
        except (WebSocketClosedError, StreamBufferFullError):
            continue
        count += 1
    return count
