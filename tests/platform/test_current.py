"""`IOLoop.current`, wherever a program runs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import SynchronousTestCase

from tests.processes import LIMIT, environment, once, running, twistd
from tests.reactors import KINDS, _missing
from txtornado.ioloop import IOLoop
from txtornado.platform.twisted import TwistedIOLoop
from txtornado.testing import ReactorTestCase

#: A coroutine that tries what every loop must do; ``seen`` ends up with one word for each.
WORK = """
import asyncio
import threading
from txtornado import gen
from txtornado.concurrent import as_future
from txtornado.ioloop import IOLoop, PeriodicCallback
from twisted.internet.task import deferLater

async def work(reactor):
    loop, seen = IOLoop.current(), []
    assert loop.reactor is reactor, loop.reactor
    assert loop.asyncio_loop is asyncio.get_running_loop()
    called = asyncio.Event()
    loop.add_callback(called.set)
    await called.wait()
    seen.append("callback")
    later = asyncio.Event()
    loop.call_later(0.001, later.set)
    await later.wait()
    seen.append("timer")
    await asyncio.sleep(0.001)
    await gen.sleep(0.001)
    seen.append("sleep")
    await as_future(deferLater(reactor, 0.001))
    seen.append("deferred")
    thread = await loop.run_in_executor(None, threading.get_ident)
    assert thread != threading.get_ident()
    other = asyncio.Event()
    threading.Thread(target=loop.add_callback, args=(other.set,)).start()
    await other.wait()
    seen.append("threads")
    ticks = asyncio.Semaphore(0)
    periodic = PeriodicCallback(ticks.release, 1)
    periodic.start()
    for _ in range(3):
        await ticks.acquire()
    periodic.stop()
    seen.append("periodic")
    assert IOLoop.current() is loop
    return " ".join(seen)
"""

DONE = "callback timer sleep deferred threads periodic"

namespace: dict[str, Any] = {}
exec(WORK, namespace)  # noqa: S102
work = namespace["work"]

#: A ``.tac`` file whose service works, says so, and ends the process.
TAC = (
    WORK
    + """
import sys
from twisted.application import service
from txtornado.concurrent import as_deferred

class Worker(service.Service):
    def startService(self):
        from twisted.internet import reactor
        loop = IOLoop.current()
        loop.add_callback(self.run, reactor)

    async def run(self, reactor):
        try:
            await asyncio.sleep(0)
            print("did", await work(reactor), "on", type(reactor).__name__, flush=True)
        finally:
            reactor.stop()

application = service.Application("worker")
Worker().setServiceParent(application)
"""
)


class UnderTrial(ReactorTestCase):
    """The reactor that trial was started with."""

    async def test_current(self) -> None:
        """The current loop is the reactor's, and everything of a loop works on it."""
        from twisted.internet import reactor

        self.assertEqual(await work(reactor), DONE)
        self.assertTrue(IReactorTime.providedBy(IOLoop.current().reactor))
        self.assertIs(IOLoop.instance(), IOLoop.current())


@once("twistd is told which")
class UnderTwistd(SynchronousTestCase):
    """``twistd --reactor=...``."""

    def check(self, reactor: str, name: str) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        (folder / "worker.tac").write_text(TAC)
        command = [twistd(), "--nodaemon", "--pidfile=", f"--reactor={reactor}", "--logfile=log"]
        with running([*command, "--python=worker.tac"], folder) as program:
            self.assertEqual(program.wait(), 0, program.stderr)
        log = (folder / "log").read_text()
        self.assertIn(f"did {DONE} on {name}", log)
        self.assertNotIn("Traceback", log + program.stderr)

    def test_epoll(self) -> None:
        """The epoll reactor."""
        if _missing("Epoll"):
            self.skipTest("this system has no epoll")
        self.check("epoll", "EPollReactor")

    def test_select(self) -> None:
        """The select reactor."""
        self.check("select", "SelectReactor")

    def test_asyncio(self) -> None:
        """The asyncio reactor."""
        self.check("asyncio", "AsyncioSelectorReactor")


@once("asyncio.run has a loop of its own")
class UnderAsyncioRun(SynchronousTestCase):
    """``asyncio.run``, in a fresh interpreter."""

    PROGRAM = (
        WORK
        + """
async def main():
    loop = IOLoop.current()
    assert loop.asyncio_loop is asyncio.get_running_loop()
    mine = loop.reactor
    from twisted.internet import reactor
    assert reactor is mine and reactor.running
    print(await work(loop.reactor))
    return loop

first, second = asyncio.run(main()), asyncio.run(main())
assert first is not second
print(type(second.asyncio_loop).__module__)
"""
    )

    def run_program(self, before: str = "") -> list[str]:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", before + self.PROGRAM],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertNotIn("ResourceWarning", done.stderr)
        return done.stdout.splitlines()

    def test_twice(self) -> None:
        """Each of two runs in one process has a loop and a reactor that work."""
        self.assertEqual(self.run_program(), [DONE, DONE, "asyncio.unix_events"])

    def test_twice_on_uvloop(self) -> None:
        """So it is with uvloop's policy."""
        if _missing("Uvloop"):
            self.skipTest(str(_missing("Uvloop")))
        lines = self.run_program(
            "import asyncio, uvloop; asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())\n"
        )
        self.assertEqual(lines, [DONE, DONE, "uvloop"])


@once("each thread has a loop of its own")
class InThreads(SynchronousTestCase):
    """Several loops at once, each in a thread of its own."""

    def together(self, *runs: Any) -> list[str]:
        """Call each function in a thread, all of them at the same time; their results."""
        barrier = threading.Barrier(len(runs), timeout=LIMIT)
        results: list[str] = []

        def run(function: Any) -> None:
            barrier.wait()
            try:
                results.append(function())
            except BaseException as error:
                results.append(repr(error))

        threads = [threading.Thread(target=run, args=(function,)) for function in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        return results

    def test_asyncio_run(self) -> None:
        """asyncio.run in each of several threads."""

        def run() -> str:
            async def main() -> str:
                return str(await work(IOLoop.current().reactor))

            return asyncio.run(main())

        self.assertEqual(self.together(*[run] * 4), [DONE] * 4)

    def test_every_kind(self) -> None:
        """A loop on each kind of reactor, all of them running at once."""

        def run(kind: str) -> str:
            loop = KINDS[kind]()
            try:
                return str(loop.run_sync(lambda: work(loop.reactor), timeout=LIMIT))
            finally:
                loop.close(all_fds=True)

        kinds = [kind for kind in KINDS if not _missing(kind)]
        runs = [lambda kind=kind: run(kind) for kind in kinds]
        self.assertEqual(self.together(*runs), [DONE] * len(kinds))


@once("each test makes one of its own")
class OnGivenReactor(SynchronousTestCase):
    """`TwistedIOLoop` on an instance of a reactor."""

    def check(self, reactor: Any) -> None:
        loop = TwistedIOLoop(reactor)
        self.addCleanup(loop.close)
        self.assertIs(loop.reactor, reactor)
        for _ in range(2):
            self.assertEqual(loop.run_sync(lambda: work(reactor), timeout=LIMIT), DONE)
        with self.assertRaisesRegex(RuntimeError, "already"):
            TwistedIOLoop(reactor)

    def test_select(self) -> None:
        """`SelectReactor`."""
        from twisted.internet.selectreactor import SelectReactor

        self.check(SelectReactor())

    def test_epoll(self) -> None:
        """`EPollReactor`."""
        if _missing("Epoll"):
            self.skipTest("this system has no epoll")
        from twisted.internet.epollreactor import EPollReactor

        self.check(EPollReactor())

    def test_poll(self) -> None:
        """`PollReactor`."""
        from twisted.internet.pollreactor import PollReactor

        self.check(PollReactor())

    def test_asyncio(self) -> None:
        """`AsyncioSelectorReactor`, on a loop of its own."""
        from twisted.internet.asyncioreactor import AsyncioSelectorReactor

        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        self.check(AsyncioSelectorReactor(loop))
