"""What a pending read waits for: each kind looks at the buffer and takes its share."""

from __future__ import annotations

import re
from typing import Any

from txtornado.iostream._buffers import ReadBuffer
from txtornado.iostream._errors import UnsatisfiableReadError

__all__ = ["Read", "ReadBytes", "ReadInto", "ReadRegex", "ReadUntil", "ReadUntilClose"]


class Read:
    """A pending read."""

    __slots__ = ()

    def take(self, buffer: ReadBuffer) -> Any:
        """The result, taken from ``buffer``; None when there is not enough in it yet.

        Raises:
            UnsatisfiableReadError: there never will be.
        """
        raise NotImplementedError

    def is_whole(self, chunk: bytes) -> bool:
        """True when ``chunk``, the first that came, is the result as it is: the common case."""
        return False


class ReadBytes(Read):
    """A number of bytes; with ``partial``, at most that many."""

    __slots__ = ("partial", "size")

    def __init__(self, size: int, partial: bool) -> None:
        self.size = size
        self.partial = partial

    def take(self, buffer: ReadBuffer) -> bytes | None:
        size = self.size
        there = len(buffer)
        if there >= size:
            return buffer.take(size)
        return buffer.take(there) if self.partial and there else None

    def is_whole(self, chunk: bytes) -> bool:
        size = len(chunk)
        return size == self.size or (self.partial and size < self.size)


class ReadUntil(Read):
    """Everything up to and including a delimiter."""

    __slots__ = ("delimiter", "max_bytes", "seen")

    def __init__(self, delimiter: bytes, max_bytes: int | None) -> None:
        self.delimiter = delimiter
        self.max_bytes = max_bytes
        self.seen = 0

    def take(self, buffer: ReadBuffer) -> bytes | None:
        data, start, delimiter = buffer.data, buffer.start, self.delimiter
        found = data.find(delimiter, start + self.seen)
        if found < 0:
            there = len(buffer)
            self.seen = max(0, there - len(delimiter) + 1)
            _check(there, self.max_bytes, "delimiter", delimiter)
            return None
        end = found + len(delimiter)
        if self.max_bytes is not None:
            _check(end - start, self.max_bytes, "delimiter", delimiter)
        return buffer.take(end - start)

    def is_whole(self, chunk: bytes) -> bool:
        size = len(chunk)
        if self.max_bytes is not None and size > self.max_bytes:
            return False
        delimiter = self.delimiter
        return chunk.find(delimiter) == size - len(delimiter) >= 0


class ReadRegex(Read):
    """Everything up to the end of the first match of a regular expression."""

    __slots__ = ("max_bytes", "pattern")

    def __init__(self, pattern: re.Pattern[bytes], max_bytes: int | None) -> None:
        self.pattern = pattern
        self.max_bytes = max_bytes

    def take(self, buffer: ReadBuffer) -> bytes | None:
        with buffer.window() as window:
            match = self.pattern.search(window)
            end = -1 if match is None else match.end()
            del match
        if end < 0:
            _check(len(buffer), self.max_bytes, "match of", self.pattern.pattern)
            return None
        _check(end, self.max_bytes, "match of", self.pattern.pattern)
        return buffer.take(end)


class ReadInto(Read):
    """Fill somebody's buffer, copying bytes as they come."""

    __slots__ = ("filled", "partial", "size", "target")

    def __init__(self, target: Any, partial: bool) -> None:
        with memoryview(target) as view:
            if view.readonly:
                raise TypeError("read_into needs a writable buffer, such as a bytearray")
            self.size = view.nbytes
        self.target = target
        self.partial = partial
        self.filled = 0

    def take(self, buffer: ReadBuffer) -> int | None:
        size = min(len(buffer), self.size - self.filled)
        if size:
            with memoryview(self.target) as view, view.cast("B") as octets:
                octets[self.filled : self.filled + size] = buffer.take(size)
            self.filled += size
        if self.filled == self.size or (self.partial and self.filled):
            return self.filled
        return None


class ReadUntilClose(Read):
    """Everything that comes until the stream ends."""

    __slots__ = ()

    def take(self, buffer: ReadBuffer) -> None:
        return None


def _check(size: int, max_bytes: int | None, what: str, value: Any) -> None:
    if max_bytes is not None and size > max_bytes:
        raise UnsatisfiableReadError(f"{what} {value!r} not found within {max_bytes} bytes")
