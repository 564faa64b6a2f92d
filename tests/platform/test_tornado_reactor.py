"""A Twisted reactor on an IOLoop: txtornado's, and Tornado's own."""

from __future__ import annotations

import contextvars
import functools
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet import error, interfaces, protocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.threads import deferToThreadPool
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.processes import LIMIT, environment, fetch, free_port, once, running, twistd
from txtornado.ioloop import IOLoop
from txtornado.platform import twisted as platform_twisted
from txtornado.platform.twisted import TornadoReactor

HAS_TORNADO = importlib.util.find_spec("tornado") is not None
SUITE = Path(__file__).with_name("reactor_suite.py")


class LoopMixin:
    """Tests of a reactor on the loops that ``make_loop`` makes."""

    def make_loop(self) -> Any:
        raise NotImplementedError

    def setUp(self) -> None:
        self.loop = self.make_loop()
        self.reactor = TornadoReactor(self.loop)
        self.addCleanup(self.take_down)
        self.reactor.callLater(LIMIT, self.loop.stop)

    def take_down(self) -> None:
        """What the documentation says of a reactor that does not live long."""
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        self.reactor.fireSystemEvent("shutdown")
        self.reactor.disconnectAll()
        self.loop.close(all_fds=True)

    def wait(self, deferred: Deferred[Any]) -> Any:
        """Start the loop, and stop it when there is a result."""
        deferred.addBoth(lambda result: (self.loop.add_callback(self.loop.stop), result)[1])
        self.loop.start()
        return self.successResultOf(deferred)

    def test_interfaces(self) -> None:
        """It provides what a reactor of Twisted provides on this platform."""
        for name in ("Core", "Time", "FDSet", "TCP", "UNIX", "UDP", "SSL", "Threads", "Process"):
            self.assertTrue(getattr(interfaces, f"IReactor{name}").providedBy(self.reactor), name)
        verifyObject(interfaces.IReactorFDSet, self.reactor)

    def test_ioloop_starts_it(self) -> None:
        """``io_loop.start()`` starts the reactor, and its timed calls."""
        seen = []
        self.reactor.callWhenRunning(seen.append, "running")
        self.reactor.callLater(0, seen.append, "later")
        self.reactor.callLater(0.01, self.loop.stop)
        self.loop.start()
        self.assertEqual(seen, ["running", "later"])

    def test_ioloop_again(self) -> None:
        """Stopping the IOLoop keeps the reactor: it goes on when the IOLoop is started again."""
        seen = []
        for turn in range(3):
            self.reactor.callLater(0.001 * turn, seen.append, turn)
            self.reactor.callLater(0.01, self.loop.stop)
            self.loop.start()
        self.assertEqual(seen, [0, 1, 2])

    def test_run_after_start(self) -> None:
        """``reactor.run`` works on a loop that was started and stopped before."""
        self.reactor.callLater(0, self.loop.stop)
        self.loop.start()
        self.reactor.callLater(0, self.loop.stop)
        self.reactor.run(installSignalHandlers=False)
        self.assertFalse(self.reactor.running)

    def test_stop_stops_ioloop(self) -> None:
        """``reactor.stop`` fires the shutdown event and stops the IOLoop; that was its life."""
        seen = []
        self.reactor.addSystemEventTrigger("before", "shutdown", seen.append, "shutdown")
        self.reactor.callLater(0, self.reactor.stop)
        self.loop.start()
        self.assertEqual(seen, ["shutdown"])
        self.assertRaises(error.ReactorNotRestartable, self.reactor.run)

    def test_run_while_running(self) -> None:
        """``reactor.run`` in a callback of the running IOLoop is refused, and changes nothing."""
        seen = []

        def again() -> None:
            try:
                self.reactor.run()
            except error.ReactorAlreadyRunning as e:
                seen.append(e)
            self.reactor.callLater(0, self.loop.stop)

        self.reactor.callLater(0, again)
        self.loop.start()
        self.assertEqual(len(seen), 1)

    def test_iterate(self) -> None:
        """``reactor.iterate`` runs what is due, and does not start the reactor."""
        seen = []
        self.reactor.callLater(0, seen.append, 1)
        self.reactor.iterate(0.01)
        self.assertEqual(seen, [1])
        self.assertFalse(self.reactor.running)

    def test_sooner_and_cancelled(self) -> None:
        """A timed call can be moved in both directions, and cancelled."""
        seen = []
        self.reactor.callLater(LIMIT / 2, seen.append, "sooner").reset(0.001)
        self.reactor.callLater(0.001, seen.append, "later").reset(0.01)
        self.reactor.callLater(0.001, seen.append, "never").cancel()
        self.reactor.callLater(0.05, self.loop.stop)
        self.loop.start()
        self.assertEqual(seen, ["sooner", "later"])

    def test_clock_set(self) -> None:
        """Timed calls are not late when the system's clock is set, in either direction."""
        seen = []
        for jump in (-1e6, 1e6):
            with mock.patch.object(self.reactor, "seconds", lambda: time.time() + jump):
                self.reactor.callLater(LIMIT, lambda: None)
            self.reactor.callLater(0, seen.append, jump)
            self.reactor.callLater(0, self.loop.add_callback, self.loop.stop)
            guard = self.loop.call_later(LIMIT / 2, self.loop.stop)
            self.loop.start()
            self.loop.remove_timeout(guard)
            self.assertEqual(seen.pop(), jump)

    def test_context(self) -> None:
        """A timed call does not run in the context variables of whoever scheduled another."""
        variable = contextvars.ContextVar("variable", default="outside")
        seen = []

        def inside() -> None:
            variable.set("inside")
            self.reactor.callLater(0.001, lambda: None)

        contextvars.copy_context().run(inside)
        self.reactor.callLater(0.002, lambda: seen.append(variable.get()))
        self.reactor.callLater(0.01, self.loop.stop)
        self.loop.start()
        self.assertEqual(seen, ["outside"])

    def test_threads(self) -> None:
        """Work is done in threads, and its results come back to the loop's."""
        done = deferToThreadPool(
            self.reactor, self.reactor.getThreadPool(), threading.current_thread
        )
        self.assertIsNot(self.wait(done), threading.current_thread())

    def test_connection(self) -> None:
        """A server and a client talk to each other."""
        received: Deferred[bytes] = Deferred()

        class Greeter(protocol.Protocol):
            def connectionMade(self) -> None:
                self.transport.write(b"hello" * 100_000)
                self.transport.loseConnection()

        class Listener(protocol.Protocol):
            data = b""

            def dataReceived(self, data: bytes) -> None:
                self.data += data

            def connectionLost(self, reason: Any = None) -> None:
                received.callback(self.data)

        listening = TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1").listen(
            protocol.Factory.forProtocol(Greeter)
        )
        port = self.successResultOf(listening).getHost().port
        connectProtocol(TCP4ClientEndpoint(self.reactor, "127.0.0.1", port), Listener())
        self.assertEqual(self.wait(received), b"hello" * 100_000)

    def test_process(self) -> None:
        """The end of a process is noticed also when the IOLoop was what started the reactor."""
        before = signal.getsignal(signal.SIGCHLD)
        ended: Deferred[Any] = Deferred()

        class Ending(protocol.ProcessProtocol):
            output = b""

            def outReceived(self, data: bytes) -> None:
                self.output += data

            def processEnded(self, reason: Any) -> None:
                ended.callback((self.output, reason.value.exitCode))

        self.reactor.callWhenRunning(
            self.reactor.spawnProcess,
            Ending(),
            sys.executable,
            [sys.executable, "-c", "print('out'); raise SystemExit(3)"],
            env=None,
        )
        self.assertEqual(self.wait(ended), (b"out\n", 3))
        self.reactor.disconnectAll()
        self.assertEqual(signal.getsignal(signal.SIGCHLD), before)

    def test_plain_file(self) -> None:
        """A plain file, which no poll knows, is always ready."""
        path = self.mktemp()
        done: Deferred[None] = Deferred()
        with open(path, "wb") as file:
            case = self

            class Writer:
                count = 0

                def fileno(self) -> int:
                    return file.fileno()

                def logPrefix(self) -> str:
                    return "file"

                def doWrite(self) -> None:
                    self.count += 1
                    if self.count == 3:
                        case.reactor.removeWriter(self)
                        done.callback(None)

                def connectionLost(self, reason: Any) -> None:
                    raise AssertionError(reason)

            writer = Writer()
            self.reactor.addWriter(writer)
            self.wait(done)
        self.assertEqual(writer.count, 3)

    def test_number_reused(self) -> None:
        """A new descriptor with the number of one that was closed without a word is watched."""
        done: Deferred[bytes] = Deferred()
        first, first_out = os.pipe()
        second, second_out = os.pipe()
        self.addCleanup(os.close, first_out)
        self.addCleanup(os.close, second_out)

        class Reader:
            def __init__(self, fd: int) -> None:
                self.fd = fd

            def fileno(self) -> int:
                return self.fd

            def logPrefix(self) -> str:
                return "pipe"

            def doRead(self) -> None:
                done.callback(os.read(self.fd, 10))

            def connectionLost(self, reason: Any) -> None:
                os.close(self.fd)

        gone = Reader(first)
        self.reactor.addReader(gone)
        os.close(first)
        gone.fd = -1
        os.dup2(second, first)
        os.close(second)
        self.reactor.addReader(Reader(first))
        os.write(second_out, b"x")
        self.assertEqual(self.wait(done), b"x")

    def test_close_gives_back_descriptors(self) -> None:
        """Closing the IOLoop with ``all_fds`` closes what the reactor keeps for itself."""
        loop = self.make_loop()
        before = len(os.listdir("/proc/self/fd"))
        reactor = TornadoReactor(loop)
        self.assertGreater(len(os.listdir("/proc/self/fd")), before)
        loop.close(all_fds=True)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before)
        reactor.callFromThread(lambda: None)  # no error


if not os.path.isdir("/proc/self/fd"):
    LoopMixin.test_close_gives_back_descriptors.skip = "there is no /proc"


class OnOwnLoop(LoopMixin, SynchronousTestCase):
    """On txtornado's IOLoop."""

    def make_loop(self) -> Any:
        return IOLoop(make_current=False)

    def test_loops_reactor(self) -> None:
        """It is the reactor of a loop that had none."""
        self.assertIs(self.loop.reactor, self.reactor)

    def test_second_reactor(self) -> None:
        """A loop keeps the reactor that it has."""
        TornadoReactor(self.loop)
        self.assertIs(self.loop.reactor, self.reactor)


class OnTornadosLoop(LoopMixin, SynchronousTestCase):
    """On the IOLoop of Tornado itself."""

    if not HAS_TORNADO:
        skip = "tornado is not installed"

    def make_loop(self) -> Any:
        from tornado.ioloop import IOLoop

        return IOLoop(make_current=False)


class Installed(SynchronousTestCase):
    """The reactor as the global one."""

    def test_refused(self) -> None:
        """Where a reactor is installed, `install` says so and makes nothing."""
        from twisted.internet import reactor

        raised = self.assertRaises(error.ReactorAlreadyInstalledError, platform_twisted.install)
        self.assertIn("before anything imports", str(raised))
        from twisted.internet import reactor as still

        self.assertIs(still, reactor)

    def run_python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_documented_use(self) -> None:
        """``install()``, then Tornado's loop runs both sides: chapter 4.3 of the 2.3 manual."""
        out = self.run_python(
            "import txtornado.platform.twisted\n"
            "made = txtornado.platform.twisted.install()\n"
            "from twisted.internet import reactor\n"
            "from txtornado.ioloop import IOLoop\n"
            "loop = IOLoop.instance()\n"
            "reactor.callLater(0, print, 'twisted')\n"
            "loop.add_callback(print, 'tornado')\n"
            "reactor.callLater(0.01, loop.stop)\n"
            "loop.start()\n"
            "print(made is reactor is loop.reactor)\n"
        )
        self.assertEqual(out.splitlines()[-1], "True")
        self.assertEqual(set(out.splitlines()), {"twisted", "tornado", "True"})

    def test_on_given_loop(self) -> None:
        """``install(io_loop)`` uses that loop, and `IOLoop.current` finds it under the reactor."""
        out = self.run_python(
            "from txtornado.ioloop import IOLoop\n"
            "from txtornado.platform.twisted import install\n"
            "loop = IOLoop(make_current=False)\n"
            "install(loop)\n"
            "from twisted.internet import reactor\n"
            "reactor.callWhenRunning(lambda: print(IOLoop.current() is loop))\n"
            "reactor.callLater(0, reactor.stop)\n"
            "reactor.run()\n"
        )
        self.assertEqual(out, "True\n")


class Twistd(SynchronousTestCase):
    """``--reactor=tornado``."""

    def test_web(self) -> None:
        """``twistd --reactor=tornado web --path=.`` serves files, and ends when it is told to."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        (folder / "page.txt").write_text("a page")
        port = free_port()
        command = [twistd(), "--nodaemon", "--pidfile=", "--reactor=tornado", "web", "--path=."]
        with running([*command, f"--listen=tcp:{port}:interface=127.0.0.1"], folder) as program:
            program.wait_for_port(port)
            self.assertEqual(fetch(f"http://127.0.0.1:{port}/page.txt"), "a page")
            program.stop()
        self.assertIn("TornadoReactor", program.stdout)
        self.assertIn("Server Shut Down", program.stdout)


@functools.cache
def run_suite(kind: str) -> subprocess.CompletedProcess[str]:
    """``reactor_suite.py``, at most once for each kind."""
    return subprocess.run(
        [sys.executable, SUITE, kind],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT * 5,
    )


@once("the suite runs in processes of its own")
class TwistedsOwnTests(SynchronousTestCase):
    """Twisted's reactor tests, see ``reactor_suite.py``."""

    if importlib.util.find_spec("hamcrest") is None:
        skip = "Twisted's tests need PyHamcrest"
    elif sys.platform != "linux":
        skip = "what is compared with, Twisted's epoll reactor, is Linux's"

    def passed(self, kind: str) -> int:
        done = run_suite(kind)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return int(done.stdout.splitlines()[-1].split()[1])

    def check(self, kind: str) -> None:
        """As many pass as on Twisted's own reactor: 715 of Twisted 26.10, as root."""
        needed = self.passed("epoll")
        self.assertGreater(needed, 600)
        self.assertGreaterEqual(self.passed(kind), needed)

    def test_on_own_loop(self) -> None:
        """They pass on txtornado's IOLoop."""
        self.check("txtornado")

    def test_on_tornados_loop(self) -> None:
        """They pass on the IOLoop of Tornado itself."""
        self.check("tornado")

    if not HAS_TORNADO:
        test_on_tornados_loop.skip = "tornado is not installed"
