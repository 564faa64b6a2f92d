"""One turn of a loop, at whose end goes out what was gathered in it.

All streams of a loop share it, and whoever writes to many of them: one handle of the loop then sees
to all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from txtornado.log import app_log

__all__ = ["MORE_AT_ONCE", "Turn"]

#: How many small pieces go out at once in a turn, after the first.  To gather a few is more work
#: than to send them.
MORE_AT_ONCE = 3


class Turn:
    """Which turn of its loop it is, for those who write.

    Who counts what he has written keeps the number of the turn in which he wrote last, and adds
    one for each piece that follows: `number` grows by more than is sent at once.

    Attributes:
        number: higher in each turn, by more than `MORE_AT_ONCE`; 0 when none was announced.
    """

    __slots__ = ("_at_end", "_last", "number")

    def __init__(self) -> None:
        self.number = self._last = 0
        self._at_end: list[Callable[[], None]] = []

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Turn:
        """The one of ``loop``."""
        try:
            return loop._txtornado_turn  # type: ignore[attr-defined, no-any-return]
        except AttributeError:
            turn = cls()
        try:
            loop._txtornado_turn = turn  # type: ignore[attr-defined]
        except AttributeError:
            pass  # a loop with slots: whoever asks has turns of his own
        return turn

    def begin(self) -> None:
        """A turn begins; `end` has to be called."""
        self.number = self._last = self._last + MORE_AT_ONCE + 1

    def begin_late(self, loop: asyncio.AbstractEventLoop) -> int:
        """A turn is under way, which ends when ``loop`` says so; its number."""
        self.begin()
        loop.call_soon(self.end)
        return self.number

    def at_end(self, callback: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        """Have ``callback`` called when the turn ends that is under way on ``loop``."""
        if not self.number:
            self.begin_late(loop)
        self._at_end.append(callback)

    def end(self) -> None:
        """The turn ends: everything goes out."""
        self.number = 0
        if self._at_end:
            callbacks, self._at_end = self._at_end, []
            for callback in callbacks:
                try:
                    callback()
                except Exception:  # the others' is to go out all the same
                    app_log.exception("Exception at the end of a turn")
