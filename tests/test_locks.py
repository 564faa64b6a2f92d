"""Tests for `txtornado.locks`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from txtornado import gen
from txtornado.locks import BoundedSemaphore, Condition, Event, Lock, Semaphore
from txtornado.testing import ReactorTestCase

SOON = timedelta(0)
NEVER = timedelta(hours=1)


async def turns(count: int = 3) -> None:
    """Let the loop run."""
    for _ in range(count):
        await asyncio.sleep(0)


class ConditionTests(ReactorTestCase):
    """`Condition`."""

    async def test_notify_in_order(self) -> None:
        """`notify` wakes as many as it is told, those first that came first."""
        condition = Condition()
        waiters = [condition.wait() for _ in range(4)]
        condition.notify()
        self.assertEqual([w.done() for w in waiters], [True, False, False, False])
        condition.notify(2)
        self.assertEqual([w.done() for w in waiters], [True, True, True, False])
        self.assertTrue(await waiters[0])

    async def test_notify_all(self) -> None:
        """`notify_all` wakes all, and none that comes later."""
        condition = Condition()
        waiters = [condition.wait() for _ in range(3)]
        condition.notify_all()
        later = condition.wait()
        self.assertTrue(all(w.done() for w in waiters))
        self.assertFalse(later.done())

    async def test_notify_nobody(self) -> None:
        """A notification that nobody waits for is lost."""
        condition = Condition()
        condition.notify()
        self.assertFalse(condition.wait().done())

    async def test_timeout(self) -> None:
        """Who waited in vain gets False, after a delay or at a deadline."""
        condition = Condition()
        self.assertIs(await condition.wait(SOON), False)
        self.assertIs(await condition.wait(self.io_loop.time()), False)

    async def test_timed_out_does_not_count(self) -> None:
        """A waiter whose time was up or that was cancelled takes no notification."""
        condition = Condition()
        await condition.wait(SOON)
        condition.wait().cancel()
        waiter = condition.wait(NEVER)
        condition.notify()
        self.assertTrue(await waiter)
        await turns()  # the timer is removed, trial would complain otherwise

    async def test_sweep(self) -> None:
        """More than a hundred waiters whose time is up do not pile up."""
        condition = Condition()
        waiters = [condition.wait(SOON) for _ in range(150)]
        last = condition.wait()
        await gen.multi(waiters)
        self.assertLess(len(condition._waiters), 100)
        condition.notify()
        self.assertTrue(last.done())

    async def test_repr(self) -> None:
        """The number of waiters is shown."""
        condition = Condition()
        self.assertEqual(repr(condition), "<Condition>")
        condition.wait()
        self.assertEqual(repr(condition), "<Condition waiters[1]>")


class EventTests(ReactorTestCase):
    """`Event`."""

    async def test_set_and_clear(self) -> None:
        """Waiters wait until it is set; who comes then need not wait, until it is cleared."""
        event = Event()
        waiter = event.wait()
        self.assertFalse(event.is_set())
        event.set()
        event.set()
        self.assertTrue(event.is_set() and waiter.done() and event.wait().done())
        event.clear()
        self.assertFalse(event.is_set() or event.wait().done())

    async def test_timeout(self) -> None:
        """Who waited in vain gets a TimeoutError, and is forgotten."""
        event = Event()
        for timeout in (SOON, self.io_loop.time()):
            with self.assertRaises(TimeoutError):
                await event.wait(timeout)
        self.assertEqual(len(event._waiters), 0)
        waiter = event.wait(NEVER)
        event.set()
        await waiter
        await turns()

    async def test_cancelled_waiter(self) -> None:
        """A waiter that was cancelled does no harm."""
        event = Event()
        event.wait().cancel()
        event.set()
        self.assertTrue(event.is_set())

    async def test_repr(self) -> None:
        """The state is shown."""
        event = Event()
        self.assertEqual(repr(event), "<Event clear>")
        event.set()
        self.assertEqual(repr(event), "<Event set>")


class SemaphoreTests(ReactorTestCase):
    """`Semaphore`, and what `Lock` has of it."""

    async def test_value(self) -> None:
        """As many can acquire it as its value says; the next one waits for a release."""
        semaphore = Semaphore(2)
        self.assertTrue(semaphore.acquire().done())
        self.assertTrue(semaphore.acquire().done())
        third, fourth = semaphore.acquire(), semaphore.acquire()
        semaphore.release()
        self.assertEqual((third.done(), fourth.done()), (True, False))

    async def test_negative_value(self) -> None:
        """A negative value is refused."""
        self.assertRaises(ValueError, Semaphore, -1)

    async def test_release_counts_up(self) -> None:
        """Without a bound a semaphore can be released ahead."""
        semaphore = Semaphore(0)
        semaphore.release()
        semaphore.release()
        self.assertTrue(semaphore.acquire().done() and semaphore.acquire().done())
        self.assertFalse(semaphore.acquire().done())

    async def test_no_overtaking(self) -> None:
        """A release hands over to who waits; who comes afterwards waits behind."""
        lock = Lock()
        lock.acquire()
        waiting = lock.acquire()
        lock.release()
        self.assertTrue(waiting.done())
        self.assertFalse(lock.acquire().done())

    async def test_with_yield(self) -> None:
        """``with (yield acquire())`` holds it in the block, failing or not, and gives None."""

        @gen.coroutine
        def work(thing: Any, fail: bool) -> Any:
            with (yield thing.acquire()) as value:
                self.assertIsNone(value)
                other = thing.acquire()
                self.assertFalse(other.done())
                other.cancel()
                yield None
                if fail:
                    raise KeyError

        for thing in (Semaphore(), Lock(), BoundedSemaphore()):
            await work(thing, False)
            with self.assertRaises(KeyError):
                await work(thing, True)
            self.assertTrue(thing.acquire().done())

    async def test_async_with(self) -> None:
        """``async with`` holds it in the block, failing or not, in order of arrival."""
        lock = Lock()
        order = []

        async def work(number: int) -> None:
            async with lock as value:
                self.assertIsNone(value)
                order.append(number)
                await asyncio.sleep(0)
                order.append(number)
                raise KeyError

        results = await asyncio.gather(*map(work, range(3)), return_exceptions=True)
        self.assertEqual([type(result) for result in results], [KeyError] * 3)
        self.assertEqual(order, [0, 0, 1, 1, 2, 2])

    async def test_timeout(self) -> None:
        """Who waited in vain gets a TimeoutError and takes no release."""
        semaphore = Semaphore(0)
        for timeout in (SOON, self.io_loop.time()):
            with self.assertRaises(TimeoutError):
                await semaphore.acquire(timeout)
        waiter = semaphore.acquire(NEVER)
        semaphore.release()
        await waiter
        await turns()

    async def test_sweep(self) -> None:
        """More than a hundred waiters whose time is up do not pile up."""
        semaphore = Semaphore(0)
        waiters = [semaphore.acquire(SOON) for _ in range(150)]
        for waiter in waiters:
            with self.assertRaises(TimeoutError):
                await waiter
        self.assertLess(len(semaphore._waiters), 100)

    async def test_cancelled_in_line(self) -> None:
        """A task that is cancelled while it waits in line is passed over."""
        lock = Lock()
        await lock.acquire()

        async def work() -> None:
            async with lock:
                pass

        task = asyncio.ensure_future(work())
        await turns()
        task.cancel()
        await turns()
        lock.release()
        self.assertTrue(lock.acquire().done())

    async def test_cancelled_when_served(self) -> None:
        """A task that is cancelled just when it got the lock does not keep it."""
        lock = Lock()
        await lock.acquire()

        async def work() -> None:
            async with lock:
                self.fail("must not get here")

        task = asyncio.ensure_future(work())
        await turns()
        lock.release()
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        self.assertTrue(lock.acquire().done())

    async def test_misuse(self) -> None:
        """A plain ``with``, and yielding the thing itself, are told what to do instead."""
        for thing in (Lock(), Semaphore()):
            with self.assertRaises(RuntimeError) as caught, thing:
                pass
            self.assertIn("async with", str(caught.exception))
            self.assertRaises(gen.BadYieldError, gen.convert_yielded, thing)

    async def test_released_too_often(self) -> None:
        """A lock or a bounded semaphore that is not held cannot be released."""
        lock, bounded = Lock(), BoundedSemaphore(2)
        for thing, error in ((lock, RuntimeError), (bounded, ValueError)):
            self.assertRaises(error, thing.release)
            thing.acquire()
            thing.release()
            self.assertRaises(error, thing.release)

    async def test_repr(self) -> None:
        """State and number of waiters are shown."""
        for thing, free in (
            (Semaphore(), "<Semaphore [unlocked,value:1]>"),
            (Lock(), "<Lock unlocked>"),
        ):
            self.assertEqual(repr(thing), free)
            thing.acquire()
            self.assertIn("locked", repr(thing))
            self.assertNotIn("waiters", repr(thing))
            thing.acquire()
            self.assertIn("waiters", repr(thing))
