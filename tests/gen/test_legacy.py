"""Tests for `txtornado.gen.legacy`, chapter 5.2 of the documentation of Tornado 2.3."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

from txtornado import gen
from txtornado.log import app_log
from txtornado.stack_context import ExceptionStackContext
from txtornado.testing import ExpectLog, ReactorTestCase


class Boom(Exception):
    """What the tests raise."""


class LegacyTestCase(ReactorTestCase):
    """Functions in callback style to be called."""

    def later(self, *args: Any, callback: Callable[..., Any], **kwargs: Any) -> None:
        """Call back in another turn of the loop."""
        self.io_loop.add_callback(callback, *args, **kwargs)

    async def turns(self) -> None:
        """Wait for some turns of the loop, however long they take."""
        for _ in range(10):
            future: asyncio.Future[None] = asyncio.Future()
            self.io_loop.add_callback(future.set_result, None)
            await future

    def now(self, *args: Any, callback: Callable[..., Any], **kwargs: Any) -> None:
        """Call back before returning."""
        callback(*args, **kwargs)

    def fail_now(self, callback: Callable[..., Any]) -> None:
        raise Boom

    def fail_later(self, callback: Callable[..., Any]) -> None:
        self.io_loop.add_callback(self.fail_now, callback)

    async def run_engine(self, generator_function: Callable[[], Any]) -> Any:
        """Run a generator function as gen.engine; its ``return`` is what is returned here."""
        result: asyncio.Future[Any] = asyncio.Future()

        @gen.engine
        def engine() -> Any:
            value = yield from generator_function()
            if not result.done():
                result.set_result(value)

        def fail(typ: Any, value: Any, tb: Any) -> bool:
            result.set_exception(value)
            return True

        with ExceptionStackContext(fail):
            engine()
        return await asyncio.wait_for(result, 5)


class EngineTests(LegacyTestCase):
    """`engine`."""

    async def test_returns_nothing(self) -> None:
        """The call returns None and runs as far as it gets."""
        steps = []

        @gen.engine
        def work() -> Any:
            steps.append(1)
            yield None
            steps.append(2)

        self.assertIsNone(work())
        self.assertEqual(steps, [1])
        await self.turns()
        self.assertEqual(steps, [1, 2])

    async def test_plain_function(self) -> None:
        """A function without a yield is fine, and gets its callback argument."""

        @gen.engine
        def work(callback: Callable[..., Any]) -> None:
            callback(3)

        results: list[int] = []
        work(callback=results.append)
        self.assertEqual(results, [3])

    async def test_exception_at_once(self) -> None:
        """What it raises before it waits goes to the caller."""

        @gen.engine
        def work() -> Any:
            raise Boom
            yield

        self.assertRaises(Boom, work)

    async def test_exception_later(self) -> None:
        """What it raises after it waited goes to the stack context, or is logged."""

        @gen.engine
        def work() -> Any:
            yield None
            raise Boom

        errors: list[Any] = []
        with ExceptionStackContext(lambda typ, value, tb: errors.append(typ) or True):
            work()
        await self.turns()
        self.assertEqual(errors, [Boom])
        work()
        with ExpectLog(app_log, "Exception in callback"):
            await self.turns()

    async def test_value_returned(self) -> None:
        """A value has nowhere to go, which is an error."""

        @gen.engine
        def work() -> Any:
            return 1
            yield

        self.assertRaises(gen.ReturnValueIgnoredError, work)


class TaskTests(LegacyTestCase):
    """`Task`."""

    async def test_documented_example(self) -> None:
        """The example: a function with a callback argument is called like a coroutine."""

        def work() -> Any:
            response = yield gen.Task(self.later, "response")
            return response

        self.assertEqual(await self.run_engine(work), "response")

    async def test_list_and_dict(self) -> None:
        """A list or dict of tasks runs in parallel and gives a list or dict of results."""

        def work() -> Any:
            one, two = yield [gen.Task(self.later, 1), gen.Task(self.now, 2)]
            both = yield {"a": gen.Task(self.later, 3), "b": gen.Task(self.now, 4)}
            return one, two, both

        self.assertEqual(await self.run_engine(work), (1, 2, {"a": 3, "b": 4}))

    async def test_arguments(self) -> None:
        """No argument is None; several, or keywords, are an Arguments tuple."""

        def work() -> Any:
            nothing = yield gen.Task(self.now)
            several = yield gen.Task(self.later, 1, 2)
            keywords = yield gen.Task(self.later, 1, a=2)
            return nothing, several, keywords

        nothing, several, keywords = await self.run_engine(work)
        self.assertIsNone(nothing)
        self.assertEqual(several, gen.Arguments((1, 2), {}))
        self.assertEqual((keywords.args, keywords.kwargs), ((1,), {"a": 2}))

    async def test_exceptions(self) -> None:
        """What the function raises, at once or in a callback, is raised at the yield."""

        def work() -> Any:
            caught = 0
            for function in (self.fail_now, self.fail_later):
                try:
                    yield gen.Task(function)
                except Boom:
                    caught += 1
            return caught

        self.assertEqual(await self.run_engine(work), 2)

    async def test_in_coroutine(self) -> None:
        """It is a Future, for newer coroutines of both kinds."""

        @gen.coroutine
        def decorated() -> Any:
            return (yield gen.Task(self.later, 1))

        self.assertEqual(await decorated(), 1)
        self.assertEqual(await gen.Task(self.later, 2), 2)

    async def test_called_twice(self) -> None:
        """Only the first call counts."""

        def twice(callback: Callable[..., Any]) -> None:
            callback(1)
            callback(2)

        self.assertEqual(await gen.Task(twice), 1)


class CallbackWaitTests(LegacyTestCase):
    """`Callback`, `Wait` and `WaitAll`."""

    async def test_documented_example(self) -> None:
        """The example: a callback with a key, and a wait for it."""

        def work() -> Any:
            self.later("response", callback=(yield gen.Callback("key")))
            return (yield gen.Wait("key"))

        self.assertEqual(await self.run_engine(work), "response")

    async def test_called_before_wait(self) -> None:
        """The callback may have been called before anybody waits for it."""

        def work() -> Any:
            self.now(1, callback=(yield gen.Callback("key")))
            yield None
            return (yield gen.Wait("key"))

        self.assertEqual(await self.run_engine(work), 1)

    async def test_any_order(self) -> None:
        """Several operations run in parallel and are waited for in any order."""

        def work() -> Any:
            for key in range(5):
                self.later(key * 10, callback=(yield gen.Callback(key)))
            results = []
            for key in (3, 0, 4, 1, 2):
                results.append((yield gen.Wait(key)))  # noqa: PERF401
            return results

        self.assertEqual(await self.run_engine(work), [30, 0, 40, 10, 20])

    async def test_wait_all(self) -> None:
        """WaitAll, a list of waits and a MultiYieldPoint give all results in order."""

        def start(keys: str) -> Any:
            for key in keys:
                self.later(key, callback=(yield gen.Callback(key)))

        def work() -> Any:
            yield from start("ab")
            first = yield gen.WaitAll(["b", "a"])
            yield from start("ab")
            second = yield [gen.Wait("b"), gen.Wait("a"), gen.Task(self.later, "c")]
            yield from start("ab")
            third = yield gen.MultiYieldPoint([gen.Wait("b"), gen.sleep(0)])
            fourth = yield gen.MultiYieldPoint({"key": gen.Wait("a")})
            fifth = yield {"one": gen.Callback("x")}
            fifth["one"](5)
            return first, second, third, fourth, (yield gen.Wait("x"))

        expected = (["b", "a"], ["b", "a", "c"], ["b", None], {"key": "a"}, 5)
        self.assertEqual(await self.run_engine(work), expected)

    async def test_key_reuse(self) -> None:
        """A key that is outstanding is refused; after the wait it is free."""

        def reuse() -> Any:
            yield gen.Callback("key")
            yield gen.Callback("key")

        with self.assertRaises(gen.KeyReuseError):
            await self.run_engine(reuse)

        def in_turn() -> Any:
            for value in (1, 2):
                self.later(value, callback=(yield gen.Callback("key")))
                result = yield gen.Wait("key")
            return result

        self.assertEqual(await self.run_engine(in_turn), 2)

    async def test_unknown_key(self) -> None:
        """Waiting for a key that nobody has is an error."""

        def one() -> Any:
            yield gen.Wait("key")

        def several() -> Any:
            yield gen.Callback("a")
            yield gen.WaitAll(["a", "b"])

        def again() -> Any:
            self.now(callback=(yield gen.Callback("key")))
            yield gen.Wait("key")
            yield gen.Wait("key")

        for work in (one, several, again):
            with self.assertRaises(gen.UnknownKeyError):
                await self.run_engine(work)

    async def test_keys_are_per_coroutine(self) -> None:
        """The same key in a coroutine called inside is another one."""

        @gen.coroutine
        def inner() -> Any:
            self.later("inner", callback=(yield gen.Callback("key")))
            return (yield gen.Wait("key"))

        @gen.coroutine
        def outer() -> Any:
            self.later("outer", callback=(yield gen.Callback("key")))
            return (yield inner()), (yield gen.Wait("key"))

        self.assertEqual(await outer(), ("inner", "outer"))

    async def test_leaked_callback(self) -> None:
        """Ending without waiting for a key is an error that names the key."""

        def work() -> Any:
            yield gen.Callback("forgotten")

        @gen.coroutine
        def coroutine() -> Any:
            yield from work()

        with self.assertRaises(gen.LeakedCallbackError) as caught:
            await coroutine()
        self.assertIn("'forgotten'", str(caught.exception))

    async def test_no_leak_after_exception(self) -> None:
        """After an exception, caught or not, a forgotten key is excused."""

        @gen.coroutine
        def work(catch: bool) -> Any:
            yield gen.Callback("forgotten")
            try:
                yield gen.Task(self.fail_later)
            except Boom:
                if not catch:
                    raise

        await work(True)
        with self.assertRaises(Boom):
            await work(False)

    async def test_exception_in_operation(self) -> None:
        """What fails in an operation that was started by callback is raised in the coroutine."""

        def work() -> Any:
            self.fail_later(callback=(yield gen.Callback("key")))
            try:
                yield gen.Wait("key")
            except Boom:
                return "caught"

        self.assertEqual(await self.run_engine(work), "caught")

        @gen.coroutine
        def coroutine() -> Any:
            return (yield from work())

        self.assertEqual(await coroutine(), "caught")

    async def test_exception_after_the_end(self) -> None:
        """What fails when the coroutine is over goes to the contexts outside of it."""
        errors: list[Any] = []

        @gen.coroutine
        def work() -> Any:
            self.now(callback=(yield gen.Callback("key")))
            yield gen.Wait("key")
            self.fail_later(callback=len)

        with ExceptionStackContext(lambda typ, value, tb: errors.append(typ) or True):
            future = work()
        await future
        await self.turns()
        self.assertEqual(errors, [Boom])

    async def test_own_yield_point(self) -> None:
        """Applications may have yield points of their own."""

        class WaitAny(gen.YieldPoint):
            def __init__(self, keys: Any) -> None:
                self.keys = keys

            def start(self, runner: Any) -> None:
                self.runner = runner

            def is_ready(self) -> bool:
                return any(map(self.runner.is_ready, self.keys))

            def get_result(self) -> Any:
                [key] = [key for key in self.keys if self.runner.is_ready(key)]
                return key, self.runner.pop_result(key)

        @gen.coroutine
        def work() -> Any:
            slow = yield gen.Callback("slow")
            self.later(1, callback=(yield gen.Callback("fast")))
            first = yield WaitAny(["slow", "fast"])
            slow()
            return first, (yield gen.Wait("slow"))

        self.assertEqual(await work(), (("fast", 1), None))

    async def test_yield_point_outside(self) -> None:
        """A yield point means something in decorated coroutines only."""
        with self.assertRaises(gen.BadYieldError):
            gen.convert_yielded(gen.Wait("key"))
        abstract = gen.YieldPoint()
        for call in (lambda: abstract.start(None), abstract.is_ready, abstract.get_result):
            self.assertRaises(NotImplementedError, call)

    async def test_mixed_with_futures(self) -> None:
        """Old and new things can be yielded in one coroutine, in one list too."""

        async def native() -> int:
            return 1

        @gen.coroutine
        def work() -> Any:
            self.later(2, callback=(yield gen.Callback("key")))
            return (yield [native(), gen.Wait("key"), gen.sleep(0)])

        self.assertEqual(await work(), [1, 2, None])

    async def test_abandoned(self) -> None:
        """A coroutine whose callback is dropped is collected."""
        ended = []

        @gen.coroutine
        def work() -> Any:
            try:
                yield gen.Callback("key")
                yield gen.Wait("key")
            finally:
                ended.append(True)

        work()
        gc.collect()
        self.assertEqual(ended, [True])
