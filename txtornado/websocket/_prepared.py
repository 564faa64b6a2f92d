"""A message for many: framed once, and compressed once where compression was agreed on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from txtornado.escape import json_encode, utf8
from txtornado.websocket._deflate import finish_message, new_compressor
from txtornado.websocket._errors import WebSocketClosedError
from txtornado.websocket._frames import BINARY, FIN, RSV1, TEXT, frame

__all__ = ["PreparedMessage", "broadcast", "prepare_message"]


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
    """

    __slots__ = ("_compressed", "frame", "opcode", "payload", "size")

    def __init__(self, opcode: int, payload: bytes) -> None:
        self.opcode = opcode
        self.payload = payload
        self.size = len(payload)
        self.frame = frame(FIN | opcode, payload, False)
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
    if isinstance(message, dict):
        message = json_encode(message)
    return PreparedMessage(BINARY if binary else TEXT, utf8(message))


def broadcast(
    connections: Iterable[Any],
    message: str | bytes | dict[str, Any] | PreparedMessage,
    binary: bool = False,
) -> int:
    """Send one message to many; ours.

    Connections that are closed or closing are passed over.  Nobody waits for the slow ones: what
    they do not take is queued.

    Args:
        connections: `WebSocketHandler` objects; copy what may change meanwhile.
        message: as for `WebSocketHandler.write_message`.
        binary: likewise.

    Returns:
        To how many it was sent.
    """
    prepared = message if isinstance(message, PreparedMessage) else prepare_message(message, binary)
    count = 0
    for connection in connections:
        protocol = connection.ws_connection
        if protocol is None or protocol.server_terminated or protocol.client_terminated:
            continue
        try:
            protocol.send_prepared(prepared)
        except WebSocketClosedError:
            continue
        count += 1
    return count
