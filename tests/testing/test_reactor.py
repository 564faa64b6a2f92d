"""Tests for `ReactorTestCase`; most of them are tests of that class themselves."""

import asyncio
import concurrent.futures
import os
import sys

from twisted.internet import defer, reactor, task

from tests.processes import PACKAGES, environment, run_beside
from txtornado import gen
from txtornado.ioloop import IOLoop
from txtornado.testing import ReactorTestCase


class AwaitingTests(ReactorTestCase):
    """A coroutine that is a test may await all kinds of things."""

    async def setUp(self) -> None:
        await asyncio.sleep(0)
        self.was_set_up = True

    async def tearDown(self) -> None:
        await asyncio.sleep(0)

    async def test_deferred(self) -> None:
        """A Deferred."""
        self.assertEqual(await task.deferLater(reactor, 0, lambda: 3), 3)

    async def test_asyncio(self) -> None:
        """asyncio's own, on the loop that io_loop has."""
        self.assertTrue(self.was_set_up)
        self.assertIs(asyncio.get_running_loop(), self.io_loop.asyncio_loop)
        self.assertEqual(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2)), [1, 2])

    async def test_future(self) -> None:
        """A Future of Tornado's world."""
        await gen.sleep(0)

    async def test_reactor(self) -> None:
        """The loop is the face of the global reactor."""
        self.assertIs(IOLoop.current(), self.io_loop)
        self.assertIs(self.io_loop.reactor, reactor)

    async def test_thread(self) -> None:
        """A function in a thread."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            self.assertEqual(await self.io_loop.run_in_executor(pool, lambda: 5), 5)

    def test_returned_deferred(self) -> defer.Deferred[None]:
        """A test may return a Deferred, as with trial's own class."""
        return task.deferLater(reactor, 0, lambda: None)

    @defer.inlineCallbacks
    def test_inline_callbacks(self):
        """A test may be decorated with inlineCallbacks."""
        result = yield task.deferLater(reactor, 0, lambda: 4)
        self.assertEqual(result, 4)

    def test_plain(self) -> None:
        """A test may be an ordinary method."""
        self.assertTrue(self.was_set_up)


class OutcomeTests(ReactorTestCase):
    """What a test does to the tests after it."""

    async def test_cleanups(self) -> None:
        """A cleanup may be a coroutine function, and runs on the loop."""

        async def cleanup(word):
            await asyncio.sleep(0)
            seen.append(word)

        seen: list[str] = []

        async def check():
            self.assertEqual(seen, ["first"])

        self.addCleanup(check)
        self.addCleanup(cleanup, "first")

    async def test_leftover_task(self) -> None:
        """A task left behind is cancelled, and may clean up with what the loop offers."""

        async def lasting():
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(0)

        self.leftover = asyncio.ensure_future(lasting())
        await asyncio.sleep(0)
        before = self._clean

        def clean():
            d = before()
            d.addCallback(lambda _: self.assertTrue(self.leftover.cancelled()))
            return d

        self.patch(self, "_clean", clean)


FAILING = """
import asyncio
from txtornado.testing import ReactorTestCase

class Case(ReactorTestCase):
    async def test_wrong(self):
        await asyncio.sleep(0)
        self.assertEqual(1, 2)

    async def test_raises(self):
        await asyncio.sleep(0)
        raise ValueError("from the coroutine")

    async def test_dirty(self):
        from twisted.internet import reactor
        reactor.callLater(1000, print)

    async def test_slow(self):
        await asyncio.sleep(1000)
    test_slow.timeout = 0.05

    async def test_skipped(self):
        pass
    test_skipped.skip = "not today"

    async def test_todo(self):
        raise ValueError
    test_todo.todo = "one day"

class SetUp(ReactorTestCase):
    async def setUp(self):
        asyncio.ensure_future(asyncio.sleep(1000))
        raise ValueError("in setUp")

    def test_never_runs(self):
        pass
"""


class ReportTests(ReactorTestCase):
    """What trial says of tests that do not pass."""

    async def test_report(self) -> None:
        """Failures, errors, dirty reactors, timeouts, skips and todos are told apart."""
        where = self.mktemp()
        os.makedirs(where)
        with open(os.path.join(where, "failing_cases.py"), "w") as f:
            f.write(FAILING)
        output = await run_trial(where, "failing_cases")
        self.assertIn("Ran 7 tests", output)
        self.assertIn("FAILED (skips=1, expectedFailures=1, failures=1, errors=4)", output)
        self.assertIn("from the coroutine", output)
        self.assertIn("DelayedCall", output)
        self.assertIn("still running at 0.05 secs", output)


async def run_trial(where: str, module: str) -> str:
    """The output of trial over ``module``, in a process and under the reactor of this one."""
    name = type(reactor).__name__
    short = {"EPollReactor": "epoll", "SelectReactor": "select", "PollReactor": "poll"}
    arguments = ["-m", "twisted.trial", f"--reactor={short.get(name, 'asyncio')}"]
    path = os.pathsep.join([str(PACKAGES), os.path.abspath(where)])
    command = [sys.executable, *arguments, module]
    done = await run_beside(command, env=environment(PYTHONPATH=path), cwd=where)
    return (done.stdout + done.stderr).decode()
