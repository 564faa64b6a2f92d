"""Tests for `txtornado.process`.

The children are real ones; whatever forks does so in a process of its own.
"""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading

from twisted.internet import defer, utils
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from tests.processes import once
from tests.reactors import on_uvloop
from txtornado import process
from txtornado.concurrent import as_deferred
from txtornado.ioloop import IOLoop
from txtornado.process import Subprocess

PYTHON = sys.executable


def python(code, *args):
    return [PYTHON, "-I", "-S", "-c", code, *args]


def environment():
    path = os.pathsep.join(filter(None, [os.getcwd(), *sys.path]))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return {**inherited, "PYTHONPATH": path}


def exists(pid):
    """Whether there is such a child, as a zombie at least."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


class SubprocessTests(TestCase):
    """On the reactor that trial runs; see the subclass for systems without ``pidfd_open``."""

    def wait(self, child, **kwargs):
        return as_deferred(child.wait_for_exit(**kwargs))

    @defer.inlineCallbacks
    def test_status(self):
        """The exit status arrives, and is the child's returncode from then on."""
        child = Subprocess(python("raise SystemExit(7)"))
        self.assertEqual(child.pid, child.proc.pid)
        self.assertEqual((yield self.wait(child, raise_error=False)), 7)
        self.assertEqual(child.returncode, 7)
        self.assertFalse(exists(child.pid))

    @defer.inlineCallbacks
    def test_error(self):
        """A status other than 0 is an error that says what was run."""
        command = python("raise SystemExit(3)")
        error = yield self.assertFailure(self.wait(Subprocess(command)), process.CalledProcessError)
        self.assertEqual((error.returncode, error.cmd), (3, command))
        self.assertEqual((yield self.wait(Subprocess(python("pass")))), 0)

    @defer.inlineCallbacks
    def test_signal(self):
        """A child ended by a signal has the signal's negative number as status."""
        child = Subprocess(python("import time; time.sleep(100)"))
        self.assertIsNone(child.returncode)
        child.proc.send_signal(signal.SIGKILL)
        self.assertEqual((yield self.wait(child, raise_error=False)), -signal.SIGKILL)

    @defer.inlineCallbacks
    def test_several_callbacks(self):
        """Everybody who asks is told, also when it is over."""
        child = Subprocess(python("raise SystemExit(2)"))
        early, late = defer.Deferred(), defer.Deferred()
        child.set_exit_callback(early.callback)
        yield self.wait(child, raise_error=False)
        child.set_exit_callback(late.callback)
        self.assertEqual((yield early), 2)
        self.assertEqual((yield late), 2)

    @defer.inlineCallbacks
    def test_reaped_by_the_program(self):
        """A child that the program itself waited for is not waited for twice."""
        child = Subprocess(python("raise SystemExit(4)"))
        self.assertEqual(child.proc.wait(), 4)
        self.assertEqual((yield self.wait(child, raise_error=False)), 4)

    @defer.inlineCallbacks
    def test_nobody_asks(self):
        """A child that nobody asks about, or refers to, does not stay a zombie."""
        pid = Subprocess(python("pass")).pid
        gc.collect()
        while exists(pid):
            # Others' exits, in the meantime, show that the loop turns.
            yield self.wait(Subprocess(python("pass")))

    @defer.inlineCallbacks
    def test_many(self):
        """Many children at once, beside Twisted's own: no status is lost or mixed up."""
        children = [Subprocess(python(f"raise SystemExit({n})")) for n in range(12)]
        # On uvloop, which keeps SIGCHLD to itself, Twisted does not hear of its own.
        expected = [] if on_uvloop(IOLoop.current()) else list(range(20, 26))
        spawned = [
            utils.getProcessValue(PYTHON, python(f"raise SystemExit({n})")[1:], env=environment())
            for n in expected
        ]
        codes = yield defer.gatherResults(
            [self.wait(child, raise_error=False) for child in children]
        )
        self.assertEqual(codes, list(range(12)))
        self.assertEqual((yield defer.gatherResults(spawned)), expected)
        self.assertEqual([child.pid for child in children if exists(child.pid)], [])

    @defer.inlineCallbacks
    def test_cancelled(self):
        """Giving up on an exit leaves the others' waiting alone."""
        child = Subprocess(
            python("import sys; sys.stdin.read(); sys.exit(1)"), stdin=Subprocess.STREAM
        )
        child.wait_for_exit().cancel()
        other = self.wait(child, raise_error=False)
        child.stdin.close()
        self.assertEqual((yield other), 1)

    @defer.inlineCallbacks
    def test_streams(self):
        """STREAM gives streams: what is written in comes out."""
        child = Subprocess(
            python(
                "import sys; sys.stderr.write('e'); print(input()[::-1]); sys.exit(int(input()))"
            ),
            stdin=Subprocess.STREAM,
            stdout=Subprocess.STREAM,
            stderr=Subprocess.STREAM,
        )
        child.stdin.write(b"abc\n")
        self.assertEqual((yield as_deferred(child.stdout.read_until(b"\n"))), b"cba\n")
        child.stdin.write(b"5\n")
        self.assertEqual((yield self.wait(child, raise_error=False)), 5)
        self.assertEqual((yield as_deferred(child.stderr.read_until_close())), b"e")
        for stream in (child.stdin, child.stdout, child.stderr):
            stream.close()

    @defer.inlineCallbacks
    def test_closing_stdin(self):
        """Closing the stream of its input is the end of input for the child."""
        child = Subprocess(
            python("import sys; print(len(sys.stdin.read()))"),
            stdin=Subprocess.STREAM,
            stdout=Subprocess.STREAM,
        )
        yield as_deferred(child.stdin.write(b"x" * 300_000))
        child.stdin.close()
        self.assertEqual((yield as_deferred(child.stdout.read_until_close())), b"300000\n")
        self.assertEqual((yield self.wait(child)), 0)

    @defer.inlineCallbacks
    def test_popen_pipes(self):
        """Without STREAM the attributes are Popen's."""
        child = Subprocess(python("print(1)"), stdout=subprocess.PIPE)
        self.assertIs(child.stdout, child.proc.stdout)
        self.assertIsNone(child.stdin)
        yield self.wait(child)
        self.assertEqual(child.stdout.read(), b"1\n")
        child.stdout.close()

    def test_no_such_program(self):
        """A program that cannot be started raises Popen's error and leaves no descriptor."""
        before = os.listdir("/dev/fd")
        for _ in range(5):
            self.assertRaises(
                OSError,
                Subprocess,
                ["/no/such/program"],
                stdin=Subprocess.STREAM,
                stdout=Subprocess.STREAM,
                stderr=Subprocess.STREAM,
            )
        self.assertEqual(len(os.listdir("/dev/fd")), len(before))

    @defer.inlineCallbacks
    def test_descriptors(self):
        """A child that has been reaped leaves no descriptor behind."""
        yield self.wait(Subprocess(python("pass")))
        before = os.listdir("/dev/fd")
        for _ in range(3):
            child = Subprocess(python("pass"), stdout=Subprocess.STREAM)
            yield self.wait(child)
            child.stdout.close()
        self.assertEqual(len(os.listdir("/dev/fd")), len(before))

    @defer.inlineCallbacks
    def test_failing_callback(self):
        """An exception in a callback is the loop's to log; other callbacks run."""
        child = Subprocess(python("pass"))
        failures = []
        self.patch(
            child.io_loop,
            "handle_callback_exception",
            lambda cb: failures.append(sys.exc_info()[0]),
        )
        child.set_exit_callback(lambda code: 1 / 0)
        yield self.wait(child)
        self.assertEqual(failures, [ZeroDivisionError])

    @defer.inlineCallbacks
    def test_old_forms(self):
        """initialize(), uninitialize() and io_loop= of older programs are taken."""
        loop = IOLoop.current()
        Subprocess.initialize(loop)
        Subprocess.initialize()
        child = Subprocess(python("pass"), io_loop=loop)
        self.assertIs(child.io_loop, loop)
        self.assertEqual((yield self.wait(child)), 0)
        Subprocess.uninitialize()

    def test_loops_in_threads(self):
        """Children of loops in several threads exit each on its own loop."""
        results = {}

        def run(number):
            async def main():
                child = Subprocess(python(f"raise SystemExit({number})"))
                results[number] = (
                    await child.wait_for_exit(raise_error=False),
                    child.io_loop is loop,
                )

            loop = IOLoop()
            try:
                loop.run_sync(main)
            finally:
                loop.close()

        threads = [threading.Thread(target=run, args=(number,)) for number in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, {1: (1, True), 2: (2, True), 3: (3, True)})


class SubprocessWithoutDescriptorTests(SubprocessTests):
    """The same where the system has no process descriptors: a thread waits for each child."""

    def setUp(self):
        def missing(pid):
            raise OSError("no pidfd_open")

        if not hasattr(os, "pidfd_open"):
            raise SkipTest("the other tests cover it here")
        self.patch(os, "pidfd_open", missing)

    @defer.inlineCallbacks
    def test_nobody_asks(self):
        """A child that nobody refers to is reaped by its thread."""
        yield
        pid = Subprocess(python("pass")).pid
        for thread in threading.enumerate():
            if thread.name == f"wait-for-{pid}":
                thread.join()
        self.assertFalse(exists(pid))


class CPUCountTests(SynchronousTestCase):
    def test_count(self):
        """The number of processors, and 1 where nobody knows."""
        self.assertEqual(process.cpu_count(), os.cpu_count())
        self.patch(os, "cpu_count", lambda: None)
        self.assertEqual(process.cpu_count(), 1)


@once("the scripts run in processes of their own")
class ForkProcessesTests(SynchronousTestCase):
    def run_script(self, text, **kwargs):
        """Runs ``text`` in a process of its own; the process with its output."""
        head = "import os, signal, sys, time\nfrom txtornado.process import *\n"
        return subprocess.run(
            [PYTHON, "-c", head + textwrap.dedent(text)],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            **kwargs,
        )

    def lines(self, run):
        self.assertEqual(run.stderr, "")
        return sorted(run.stdout.splitlines())

    def test_numbers(self):
        """Each worker gets its number, task_id() too; the parent ends in success without it."""
        run = self.run_script("""
            print("before", task_id())
            number = fork_processes(3)
            print(number, task_id())
        """)
        self.assertEqual(self.lines(run), ["0 0", "1 1", "2 2", "before None"])
        self.assertEqual(run.returncode, 0)

    def test_one_per_processor(self):
        """None, 0 and less mean one worker per processor."""
        for count in ("None", "0", "-1"):
            run = self.run_script(f"""
                os.cpu_count = lambda: 2
                fork_processes({count})
                print(task_id())
            """)
            self.assertEqual(self.lines(run), ["0", "1"])

    def test_restart(self):
        """A worker that fails or is killed is started again under its number."""
        directory = self.mktemp()
        os.mkdir(directory)
        run = self.run_script(
            """
            import logging
            logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="log %(message)s")
            number = fork_processes(2)
            try:
                open(f"mark{number}", "x").close()
            except FileExistsError:
                print("again", number)
                sys.exit(0)
            if number:
                os.kill(os.getpid(), signal.SIGKILL)
            sys.exit(3)
        """,
            cwd=directory,
        )
        lines = [line for line in self.lines(run) if not line.startswith("log")]
        self.assertEqual(lines, ["again 0", "again 1"])
        self.assertEqual(run.returncode, 0)
        for expected in (
            "log Starting 2 processes\n",
            r"log child 0 \(pid \d+\) exited with status 3, restarting\n",
            r"log child 1 \(pid \d+\) killed by signal 9, restarting\n",
            r"log child 1 \(pid \d+\) exited normally\n",
        ):
            self.assertRegex(run.stdout, expected)

    def test_too_many_restarts(self):
        """The parent gives up after max_restarts, and takes the other workers along."""
        run = self.run_script("""
            import logging
            logging.disable()
            reading, writing = os.pipe()
            try:
                number = fork_processes(2, max_restarts=2)
            except RuntimeError as error:
                print(error)
                os.close(writing)
                print("left:", os.read(reading, 100))  # ends when nobody holds the other end
                sys.exit(9)
            if number:
                signal.pause()
            sys.exit(1)
        """)
        self.assertEqual(self.lines(run), ["Too many child restarts, giving up", "left: b''"])
        self.assertEqual(run.returncode, 9)

    def test_sigterm(self):
        """SIGTERM in the parent ends the workers, whose own handlers run, and the parent."""
        child = subprocess.Popen(
            python(
                "import sys; sys.path[:] = sys.argv[1:]\n"
                "import os, signal\n"
                "from txtornado.process import fork_processes\n"
                "def bye(*args):\n"
                "    os.write(1, b'bye\\n')\n"
                "    os._exit(0)\n"
                "number = fork_processes(2)\n"
                "if number: signal.signal(signal.SIGTERM, bye)\n"
                "os.write(1, b'up\\n')\n"
                "signal.pause()\n",
                *filter(None, [os.getcwd(), *sys.path]),
            ),
            stdout=subprocess.PIPE,
        )
        self.addCleanup(child.stdout.close)
        self.assertEqual([child.stdout.readline() for _ in range(2)], [b"up\n"] * 2)
        child.terminate()
        # The end of output: no worker is left.
        self.assertEqual(child.stdout.read(), b"bye\n")
        self.assertEqual(child.wait(), -signal.SIGTERM)

    def test_own_sigterm_handler(self):
        """A handler that the program has set for SIGTERM stays."""
        run = self.run_script("""
            signal.signal(signal.SIGTERM, print)
            try:
                fork_processes(1)
            finally:
                print(signal.getsignal(signal.SIGTERM) is print)
        """)
        self.assertEqual(self.lines(run), ["True", "True"])

    def test_workers_have_the_default_sigterm(self):
        """A worker is ended by SIGTERM as any process is."""
        run = self.run_script("""
            fork_processes(1)
            print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
            print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        """)
        self.assertEqual(self.lines(run), ["True", "set()"])

    def test_buffered_output(self):
        """What was printed before the fork is written once."""
        run = self.run_script("""
            print("once", end="")
            fork_processes(3)
        """)
        self.assertEqual(run.stdout, "once")

    def test_random(self):
        """Workers draw different random numbers."""
        run = self.run_script("""
            import random
            fork_processes(3)
            print(random.random())
        """)
        self.assertEqual(len(set(self.lines(run))), 3)

    def test_foreign_children(self):
        """A child from before that ends meanwhile is no worker."""
        run = self.run_script("""
            if not os.fork():
                os._exit(5)
            fork_processes(1)
            time.sleep(0)
        """)
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_too_late(self):
        """With a loop or a reactor, or in a worker, it refuses and says what to do."""
        for setup, text in (
            ("from txtornado.ioloop import IOLoop; IOLoop.current()", "there is an IOLoop already"),
            ("from twisted.internet import reactor", "there is a Twisted reactor already"),
            ("fork_processes(1)", r"in a worker \(number 0\)"),
        ):
            run = self.run_script(f"""
                {setup}
                try:
                    fork_processes(2, max_restarts=0)
                except RuntimeError as error:
                    print(error)
                """)
            self.assertRegex(run.stdout, text, run.stderr)

    def test_after_a_closed_loop(self):
        """A loop that was closed is no obstacle."""
        run = self.run_script("""
            from txtornado.ioloop import IOLoop
            async def setup(): pass
            loop = IOLoop.current()
            loop.run_sync(setup)
            loop.close()
            fork_processes(2)
            async def work(): print(task_id())
            IOLoop.current().run_sync(work)
        """)
        self.assertEqual(self.lines(run), ["0", "1"])
