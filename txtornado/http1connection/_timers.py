"""Time limits of a connection.

`BodyTimer` is for bodies that were given one, which few are.  `IdleTimer` watches every connection
of a server, and has to cost nothing per request: it is set once, and looks when it fires whether
there is a reason to.
"""

from __future__ import annotations

from collections.abc import Callable

from txtornado.ioloop import IOLoop

__all__ = ["BodyTimer", "IdleTimer"]


class BodyTimer:
    """Calls ``callback`` in ``timeout`` seconds."""

    __slots__ = ("_handle", "_loop")

    def __init__(self, timeout: float, callback: Callable[[], None]) -> None:
        self._loop = IOLoop.current()
        self._handle = self._loop.call_later(timeout, callback)

    def cancel(self) -> None:
        """Do not."""
        self._loop.remove_timeout(self._handle)


class IdleTimer:
    """Calls ``expired`` when ``due`` is in the past.

    Args:
        due: the time (of the loop) at which to give up, as things stand; None for "not while
            things stand so".  Asked only when the time may have come.
        expired: called once.
        period: seconds until it is asked first, and again after None.
    """

    __slots__ = ("_due", "_expired", "_handle", "_loop", "_period", "now")

    def __init__(
        self, due: Callable[[], float | None], expired: Callable[[], None], period: float
    ) -> None:
        self._loop = IOLoop.current()
        #: The time of the loop.
        self.now: Callable[[], float] = self._loop.time
        self._due = due
        self._expired = expired
        self._period = period
        self._handle: object | None = self._loop.call_later(period, self._look)

    def look_at(self, when: float) -> None:
        """Ask at ``when`` instead of when it was to be."""
        self.cancel()
        self._handle = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        self._handle = None
        due = self._due()
        now = self._loop.time()
        if due is None:
            self._handle = self._loop.call_at(now + self._period, self._look)
        elif due <= now:
            self._expired()
        else:
            self._handle = self._loop.call_at(due, self._look)

    def cancel(self) -> None:
        """Do not ask any more."""
        if self._handle is not None:
            self._loop.remove_timeout(self._handle)
            self._handle = None
