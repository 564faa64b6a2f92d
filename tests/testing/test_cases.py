"""Tests for `txtornado.testing.AsyncTestCase` and `gen_test`."""

import asyncio
import gc
import os
import traceback
import unittest
import warnings

from twisted.internet import defer

from txtornado import gen
from txtornado.concurrent import new_future, with_callback
from txtornado.ioloop import IOLoop
from txtornado.log import app_log
from txtornado.stack_context import ExceptionStackContext
from txtornado.testing import (
    AsyncTestCase,
    ExpectLog,
    gen_test,
    get_async_test_timeout,
    setup_with_context_manager,
)


def run_case(cls: type[unittest.TestCase], name: str = "test") -> unittest.TestResult:
    """Run one test of a class and return the result."""
    result = unittest.TestResult()
    cls(name).run(result)
    return result


def messages(result: unittest.TestResult) -> str:
    return "".join(text for _, text in [*result.errors, *result.failures])


class StopAndWaitTests(unittest.TestCase):
    def test_argument(self) -> None:
        """What stop() is given is what wait() returns, positional or by keyword."""
        seen = []

        class Case(AsyncTestCase):
            def test(self):
                self.io_loop.add_callback(self.stop, 7)
                seen.append(self.wait())
                self.io_loop.add_callback(self.stop, a=1, b=2)
                seen.append(self.wait())
                self.io_loop.add_callback(self.stop)
                seen.append(self.wait())

        self.assertTrue(run_case(Case).wasSuccessful())
        self.assertEqual(seen, [7, {"a": 1, "b": 2}, None])

    def test_stop_before_wait(self) -> None:
        """A stop() that comes first lets the next wait() return, and only that one."""

        class Case(AsyncTestCase):
            def test(self):
                self.stop(1)
                self.assertEqual(self.wait(), 1)
                with self.assertRaises(self.failureException):
                    self.wait(timeout=0.01)

        self.assertTrue(run_case(Case).wasSuccessful())

    def test_both_kinds_of_arguments(self) -> None:
        """stop() refuses a positional argument together with keyword arguments."""

        class Case(AsyncTestCase):
            def test(self):
                with self.assertRaises(TypeError):
                    self.stop(1, a=2)

        self.assertTrue(run_case(Case).wasSuccessful())

    def test_condition(self) -> None:
        """wait(condition) goes on after each stop() until the condition holds."""
        seen = []

        class Case(AsyncTestCase):
            def step(self):
                seen.append(len(seen))
                self.stop()
                if len(seen) < 5:
                    self.io_loop.add_callback(self.step)

            def test(self):
                self.io_loop.add_callback(self.step)
                self.wait(condition=lambda: len(seen) >= 3)

        self.assertTrue(run_case(Case).wasSuccessful())
        self.assertEqual(seen[:3], [0, 1, 2])

    def test_timeout(self) -> None:
        """A wait() that nobody stops fails the test and says so."""

        class Case(AsyncTestCase):
            def test(self):
                self.wait(timeout=0.01)

        result = run_case(Case)
        self.assertEqual((len(result.failures), len(result.errors)), (1, 0))
        self.assertIn("timed out after 0.01 seconds", messages(result))

    def test_timeout_of_the_environment(self) -> None:
        """ASYNC_TEST_TIMEOUT sets the limit; nonsense in it leaves five seconds."""
        saved = os.environ.pop("ASYNC_TEST_TIMEOUT", None)
        try:
            self.assertEqual(get_async_test_timeout(), 5)
            os.environ["ASYNC_TEST_TIMEOUT"] = "0.25"
            self.assertEqual(get_async_test_timeout(), 0.25)
            os.environ["ASYNC_TEST_TIMEOUT"] = "soon"
            self.assertEqual(get_async_test_timeout(), 5)
        finally:
            os.environ.pop("ASYNC_TEST_TIMEOUT", None)
            if saved is not None:
                os.environ["ASYNC_TEST_TIMEOUT"] = saved

    def test_no_limit(self) -> None:
        """A timeout of 0 sets no timer."""

        class Case(AsyncTestCase):
            def test(self):
                self.io_loop.call_later(0.01, self.stop, "late")
                self.assertEqual(self.wait(timeout=0), "late")

        self.assertTrue(run_case(Case).wasSuccessful())


class LoopTests(unittest.TestCase):
    def test_a_loop_each(self) -> None:
        """Every test has a new loop, which is current during it and closed afterwards."""
        loops = []

        class Case(AsyncTestCase):
            def test(self):
                loops.append(self.io_loop)
                assert IOLoop.current() is self.io_loop
                assert asyncio.get_event_loop_policy().get_event_loop() is self.io_loop.asyncio_loop

        before = IOLoop.current(instance=False)
        self.assertTrue(run_case(Case).wasSuccessful())
        self.assertTrue(run_case(Case).wasSuccessful())
        self.assertIsNot(loops[0], loops[1])
        self.assertTrue(all(loop.asyncio_loop.is_closed() for loop in loops))
        self.assertIs(IOLoop.current(instance=False), before)

    def test_foreign_loop(self) -> None:
        """A loop that was current before the test is left open and current."""
        loop = IOLoop(make_current=True)
        self.addCleanup(loop.close)

        class Case(AsyncTestCase):
            def get_new_ioloop(self):
                return IOLoop.current()

            def test(self):
                assert self.io_loop is loop
                self.io_loop.add_callback(self.stop)
                self.wait()

        self.assertTrue(run_case(Case).wasSuccessful())
        self.assertFalse(loop.asyncio_loop.is_closed())
        self.assertIs(IOLoop.current(), loop)

    def test_closed_after_failed_set_up(self) -> None:
        """The loop is closed even when a subclass's setUp fails and tearDown is not run."""
        loops = []

        class Case(AsyncTestCase):
            def setUp(self):
                super().setUp()
                loops.append(self.io_loop)
                raise ValueError("no")

            def test(self):
                pass

        self.assertEqual(len(run_case(Case).errors), 1)
        self.assertTrue(loops[0].asyncio_loop.is_closed())

    def test_leftover_tasks(self) -> None:
        """Tasks left behind are cancelled and finish their cleaning up, without a warning."""
        seen = []

        async def lasting(started):
            try:
                started()
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(0)
                seen.append("cleaned up")

        class Case(AsyncTestCase):
            def test(self):
                self.io_loop.add_callback(lasting, self.stop)
                self.wait()

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.assertTrue(run_case(Case).wasSuccessful())
            gc.collect()
        self.assertEqual(seen, ["cleaned up"])
        self.assertEqual([str(w.message) for w in caught if "sleep" in str(w.message)], [])

    def test_registered_sockets_are_closed(self) -> None:
        """What is still registered on the loop at the end is closed with it."""
        from txtornado.testing import bind_unused_port

        socks = []

        class Case(AsyncTestCase):
            def test(self):
                sock, _ = bind_unused_port()
                socks.append(sock)
                self.io_loop.add_handler(sock, lambda *args: None, IOLoop.READ)

        self.assertTrue(run_case(Case).wasSuccessful())
        self.assertEqual(socks[0].fileno(), -1)


class MethodTests(unittest.TestCase):
    def test_undecorated_generator(self) -> None:
        """A generator that nobody would run is an error, not a pass."""

        class Case(AsyncTestCase):
            def test(self):
                yield

        self.assertIn("should be decorated with", messages(run_case(Case)))

    def test_undecorated_coroutine(self) -> None:
        """A coroutine that nobody would await is an error, without a warning."""

        class Case(AsyncTestCase):
            async def test(self):
                pass

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertIn("should be decorated with", messages(run_case(Case)))

    def test_undecorated_deferred(self) -> None:
        """A Deferred that nobody waits for is an error."""

        class Case(AsyncTestCase):
            def test(self):
                return defer.succeed(None)

        self.assertIn("should be decorated with", messages(run_case(Case)))

    def test_other_value(self) -> None:
        """Any other result is reported, since it would be ignored."""

        class Case(AsyncTestCase):
            def test(self):
                return 42

        self.assertIn("Return value from test method ignored: 42", messages(run_case(Case)))

    def test_set_up_of_mixins(self) -> None:
        """setUp and tearDown of the classes behind it in the order are called."""
        events = []

        class Mixin(unittest.TestCase):
            def setUp(self):
                events.append("setUp")

            def tearDown(self):
                events.append("tearDown")

        class Case(AsyncTestCase, Mixin):
            def test(self):
                events.append("test")

        run_case(Case)
        self.assertEqual(events, ["setUp", "test", "tearDown"])

    def test_context_manager(self) -> None:
        """setup_with_context_manager enters at once and leaves when the test is over."""
        events = []

        class Manager:
            def __enter__(self):
                events.append("enter")
                return 5

            def __exit__(self, *exc_info):
                events.append("exit")

        class Case(unittest.TestCase):
            def setUp(self):
                events.append(setup_with_context_manager(self, Manager()))

            def test(self):
                events.append("test")

        run_case(Case)
        self.assertEqual(events, ["enter", 5, "test", "exit"])


class CallbackErrorTests(unittest.TestCase):
    """Where an exception of a callback goes."""

    def test_callback_argument(self) -> None:
        """An exception in a ``callback=`` of an old interface ends wait() at once."""

        class Case(AsyncTestCase):
            def fail_now(self, result):
                raise ZeroDivisionError(result)

            def test(self):
                future = new_future()
                with_callback(future, self.fail_now)
                future.set_result("from the callback")
                self.wait(timeout=60)

        self.assertIn("ZeroDivisionError: from the callback", messages(run_case(Case)))

    def test_failed_operation(self) -> None:
        """An operation with a ``callback=`` that fails ends wait() as well."""

        class Case(AsyncTestCase):
            def test(self):
                future = new_future()
                with_callback(future, self.stop)
                future.set_exception(ZeroDivisionError("from the operation"))
                self.wait(timeout=60)

        self.assertIn("ZeroDivisionError: from the operation", messages(run_case(Case)))

    def test_after_the_last_wait(self) -> None:
        """An exception nobody waits for any more still fails the test."""

        class Case(AsyncTestCase):
            def fail_now(self, result):
                self.stop()
                raise ZeroDivisionError

            def test(self):
                future = new_future()
                with_callback(future, self.fail_now)
                future.set_result(1)
                self.io_loop.run_sync(lambda: gen.sleep(0))

        self.assertIn("ZeroDivisionError", messages(run_case(Case)))

    def test_stack_context_first(self) -> None:
        """A stack context that takes the exception keeps it from the test."""
        taken = []

        class Case(AsyncTestCase):
            def test(self):
                def take(typ, value, tb):
                    taken.append(value)
                    self.stop()
                    return True

                future = new_future()
                with ExceptionStackContext(take):
                    with_callback(future, lambda result: 1 / 0)
                future.set_result(1)
                self.wait()

        self.assertTrue(run_case(Case).wasSuccessful())
        self.assertIsInstance(taken[0], ZeroDivisionError)

    def test_loop_callbacks_are_logged(self) -> None:
        """An exception in a plain callback of the loop is logged, as since Tornado 6.0."""

        class Case(AsyncTestCase):
            def test(self):
                self.io_loop.add_callback(lambda: 1 / 0)
                self.io_loop.add_callback(self.stop)
                with ExpectLog(app_log, "Exception in callback"):
                    self.wait()

        self.assertTrue(run_case(Case).wasSuccessful(), messages(run_case(Case)))


class GenTestTests(unittest.TestCase):
    def run_test(self, test) -> unittest.TestResult:
        return run_case(type("Case", (AsyncTestCase,), {"test": test}))

    def test_kinds(self) -> None:
        """Generators, coroutines, Deferreds and plain functions may be tests."""
        seen = []

        @gen_test
        def generator(self):
            yield gen.moment
            seen.append("generator")

        @gen_test
        async def native(self):
            await asyncio.sleep(0)
            seen.append("native")

        @gen_test
        def deferred(self):
            return defer.succeed(None).addCallback(lambda _: seen.append("deferred"))

        @gen_test
        def plain(self):
            seen.append(asyncio.get_running_loop() is self.io_loop.asyncio_loop)

        for test in (generator, native, deferred, plain):
            result = self.run_test(test)
            self.assertTrue(result.wasSuccessful(), messages(result))
        self.assertEqual(seen, ["generator", "native", "deferred", True])

    def test_failures(self) -> None:
        """An assertion that fails after waiting fails the test, with its line."""

        @gen_test
        async def test(self):
            await asyncio.sleep(0)
            self.assertEqual(1, 2)

        result = self.run_test(test)
        self.assertEqual(len(result.failures), 1)
        self.assertIn("self.assertEqual(1, 2)", messages(result))

    def test_timeout_names_the_line(self) -> None:
        """A test that takes too long is told where it waits, generator or coroutine."""

        @gen_test(timeout=0.01)
        def generator(self):
            yield gen.sleep(1000)

        @gen_test(timeout=0.01)
        async def native(self):
            await gen.sleep(1000)

        saved = os.environ.pop("ASYNC_TEST_TIMEOUT", None)
        try:
            for test in (generator, native):
                result = self.run_test(test)
                self.assertIn("gen.sleep(1000)", messages(result))
                self.assertIn("TimeoutError", messages(result))
        finally:
            if saved is not None:
                os.environ["ASYNC_TEST_TIMEOUT"] = saved

    def test_own_limit(self) -> None:
        """A decorator's limit wins over ASYNC_TEST_TIMEOUT, which wins over the default."""
        seen = []

        @gen_test(timeout=60)
        async def patient(self):
            await asyncio.sleep(0.05)
            seen.append("patient")

        @gen_test
        async def impatient(self):
            await asyncio.sleep(1000)

        saved = os.environ.get("ASYNC_TEST_TIMEOUT")
        try:
            os.environ["ASYNC_TEST_TIMEOUT"] = "0.01"
            self.run_test(patient)
            self.assertIn("TimeoutError", messages(self.run_test(impatient)))
        finally:
            del os.environ["ASYNC_TEST_TIMEOUT"]
            if saved is not None:
                os.environ["ASYNC_TEST_TIMEOUT"] = saved
        self.assertEqual(seen, ["patient"])

    def test_arguments(self) -> None:
        """Arguments pass through, for decorators that add some."""
        seen = []

        @gen_test
        async def inner(self, *args, **kwargs):
            seen.append((args, kwargs))

        self.run_test(lambda self: inner(self, 1, a=2))
        self.assertEqual(seen, [((1,), {"a": 2})])

    def test_swallowed_timeout(self) -> None:
        """A generator that catches the TimeoutError and goes on does not pass."""

        @gen_test(timeout=0.01)
        def test(self):
            try:
                yield gen.sleep(1000)
            except TimeoutError:
                pass

        saved = os.environ.pop("ASYNC_TEST_TIMEOUT", None)
        try:
            self.assertFalse(self.run_test(test).wasSuccessful())
        finally:
            if saved is not None:
                os.environ["ASYNC_TEST_TIMEOUT"] = saved

    def test_traceback_survives(self) -> None:
        """The exception of a test has the traceback of where it was raised."""

        def raise_it():
            raise ValueError("deep down")

        @gen_test
        async def test(self):
            await asyncio.sleep(0)
            raise_it()

        class Case(AsyncTestCase):
            def test(self):
                try:
                    test(self)
                except ValueError:
                    text.append(traceback.format_exc())

        text: list[str] = []
        run_case(Case)
        self.assertIn("in raise_it", text[0])
