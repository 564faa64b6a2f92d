"""Calls that repeat: `PeriodicCallback`, which ``txtornado.ioloop`` hands on."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

from txtornado.concurrent import Future
from txtornado.ioloop import IOLoop

__all__ = ["PeriodicCallback"]


class PeriodicCallback:
    """Calls ``callback`` every ``callback_time``, from `start` until `stop`.

    Calls keep to the schedule that began with `start`: one that takes longer than the period
    costs the calls it overlaps, and the next comes at the next due time.  A coroutine
    callback is awaited, so it never overlaps with itself.

    Args:
        callback: a plain or a coroutine function, without arguments.
        callback_time: the period, in milliseconds or as a `datetime.timedelta` (6.2).
        jitter: the share of the period, from 0 to 1, by which calls are spread at random
            (5.1): 0.1 means up to 5 % earlier or later.
        io_loop: the loop to run on (Tornado before 5.0; there the third by position, where a
            loop is still understood); by default the one that is current at `start`.

    Raises:
        ValueError: the period is not positive.
    """

    def __init__(
        self,
        callback: Callable[[], Awaitable[Any] | None],
        callback_time: datetime.timedelta | float,
        jitter: float = 0,
        io_loop: IOLoop | None = None,
    ) -> None:
        if isinstance(jitter, IOLoop):
            io_loop, jitter = jitter, 0
        self.callback = callback
        if isinstance(callback_time, datetime.timedelta):
            self.callback_time = callback_time / datetime.timedelta(milliseconds=1)
        else:
            self.callback_time = callback_time
        if self.callback_time <= 0:
            raise ValueError("Periodic callback must have a positive callback_time")
        self.jitter = jitter
        self._given_loop = io_loop
        self.io_loop: IOLoop = cast(IOLoop, io_loop)
        self._running = False
        self._timeout: object | None = None
        self._next_timeout = 0.0

    def start(self) -> None:
        """Begin; the first call comes after one period."""
        if self._running:
            return
        self.io_loop = self._given_loop or IOLoop.current()
        self._running = True
        self._next_timeout = self.io_loop.time()
        self._schedule()

    def stop(self) -> None:
        """End; a call that is under way is not interrupted."""
        self._running = False
        if self._timeout is not None:
            self.io_loop.remove_timeout(self._timeout)
            self._timeout = None

    def is_running(self) -> bool:
        """True between `start` and `stop` (Tornado 4.1)."""
        return self._running

    def _run(self) -> None:
        if not self._running:
            return
        try:
            result = self.callback()
        except Exception:
            self.io_loop.handle_callback_exception(self.callback)
        else:
            if result is not None:
                self._await(result)
                return
        self._schedule()

    def _await(self, result: Any) -> None:
        from txtornado.gen import BadYieldError, convert_yielded

        try:
            future = convert_yielded(result)
        except BadYieldError:
            self._schedule()
        else:
            self.io_loop.add_future(future, self._awaited)

    def _awaited(self, future: Future[Any]) -> None:
        try:
            if not future.cancelled():
                future.result()
        except Exception:
            self.io_loop.handle_callback_exception(self.callback)
        finally:
            self._schedule()

    def _schedule(self) -> None:
        if self._running:
            self._update_next(self.io_loop.time())
            self._timeout = self.io_loop.call_at(self._next_timeout, self._run)

    def _update_next(self, now: float) -> None:
        period = self.callback_time / 1000.0
        if self.jitter:
            period *= 1 + self.jitter * (random.random() - 0.5)
        late = now - self._next_timeout
        if late >= 0:
            # On time, or overtaken: the first due time after now.
            self._next_timeout += (math.floor(late / period) + 1) * period
        else:
            # The clock went backwards, or the timer fired a trifle early.
            self._next_timeout += period
