"""Time limits of a connection.

`BodyTimer` is for bodies that were given one, which few are.  `IdleWatch` watches every connection
of a server, and has to cost nothing per request and next to nothing per connection: all share one
timer, and it looks when it fires whether there is a reason to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import copy_context
from typing import Protocol

from txtornado.http1connection._parameters import HTTP1ConnectionParameters
from txtornado.ioloop import IOLoop
from txtornado.log import app_log

__all__ = ["BodyTimer", "IdleWatch", "Watched"]


class BodyTimer:
    """Calls ``callback`` in ``timeout`` seconds."""

    __slots__ = ("_handle", "_loop")

    def __init__(self, timeout: float, callback: Callable[[], None]) -> None:
        self._loop = IOLoop.current()
        self._handle = self._loop.call_later(timeout, callback)

    def cancel(self) -> None:
        """Do not."""
        self._loop.remove_timeout(self._handle)


class Watched(Protocol):
    """What `IdleWatch` asks."""

    #: Those that are asked together with it; the watch's.
    _group: _Group | None

    def _due(self) -> float | None:
        """When (by the loop) to give up, as things stand; None for "not while they stand so".

        Asked only when the time may have come.
        """

    def _expired(self) -> None:
        """That time is over; called once."""


class _Group(dict[Watched, None]):
    """Those to be asked at the same time, which is ``number`` grains."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class IdleWatch:
    """Asks the connections of one server and one loop, each when its time may have come.

    Nobody is asked before that, and all at most one grain later: a second, or less where the period
    is short.
    """

    __slots__ = (
        "_context",
        "_grain",
        "_groups",
        "_handle",
        "_loop",
        "_next",
        "_period",
        "_watches",
        "now",
    )

    def __init__(self, loop: IOLoop, period: float, watches: dict[IOLoop, IdleWatch]) -> None:
        self._loop = loop
        self._watches = watches
        #: The time of the loop.
        self.now: Callable[[], float] = loop.time
        self._period = period
        self._grain = min(1.0, period / 64)
        self._groups: dict[int, _Group] = {}
        self._next = 0
        self._handle: object | None = None
        # The timer must not run in the context of whatever request happened to set it.
        self._context = copy_context()

    @classmethod
    def of(cls, params: HTTP1ConnectionParameters) -> IdleWatch | None:
        """The watch over all connections with ``params`` on this loop; None without a limit."""
        if not params.header_timeout:
            return None
        loop = IOLoop.current()
        watch = params._watches.get(loop)
        if watch is None:
            watch = cls(loop, params.header_timeout, params._watches)
            params._watches[loop] = watch
        return watch

    def add(self, connection: Watched) -> None:
        """Ask when a period is over, and again after None."""
        self._put(connection, self.now() + self._period)

    def look_at(self, connection: Watched, when: float) -> None:
        """Ask at ``when`` instead of when it was to be."""
        group = connection._group
        self._put(connection, when)
        if group is not connection._group:
            self._leave(group, connection)

    def discard(self, connection: Watched) -> None:
        """Do not ask any more."""
        group, connection._group = connection._group, None
        self._leave(group, connection)

    def _leave(self, group: _Group | None, connection: Watched) -> None:
        if group is not None:
            group.pop(connection, None)
            if not group and self._groups.get(group.number) is group:
                del self._groups[group.number]
                if not self._groups:
                    self._rest()

    def _put(self, connection: Watched, when: float) -> None:
        number = math.ceil(when / self._grain)
        group = self._groups.get(number)
        if group is None:
            group = self._groups[number] = _Group(number)
            if self._handle is None or number < self._next:
                self._wake_at(number)
        group[connection] = None
        connection._group = group

    def _wake_at(self, number: int) -> None:
        self._stop()
        self._next = number
        when = number * self._grain
        self._handle = self._context.run(self._loop.call_at, when, self._look)

    def _stop(self) -> None:
        if self._handle is not None:
            self._loop.remove_timeout(self._handle)
            self._handle = None

    def _rest(self) -> None:
        """There is nobody to ask: leave nothing behind that knows of the loop."""
        self._stop()
        if self._watches.get(self._loop) is self:
            del self._watches[self._loop]

    def _look(self) -> None:
        group = self._groups.pop(self._next, None)
        while group:
            connection, _ = group.popitem()
            connection._group = None
            try:
                self._ask(connection)
            except Exception as error:  # the others have to be asked all the same
                app_log.error("Uncaught exception", exc_info=error)
        if self._groups:
            self._wake_at(min(self._groups))
        else:
            self._rest()

    def _ask(self, connection: Watched) -> None:
        due = connection._due()
        now = self.now()
        if due is None:
            self._put(connection, now + self._period)
        elif due <= now:
            connection._expired()
        else:
            self._put(connection, due)
