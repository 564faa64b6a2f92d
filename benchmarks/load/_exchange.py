"""What is asked, and what must come back."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Answer", "Exchange", "Opening", "fixed", "frames", "http", "masked", "websocket"]

TEXT, BINARY = 0x81, 0x82


@dataclass(frozen=True)
class Answer:
    """What must come back: one body for each request of the cycle.

    framing
        how an answer's end is known: ``fixed`` (by its size), ``http`` (a 200 with Content-Length)
        or ``frames`` (a WebSocket message of one frame; pings among them are answered).
    repeat
        an answer is the body, so many times over: so that a large one need not be kept whole.
    compressed
        frames are to be compressed (RFC 7692) by the server; how long they get is its own affair.
    """

    framing: str
    bodies: tuple[bytes, ...]
    repeat: int = 1
    opcode: int = TEXT
    compressed: bool = False

    def check(self, kept: Sequence[bytes]) -> str | None:
        """What is wrong with the compressed frames that came first, if anything."""
        inflater = zlib.decompressobj(wbits=-15)
        for body, data in zip(self.bodies, kept, strict=False):
            try:
                got = inflater.decompress(data + b"\x00\x00\xff\xff")
            except zlib.error as error:
                return f"wrong answer, a frame that cannot be decompressed: {error}"
            if got != body:
                return f"wrong answer: {got[:60]!r}"
        return None


def fixed(*bodies: bytes, repeat: int = 1) -> Answer:
    """Answers of a known size; with ``repeat``, of each body so many times."""
    return Answer("fixed", bodies, repeat)


def http(*bodies: bytes) -> Answer:
    """Responses with status 200, these bodies and a Content-Length."""
    return Answer("http", bodies)


def frames(*payloads: bytes, binary: bool = False, compressed: bool = False) -> Answer:
    """WebSocket messages, of one unmasked frame each."""
    opcode = BINARY if binary else TEXT
    return Answer("frames", payloads, opcode=opcode, compressed=compressed)


@dataclass(frozen=True)
class Opening:
    """A connection's handshake, before anything is asked.

    accept
        what the head of its answer must begin with.
    greeting
        bytes that must follow that head.
    """

    request: bytes
    accept: str = "HTTP/1.1 101"
    greeting: bytes = b""


@dataclass(frozen=True)
class Exchange:
    """Requests, of which each connection sends one after the other in a cycle, and the answers."""

    requests: tuple[bytes, ...] = ()
    answer: Answer = field(default_factory=fixed)
    opening: Opening | None = None
    tls: bool = False


# WebSockets


def masked(payload: bytes, *, opcode: int = TEXT, compressed: bool = False) -> bytes:
    """A client's frame (RFC 6455), and the message in it compressed if asked for."""
    if compressed:
        deflater = zlib.compressobj(wbits=-15)
        payload = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
        payload = payload.removesuffix(b"\x00\x00\xff\xff")
        opcode |= 0x40
    size = len(payload)
    if size < 126:
        head = bytes((opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    key = os.urandom(4)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")


def upgrade(path: str, *, compressed: bool = False, greeting: bytes = b"") -> Opening:
    """The handshake of RFC 6455; compression is offered as browsers do."""
    key = base64.b64encode(os.urandom(16)).decode()
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{offer if compressed else ''}\r\n"
    )
    return Opening(request.encode(), greeting=greeting)


def websocket(
    path: str,
    *messages: bytes,
    answers: Sequence[bytes] | None = None,
    compressed: bool = False,
    greeting: bytes = b"",
) -> Exchange:
    """Text messages over a WebSocket at ``path``, each of which must come back.

    :param answers: what must come back instead, one for each message.
    :param compressed: both sides compress (permessage-deflate).  This side compresses each message
        by itself, so that it can be sent again and again.
    :param greeting: a text message that the server sends first, by itself.
    """
    replies = frames(*(messages if answers is None else answers), compressed=compressed)
    hello = bytes((TEXT, len(greeting))) + greeting if greeting else b""
    return Exchange(
        tuple(masked(message, compressed=compressed) for message in messages),
        replies,
        upgrade(path, compressed=compressed, greeting=hello),
    )
