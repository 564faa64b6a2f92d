"""Tests for `txtornado.concurrent`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import traceback
import weakref
from typing import Any

from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from txtornado import gen
from txtornado.concurrent import (
    FUTURES,
    DummyExecutor,
    Future,
    ReturnValueIgnoredError,
    TracebackFuture,
    as_deferred,
    as_future,
    chain_future,
    done_future,
    dummy_executor,
    future_add_done_callback,
    future_set_exc_info,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
    return_future,
    run_on_executor,
    with_callback,
)
from txtornado.log import app_log
from txtornado.stack_context import ExceptionStackContext
from txtornado.testing import ExpectLog, ReactorTestCase


class Boom(Exception):
    """What the tests raise."""


async def turns(count: int = 3) -> None:
    """Let the loop run."""
    for _ in range(count):
        await asyncio.sleep(0)


def names_in_traceback(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


class FutureHelperTests(ReactorTestCase):
    """The documented helpers for one Future."""

    async def test_future_is_asyncios(self) -> None:
        """There is one Future class, asyncio's, under all of its documented names."""
        self.assertIs(Future, asyncio.Future)
        self.assertIs(TracebackFuture, asyncio.Future)
        self.assertEqual(FUTURES, (concurrent.futures.Future, asyncio.Future))

    async def test_is_future(self) -> None:
        """Futures of asyncio and of executors are futures, other awaitables are not."""
        self.assertTrue(is_future(Future()))
        self.assertTrue(is_future(concurrent.futures.Future()))
        for other in (None, defer.Deferred(), gen.moment, [Future()]):
            self.assertFalse(is_future(other))

    async def test_set_result_unless_cancelled(self) -> None:
        """A result is set, but a cancelled Future stays cancelled without an error."""
        future: Future[int] = Future()
        future_set_result_unless_cancelled(future, 42)
        self.assertEqual(future.result(), 42)
        cancelled: Future[int] = Future()
        cancelled.cancel()
        future_set_result_unless_cancelled(cancelled, 42)
        self.assertTrue(cancelled.cancelled())

    async def test_set_exception_unless_cancelled(self) -> None:
        """An exception is set, and logged when the Future has been cancelled."""
        future: Future[int] = Future()
        future_set_exception_unless_cancelled(future, Boom())
        self.assertIsInstance(future.exception(), Boom)
        cancelled: Future[int] = Future()
        cancelled.cancel()
        with ExpectLog(app_log, "Exception after Future was cancelled"):
            future_set_exception_unless_cancelled(cancelled, Boom())

    async def test_set_exc_info(self) -> None:
        """The exception of a triple is set; a triple without one is refused."""
        future: Future[int] = Future()
        error = Boom()
        future_set_exc_info(future, (Boom, error, None))
        self.assertIs(future.exception(), error)
        self.assertRaises(ValueError, future_set_exc_info, Future(), (None, None, None))

    async def test_add_done_callback(self) -> None:
        """The callback of a Future that is done runs at once, else when it is done."""
        seen: list[Any] = []
        future: Future[int] = Future()
        future_add_done_callback(future, seen.append)
        self.assertEqual(seen, [])
        future.set_result(1)
        await turns()
        self.assertEqual(seen, [future])
        future_add_done_callback(future, seen.append)
        self.assertEqual(seen, [future, future])


class ChainFutureTests(ReactorTestCase):
    """`chain_future` between both kinds of futures."""

    async def test_result(self) -> None:
        """The result arrives, whichever kind of future is on either side."""
        for source_class in FUTURES:
            for target_class in FUTURES:
                source: Any = source_class()
                target: Any = target_class()
                chain_future(source, target)
                source.set_result("value")
                await turns()
                self.assertEqual(target.result(), "value")

    async def test_exception(self) -> None:
        """The exception arrives as the same object."""
        source: Future[int] = Future()
        target: concurrent.futures.Future[int] = concurrent.futures.Future()
        chain_future(source, target)
        error = Boom()
        source.set_exception(error)
        await turns()
        self.assertIs(target.exception(), error)

    async def test_cancellation(self) -> None:
        """A cancelled source cancels the target."""
        source: concurrent.futures.Future[int] = concurrent.futures.Future()
        target: Future[int] = Future()
        chain_future(source, target)
        source.cancel()
        await turns()
        self.assertTrue(target.cancelled())

    async def test_target_done_first(self) -> None:
        """A target that is done keeps what it has."""
        source: Future[int] = Future()
        target: Future[int] = Future()
        chain_future(source, target)
        target.set_result(1)
        source.set_result(2)
        await turns()
        self.assertEqual(target.result(), 1)

    async def test_from_another_thread(self) -> None:
        """A result that is set in another thread arrives in the thread of the target's loop."""
        source: concurrent.futures.Future[int] = concurrent.futures.Future()
        target: Future[int] = Future()
        seen: list[int] = []
        target.add_done_callback(lambda _: seen.append(threading.get_ident()))
        chain_future(source, target)
        thread = threading.Thread(target=source.set_result, args=(5,))
        thread.start()
        self.assertEqual(await target, 5)
        thread.join()
        await turns()
        self.assertEqual(seen, [threading.get_ident()])


class DoneFutureTests(ReactorTestCase):
    """`done_future`."""

    async def test_shared(self) -> None:
        """It is resolved to None, and the same each time."""
        future = done_future()
        self.assertTrue(future.done())
        self.assertIsNone(await future)
        self.assertIs(done_future(), future)

    async def test_one_per_loop(self) -> None:
        """Each loop has its own, which does not keep the loop from being collected."""

        async def get() -> Future[None]:
            return done_future()

        def in_other_loop() -> weakref.ref[asyncio.AbstractEventLoop]:
            loop = asyncio.SelectorEventLoop()
            try:
                future = loop.run_until_complete(get())
                self.assertIs(future.get_loop(), loop)
            finally:
                loop.close()
            return weakref.ref(loop)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            reference = pool.submit(in_other_loop).result()
        gc.collect()
        self.assertIsNone(reference())
        self.assertIs(done_future().get_loop(), asyncio.get_running_loop())


class AsFutureTests(ReactorTestCase):
    """`as_future`."""

    async def test_future_itself(self) -> None:
        """A Future comes back as it is."""
        future: Future[None] = Future()
        self.assertIs(as_future(future), future)

    async def test_everything_yieldable(self) -> None:
        """Coroutines, Deferreds, executors' futures, lists, dicts and None become Futures."""

        async def native() -> int:
            await asyncio.sleep(0)
            return 1

        pending: defer.Deferred[int] = defer.Deferred()
        executed: concurrent.futures.Future[int] = concurrent.futures.Future()
        futures = [
            as_future(thing)
            for thing in (
                native(),
                pending,
                defer.succeed(3),
                executed,
                [native()],
                {"a": native()},
                None,
            )
        ]
        for future in futures:
            self.assertIsInstance(future, asyncio.Future)
        pending.callback(2)
        executed.set_result(4)
        self.assertEqual([await future for future in futures], [1, 2, 3, 4, [1], {"a": 1}, None])

    async def test_nothing_to_wait_for(self) -> None:
        """Anything else is refused with the error of a bad yield."""
        for thing in (42, "text", object(), (1, 2)):
            self.assertRaises(gen.BadYieldError, as_future, thing)

    async def test_failure_keeps_traceback(self) -> None:
        """The failure of a Deferred is its exception, with the frames it was raised in."""

        @defer.inlineCallbacks
        def origin() -> Any:
            yield None
            raise Boom

        error = await self.assertFailure(asyncio_task(as_future(origin())), Boom)
        self.assertIn("origin", names_in_traceback(error))

    async def test_deferred_cancelled(self) -> None:
        """A cancelled Deferred is a cancelled Future."""
        deferred: defer.Deferred[None] = defer.Deferred()
        future = as_future(deferred)
        deferred.cancel()
        self.assertTrue(future.cancelled())

    async def test_cancel_reaches_deferred(self) -> None:
        """Cancelling the Future cancels the Deferred."""
        cancelled = []
        deferred: defer.Deferred[None] = defer.Deferred(cancelled.append)
        as_future(deferred).cancel()
        await turns()
        self.assertEqual(cancelled, [deferred])

    async def test_cancel_reaches_executor_future(self) -> None:
        """Cancelling the Future cancels the executor's future it was made of."""
        source: concurrent.futures.Future[None] = concurrent.futures.Future()
        as_future(source).cancel()
        await turns()
        self.assertTrue(source.cancelled())

    async def test_result_after_cancellation(self) -> None:
        """A Deferred that fires although its Future was cancelled does no harm."""
        deferred: defer.Deferred[int] = defer.Deferred(lambda d: d.callback(1))
        future = as_future(deferred)
        future.cancel()
        await turns()
        self.assertTrue(future.cancelled())

    async def test_stop_iteration(self) -> None:
        """A Deferred that failed with StopIteration gives a RuntimeError, as coroutines do."""
        future = as_future(defer.fail(StopIteration()))
        self.assertIsInstance(future.exception(), RuntimeError)
        self.assertIsInstance(future.exception().__cause__, StopIteration)


def asyncio_task(future: Future[Any]) -> defer.Deferred[Any]:
    """Twisted's own bridge, to have a second opinion."""
    return defer.Deferred.fromFuture(future)


class AsDeferredTests(ReactorTestCase):
    """`as_deferred`."""

    async def test_deferred_itself(self) -> None:
        """A Deferred comes back as it is."""
        deferred: defer.Deferred[None] = defer.Deferred()
        self.assertIs(as_deferred(deferred), deferred)

    async def test_result(self) -> None:
        """The result of a Future, a generator coroutine and a native one arrives."""

        @gen.coroutine
        def decorated() -> Any:
            yield None
            return 2

        async def native() -> int:
            return 3

        future: Future[int] = Future()
        deferreds = [as_deferred(future), as_deferred(decorated()), as_deferred(native())]
        future.set_result(1)
        self.assertEqual([await d for d in deferreds], [1, 2, 3])

    async def test_already_done(self) -> None:
        """A Future that is done gives a Deferred that has fired."""
        results: list[Any] = []
        as_deferred(done_future()).addCallback(results.append)
        self.assertEqual(results, [None])

    async def test_failure_keeps_traceback(self) -> None:
        """The exception arrives as a Failure, with the frames it was raised in."""

        @gen.coroutine
        def origin() -> Any:
            yield None
            raise Boom

        failures: list[Any] = []
        deferred = as_deferred(origin()).addErrback(failures.append)
        await deferred
        [failure] = failures
        self.assertIsInstance(failure.value, Boom)
        self.assertIn("origin", failure.getTraceback())

    async def test_cancel_reaches_task(self) -> None:
        """Cancelling the Deferred cancels a native coroutine, and the Deferred says so."""
        seen = []

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        deferred = as_deferred(work())
        await turns()
        deferred.cancel()
        await self.assertFailure(deferred, defer.CancelledError)
        await turns()
        self.assertEqual(seen, ["cancelled"])

    async def test_cancel_reaches_generator(self) -> None:
        """Cancelling the Deferred ends what a generator coroutine waits for, however deep."""
        seen = []
        waited_for: defer.Deferred[None] = defer.Deferred()

        @gen.coroutine
        def inner() -> Any:
            try:
                yield waited_for
            except asyncio.CancelledError:
                seen.append("inner")
                raise

        @gen.coroutine
        def outer() -> Any:
            try:
                yield inner()
            except asyncio.CancelledError:
                seen.append("outer")
                raise

        deferred = as_deferred(outer())
        deferred.cancel()
        await self.assertFailure(deferred, defer.CancelledError)
        await turns(6)
        self.assertEqual(seen, ["inner", "outer"])
        self.assertTrue(waited_for.called)

    async def test_cancel_reaches_list(self) -> None:
        """Cancelling the Deferred reaches into the lists that a generator coroutine waits for."""
        waited_for: list[defer.Deferred[None]] = [defer.Deferred(), defer.Deferred()]

        @gen.coroutine
        def inner(deferred: Any) -> Any:
            yield deferred

        @gen.coroutine
        def outer() -> Any:
            yield [inner(waited_for[0]), {"key": waited_for[1]}, done_future()]

        future = outer()
        deferred = as_deferred(future)
        deferred.cancel()
        await self.assertFailure(deferred, defer.CancelledError)
        await turns(6)
        self.assertTrue(future.cancelled())
        self.assertEqual([d.called for d in waited_for], [True, True])

    async def test_cancelled_child(self) -> None:
        """A list with a cancelled Future fails the Deferred with Twisted's CancelledError."""
        pending: Future[None] = Future()
        deferred = as_deferred([pending])
        pending.cancel()
        await self.assertFailure(deferred, defer.CancelledError)

    async def test_future_cancelled(self) -> None:
        """A Future that is cancelled fails the Deferred with Twisted's CancelledError."""
        pending: Future[None] = Future()
        deferred = as_deferred(pending)
        pending.cancel()
        await self.assertFailure(deferred, defer.CancelledError)
        await self.assertFailure(as_deferred(pending), defer.CancelledError)

    async def test_failure_after_cancellation(self) -> None:
        """A task that fails while it is cancelled does not fire the Deferred twice."""

        async def stubborn() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                raise Boom

        deferred = as_deferred(stubborn())
        await turns()
        deferred.cancel()
        await self.assertFailure(deferred, defer.CancelledError)
        await turns()


class WithCallbackTests(ReactorTestCase):
    """`with_callback`, the adapter for ``callback=``."""

    async def test_no_callback(self) -> None:
        """Without a callback the Future is handed on."""
        future: Future[None] = Future()
        self.assertIs(with_callback(future, None), future)

    async def test_result(self) -> None:
        """The callback gets the result, and no argument when that is None."""
        calls: list[Any] = []
        for value in (7, None):
            future: Future[Any] = Future()
            self.assertIs(with_callback(future, lambda *args: calls.append(args)), future)
            future.set_result(value)
        await turns()
        self.assertEqual(calls, [(7,), ()])

    async def test_failure_goes_to_stack_context(self) -> None:
        """A failure is not for the callback but for the caller's stack context."""
        errors: list[Any] = []
        called: list[Any] = []
        future: Future[Any] = Future()
        with ExceptionStackContext(lambda typ, value, tb: errors.append(typ) or True):
            with_callback(future, called.append)
        future.set_exception(Boom())
        await turns()
        self.assertEqual((errors, called), ([Boom], []))

    async def test_failure_is_logged(self) -> None:
        """A failure that no stack context takes is logged."""
        future: Future[Any] = Future()
        with_callback(future, lambda: None)
        future.set_exception(Boom())
        with ExpectLog(app_log, "Exception in callback"):
            await turns()


class ExecutorTests(ReactorTestCase):
    """`run_on_executor` and `DummyExecutor`."""

    class Worker:
        executor = dummy_executor
        _other = DummyExecutor()

        @run_on_executor
        def plain(self, value: int) -> int:
            return value

        @run_on_executor(executor="_other")
        def named(self, value: int) -> int:
            return -value

        @run_on_executor()
        def fails(self) -> None:
            raise Boom

    async def test_dummy_executor(self) -> None:
        """The dummy executor has run the call when `submit` returns, whether it failed or not."""
        self.assertEqual(dummy_executor.submit(pow, 2, 3).result(0), 8)
        self.assertIsInstance(dummy_executor.submit(int, "x").exception(0), ValueError)
        dummy_executor.shutdown()

    async def test_forms(self) -> None:
        """The decorator works bare and called, and with another attribute."""
        worker = self.Worker()
        self.assertEqual(await worker.plain(1), 1)
        self.assertEqual(await worker.named(1), -1)
        with self.assertRaises(Boom):
            await worker.fails()
        self.assertEqual(worker.plain.__name__, "plain")

    async def test_callback(self) -> None:
        """The callback argument of old is served."""
        results: list[int] = []
        self.Worker().plain(3, callback=results.append)
        await turns(6)
        self.assertEqual(results, [3])

    async def test_real_thread(self) -> None:
        """The method runs in the executor's thread, what awaits it in ours."""

        class Worker:
            executor = concurrent.futures.ThreadPoolExecutor(1)

            @run_on_executor
            def where(self) -> int:
                return threading.get_ident()

        worker = Worker()
        try:
            self.assertNotEqual(await worker.where(), threading.get_ident())
        finally:
            worker.executor.shutdown()

    def test_misuse(self) -> None:
        """Neither two methods nor a method and options can be decorated."""
        self.assertRaises(ValueError, run_on_executor, len, len)
        self.assertRaises(ValueError, run_on_executor, len, executor="x")


class ReturnFutureTests(ReactorTestCase):
    """`return_future`."""

    async def test_result(self) -> None:
        """What the function gives its callback is the result."""

        @return_future
        def double(value: int, callback: Any) -> None:
            self.io_loop.add_callback(callback, 2 * value)

        self.assertEqual(await double(4), 8)
        results: list[int] = []
        double(5, callback=results.append)
        await turns(6)
        self.assertEqual(results, [10])

    async def test_failure(self) -> None:
        """What it raises, then or in a callback it scheduled, fails the Future."""

        @return_future
        def fail(later: bool, callback: Any) -> None:
            def work() -> None:
                raise Boom

            if later:
                self.io_loop.add_callback(work)
            else:
                work()

        for later in (False, True):
            with self.assertRaises(Boom):
                await fail(later)

    async def test_value_returned(self) -> None:
        """A function that returns a value has misunderstood."""

        @return_future
        def wrong(callback: Any) -> int:
            return 1

        with self.assertRaises(ReturnValueIgnoredError):
            await wrong()


class NoLoopTests(SynchronousTestCase):
    """Outside of a running loop."""

    def test_as_deferred_without_a_running_loop(self) -> None:
        """A coroutine that needs no waiting is a Deferred that has fired, loop or not."""

        @gen.coroutine
        def plain() -> Any:
            return 1
            yield

        self.assertEqual(self.successResultOf(as_deferred(plain())), 1)
