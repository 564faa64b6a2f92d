"""Tests for `txtornado.queues`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from txtornado import gen
from txtornado.queues import LifoQueue, PriorityQueue, Queue, QueueEmpty, QueueFull
from txtornado.testing import ReactorTestCase

SOON = timedelta(milliseconds=1)
NEVER = timedelta(hours=1)


async def turns(count: int = 3) -> None:
    """Let the loop run."""
    for _ in range(count):
        await asyncio.sleep(0)


class BasicTests(ReactorTestCase):
    """Putting and getting without waiting."""

    async def test_order(self) -> None:
        """Each kind of queue has its order."""
        for kind, expected in (
            (Queue, [2, 3, 1]),
            (LifoQueue, [1, 3, 2]),
            (PriorityQueue, [1, 2, 3]),
        ):
            queue: Any = kind()
            for item in (2, 3, 1):
                queue.put_nowait(item)
            self.assertEqual([queue.get_nowait() for _ in range(3)], expected)

    async def test_size(self) -> None:
        """Size, emptiness, fullness and limit are told."""
        queue: Queue[int] = Queue(2)
        self.assertEqual(
            (queue.maxsize, queue.qsize(), queue.empty(), queue.full()), (2, 0, True, False)
        )
        queue.put_nowait(1)
        queue.put_nowait(2)
        self.assertEqual((queue.qsize(), queue.empty(), queue.full()), (2, False, True))
        self.assertFalse(Queue().full())

    async def test_bad_size(self) -> None:
        """None and negative limits are refused; a fraction is a limit."""
        self.assertRaises(TypeError, Queue, None)
        self.assertRaises(ValueError, Queue, -1)
        queue: Queue[int] = Queue(0.5)  # type: ignore[arg-type]
        queue.put_nowait(1)
        self.assertRaises(QueueFull, queue.put_nowait, 2)

    async def test_nothing_there(self) -> None:
        """`get_nowait` on an empty queue and `put_nowait` on a full one raise."""
        queue: Queue[int] = Queue(1)
        self.assertRaises(QueueEmpty, queue.get_nowait)
        queue.put_nowait(1)
        self.assertRaises(QueueFull, queue.put_nowait, 2)
        self.assertEqual(queue.get_nowait(), 1)

    async def test_done_at_once(self) -> None:
        """With room, or with items, the Futures are done when the call returns."""
        queue: Queue[int] = Queue()
        self.assertTrue(queue.put(1).done())
        self.assertEqual(queue.get().result(), 1)

    async def test_own_order(self) -> None:
        """A subclass with the three hooks has an order of its own."""

        class Unique(Queue):
            def _init(self) -> None:
                self._queue = set()

            def _put(self, item: Any) -> None:
                self._queue.add(item)

            def _get(self) -> Any:
                return self._queue.pop()

        queue = Unique()
        for _ in range(2):
            await queue.put("same")
        self.assertEqual((queue.qsize(), await queue.get()), (1, "same"))

    async def test_repr(self) -> None:
        """Limit, items, waiters and unfinished tasks are shown, the address by repr only."""
        queue: Queue[int] = Queue(1)
        self.assertEqual(str(queue), "<Queue maxsize=1>")
        self.assertIn(hex(id(queue)), repr(queue))
        queue.get()
        self.assertEqual(str(queue), "<Queue maxsize=1 getters[1]>")
        for item in range(3):
            queue.put(item)
        self.assertEqual(str(queue), "<Queue maxsize=1 queue=deque([1]) putters[1] tasks=2>")


class WaitingTests(ReactorTestCase):
    """Putting and getting with waiting."""

    async def test_getters_in_order(self) -> None:
        """Items go to those first that came first."""
        queue: Queue[int] = Queue()
        first, second = queue.get(), queue.get()
        await queue.put(1)
        self.assertEqual((await first, second.done()), (1, False))
        queue.put_nowait(2)
        self.assertEqual(await second, 2)

    async def test_putters_in_order(self) -> None:
        """Putters of a full queue come in as items go out, those first that came first."""
        queue: Queue[int] = Queue(1)
        putters = [queue.put(item) for item in range(3)]
        self.assertEqual([p.done() for p in putters], [True, False, False])
        self.assertEqual(await queue.get(), 0)
        self.assertEqual([p.done() for p in putters], [True, True, False])
        self.assertEqual((queue.get_nowait(), queue.get_nowait()), (1, 2))
        self.assertRaises(QueueEmpty, queue.get_nowait)

    async def test_priority_among_putters(self) -> None:
        """The item that a getter makes room for competes in the queue's order."""
        queue: PriorityQueue[int] = PriorityQueue(1)
        queue.put(5)
        queue.put(3)
        self.assertEqual([await queue.get(), await queue.get()], [3, 5])

    async def test_get_timeout(self) -> None:
        """Who waited in vain for an item gets a TimeoutError, and no item later."""
        queue: Queue[int] = Queue()
        for timeout in (SOON, self.io_loop.time(), 0, timedelta(0)):
            with self.assertRaises(TimeoutError):
                await queue.get(timeout)
        waiter = queue.get(NEVER)
        queue.put_nowait(1)
        self.assertEqual(await waiter, 1)
        await turns()

    async def test_put_timeout(self) -> None:
        """Who waited in vain for room gets a TimeoutError, and the item stays out."""
        queue: Queue[int] = Queue(1)
        queue.put_nowait(0)
        for timeout in (SOON, self.io_loop.time(), 0, timedelta(0)):
            with self.assertRaises(TimeoutError):
                await queue.put(9, timeout)
        waiter = queue.put(1, NEVER)
        self.assertEqual(await queue.get(), 0)
        await waiter
        await turns()
        self.assertEqual(queue.get_nowait(), 1)
        self.assertTrue(queue.empty())

    async def test_zero_timeout_with_room(self) -> None:
        """With nothing to wait for, a timeout of zero is enough."""
        queue: Queue[int] = Queue(1)
        await queue.put(1, 0)
        self.assertEqual(await queue.get(timedelta(0)), 1)
        queue.task_done()
        await queue.join(0)

    async def test_cancelled_waiters(self) -> None:
        """Getters and putters that were cancelled are passed over."""
        queue: Queue[int] = Queue(1)
        queue.get().cancel()
        await queue.put(1)
        queue.put(2).cancel()
        third = queue.put(3)
        self.assertEqual([await queue.get(), await queue.get()], [1, 3])
        self.assertTrue(third.done())

    async def test_expired_waiters_do_not_pile_up(self) -> None:
        """Waiters whose time is up are dropped on the next call."""
        queue: Queue[int] = Queue(1)
        getters = [queue.get(SOON) for _ in range(10)]
        for getter in getters:
            with self.assertRaises(TimeoutError):
                await getter
        queue.put_nowait(1)
        self.assertEqual(str(queue), "<Queue maxsize=1 queue=deque([1]) tasks=1>")

    async def test_async_for(self) -> None:
        """``async for`` gets items for ever."""
        queue: Queue[int] = Queue()
        seen = []

        async def consume() -> None:
            async for item in queue:
                seen.append(item)  # noqa: PERF401

        task = asyncio.ensure_future(consume())
        for item in range(3):
            await queue.put(item)
            await turns(2)
        task.cancel()
        self.assertEqual(seen, [0, 1, 2])

    async def test_producer_and_consumers(self) -> None:
        """Nothing is lost or doubled between a producer and consumers of either kind."""
        queue: Queue[int] = Queue(3)
        seen: list[int] = []

        @gen.coroutine
        def consume() -> Any:
            while True:
                seen.append((yield queue.get()))
                yield None
                queue.task_done()

        async def native() -> None:
            async for item in queue:
                seen.append(item)
                queue.task_done()

        consume()
        task = asyncio.ensure_future(native())
        for item in range(50):
            await queue.put(item)
        await queue.join()
        task.cancel()
        self.assertEqual(sorted(seen), list(range(50)))


class JoinTests(ReactorTestCase):
    """`task_done` and `join`."""

    async def test_join(self) -> None:
        """`join` waits until there was a `task_done` for each item, again and again."""
        queue: Queue[int] = Queue()
        self.assertTrue(queue.join().done())
        for _ in range(2):
            queue.put_nowait(1)
            queue.put_nowait(2)
            joined = queue.join()
            await queue.get()
            await queue.get()
            queue.task_done()
            self.assertFalse(joined.done())
            queue.task_done()
            self.assertTrue(joined.done())

    async def test_too_often(self) -> None:
        """One `task_done` too many is an error."""
        queue: Queue[int] = Queue()
        self.assertRaises(ValueError, queue.task_done)
        queue.put_nowait(1)
        queue.task_done()
        self.assertRaises(ValueError, queue.task_done)

    async def test_timeout(self) -> None:
        """Who waited in vain gets a TimeoutError."""
        queue: Queue[int] = Queue()
        queue.put_nowait(1)
        for timeout in (SOON, self.io_loop.time(), 0):
            with self.assertRaises(TimeoutError):
                await queue.join(timeout)
