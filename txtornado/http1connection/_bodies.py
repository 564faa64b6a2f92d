"""Where a message body ends: the four framings of RFC 9112, section 6, each a small decoder.

A decoder takes bytes from the engine's buffer and gives events back; it knows nothing else.  They
all have two methods: ``start(limit)``, which refuses what is known to be too long before any of it
is read, and ``read(buffer)``, which gives `Event.DATA` (with the bytes in ``buffer.data``),
`Event.END`, `Event.NEED_DATA` or `Event.YIELD`.
"""

from __future__ import annotations

import re
from typing import Protocol

from txtornado.http1connection._heads import TRAILERS
from txtornado.http1connection._states import Event
from txtornado.httputil import HTTPInputError

__all__ = ["Body", "Buffer", "ChunkedBody", "LengthBody", "UntilCloseBody"]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
# No white space anywhere: parsers differ on where they allow it.
_CHUNK_LINE = re.compile(
    rb"([0-9a-fA-F]++)(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*+\r\n"
)
_MAX_CHUNK_LINE = 1024
_MAX_CHUNK_DIGITS = 16
#: How many chunks of one body are read before other connections get their turn.
_CHUNKS_PER_TURN = 256


class Buffer:
    """Bytes that came in: those before ``pos`` are spent.

    ``data`` holds what the last `Event.DATA` is about; ``eof`` says that no more will come.
    """

    __slots__ = ("bytes", "data", "eof", "pos")

    def __init__(self) -> None:
        self.bytes = b""
        self.pos = 0
        self.data = b""
        self.eof = False

    def __len__(self) -> int:
        return len(self.bytes) - self.pos

    def append(self, data: bytes) -> None:
        """Add ``data`` behind what is there."""
        if self.pos < len(self.bytes):
            self.bytes = self.bytes[self.pos :] + data
        else:
            self.bytes = data
        self.pos = 0

    def take(self, size: int) -> bytes:
        """Remove up to ``size`` bytes and return them."""
        pos = self.pos
        if pos == 0 and size >= len(self.bytes):
            data, self.bytes = self.bytes, b""
            return data
        data = self.bytes[pos : pos + size]
        self.pos = pos + len(data)
        return data


class Body(Protocol):
    """What the decoders have in common."""

    def start(self, limit: int) -> None:
        """Begin; raises `HTTPInputError` when the body is known to exceed ``limit`` bytes."""

    def read(self, buffer: Buffer) -> Event:
        """Take bytes from ``buffer``."""


class LengthBody:
    """A body with a Content-Length."""

    __slots__ = ("_chunk_size", "_remaining")

    def __init__(self, length: int, chunk_size: int) -> None:
        self._remaining = length
        self._chunk_size = chunk_size

    def start(self, limit: int) -> None:
        """See `Body`."""
        if self._remaining > limit:
            raise HTTPInputError("Content-Length too long")

    def take_all(self, buffer: Buffer) -> bytes | None:
        """The whole body, if it is here already and makes one chunk; else None."""
        remaining = self._remaining
        if remaining > self._chunk_size or remaining > len(buffer.bytes) - buffer.pos:
            return None
        return buffer.take(remaining)

    def read(self, buffer: Buffer) -> Event:
        """See `Body`."""
        if not self._remaining:
            return Event.END
        data = buffer.take(min(self._remaining, self._chunk_size))
        if not data:
            return Event.EOF if buffer.eof else Event.NEED_DATA
        self._remaining -= len(data)
        buffer.data = data
        return Event.DATA


class UntilCloseBody:
    """The body of a response that ends with the connection."""

    __slots__ = ("_chunk_size", "_limit", "_total")

    def __init__(self, chunk_size: int) -> None:
        self._chunk_size = chunk_size
        self._limit = 0
        self._total = 0

    def start(self, limit: int) -> None:
        """See `Body`."""
        self._limit = limit

    def read(self, buffer: Buffer) -> Event:
        """See `Body`."""
        data = buffer.take(self._chunk_size)
        if not data:
            return Event.END if buffer.eof else Event.NEED_DATA
        self._total += len(data)
        if self._total > self._limit:
            raise HTTPInputError("Body too long")
        buffer.data = data
        return Event.DATA


class ChunkedBody:
    """A chunked body (RFC 9112, section 7.1).

    The bounds of chunks mean nothing to the application, so that tiny ones are put together up to
    ``chunk_size``.  Trailers are checked and dropped: Tornado's interface has no place for them.
    """

    __slots__ = (
        "_chunk_size",
        "_held",
        "_in_trailers",
        "_limit",
        "_max_trailers",
        "_parts",
        "_remaining",
        "_total",
    )

    def __init__(self, chunk_size: int, max_trailers: int) -> None:
        self._chunk_size = chunk_size
        self._max_trailers = max_trailers
        self._limit = 0
        self._total = 0
        self._remaining = -1  # bytes of this chunk still to come, -1 between chunks
        self._in_trailers = False
        self._parts: list[bytes] = []
        self._held = 0

    def start(self, limit: int) -> None:
        """See `Body`."""
        self._limit = limit

    def read(self, buffer: Buffer) -> Event:
        """See `Body`."""
        for _ in range(_CHUNKS_PER_TURN):
            if self._in_trailers:
                return self._flush(buffer) if self._held else self._read_trailers(buffer)
            if self._remaining < 0:
                if not self._read_size(buffer):
                    return self._flush(buffer) if self._held else self._starved(buffer)
                if self._in_trailers:
                    continue
            room = self._chunk_size - self._held
            data = buffer.take(min(self._remaining, room))
            if data:
                self._parts.append(data)
                self._held += len(data)
                self._remaining -= len(data)
            if not self._remaining and not self._read_terminator(buffer):
                return self._flush(buffer) if self._held else self._starved(buffer)
            if self._held >= self._chunk_size:
                return self._flush(buffer)
            if self._remaining > 0 and not len(buffer):
                return self._flush(buffer) if self._held else self._starved(buffer)
        return Event.YIELD

    def _flush(self, buffer: Buffer) -> Event:
        parts = self._parts
        buffer.data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._held = 0
        return Event.DATA

    @staticmethod
    def _starved(buffer: Buffer) -> Event:
        return Event.EOF if buffer.eof else Event.NEED_DATA

    def _read_size(self, buffer: Buffer) -> bool:
        """Read the line before a chunk; False when it is not complete yet."""
        match = _CHUNK_LINE.match(buffer.bytes, buffer.pos)
        if match is None:
            self._check_partial_size(buffer)
            return False
        digits = match[1]
        if len(digits) > _MAX_CHUNK_DIGITS or match.end() - buffer.pos > _MAX_CHUNK_LINE:
            raise HTTPInputError("invalid chunk size")
        buffer.pos = match.end()
        size = int(digits, 16)
        if not size:
            self._in_trailers = True
            return True
        self._total += size
        if self._total > self._limit:
            raise HTTPInputError("chunked body too large")
        self._remaining = size
        return True

    def _check_partial_size(self, buffer: Buffer) -> None:
        """Raise unless more bytes could still make a chunk size line of what is there."""
        line = buffer.bytes[buffer.pos : buffer.pos + _MAX_CHUNK_LINE + 1]
        if b"\n" in line or len(line) > _MAX_CHUNK_LINE:
            raise HTTPInputError("invalid chunk size")
        digits = line.partition(b"\r")[0].partition(b";")[0]
        if digits and (len(digits) > _MAX_CHUNK_DIGITS or digits.strip(b"0123456789abcdefABCDEF")):
            raise HTTPInputError("invalid chunk size")

    def _read_terminator(self, buffer: Buffer) -> bool:
        """Read the CRLF behind a chunk; False when it is not complete yet."""
        pos = buffer.pos
        end = buffer.bytes[pos : pos + 2]
        if end == b"\r\n":
            buffer.pos = pos + 2
            self._remaining = -1
            return True
        if not b"\r\n".startswith(end):
            raise HTTPInputError("improperly terminated chunk")
        return False

    def _read_trailers(self, buffer: Buffer) -> Event:
        match = TRAILERS.match(buffer.bytes, buffer.pos)
        if match is not None and match.end() - buffer.pos <= self._max_trailers:
            buffer.pos = match.end()
            return Event.END
        if match is not None or len(buffer) > self._max_trailers:
            raise HTTPInputError("trailers too large")
        rest = buffer.bytes[buffer.pos :]
        if b"\r\n\r\n" in rest or rest.startswith(b"\n"):
            raise HTTPInputError("improperly terminated chunked body")
        return self._starved(buffer)
