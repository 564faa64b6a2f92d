"""`ReactorTestCase`: trial's test case, with coroutines that await anything."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.trial.unittest import TestCase

from txtornado.concurrent import as_deferred
from txtornado.ioloop import IOLoop

__all__ = ["ReactorTestCase"]


class ReactorTestCase(TestCase):
    """A ``twisted.trial.unittest.TestCase`` on the global reactor, under any reactor.

    Tests, ``setUp``, ``tearDown`` and cleanups may return a Deferred, or be ``async def`` and
    await Deferreds, Futures, asyncio's tasks and coroutines alike.  Run it with trial::

        class FetchTest(ReactorTestCase):
            async def test_fetch(self):
                response = await AsyncHTTPClient().fetch(self.url)
                self.assertEqual(response.code, 200)

    A test leaves the reactor as it found it: tasks that it leaves behind are cancelled and
    waited for, HTTP clients of the loop are closed, and trial complains of what remains.

    Attributes:
        io_loop: the `IOLoop` of the global reactor.
    """

    io_loop: IOLoop

    def _wrap_methods(self) -> None:
        """Put wrappers before the methods that trial is about to look up on this instance.

        Not earlier than that: trial finds a single test by comparing methods.
        """
        if "_set_up" in self.__dict__:
            return  # it was run before
        for name in dict.fromkeys(("setUp", self._testMethodName, "tearDown")):
            method = getattr(self, name, None)
            if inspect.iscoroutinefunction(method):
                setattr(self, name, _as_twisted_method(method))
        for name, wrapper in (("setUp", self._noting_success), ("tearDown", self._leaving_clean)):
            setattr(self, name, functools.partial(wrapper, getattr(self, name)))

    def addCleanup(self, f: Callable[..., object], *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """As in trial; ``f`` may be a coroutine function as well."""
        if inspect.iscoroutinefunction(f):
            f = _as_twisted_method(f)
        super().addCleanup(f, *args, **kwargs)

    def run(self, result: Any) -> Any:  # type: ignore[override]
        """Run the test; `io_loop` is the current loop meanwhile."""
        self._wrap_methods()
        self.io_loop = IOLoop.current()
        self._tasks_before = asyncio.all_tasks(self.io_loop.asyncio_loop)
        self._set_up = False
        # trial runs cleanups before tearDown, the first one added last.
        self.addCleanup(self._clean_after_failed_set_up)
        return super().run(result)  # type: ignore[no-untyped-call]

    def _noting_success(self, set_up: Callable[[], Any]) -> defer.Deferred[Any]:
        def note(result: Any) -> Any:
            self._set_up = True
            return result

        return defer.maybeDeferred(set_up).addCallback(note)

    def _leaving_clean(self, tear_down: Callable[[], Any]) -> defer.Deferred[Any]:
        def clean(result: Any) -> defer.Deferred[Any]:
            return self._clean().addCallback(lambda _: result)

        return defer.maybeDeferred(tear_down).addBoth(clean)

    def _clean_after_failed_set_up(self) -> defer.Deferred[None] | None:
        return None if self._set_up else self._clean()

    def _clean(self) -> defer.Deferred[None]:
        """Close and cancel what the test left behind; done at once when that is nothing."""
        clients = []
        if self.io_loop.__dict__.get("_http_clients"):
            from txtornado.httpclient._client import close_clients_of

            clients = close_clients_of(self.io_loop)
        tasks = asyncio.all_tasks(self.io_loop.asyncio_loop) - self._tasks_before
        if not tasks and not clients:
            return defer.succeed(None)
        return as_deferred(_end(tasks, clients))


async def _end(tasks: set[asyncio.Task[Any]], clients: list[Any]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for client in clients:
        await client.wait_closed()


def _as_twisted_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` as one that returns a Deferred, run as a task of the loop."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> defer.Deferred[Any]:
        return as_deferred(function(*args, **kwargs))

    # trial would look through it, and take the method for a coroutine.
    del run.__wrapped__
    return run
