"""Tests for `txtornado.gen.waiting`."""

from __future__ import annotations

import asyncio
import concurrent.futures
from datetime import timedelta
from typing import Any

from twisted.internet import defer

from txtornado import gen
from txtornado.log import app_log
from txtornado.testing import ExpectLog, ReactorTestCase


class Boom(Exception):
    """What the tests raise."""


async def turns(count: int = 3) -> None:
    """Let the loop run."""
    for _ in range(count):
        await asyncio.sleep(0)


def failed(error: BaseException) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.Future()
    future.set_exception(error)
    return future


class MultiTests(ReactorTestCase):
    """`multi`."""

    async def test_order(self) -> None:
        """Results are in the order of the children, whichever is done first."""
        first: asyncio.Future[int] = asyncio.Future()
        second: asyncio.Future[int] = asyncio.Future()
        result = gen.multi([first, second])
        second.set_result(2)
        await turns()
        self.assertFalse(result.done())
        first.set_result(1)
        self.assertEqual(await result, [1, 2])

    async def test_kinds(self) -> None:
        """Lists, dicts and other iterables of everything that can be yielded are taken."""

        async def native() -> int:
            return 2

        self.assertEqual(await gen.multi((defer.succeed(1), native())), [1, 2])
        self.assertEqual(await gen.multi_future({"a": defer.succeed(1)}), {"a": 1})
        self.assertEqual(await gen.Multi(iter([native()])), [2])
        self.assertEqual(await gen.multi([gen.moment, None]), [None, None])

    async def test_empty(self) -> None:
        """Without children the result is there, and of the kind of the argument."""
        self.assertEqual(gen.multi([]).result(), [])
        self.assertEqual(gen.multi({}).result(), {})

    async def test_same_child_twice(self) -> None:
        """One Future may be there several times."""
        future: asyncio.Future[int] = asyncio.Future()
        result = gen.multi([future, future])
        future.set_result(1)
        self.assertEqual(await result, [1, 1])

    async def test_exceptions(self) -> None:
        """The first exception in order is raised, after all are done; others are logged."""
        late: asyncio.Future[int] = asyncio.Future()
        result = gen.multi([late, failed(Boom("second")), gen.maybe_future(3)])
        await turns()
        self.assertFalse(result.done())
        late.set_exception(Boom("first"))
        expected = ExpectLog(app_log, "Multiple exceptions in yield list")
        with expected, self.assertRaises(Boom) as caught:
            await result
        self.assertEqual(str(caught.exception), "first")

    async def test_quiet_exceptions(self) -> None:
        """Exceptions of the quiet types, and cancellations, are not logged in addition."""
        cancelled: asyncio.Future[None] = asyncio.Future()
        cancelled.cancel()
        with self.assertNoLogs(app_log):
            with self.assertRaises(Boom):
                await gen.multi([failed(Boom()), failed(KeyError())], quiet_exceptions=KeyError)
            with self.assertRaises(Boom):
                await gen.multi([failed(Boom()), cancelled])

    async def test_cancelled_child(self) -> None:
        """The cancellation of a child is an exception, not a cancellation of the whole."""
        child: asyncio.Future[None] = asyncio.Future()
        child.cancel()
        result = gen.multi([child])
        with self.assertRaises(asyncio.CancelledError):
            await result
        self.assertFalse(result.cancelled())

    async def test_cancelled_itself(self) -> None:
        """A result that was cancelled is left alone when the children are done."""
        child: asyncio.Future[None] = asyncio.Future()
        result = gen.multi([child])
        result.cancel()
        child.set_result(None)
        await turns()
        self.assertTrue(result.cancelled())

    async def test_bad_child(self) -> None:
        """A child that cannot be waited for is refused."""
        self.assertRaises(gen.BadYieldError, gen.multi, [42])


class WithTimeoutTests(ReactorTestCase):
    """`with_timeout`."""

    async def test_in_time(self) -> None:
        """Results and failures that come in time pass, and the timer is gone."""
        for outcome in (1, Boom()):
            future: asyncio.Future[int] = asyncio.Future()
            result = gen.with_timeout(timedelta(hours=1), future)
            if isinstance(outcome, int):
                future.set_result(outcome)
                self.assertEqual(await result, outcome)
            else:
                future.set_exception(outcome)
                with self.assertRaises(Boom):
                    await result
            await turns()

    async def test_done_before(self) -> None:
        """What is done needs no time, even none."""
        self.assertEqual(await gen.with_timeout(0, gen.maybe_future(1)), 1)

    async def test_too_late(self) -> None:
        """After a deadline or a delay there is a TimeoutError; the Future is not cancelled."""
        for timeout in (self.io_loop.time(), timedelta(0)):
            future: asyncio.Future[int] = asyncio.Future()
            with self.assertRaises(gen.TimeoutError) as caught:
                await gen.with_timeout(timeout, future)
            self.assertEqual(str(caught.exception), "Timeout")
            self.assertFalse(future.done())

    async def test_message(self) -> None:
        """The text may be given, or made when it is needed."""
        for message in ("text", lambda: "text"):
            with self.assertRaises(TimeoutError) as caught:
                await gen.with_timeout(timedelta(0), asyncio.Future(), message=message)
            self.assertEqual(str(caught.exception), "text")

    async def test_late_failure(self) -> None:
        """A failure after the timeout is logged, unless it is of a quiet type or a cancellation."""
        loud, quiet, cancelled = (asyncio.Future() for _ in range(3))
        for future in (loud, quiet, cancelled):
            with self.assertRaises(TimeoutError):
                await gen.with_timeout(timedelta(0), future, quiet_exceptions=KeyError)
        with ExpectLog(app_log, "Error in Future .* after timeout"):
            loud.set_exception(Boom())
            await turns()
        with self.assertNoLogs(app_log):
            quiet.set_exception(KeyError())
            cancelled.cancel()
            await turns()

    async def test_kinds(self) -> None:
        """Anything that can be yielded is taken."""

        async def native() -> int:
            await asyncio.sleep(0)
            return 1

        deferred: defer.Deferred[int] = defer.Deferred()
        self.io_loop.add_callback(deferred.callback, 2)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            things = (native(), deferred, pool.submit(int, 3), None)
            results = [await gen.with_timeout(timedelta(hours=1), thing) for thing in things]
        self.assertEqual(results, [1, 2, 3, None])

    async def test_cancelled(self) -> None:
        """A cancelled Future cancels the result, not the other way round."""
        future: asyncio.Future[None] = asyncio.Future()
        result = gen.with_timeout(timedelta(hours=1), future)
        future.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await result
        other: asyncio.Future[None] = asyncio.Future()
        gen.with_timeout(timedelta(hours=1), other).cancel()
        await turns()
        self.assertFalse(other.cancelled())


class SmallToolTests(ReactorTestCase):
    """`sleep`, `maybe_future` and `moment`."""

    async def test_sleep(self) -> None:
        """`sleep` lasts as long as it should, and can be cancelled."""
        start = asyncio.get_running_loop().time()
        await gen.sleep(0.01)
        self.assertGreaterEqual(asyncio.get_running_loop().time() - start, 0.009)
        cancelled = gen.sleep(0)
        cancelled.cancel()
        await gen.sleep(0)
        self.assertTrue(cancelled.cancelled())

    async def test_sleep_of_no_time(self) -> None:
        """With nothing to wait for it lasts one turn of the loop, in which others come first."""
        loop = asyncio.get_running_loop()
        for duration in (0, 0.0, -1):
            seen: list[str] = []
            loop.call_soon(seen.append, "before")
            slept = gen.sleep(duration)
            self.assertFalse(slept.done())
            await slept
            self.assertEqual(seen, ["before"])

    async def test_cancelled_sleep_leaves_nothing(self) -> None:
        """A sleep that is cancelled takes its timer along."""
        slept = gen.sleep(3600)
        timer = slept.timer  # type: ignore[attr-defined]
        slept.cancel()
        self.assertTrue(timer.cancelled())

    async def test_maybe_future(self) -> None:
        """A Future comes back, anything else is the result of a new one."""
        future: asyncio.Future[None] = asyncio.Future()
        self.assertIs(gen.maybe_future(future), future)
        self.assertEqual(gen.maybe_future([1]).result(), [1])

    async def test_await_moment(self) -> None:
        """A native coroutine can await moment."""
        self.assertIsNone(await gen.moment)
        self.assertIn("moment", repr(gen.moment))


class WaitIteratorTests(ReactorTestCase):
    """`WaitIterator`."""

    async def test_order_of_completion(self) -> None:
        """Results come as they are done, each with its index and Future."""
        futures = [asyncio.Future() for _ in range(3)]
        iterator = gen.WaitIterator(*futures)
        seen = []
        for position in (2, 0, 1):
            result = iterator.next()
            self.assertFalse(result.done())
            self.assertIs(iterator.next(), result)
            futures[position].set_result(position * 10)
            seen.append((await result, iterator.current_index))
            self.assertIs(iterator.current_future, futures[position])
        self.assertEqual(seen, [(20, 2), (0, 0), (10, 1)])
        self.assertTrue(iterator.done())
        self.assertIsNone(iterator.current_index)
        self.assertIsNone(iterator.current_future)

    async def test_keywords(self) -> None:
        """With keyword arguments the index is the keyword."""
        iterator = gen.WaitIterator(first=gen.maybe_future(1), second=defer.succeed(2))
        seen = {}
        while not iterator.done():
            result = await iterator.next()
            seen[iterator.current_index] = result
        self.assertEqual(seen, {"first": 1, "second": 2})

    async def test_async_for(self) -> None:
        """``async for`` works, and can go on after an exception."""
        futures = [gen.maybe_future(1), failed(Boom()), gen.maybe_future(3), gen.moment]
        iterator = gen.WaitIterator(*futures)
        seen: list[Any] = []
        while not iterator.done():
            try:
                async for result in iterator:
                    seen.append(result)  # noqa: PERF401
            except Boom:
                seen.append((Boom, iterator.current_index))
        self.assertEqual(seen, [1, (Boom, 1), 3, None])

    async def test_same_future_twice(self) -> None:
        """One Future counts as often as it is given."""
        future = gen.maybe_future(1)
        iterator = gen.WaitIterator(future, future)
        self.assertEqual([iterator.current_index async for _ in iterator], [0, 1])

    async def test_misuse(self) -> None:
        """Both kinds of arguments, and asking after the end, are refused."""
        with self.assertRaises(ValueError):
            gen.WaitIterator(gen.sleep(0), a=gen.sleep(0))
        empty = gen.WaitIterator()
        self.assertTrue(empty.done())
        self.assertRaises(RuntimeError, empty.next)
        await gen.sleep(0)
