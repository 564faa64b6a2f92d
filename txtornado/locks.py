"""Locks for coroutines: they order what runs on one loop, and are not thread-safe (Tornado 4.2).

Waiting costs a Future and no more; what is free is had without touching the loop.  A waiter
whose time is up or whose Future was cancelled stays queued until it is its turn, or until
there are more than a hundred such, when the queue is swept.

Timeouts are deadlines on the clock of `IOLoop.time` when they are numbers, and relative when
they are `datetime.timedelta`.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, _get_running_loop
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Any

from txtornado.concurrent import current_loop, done_future, new_future

__all__ = ["BoundedSemaphore", "Condition", "Event", "Lock", "Semaphore"]

_Timeout = float | timedelta | None

_SWEEP_AFTER = 100


def limit_time(future: Future[Any], timeout: float | timedelta, expire: Callable[..., Any]) -> None:
    """Call ``expire(future)`` at ``timeout`` unless ``future`` is done by then."""
    from txtornado.ioloop import IOLoop

    loop = IOLoop.current()
    handle = loop.add_timeout(timeout, expire, future)
    future.add_done_callback(lambda _: loop.remove_timeout(handle))


class _WaiterQueue:
    """What `Condition` and the semaphores share: waiters in order of arrival."""

    def __init__(self) -> None:
        self._waiters: deque[Future[Any]] = deque()
        self._expired = 0

    def _note_expired(self) -> None:
        self._expired += 1
        if self._expired > _SWEEP_AFTER:
            self._expired = 0
            self._waiters = deque(w for w in self._waiters if not w.done())


class Condition(_WaiterQueue):
    """Lets coroutines wait until they are notified.

    Unlike `threading.Condition` it needs no lock around it.
    """

    def __repr__(self) -> str:
        waiters = f" waiters[{len(self._waiters)}]" if self._waiters else ""
        return f"<{type(self).__name__}{waiters}>"

    def wait(self, timeout: _Timeout = None) -> Awaitable[bool]:
        """A Future that is True when notified, False when ``timeout`` came first."""
        waiter: Future[bool] = Future(loop=_get_running_loop() or current_loop())
        self._waiters.append(waiter)
        if timeout is not None:
            limit_time(waiter, timeout, self._expire)
        return waiter

    def _expire(self, waiter: Future[bool]) -> None:
        if not waiter.done():
            waiter.set_result(False)
            self._note_expired()

    def notify(self, n: int = 1) -> None:
        """Wake the ``n`` that have waited longest."""
        waiters = self._waiters
        while n and waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                n -= 1
                waiter.set_result(True)

    def notify_all(self) -> None:
        """Wake all that wait."""
        self.notify(len(self._waiters))


class Event:
    """A flag that coroutines can wait for; not set at first."""

    def __init__(self) -> None:
        self._set = False
        self._waiters: set[Future[None]] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'set' if self._set else 'clear'}>"

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._set

    def set(self) -> None:
        """Set the flag and wake all that wait; waiting returns at once from now on."""
        if self._set:
            return
        self._set = True
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Take the flag back."""
        self._set = False

    def wait(self, timeout: _Timeout = None) -> Awaitable[None]:
        """A Future that is done when the flag is set.

        Raises:
            TimeoutError: in the Future, when ``timeout`` came first.
        """
        if self._set:
            return done_future()
        waiter: Future[None] = new_future()
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)
        if timeout is not None:
            limit_time(waiter, timeout, expire_with_error)
        return waiter


def expire_with_error(waiter: Future[Any]) -> None:
    """Fail a waiter whose time is up."""
    if not waiter.done():
        waiter.set_exception(TimeoutError("Timeout"))


class _Releaser(tuple[Any]):
    """Result of ``acquire()``: ``with (yield lock.acquire()):`` releases in the end.

    A tuple, because making one takes no call into Python.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self[0].release()


class Semaphore(_WaiterQueue):
    """Lets at most ``value`` acquire it before one of them releases it.

    Waiters are served in order of arrival.  Use it as ``async with semaphore:``, or in
    generators as ``with (yield semaphore.acquire()):``.

    Raises:
        ValueError: ``value`` is negative.
    """

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("the initial value of a semaphore must be 0 or more")
        super().__init__()
        self._value = value

    def __repr__(self) -> str:
        state = "locked" if self._value == 0 else f"unlocked,value:{self._value}"
        waiters = f",waiters:{len(self._waiters)}" if self._waiters else ""
        return f"<{type(self).__name__} [{state}{waiters}]>"

    def release(self) -> None:
        """Count up, and hand over to the one that has waited longest, if there is one."""
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(_Releaser((self,)))
                return
        self._value += 1

    def acquire(self, timeout: _Timeout = None) -> Awaitable[Any]:
        """A Future of a context manager that releases; done when the semaphore is ours.

        Raises:
            TimeoutError: in the Future, when ``timeout`` came first.
        """
        waiter: Future[Any] = Future(loop=_get_running_loop() or current_loop())
        if self._value:
            self._value -= 1
            waiter.set_result(_Releaser((self,)))
            return waiter
        self._waiters.append(waiter)
        if timeout is not None:
            limit_time(waiter, timeout, self._expire)
        return waiter

    def _expire(self, waiter: Future[Any]) -> None:
        if not waiter.done():
            expire_with_error(waiter)
            self._note_expired()

    def __enter__(self) -> None:
        raise RuntimeError(
            f"use 'async with' or 'with (yield {type(self).__name__.lower()}.acquire())', "
            "not a plain 'with'"
        )

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__enter__()

    async def __aenter__(self) -> None:
        if self._value:
            self._value -= 1
            return
        waiter: Future[Any] = Future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            # Cancelled after it became ours, but before we could run: hand it on.
            if waiter.done() and not waiter.cancelled():
                self.release()
            raise

    async def __aexit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()


class BoundedSemaphore(Semaphore):
    """A semaphore that cannot be released more often than it was acquired."""

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._initial_value = value

    def release(self) -> None:
        """As `Semaphore.release`.

        Raises:
            ValueError: it is not acquired.
        """
        if self._value >= self._initial_value:
            raise ValueError("semaphore released more often than acquired")
        super().release()


class Lock(Semaphore):
    """A lock that one coroutine holds at a time.

    ``async with lock:``, or in generators ``with (yield lock.acquire()):``.  It is not re-entrant, and
    whoever calls `release` releases it.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def __repr__(self) -> str:
        state = "unlocked" if self._value else "locked"
        waiters = f" waiters[{len(self._waiters)}]" if self._waiters else ""
        return f"<{type(self).__name__} {state}{waiters}>"

    def release(self) -> None:
        """Let the one that has waited longest have it.

        Raises:
            RuntimeError: the lock is not held.
        """
        if self._value:
            raise RuntimeError("release of an unlocked lock")
        super().release()

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.__enter__()
