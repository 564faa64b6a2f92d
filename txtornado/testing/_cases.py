"""`AsyncTestCase`, the test case with an event loop of its own, and `gen_test`."""

import asyncio
import functools
import inspect
import os
import unittest
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractContextManager
from typing import Any, TypeVar, overload

from txtornado import gen
from txtornado.ioloop import IOLoop
from txtornado.stack_context import last_resort

__all__ = ["AsyncTestCase", "gen_test", "get_async_test_timeout", "setup_with_context_manager"]

T = TypeVar("T")
_Test = Callable[..., Any]

DEFAULT_TIMEOUT = 5.0


def get_async_test_timeout() -> float:
    """How many seconds a test may take: ``ASYNC_TEST_TIMEOUT`` of the environment, else 5."""
    try:
        return float(os.environ["ASYNC_TEST_TIMEOUT"])
    except (KeyError, ValueError):
        return DEFAULT_TIMEOUT


def setup_with_context_manager(testcase: unittest.TestCase, cm: AbstractContextManager[T]) -> T:
    """Enter ``cm`` in a ``setUp``, leave it when the test is over; returns what it yields.

    ``unittest.TestCase.enterContext`` (Python 3.11) does the same.
    """
    return testcase.enterContext(cm)


class AsyncTestCase(unittest.TestCase):
    """A test case for code that runs on an `IOLoop`.

    Each test gets a new loop, `io_loop`, which is the current one meanwhile.  When the test
    is over, tasks still running on it are cancelled and the loop is closed with everything
    that was registered on it.

    A test method is either decorated with `gen_test`, or plain: then it starts something,
    calls `wait`, and some callback calls `stop`.

    An exception of a function that was given as ``callback=`` to one of Tornado's older
    interfaces ends `wait`, which raises it, unless a stack context took it.  (Tornado up to
    5.x did so with all callbacks; since 6.0 those of the loop itself are only logged.)
    """

    io_loop: IOLoop

    def __init__(self, methodName: str = "runTest", *args: Any, **kwargs: Any) -> None:
        super().__init__(methodName, *args, **kwargs)
        self._stopped: tuple[Any] | None = None
        self._waiting = False
        self._failure: BaseException | None = None
        self._owns_loop = False
        self._previous_loop: IOLoop | None = None

    # -- the loop ---------------------------------------------------------------------

    def get_new_ioloop(self) -> IOLoop:
        """The loop of this test, a new one by default.

        Override it to return `IOLoop.current()` where the code under test depends on a
        certain loop.  A loop that was current before is neither closed nor swept.
        """
        return IOLoop(make_current=False)

    def setUp(self) -> None:
        super().setUp()
        self._previous_loop = IOLoop.current(instance=False)
        self.io_loop = self.get_new_ioloop()
        self._owns_loop = self.io_loop is not self._previous_loop
        if self._owns_loop:
            self.io_loop.make_current()
            # For a setUp of a subclass that fails, after which there is no tearDown.
            self.addCleanup(self._leave_loop)

    def tearDown(self) -> None:
        try:
            self._leave_loop()
        finally:
            super().tearDown()
        self._raise_failure()

    def _leave_loop(self) -> None:
        if not self._owns_loop:
            return
        self._owns_loop = False
        try:
            cancel_leftover_tasks(self.io_loop)
        finally:
            self.io_loop.clear_current()
            self.io_loop.close(all_fds=True)
            if self._previous_loop is not None:
                self._previous_loop.make_current()
                self._previous_loop = None

    # -- running ----------------------------------------------------------------------

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test; what ``callback=`` arguments of older interfaces throw fails it."""
        token = last_resort.set(self._callback_failed)
        try:
            return super().run(result)
        finally:
            last_resort.reset(token)

    def _callback_failed(self, *exc_info: Any) -> bool:
        self._fail(exc_info[1])
        return True

    def _callTestMethod(self, method: Callable[[], object]) -> None:
        """Called by ``unittest``: runs the test method and looks at what it returns."""
        outcome = method()
        if inspect.isgenerator(outcome) or inspect.isawaitable(outcome):
            if inspect.iscoroutine(outcome):
                outcome.close()
            raise TypeError(
                f"{method!r} is a generator or coroutine: it should be decorated with "
                "txtornado.testing.gen_test"
            )
        if outcome is not None:
            raise ValueError(f"Return value from test method ignored: {outcome!r}")
        self._raise_failure()

    def stop(self, _arg: Any = None, **kwargs: Any) -> None:
        """Let one `wait`, pending or yet to come, return.

        Args:
            _arg: what `wait` shall return.
            kwargs: or keyword arguments, which `wait` returns as a dict.
        """
        if _arg is not None and kwargs:
            raise TypeError("stop() takes one positional argument or keyword arguments, not both")
        self._stopped = (kwargs or _arg,)
        if self._waiting:
            self._waiting = False
            self.io_loop.stop()

    def wait(
        self, condition: Callable[..., bool] | None = None, timeout: float | None = None
    ) -> Any:
        """Run the loop until `stop` is called; returns what was given to `stop`.

        Args:
            condition: `wait` goes on after each `stop` until this returns true.
            timeout: in seconds; `get_async_test_timeout` by default, 0 for none.

        Raises:
            AssertionError: (``failureException``) nothing called `stop` in time.
        """
        if timeout is None:
            timeout = get_async_test_timeout()
        if self._stopped is None or not (condition is None or condition()):
            self._run_until_stopped(condition, timeout)
        self._raise_failure()
        assert self._stopped is not None
        (outcome,) = self._stopped
        self._stopped = None
        return outcome

    def _run_until_stopped(self, condition: Callable[..., bool] | None, timeout: float) -> None:
        timer = None
        if timeout:
            timer = self.io_loop.call_later(timeout, self._timed_out, timeout)
        try:
            while True:
                self._waiting = True
                self.io_loop.start()
                if self._failure is not None or condition is None or condition():
                    break
        finally:
            self._waiting = False
            if timer is not None:
                self.io_loop.remove_timeout(timer)

    def _timed_out(self, timeout: float) -> None:
        self._fail(
            self.failureException(
                f"Async operation timed out after {timeout:g} seconds: nothing called stop()"
            )
        )

    def _fail(self, error: BaseException) -> None:
        """Remember the first ``error`` and wake up `wait`."""
        if self._failure is None:
            self._failure = error
        self.stop()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            self._stopped = None
            raise failure


def cancel_leftover_tasks(loop: IOLoop) -> None:
    """Cancel what still runs on a stopped ``loop``, and let it finish its cleaning up."""
    asyncio_loop = loop.asyncio_loop
    tasks = [task for task in asyncio.all_tasks(asyncio_loop) if not task.done()]
    if not tasks:
        return
    for task in tasks:
        task.cancel()

    async def finish() -> None:
        await asyncio.wait(tasks, timeout=get_async_test_timeout())
        await asyncio_loop.shutdown_asyncgens()

    loop.run_sync(finish)
    stubborn = [task for task in tasks if not task.done()]
    if stubborn:
        raise AssertionError(f"tasks that ignore their cancellation: {stubborn!r}")


@overload
def gen_test(func: _Test, timeout: float | None = None) -> Callable[..., None]: ...


@overload
def gen_test(
    func: None = None, timeout: float | None = None
) -> Callable[[_Test], Callable[..., None]]: ...


def gen_test(
    func: _Test | None = None, timeout: float | None = None
) -> Callable[..., None] | Callable[[_Test], Callable[..., None]]:
    """Make a coroutine a test method of an `AsyncTestCase`: run it on the test's loop.

    The coroutine is a generator (as with `gen.coroutine`) or ``async def``; a method that
    returns a Deferred or a Future will do as well::

        class MyTest(AsyncHTTPTestCase):
            @gen_test(timeout=10)
            async def test_something_slow(self):
                response = await self.http_client.fetch(self.get_url("/"))

    Args:
        timeout: in seconds; `get_async_test_timeout` by default.

    Raises:
        TimeoutError: in the test, at the point where the coroutine waits.  (Tornado 3.0.)
    """

    def decorate(function: _Test) -> Callable[..., None]:
        @functools.wraps(function)
        def run(self: AsyncTestCase, *args: Any, **kwargs: Any) -> None:
            limit = get_async_test_timeout() if timeout is None else timeout
            _run_test(self.io_loop, lambda: function(self, *args, **kwargs), limit)

        # trial and pytest look through `__wrapped__` and would take the test for a coroutine.
        del run.__wrapped__
        return run

    return decorate if func is None else decorate(func)


class _Run:
    """One run of a test's coroutine, which knows where the coroutine waits."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.generator: Generator[Any, Any, Any] | None = None
        self.interrupted: BaseException | None = None

    def start(self) -> Any:
        """Called in the loop: begin, and return something to wait for, or None."""
        outcome = self.function()
        if isinstance(outcome, Generator):
            self.generator = outcome
            return gen.coroutine(lambda: outcome)()
        if inspect.iscoroutine(outcome):
            return self._note_cancellation(outcome)
        return outcome

    async def _note_cancellation(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return await coroutine
        except asyncio.CancelledError as error:
            self.interrupted = error
            raise

    def blame(self, error: BaseException) -> None:
        """Raise ``error`` with a traceback that names the line where the test waited."""
        generator = self.generator
        if generator is None:
            raise error from self.interrupted
        if inspect.getgeneratorstate(generator) == inspect.GEN_SUSPENDED:
            try:
                generator.throw(error)
            finally:
                generator.close()
        raise error


def _run_test(loop: IOLoop, function: Callable[[], Any], limit: float) -> None:
    run = _Run(function)
    try:
        loop.run_sync(run.start, timeout=limit)
    except TimeoutError as error:
        run.blame(error)
