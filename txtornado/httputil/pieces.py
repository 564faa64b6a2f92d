"""Bytes that came in pieces, read as if they were one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

__all__ = ["Pieces"]


class Pieces:
    """Some of what ``bytes`` can do, on a sequence of them.

    Only what is asked for is copied, which matters for bodies of many megabytes.

    Args:
        pieces: none of them empty.
    """

    __slots__ = ("_ends", "_pieces", "_whole")

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._ends = list(accumulate(map(len, pieces)))
        self._whole: bytes | None = None

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def whole(self) -> bytes:
        """Everything, joined once."""
        if self._whole is None:
            self._whole = b"".join(self._pieces)
        return self._whole

    def __getitem__(self, part: slice) -> bytes:
        """The bytes of a slice whose ends are not negative, without a step."""
        start, stop = part.start or 0, len(self) if part.stop is None else part.stop
        pieces: list[bytes] = []
        index = bisect_right(self._ends, start)
        while start < stop and index < len(self._pieces):
            piece, end = self._pieces[index], self._ends[index]
            first = end - len(piece)
            pieces.append(
                piece if start == first and stop >= end else piece[start - first : stop - first]
            )
            start = end
            index += 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def startswith(self, prefix: bytes, start: int = 0) -> bool:
        """As of ``bytes``."""
        return self[start : start + len(prefix)] == prefix

    def find(self, what: bytes, start: int = 0, end: int | None = None) -> int:
        """As of ``bytes``, for positions that are not negative."""
        end = len(self) if end is None else min(end, len(self))
        before = len(what) - 1
        index = bisect_right(self._ends, start)
        while index < len(self._pieces) and start + len(what) <= end:
            piece, limit = self._pieces[index], self._ends[index]
            first = limit - len(piece)
            found = piece.find(what, max(start - first, 0))
            if found < 0:  # across the seam to the next
                start = max(start, limit - before)
                found = self[start : limit + before].find(what)
                first = start
            if found >= 0:
                found += first
                return found if found + len(what) <= end else -1
            start = max(start, limit - before)
            index += 1
        return -1
