"""Tests for `txtornado.gen.coroutine` and its Runner."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import traceback
import weakref
from typing import Any

from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from txtornado import gen
from txtornado.log import app_log
from txtornado.testing import ExpectLog, ReactorTestCase


class Boom(Exception):
    """What the tests raise."""


variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


async def turns(count: int = 3) -> None:
    """Let the loop run."""
    for _ in range(count):
        await asyncio.sleep(0)


class DecoratorTests(SynchronousTestCase):
    """What the decorator makes of a function."""

    def test_metadata(self) -> None:
        """Name, docstring and the function itself can be had from the decorated one."""

        def work() -> Any:
            """Documented."""
            yield

        decorated = gen.coroutine(work)
        self.assertEqual((decorated.__name__, decorated.__doc__), ("work", "Documented."))
        self.assertIs(decorated.__wrapped__, work)

    def test_is_coroutine_function(self) -> None:
        """Decorated functions are coroutine functions, others and their results are not."""

        @gen.coroutine
        def work() -> Any:
            return None

        self.assertTrue(gen.is_coroutine_function(work))
        for other in (len, work.__wrapped__, work(), None):
            self.assertFalse(gen.is_coroutine_function(other))

    def test_method(self) -> None:
        """Methods can be decorated."""

        class Thing:
            @gen.coroutine
            def get(self, value: int) -> Any:
                return self, value
                yield

        thing = Thing()
        self.assertEqual(thing.get(3).result(), (thing, 3))


class ResultTests(ReactorTestCase):
    """How coroutines end."""

    async def test_done_at_once(self) -> None:
        """A coroutine that need not wait is done when the call returns."""

        @gen.coroutine
        def generator() -> Any:
            value = yield gen.maybe_future(1)
            return value + 1

        @gen.coroutine
        def function() -> int:
            return 3

        self.assertEqual(generator().result(), 2)
        self.assertEqual(function().result(), 3)

    async def test_return_exception(self) -> None:
        """`gen.Return` ends a coroutine with its value, early or late, None by default."""

        @gen.coroutine
        def function() -> None:
            raise gen.Return(1)

        @gen.coroutine
        def late() -> Any:
            yield None
            raise gen.Return((2, 3))

        @gen.coroutine
        def empty() -> Any:
            yield None
            raise gen.Return

        self.assertEqual([await function(), await late(), await empty()], [1, (2, 3), None])

    async def test_generator_returned(self) -> None:
        """A function that returns a generator or a coroutine object is driven like one."""

        def generator() -> Any:
            yield None
            return 1

        async def native() -> int:
            await asyncio.sleep(0)
            return 2

        self.assertEqual(await gen.coroutine(lambda: generator())(), 1)
        self.assertEqual(await gen.coroutine(native)(), 2)

    async def test_exception(self) -> None:
        """An exception is in the Future, not raised by the call, early or late."""

        @gen.coroutine
        def early() -> Any:
            raise Boom
            yield

        @gen.coroutine
        def late() -> Any:
            yield None
            raise Boom

        for function in (early, late):
            future = function()
            with self.assertRaises(Boom):
                await future

    async def test_bad_arguments(self) -> None:
        """Wrong arguments are an exception of the Future too."""

        @gen.coroutine
        def work(one: int) -> Any:
            yield None

        with self.assertRaises(TypeError):
            await work()

    async def test_cancelled_error(self) -> None:
        """A coroutine that ends with CancelledError is cancelled."""

        @gen.coroutine
        def work() -> Any:
            yield None
            raise asyncio.CancelledError

        future = work()
        with self.assertRaises(asyncio.CancelledError):
            await future
        self.assertTrue(future.cancelled())

    async def test_cancelled_future(self) -> None:
        """A coroutine whose Future was cancelled runs to its end; a late error is logged."""
        ended = []

        @gen.coroutine
        def work() -> Any:
            yield None
            ended.append(True)
            raise Boom

        future = work()
        future.cancel()
        with ExpectLog(app_log, "Exception after Future was cancelled"):
            await turns()
        self.assertEqual(ended, [True])

    async def test_exit_is_not_kept(self) -> None:
        """SystemExit leaves the call, as from any function."""

        @gen.coroutine
        def work() -> Any:
            raise SystemExit
            yield

        self.assertRaises(SystemExit, work)

    async def test_callback_argument(self) -> None:
        """The callback argument of Tornado 3 gets the result."""

        @gen.coroutine
        def work(value: int) -> Any:
            yield None
            return value

        results: list[int] = []
        future = work(5, callback=results.append)
        self.assertEqual(await future, 5)
        await turns()
        self.assertEqual(results, [5])

    async def test_own_callback_argument(self) -> None:
        """A function that has a callback parameter, or any keyword, gets it itself."""

        @gen.coroutine
        def named(callback: Any) -> Any:
            return callback
            yield

        @gen.coroutine
        def keywords(**kwargs: Any) -> Any:
            return kwargs
            yield

        self.assertIs(await named(callback=len), len)
        self.assertEqual(await keywords(callback=len), {"callback": len})


class YieldTests(ReactorTestCase):
    """What happens at a yield."""

    async def collect(self, *yielded: Any) -> list[Any]:
        @gen.coroutine
        def work() -> Any:
            results = []
            for thing in yielded:
                results.append((yield thing))  # noqa: PERF401
            return results

        return await work()

    async def test_everything(self) -> None:
        """Futures, Deferreds, coroutines, inlineCallbacks, lists, dicts and None are taken."""

        @defer.inlineCallbacks
        def inline() -> Any:
            yield defer.succeed(None)
            return 1

        async def native() -> int:
            return 2

        @gen.coroutine
        def decorated() -> Any:
            yield None
            return 3

        pending: defer.Deferred[int] = defer.Deferred()
        self.io_loop.add_callback(pending.callback, 4)
        future: asyncio.Future[int] = asyncio.Future()
        self.io_loop.add_callback(future.set_result, 5)
        results = await self.collect(
            inline(), native(), decorated(), pending, future, None, gen.moment,
            [native(), decorated()], {"a": native()}, [], {}, [[decorated()], {"b": None}],
        )  # fmt: skip
        expected = [1, 2, 3, 4, 5, None, None, [2, 3], {"a": 2}, [], {}, [[3], {"b": None}]]
        self.assertEqual(results, expected)

    async def test_custom_awaitable(self) -> None:
        """An object with ``__await__`` is awaited."""

        class Custom:
            def __await__(self) -> Any:
                yield from asyncio.sleep(0).__await__()
                return 6

        self.assertEqual(await self.collect(Custom()), [6])

    async def test_bad_yield(self) -> None:
        """What cannot be waited for raises in the coroutine, which can go on."""

        @gen.coroutine
        def work() -> Any:
            try:
                yield 42
            except gen.BadYieldError as error:
                return str(error)

        self.assertIn("42", await work())
        for bad in ((1, 2), "text", object(), [1]):
            with self.assertRaises(gen.BadYieldError):
                await self.collect(bad)

    async def test_exception_raised_at_yield(self) -> None:
        """The exception of what was yielded is raised there, and can be caught or replaced."""

        @gen.coroutine
        def fail(wait: bool) -> Any:
            if wait:
                yield None
            raise Boom

        @gen.coroutine
        def catch(wait: bool) -> Any:
            try:
                yield fail(wait)
            except Boom:
                return "caught"

        @gen.coroutine
        def replace(wait: bool) -> Any:
            try:
                yield fail(wait)
            except Boom as error:
                raise KeyError from error

        for wait in (False, True):
            self.assertEqual(await catch(wait), "caught")
            with self.assertRaises(KeyError):
                await replace(wait)

    async def test_traceback(self) -> None:
        """The traceback names the user's frames and none of the machinery."""

        @gen.coroutine
        def inner() -> Any:
            yield None
            raise Boom

        @gen.coroutine
        def outer() -> Any:
            yield inner()

        try:
            await outer()
        except Boom as error:
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        self.assertEqual([name for name in names if name != "test_traceback"], ["outer", "inner"])

    async def test_finished_futures_are_not_waited_for(self) -> None:
        """What is done already does not let anybody else run; moment does."""
        calls: list[str] = []
        done = gen.maybe_future(None)

        @gen.coroutine
        def work(name: str, yielded: Any) -> Any:
            for _ in range(3):
                calls.append(name)
                yield yielded

        await gen.multi([work("a", done), work("b", done)])
        self.assertEqual("".join(calls), "aaabbb")
        calls.clear()
        await gen.multi([work("a", gen.moment), work("b", gen.moment)])
        self.assertEqual("".join(calls), "ababab")

    async def test_taught_type(self) -> None:
        """`convert_yielded` can be taught another type."""

        class Ticket:
            pass

        gen.convert_yielded.register(Ticket, lambda ticket: gen.maybe_future("taught"))
        self.assertEqual(await self.collect(Ticket(), [Ticket()]), ["taught", ["taught"]])

    async def test_asyncio_understands(self) -> None:
        """asyncio's own functions take coroutines' Futures."""

        @gen.coroutine
        def work() -> Any:
            yield None
            return 1

        self.assertEqual(await asyncio.gather(work(), work()), [1, 1])
        self.assertEqual(await asyncio.wait_for(work(), 10), 1)

    async def test_concurrency_of_context_variables(self) -> None:
        """A variable set in a coroutine stays its own, across yields and into what it calls."""

        @gen.coroutine
        def work(value: int) -> Any:
            token = variable.set(value)
            yield None
            inherited = yield read()
            yield [asyncio.sleep(0), defer.succeed(None)]
            result = inherited, variable.get()
            variable.reset(token)
            return result

        async def read() -> int:
            await asyncio.sleep(0)
            return variable.get()

        self.assertEqual(await gen.multi([work(1), work(2)]), [(1, 1), (2, 2)])
        self.assertEqual(variable.get(), 0)

    async def test_no_leak_from_synchronous_part(self) -> None:
        """What a coroutine sets before its first wait is not seen by its caller either."""

        @gen.coroutine
        def work() -> Any:
            variable.set(9)
            return variable.get()
            yield

        self.assertEqual(work().result(), 9)
        self.assertEqual(variable.get(), 0)


class RunnerTests(ReactorTestCase):
    """The Runner's documented methods."""

    def runner(self, function: Any) -> Any:
        context = contextvars.copy_context()
        generator = function()
        self.result: asyncio.Future[Any] = asyncio.Future()
        return gen.Runner(context.run, generator, self.result, context.run(next, generator))

    async def test_runs_what_is_ready(self) -> None:
        """A Runner whose generator has yielded something done goes on at once."""

        def work() -> Any:
            return (yield gen.maybe_future(1))

        runner = self.runner(work)
        self.assertTrue(runner.finished)
        self.assertEqual(self.result.result(), 1)
        self.assertIs(runner.io_loop, self.io_loop)

    async def test_handle_exception(self) -> None:
        """An exception can be raised where the generator waits, but not after its end."""
        waited_for: asyncio.Future[None] = asyncio.Future()

        def work() -> Any:
            try:
                yield waited_for
            except Boom:
                yield None
                return "caught"

        runner = self.runner(work)
        self.assertTrue(runner.handle_exception(Boom, Boom(), None))
        waited_for.set_result(None)  # too late: not waited for any more
        self.assertEqual(await self.result, "caught")
        self.assertFalse(runner.handle_exception(Boom, Boom(), None))

    async def test_cancel(self) -> None:
        """Cancelling raises CancelledError where the generator waits, be it for a moment."""
        for yielded in (asyncio.Future(), None):

            def work() -> Any:
                try:
                    yield yielded  # noqa: B023
                except asyncio.CancelledError:
                    return "cancelled"

            self.runner(work).cancel()
            self.assertEqual(await self.result, "cancelled")


class GarbageTests(ReactorTestCase):
    """Reference counts do the work; the collector is for accidents."""

    def setUp(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    async def test_failure_frees_locals(self) -> None:
        """The variables of a coroutine that failed go with its exception."""

        class Thing:
            pass

        references: list[Any] = []

        @gen.coroutine
        def inner(wait: bool) -> Any:
            thing = Thing()
            references.append(weakref.ref(thing))
            if wait:
                yield gen.sleep(0)
            raise Boom

        @gen.coroutine
        def outer(wait: bool) -> Any:
            try:
                yield inner(wait)
            except Boom:
                pass

        for wait in (False, True):
            await outer(wait)
            await turns()
        self.assertEqual([reference() for reference in references], [None, None])

    async def test_no_cycles(self) -> None:
        """Coroutines that ended, well or not, waited or not, leave nothing to collect."""

        @gen.coroutine
        def work(wait: bool, fail: bool) -> Any:
            if wait:
                yield gen.sleep(0)
            if fail:
                raise Boom

        @gen.coroutine
        def caller(wait: bool, fail: bool) -> Any:
            yield [work(wait, fail), {"key": work(wait, False)}]

        async def all_ways() -> None:
            for wait in (False, True):
                for fail in (False, True):
                    try:
                        await caller(wait, fail)
                    except Boom:
                        pass
            await turns()

        await all_ways()
        gc.collect()
        await all_ways()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            ours = [o for o in gc.garbage if type(o).__module__.startswith("txtornado.gen")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        self.assertEqual(ours, [])

    async def test_weakly_held_future(self) -> None:
        """A coroutine waits on though nobody else holds what it waits for."""
        references: list[Any] = []

        @gen.coroutine
        def work() -> Any:
            future: asyncio.Future[int] = asyncio.Future()
            references.append(weakref.ref(future))
            return (yield future)

        result = work()
        gc.collect()
        references[0]().set_result(3)
        self.assertEqual(await result, 3)

    async def test_abandoned_coroutine(self) -> None:
        """A coroutine that nobody will ever wake or ask is collected and cleaned up."""
        ended: list[bool] = []

        @gen.coroutine
        def work() -> Any:
            try:
                yield asyncio.Future()
            finally:
                ended.append(True)

        work()
        gc.collect()
        self.assertEqual(ended, [True])


class DebugTests(ReactorTestCase):
    """asyncio's debug mode."""

    async def test_place_of_creation(self) -> None:
        """The Future says that it was created where the coroutine was called."""
        loop = asyncio.get_running_loop()
        self.addCleanup(loop.set_debug, loop.get_debug())
        loop.set_debug(True)

        @gen.coroutine
        def work(fail: bool) -> Any:
            if fail:
                raise Boom
            yield None

        for fail in (False, True):
            future = work(fail)
            self.assertIn(__file__, repr(future))
            try:
                await future
            except Boom:
                pass
