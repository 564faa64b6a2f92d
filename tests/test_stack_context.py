"""Tests for `txtornado.stack_context`, chapter 5.6 of the documentation of Tornado 2.3."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado import gen
from txtornado.log import app_log
from txtornado.stack_context import (
    ExceptionStackContext,
    NullContext,
    StackContext,
    StackContextInconsistentError,
    run_with_stack_context,
    wrap,
)
from txtornado.testing import ExpectLog, ReactorTestCase


class Boom(Exception):
    """What the tests raise."""


class Recorder:
    """Makes contexts, and notes which are entered."""

    def __init__(self) -> None:
        self.entered: list[str] = []

    def context(self, name: str) -> StackContext:
        return StackContext(functools.partial(self._manager, name))

    @contextlib.contextmanager
    def _manager(self, name: str) -> Iterator[None]:
        self.entered.append(name)
        try:
            yield
        finally:
            assert self.entered.pop() == name

    def now(self) -> list[str]:
        return list(self.entered)


def collector(errors: list[Any], consume: bool = True) -> ExceptionStackContext:
    def handle(typ: Any, value: Any, tb: Any) -> bool:
        errors.append(value)
        return consume

    return ExceptionStackContext(handle)


def fail() -> None:
    raise Boom


class WrapTests(SynchronousTestCase):
    """`wrap` without a loop."""

    def setUp(self) -> None:
        self.recorder = Recorder()

    def test_free_without_context(self) -> None:
        """With no context active, and for None, wrap returns its very argument."""
        self.assertIs(wrap(fail), fail)
        self.assertIsNone(wrap(None))
        with self.recorder.context("a"):
            self.assertIsNone(wrap(None))

    def test_wrapped_once(self) -> None:
        """What is wrapped keeps the contexts it was wrapped in first."""
        with self.recorder.context("a"):
            wrapped = wrap(self.recorder.now)
        with self.recorder.context("b"):
            self.assertIs(wrap(wrapped), wrapped)
        self.assertEqual(wrapped(), ["a"])

    def test_enters_again(self) -> None:
        """A wrapped function runs in new instances of its contexts, outermost first."""
        with self.recorder.context("a"), self.recorder.context("b"):
            wrapped = wrap(self.recorder.now)
        self.assertEqual(self.recorder.entered, [])
        self.assertEqual(wrapped(), ["a", "b"])
        self.assertEqual(wrapped(), ["a", "b"])
        self.assertEqual(self.recorder.entered, [])

    def test_arguments_and_result(self) -> None:
        """Arguments go in and the result comes out."""
        with self.recorder.context("a"):
            wrapped = wrap(dict)
        self.assertEqual(wrapped([("x", 1)], y=2), {"x": 1, "y": 2})

    def test_descendants(self) -> None:
        """What is wrapped inside a wrapped function has the same contexts."""
        inner = []
        with self.recorder.context("a"):
            wrapped = wrap(lambda: inner.append(wrap(self.recorder.now)))
        wrapped()
        self.assertEqual(inner[0](), ["a"])

    def test_other_callers_context(self) -> None:
        """The contexts of who calls are not handed to what is wrapped inside."""
        inner = []
        with self.recorder.context("a"):
            wrapped = wrap(lambda: inner.append(wrap(self.recorder.now)))
        with self.recorder.context("b"):
            wrapped()
        self.assertEqual(inner[0](), ["a"])

    def test_null_context(self) -> None:
        """Nothing reaches into a NullContext, and the contexts are back after it."""
        with self.recorder.context("a"):
            with NullContext():
                self.assertIs(wrap(fail), fail)
                with self.recorder.context("b"):
                    shared = wrap(self.recorder.now)
            wrapped = wrap(self.recorder.now)
        self.assertEqual(shared(), ["b"])
        self.assertEqual(wrapped(), ["a"])

    def test_deactivate(self) -> None:
        """A deactivated context is not passed on, but what is scheduled already keeps it."""
        with self.recorder.context("a") as deactivate_a, self.recorder.context("b"):
            before = wrap(self.recorder.now)
            deactivate_a()
            after = wrap(self.recorder.now)
        self.assertEqual(before(), ["a", "b"])
        self.assertEqual(after(), ["b"])

    def test_deactivate_all(self) -> None:
        """With all contexts deactivated wrap is free again."""
        with self.recorder.context("a") as deactivate:
            deactivate()
            self.assertIs(wrap(fail), fail)

    def test_deactivate_inside_callback(self) -> None:
        """Deactivation inside a wrapped function stops the context from going further."""
        inner = []
        with self.recorder.context("a") as deactivate:

            def work() -> None:
                deactivate()
                inner.append(wrap(self.recorder.now))

            wrapped = wrap(work)
        wrapped()
        self.assertEqual(inner[0](), [])

    def test_same_object_twice(self) -> None:
        """One StackContext object can be used again, also inside itself."""
        context = self.recorder.context("a")
        with context, context:
            wrapped = wrap(self.recorder.now)
        self.assertEqual(wrapped(), ["a", "a"])
        with context:
            self.assertEqual(self.recorder.entered, ["a"])
        self.assertEqual(self.recorder.entered, [])

    def test_other_thread(self) -> None:
        """A wrapped function takes its contexts into another thread."""
        seen: list[Any] = []
        with self.recorder.context("a"):
            wrapped = wrap(lambda: seen.append(self.recorder.now()))
        thread = threading.Thread(target=wrapped)
        thread.start()
        thread.join()
        self.assertEqual(seen, [["a"]])

    def test_inconsistent_exit(self) -> None:
        """A block that is left in another order than entered is an error, and is left nevertheless."""
        outer, inner = self.recorder.context("a"), NullContext()
        with self.assertRaises(StackContextInconsistentError), outer:
            inner.__enter__()
        self.assertIs(wrap(fail), fail)

    def test_repr(self) -> None:
        """A wrapped function shows in logs what it wraps."""
        with self.recorder.context("a"):
            self.assertIn("fail", repr(wrap(fail)))


class ExceptionTests(SynchronousTestCase):
    """`ExceptionStackContext`, and exceptions in other contexts."""

    def test_handler_gets_exception(self) -> None:
        """The handler gets type, value and traceback of what leaves the block."""
        seen: list[Any] = []
        with self.assertRaises(Boom), ExceptionStackContext(lambda *exc: seen.extend(exc)):
            fail()
        typ, value, tb = seen
        self.assertIs(typ, Boom)
        self.assertIsInstance(value, Boom)
        self.assertIsNotNone(tb)

    def test_handler_consumes(self) -> None:
        """A true answer consumes the exception, in the block and in wrapped functions."""
        errors: list[Any] = []
        with collector(errors):
            wrapped = wrap(fail)
            fail()
        self.assertIsNone(wrapped())
        self.assertEqual(len(errors), 2)

    def test_innermost_first(self) -> None:
        """The inner handler is asked first, the outer one when that does not consume."""
        outer: list[Any] = []
        inner: list[Any] = []
        with collector(outer), collector(inner, consume=False):
            declined = wrap(fail)
        with collector(outer), collector(inner):
            consumed = wrap(fail)
        declined()
        self.assertEqual((len(outer), len(inner)), (1, 1))
        consumed()
        self.assertEqual((len(outer), len(inner)), (1, 2))

    def test_not_called_without_exception(self) -> None:
        """Without an exception the handler rests."""
        errors: list[Any] = []
        with collector(errors):
            wrapped = wrap(lambda: 5)
        self.assertEqual(wrapped(), 5)
        self.assertEqual(errors, [])

    def test_handler_runs_outside(self) -> None:
        """What a handler schedules is not in the handler's own context."""
        scheduled: list[Any] = []

        def handle(typ: Any, value: Any, tb: Any) -> bool:
            scheduled.append(wrap(fail))
            return True

        outer: list[Any] = []
        with collector(outer), ExceptionStackContext(handle):
            wrapped = wrap(fail)
        wrapped()
        scheduled[0]()
        self.assertEqual((len(scheduled), len(outer)), (1, 1))

    def test_handler_raises(self) -> None:
        """What a handler raises goes to the next one outwards."""
        errors: list[Any] = []

        def handle(typ: Any, value: Any, tb: Any) -> bool:
            raise KeyError

        with collector(errors), ExceptionStackContext(handle):
            wrapped = wrap(fail)
        wrapped()
        self.assertIsInstance(errors[0], KeyError)

    def test_context_manager_swallows(self) -> None:
        """A StackContext whose manager swallows exceptions does so for callbacks."""
        with StackContext(lambda: contextlib.suppress(Boom)):
            wrapped = wrap(fail)
        self.assertIsNone(wrapped())

    def test_manager_that_cannot_be_entered(self) -> None:
        """An error on entering goes to the outer handlers, and the function does not run."""
        errors: list[Any] = []
        calls: list[int] = []
        ready = [contextlib.nullcontext()]
        with collector(errors), StackContext(lambda: ready.pop()):
            wrapped = wrap(lambda: calls.append(1))
        wrapped()
        self.assertEqual(calls, [])
        self.assertIsInstance(errors[0], IndexError)
        self.assertIs(wrap(fail), fail)


class LoopTests(ReactorTestCase):
    """Contexts on the loop and in coroutines."""

    def setUp(self) -> None:
        self.recorder = Recorder()

    async def turns(self, count: int = 4) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def test_documented_example(self) -> None:
        """The example of the documentation: one handler for callbacks and their descendants."""
        died: list[str] = []

        @contextlib.contextmanager
        def die_on_error() -> Iterator[None]:
            try:
                yield
            except Exception:
                app_log.error("exception in asynchronous operation", exc_info=True)
                died.append("exit")

        def operation() -> None:
            self.io_loop.add_callback(fail)

        with StackContext(die_on_error):
            self.io_loop.add_callback(operation)
        with ExpectLog(app_log, "exception in asynchronous operation"):
            await self.turns()
        self.assertEqual(died, ["exit"])

    async def test_callbacks_and_timeouts(self) -> None:
        """Callbacks, timeouts and futures' callbacks of the loop carry the contexts."""
        seen: list[Any] = []
        note = lambda *_: seen.append(self.recorder.now())  # noqa: E731
        future: asyncio.Future[None] = asyncio.Future()
        with self.recorder.context("a"):
            self.io_loop.add_callback(note)
            self.io_loop.call_later(0, note)
            self.io_loop.add_future(future, note)
        future.set_result(None)
        await gen.sleep(0.01)
        self.assertEqual(seen, [["a"]] * 3)

    async def test_isolation(self) -> None:
        """Callbacks that were scheduled outside run outside, whoever runs beside them."""
        seen: list[Any] = []
        with self.recorder.context("a"):
            self.io_loop.add_callback(lambda: seen.append(self.recorder.now()))
        self.io_loop.add_callback(lambda: seen.append(self.recorder.now()))
        self.io_loop.add_callback(lambda: seen.append(wrap(fail) is fail))
        await self.turns()
        self.assertEqual(seen, [["a"], [], True])

    async def test_spawn_callback(self) -> None:
        """`spawn_callback` leaves the contexts behind."""
        seen: list[Any] = []
        with self.recorder.context("a"):
            self.io_loop.spawn_callback(lambda: seen.append(self.recorder.now()))
        await self.turns()
        self.assertEqual(seen, [[]])

    async def test_asyncio_callback(self) -> None:
        """What a plain asyncio callback schedules through the loop is in the contexts."""
        seen: list[Any] = []
        with self.recorder.context("a"):
            asyncio.get_running_loop().call_soon(
                self.io_loop.add_callback, lambda: seen.append(self.recorder.now())
            )
        await self.turns()
        self.assertEqual(seen, [["a"]])

    async def test_coroutine(self) -> None:
        """A decorated coroutine is in the contexts it was called in, after waiting too."""
        seen: list[Any] = []

        @gen.coroutine
        def work() -> Any:
            seen.append(self.recorder.now())
            yield None
            seen.append(self.recorder.now())
            yield gen.sleep(0)
            seen.append(self.recorder.now())

        with self.recorder.context("a"):
            future = work()
        self.assertEqual(self.recorder.entered, [])
        await future
        self.assertEqual(seen, [["a"]] * 3)

    async def test_native_coroutine(self) -> None:
        """A native coroutine that is yielded or converted is in the contexts as well."""
        seen: list[Any] = []

        async def work() -> str:
            seen.append(self.recorder.now())
            await asyncio.sleep(0)
            seen.append(self.recorder.now())
            return "done"

        with self.recorder.context("a"):
            future = gen.convert_yielded(work())
        self.assertEqual(await future, "done")
        self.assertEqual(seen, [["a"], ["a"]])

    async def test_native_coroutine_fails(self) -> None:
        """Its exception is in its Future: handlers are for callbacks."""
        errors: list[Any] = []

        async def work() -> None:
            await asyncio.sleep(0)
            raise Boom

        with collector(errors):
            future = gen.convert_yielded(work())
        with self.assertRaises(Boom):
            await future
        self.assertEqual(errors, [])

    async def test_native_coroutine_cancelled(self) -> None:
        """It can be cancelled and can clean up in its contexts."""
        seen: list[Any] = []

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                seen.append(self.recorder.now())

        with self.recorder.context("a"):
            task = gen.convert_yielded(work())
        await self.turns(1)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        self.assertEqual(seen, [["a"]])

    async def test_coroutine_fails(self) -> None:
        """The exception of a decorated coroutine is in its Future only."""
        errors: list[Any] = []

        @gen.coroutine
        def work() -> Any:
            yield None
            raise Boom

        with collector(errors):
            future = work()
        with self.assertRaises(Boom):
            await future
        self.assertEqual(errors, [])

    async def test_engine_fails(self) -> None:
        """The exception of a gen.engine goes to the contexts it was called in."""
        errors: list[Any] = []

        @gen.engine
        def work() -> Any:
            yield None
            raise Boom

        with collector(errors):
            work()
        await self.turns()
        self.assertIsInstance(errors[0], Boom)

    async def test_yield_in_with(self) -> None:
        """Yielding inside the block is refused, whether the coroutine waited before or not."""

        @gen.coroutine
        def at_once() -> Any:
            with self.recorder.context("a"):
                yield None

        @gen.coroutine
        def later() -> Any:
            yield None
            with collector([], consume=False):
                yield None

        for function in (at_once, later):
            with self.assertRaises(StackContextInconsistentError):
                await function()
        self.assertEqual(self.recorder.entered, [])

    async def test_yield_outside_with(self) -> None:
        """A block that does not yield is fine in a coroutine."""

        @gen.coroutine
        def work() -> Any:
            with self.recorder.context("a"):
                future = inner()
            yield future
            return (yield future)

        @gen.coroutine
        def inner() -> Any:
            yield None
            return self.recorder.now()

        self.assertEqual(await work(), ["a"])

    async def test_run_with_stack_context(self) -> None:
        """A coroutine yields the work that is to be done in a context."""

        @gen.coroutine
        def work() -> Any:
            yield None
            return self.recorder.now()

        @gen.coroutine
        def caller() -> Any:
            first = yield run_with_stack_context(self.recorder.context("a"), work)
            return first, self.recorder.now()

        self.assertEqual(await caller(), (["a"], []))

    async def test_context_that_fails_later(self) -> None:
        """A context that cannot be entered again fails the coroutine instead of hanging it."""
        ready = [contextlib.nullcontext()]

        @gen.coroutine
        def work() -> Any:
            yield None

        with StackContext(lambda: ready.pop()):
            future = work()
        with self.assertRaises(IndexError):
            await future

    async def test_context_variables(self) -> None:
        """Stack contexts and context variables do not disturb each other in a coroutine."""
        variable = contextvars.ContextVar("variable", default=0)

        @gen.coroutine
        def work() -> Any:
            token = variable.set(1)
            yield None
            value = variable.get()
            variable.reset(token)
            return value, variable.get()

        with self.recorder.context("a"):
            future = work()
        self.assertEqual(await future, (1, 0))
