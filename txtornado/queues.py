"""Queues between coroutines of one loop; not thread-safe (Tornado 4.2).

`Queue.put` into a queue with room and the shared parts of `Queue.get` cost no more than the
bookkeeping: the Future of a put that need not wait is the loop's `done_future`.

Timeouts are deadlines on the clock of `IOLoop.time` when they are numbers, and relative when
they are `datetime.timedelta`; zero means not to wait (Tornado 6.6).
"""

from __future__ import annotations

import heapq
from asyncio import Future, _get_running_loop
from collections import deque
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Generic, TypeVar

from txtornado.concurrent import current_loop, done_future, new_future
from txtornado.locks import Event, expire_with_error, limit_time

__all__ = ["LifoQueue", "PriorityQueue", "Queue", "QueueEmpty", "QueueFull"]

_T = TypeVar("_T")
_Timeout = float | timedelta | None


class QueueEmpty(Exception):
    """`Queue.get_nowait` found nothing."""


class QueueFull(Exception):
    """`Queue.put_nowait` found no room."""


def _set_timeout(waiter: Future[Any], timeout: _Timeout) -> None:
    if timeout is not None:
        limit_time(waiter, timeout, expire_with_error)


def _is_zero(timeout: _Timeout) -> bool:
    return timeout is not None and not timeout


class _QueueIterator(Generic[_T]):
    __slots__ = ("_queue",)

    def __init__(self, queue: Queue[_T]) -> None:
        self._queue = queue

    def __anext__(self) -> Awaitable[_T]:
        return self._queue.get()


class Queue(Generic[_T]):
    """First in, first out.

    ``async for item in queue`` gets items for ever.

    Args:
        maxsize: how many items there is room for, 0 for no limit.

    Raises:
        TypeError: ``maxsize`` is None.
        ValueError: ``maxsize`` is negative.
    """

    _queue: Any

    def __init__(self, maxsize: int = 0) -> None:
        if maxsize is None:
            raise TypeError("maxsize must be a number, 0 for no limit")
        if maxsize < 0:
            raise ValueError("maxsize must not be negative")
        self._maxsize = maxsize
        self._init()
        self._getters: deque[Future[_T]] = deque()
        self._putters: deque[tuple[_T, Future[None]]] = deque()
        self._unfinished_tasks = 0
        self._joined: Event | None = None

    # The three that a subclass overrides for an order of its own

    def _init(self) -> None:
        self._queue = deque()

    def _get(self) -> _T:
        return self._queue.popleft()  # type: ignore[no-any-return]

    def _put(self, item: _T) -> None:
        self._queue.append(item)

    @property
    def maxsize(self) -> int:
        """How many items there is room for, 0 for no limit."""
        return self._maxsize

    def qsize(self) -> int:
        """The number of items in the queue."""
        return len(self._queue)

    def empty(self) -> bool:
        """Whether there is no item."""
        return not self._queue

    def full(self) -> bool:
        """Whether there is no room."""
        return self._maxsize != 0 and len(self._queue) >= self._maxsize

    def put(self, item: _T, timeout: _Timeout = None) -> Future[None]:
        """Put ``item`` in, as soon as there is room.

        Returns:
            A Future that is done when the item is in the queue.

        Raises:
            TimeoutError: in the Future, when ``timeout`` came first; the item is not put in then.
        """
        if self._getters or self._putters or (self._maxsize and self.full()):
            return self._put_with_others(item, timeout)
        self._unfinished_tasks += 1
        self._put(item)
        return done_future()

    def _put_with_others(self, item: _T, timeout: _Timeout) -> Future[None]:
        try:
            self.put_nowait(item)
        except QueueFull:
            pass
        else:
            return done_future()
        waiter: Future[None] = new_future()
        if _is_zero(timeout):
            expire_with_error(waiter)
        else:
            self._putters.append((item, waiter))
            _set_timeout(waiter, timeout)
        return waiter

    def put_nowait(self, item: _T) -> None:
        """Put ``item`` in.

        Raises:
            QueueFull: there is no room.
        """
        if self._getters or self._putters:
            self._drop_expired()
            if self._getters:
                getter = self._getters.popleft()
                self._unfinished_tasks += 1
                self._put(item)
                getter.set_result(self._get())
                return
        if self.full():
            raise QueueFull
        self._unfinished_tasks += 1
        self._put(item)

    def get(self, timeout: _Timeout = None) -> Awaitable[_T]:
        """Take an item out, as soon as there is one.

        Returns:
            A Future of the item.

        Raises:
            TimeoutError: in the Future, when ``timeout`` came first.
        """
        waiter: Future[_T] = Future(loop=_get_running_loop() or current_loop())
        if self._getters or self._putters:
            self._drop_expired()
            self._admit_putter()
        if self._queue:
            waiter.set_result(self._get())
        elif _is_zero(timeout):
            expire_with_error(waiter)
        else:
            self._getters.append(waiter)
            _set_timeout(waiter, timeout)
        return waiter

    def get_nowait(self) -> _T:
        """Take an item out.

        Raises:
            QueueEmpty: there is none.
        """
        if self._getters or self._putters:
            self._drop_expired()
            self._admit_putter()
        if not self._queue:
            raise QueueEmpty
        return self._get()

    def _admit_putter(self) -> None:
        """Let the next putter in, though the queue is full: an item is about to go out."""
        if self._putters:
            item, putter = self._putters.popleft()
            self._unfinished_tasks += 1
            self._put(item)
            putter.set_result(None)

    def _drop_expired(self) -> None:
        putters, getters = self._putters, self._getters
        while putters and putters[0][1].done():
            putters.popleft()
        while getters and getters[0].done():
            getters.popleft()

    def task_done(self) -> None:
        """Say that the work on an item that was taken out is done; see `join`.

        Raises:
            ValueError: said more often than items were put in.
        """
        if self._unfinished_tasks <= 0:
            raise ValueError("task_done() called more often than there were items")
        self._unfinished_tasks -= 1
        if not self._unfinished_tasks and self._joined is not None:
            self._joined.set()
            self._joined = None

    def join(self, timeout: _Timeout = None) -> Awaitable[None]:
        """A Future that is done when `task_done` was called for every item put in.

        Raises:
            TimeoutError: in the Future, when ``timeout`` came first.
        """
        if not self._unfinished_tasks:
            return done_future()
        if _is_zero(timeout):
            waiter: Future[None] = new_future()
            expire_with_error(waiter)
            return waiter
        if self._joined is None:
            self._joined = Event()
        return self._joined.wait(timeout)

    def __aiter__(self) -> _QueueIterator[_T]:
        return _QueueIterator(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {hex(id(self))} {self._describe()}>"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self._describe()}>"

    def _describe(self) -> str:
        parts = [f"maxsize={self._maxsize!r}"]
        if self._queue:
            parts.append(f"queue={self._queue!r}")
        if self._getters:
            parts.append(f"getters[{len(self._getters)}]")
        if self._putters:
            parts.append(f"putters[{len(self._putters)}]")
        if self._unfinished_tasks:
            parts.append(f"tasks={self._unfinished_tasks}")
        return " ".join(parts)


class PriorityQueue(Queue[_T]):
    """A queue that gives the lowest item first, usually ``(priority, data)`` tuples."""

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: _T) -> None:
        heapq.heappush(self._queue, item)

    def _get(self) -> _T:
        return heapq.heappop(self._queue)  # type: ignore[no-any-return]


class LifoQueue(Queue[_T]):
    """A queue that gives the item that was put in last."""

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: _T) -> None:
        self._queue.append(item)

    def _get(self) -> _T:
        return self._queue.pop()  # type: ignore[no-any-return]
