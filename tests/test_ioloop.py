"""Tests for `txtornado.ioloop`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import datetime
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from unittest import mock

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.reactors import for_every_reactor, on_uvloop
from txtornado import gen
from txtornado.ioloop import IOLoop, PeriodicCallback
from txtornado.platform.asyncio import ReactorEventLoop
from txtornado.testing import ExpectLog
from txtornado.util import TimeoutError


class Running:
    """start, stop, run_sync and close."""

    def test_start_and_stop_again_and_again(self) -> None:
        """A loop can be started as often as it was stopped."""
        loop = self.make_loop()
        seen = []
        for turn in range(5):
            loop.add_callback(seen.append, turn)
            loop.add_callback(loop.stop)
            loop.start()
        self.assertEqual(seen, [0, 1, 2, 3, 4])

    def test_stop_before_start(self) -> None:
        """A loop that was stopped before it runs takes one turn and returns."""
        loop = self.make_loop()
        seen = []
        loop.add_callback(seen.append, "ran")
        loop.stop()
        loop.start()
        self.assertEqual(seen, ["ran"])
        loop.add_callback(loop.stop)
        loop.start()  # the stop is used up: this one waits for its own

    def test_stop_ends_the_turn(self) -> None:
        """What a callback adds before it stops the loop waits for the next start."""
        loop = self.make_loop()
        seen = []

        def first() -> None:
            loop.add_callback(seen.append, "second")
            loop.stop()

        loop.add_callback(first)
        loop.start()
        # uvloop itself lets one more turn run.
        self.assertEqual(seen, ["second"] if on_uvloop(loop) else [])
        loop.add_callback(loop.stop)
        loop.start()
        self.assertEqual(seen, ["second"])

    def test_nested_start(self) -> None:
        """Starting a loop from its own callback is refused, and the loop goes on."""
        loop = self.make_loop()
        errors = []

        def nested() -> None:
            try:
                loop.start()
            except RuntimeError as e:
                errors.append(str(e))
            loop.stop()

        loop.add_callback(nested)
        loop.start()
        self.assertEqual(len(errors), 1)
        self.assertIn("already running", errors[0])

    def test_current_inside(self) -> None:
        """Inside a callback the loop is current, and so is its asyncio loop."""
        loop = self.make_loop()

        def look() -> Deferred[object]:
            return succeed((IOLoop.current(), asyncio.get_running_loop(), loop.running()))

        self.assertEqual(loop.run_sync(look), (loop, loop.asyncio_loop, True))
        self.assertFalse(loop.running())

    def test_reactor_runs(self) -> None:
        """The reactor runs while the loop does, and its timers fire."""
        loop = self.make_loop()

        def use() -> Deferred[str]:
            fired: Deferred[str] = Deferred()
            self.assertTrue(loop.reactor.running)
            loop.reactor.callLater(0, fired.callback, "fired")
            return fired

        self.assertEqual(loop.run_sync(use), "fired")
        self.assertEqual(loop.run_sync(use), "fired")

    def test_reactor_threads(self) -> None:
        """deferToThreadPool works on the loop's reactor."""
        from twisted.internet.threads import deferToThreadPool

        loop = self.make_loop()

        def use() -> Deferred[bool]:
            reactor = loop.reactor
            return deferToThreadPool(
                reactor, reactor.getThreadPool(), lambda: threading.current_thread() is main
            )

        main = threading.current_thread()
        self.assertFalse(loop.run_sync(use))

    def test_run_sync_kinds(self) -> None:
        """run_sync awaits Futures, coroutines of both kinds, Deferreds and concurrent futures."""
        loop = self.make_loop()

        async def native() -> str:
            await asyncio.sleep(0)
            return "native"

        @gen.coroutine
        def generator():
            yield gen.moment
            return "generator"

        def in_thread() -> concurrent.futures.Future[str]:
            done: concurrent.futures.Future[str] = concurrent.futures.Future()
            done.set_result("concurrent")
            return done

        self.assertEqual(loop.run_sync(native), "native")
        self.assertEqual(loop.run_sync(generator), "generator")
        self.assertEqual(loop.run_sync(lambda: succeed("deferred")), "deferred")
        self.assertEqual(loop.run_sync(in_thread), "concurrent")
        self.assertIsNone(loop.run_sync(lambda: None))

    def test_run_sync_errors(self) -> None:
        """run_sync raises what the function raised, at once or later."""
        loop = self.make_loop()

        async def late() -> None:
            await asyncio.sleep(0)
            raise KeyError("late")

        self.assertRaises(ZeroDivisionError, loop.run_sync, lambda: 1 / 0)
        self.assertRaises(KeyError, loop.run_sync, late)
        self.assertRaises(gen.BadYieldError, loop.run_sync, lambda: 42)

    def test_run_sync_timeout(self) -> None:
        """When its time is over the function is cancelled and TimeoutError names the limit."""
        loop = self.make_loop()
        ended = []

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        e = self.assertRaises(TimeoutError, loop.run_sync, forever, timeout=0.01)
        self.assertIn("0.01", str(e))
        self.assertEqual(ended, [True])

    def test_run_sync_stopped(self) -> None:
        """A loop that is stopped under run_sync is a RuntimeError, not a result."""
        loop = self.make_loop()

        async def stop() -> None:
            loop.stop()
            await asyncio.Event().wait()

        self.assertRaises(RuntimeError, loop.run_sync, stop)

    def test_keyboard_interrupt(self) -> None:
        """Ctrl-C leaves start as KeyboardInterrupt; the loop can be started again."""
        loop = self.make_loop()
        loop.call_later(0, os.kill, os.getpid(), signal.SIGINT)
        with self._default_sigint():
            self.assertRaises(KeyboardInterrupt, loop.start)
        loop.add_callback(loop.stop)
        loop.start()

    def _default_sigint(self):
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, previous)
        return mock.patch.object(self, "kind", self.kind)

    def test_system_exit(self) -> None:
        """SystemExit raised in a callback leaves start."""
        loop = self.make_loop()
        loop.add_callback(sys.exit, 3)
        e = self.assertRaises(SystemExit, loop.start)
        self.assertEqual(e.code, 3)

    def test_stop_from_signal_handler(self) -> None:
        """A Python signal handler can stop a loop that sleeps."""
        loop = self.make_loop()
        previous = signal.signal(signal.SIGUSR1, lambda *_: loop.stop())
        self.addCleanup(signal.signal, signal.SIGUSR1, previous)
        loop.call_later(0, os.kill, os.getpid(), signal.SIGUSR1)
        loop.start()

    def test_callback_from_signal_handler(self) -> None:
        """add_callback_from_signal wakes a loop that sleeps."""
        loop = self.make_loop()
        previous = signal.signal(
            signal.SIGUSR1, lambda *_: loop.add_callback_from_signal(loop.stop)
        )
        self.addCleanup(signal.signal, signal.SIGUSR1, previous)
        loop.call_later(0, os.kill, os.getpid(), signal.SIGUSR1)
        loop.start()

    def test_close_again(self) -> None:
        """Closing twice is no error."""
        loop = self.make_loop()
        loop.close()
        loop.close()

    def test_close_runs_nothing(self) -> None:
        """A callback that is added to a closed loop is dropped in silence."""
        loop = self.make_loop()
        loop.close()
        loop.add_callback(self.fail)
        loop.add_callback_from_signal(self.fail)


class Callbacks:
    """Callbacks, timers and their errors."""

    def test_order(self) -> None:
        """Callbacks run in the order they were added, with their arguments."""
        loop = self.make_loop()
        seen = []
        for number in range(10):
            loop.add_callback(seen.append, number)
        loop.add_callback(loop.stop)
        loop.start()
        self.assertEqual(seen, list(range(10)))

    def test_next_turn(self) -> None:
        """A callback that adds itself does not starve the others, nor the timers."""
        loop = self.make_loop()
        count = 0

        def again() -> None:
            nonlocal count
            count += 1
            loop.add_callback(again)

        loop.add_callback(again)
        loop.call_later(0.005, loop.stop)
        loop.start()
        self.assertGreater(count, 0)

    def test_exception(self) -> None:
        """An exception is logged with its traceback and the loop goes on."""
        loop = self.make_loop()

        def first() -> None:
            loop.call_later(0, second)
            raise ZeroDivisionError

        def second() -> None:
            loop.add_callback(loop.stop)
            raise KeyError

        loop.add_callback(first)
        with self.assertLogs("tornado.application") as logs:
            loop.start()
        self.assertIn("Exception in callback", logs.output[0])
        self.assertEqual(
            [record.exc_info[0] for record in logs.records], [ZeroDivisionError, KeyError]
        )

    def test_exception_hook(self) -> None:
        """handle_callback_exception can be overridden."""
        loop = self.make_loop()
        seen = []
        loop.handle_callback_exception = lambda callback: seen.append(sys.exc_info()[0])
        loop.add_callback(lambda: 1 / 0)
        loop.add_callback(loop.stop)
        loop.start()
        self.assertEqual(seen, [ZeroDivisionError])

    def test_coroutine_callback(self) -> None:
        """A coroutine callback is run to its end and its exception logged."""
        loop = self.make_loop()
        seen = []

        async def work() -> None:
            await asyncio.sleep(0)
            seen.append("worked")
            loop.add_callback(loop.add_callback, loop.stop)
            raise ValueError("after work")

        loop.add_callback(work)
        with ExpectLog("tornado.application", "Exception in callback"):
            loop.start()
        self.assertEqual(seen, ["worked"])

    def test_from_thread(self) -> None:
        """add_callback wakes the loop from another thread."""
        loop = self.make_loop()
        thread = threading.Thread(target=loop.add_callback, args=(loop.stop,))
        loop.add_callback(thread.start)
        loop.start()
        thread.join()

    def test_context(self) -> None:
        """Each callback sees the context variables of where it was added."""
        loop = self.make_loop()
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
        seen = []
        for value in ("one", "two"):
            variable.set(value)
            loop.add_callback(lambda: seen.append(variable.get()))
            loop.call_later(0.001, lambda: seen.append(variable.get()))
        variable.set("three")
        loop.call_later(0.01, loop.stop)
        loop.start()
        self.assertEqual(sorted(seen), ["one", "one", "two", "two"])

    def test_timeouts(self) -> None:
        """Deadlines are times, deltas or delays, and arguments are handed on."""
        loop = self.make_loop()
        seen = []

        def note(what: str, *, last: int = 4) -> None:
            seen.append(what)
            if len(seen) == last:
                loop.stop()

        loop.add_timeout(datetime.timedelta(milliseconds=1), note, "delta", last=4)
        loop.add_timeout(loop.time() + 0.001, note, "time")
        loop.call_later(0.001, note, "later")
        loop.call_at(loop.time() - 10, note, "past")
        loop.start()
        self.assertEqual(sorted(seen), ["delta", "later", "past", "time"])

    def test_timeouts_in_order(self) -> None:
        """Of timers that are due in one turn, the one with the earliest deadline is first."""
        loop = self.make_loop()
        seen = []

        # Far enough apart for loops that count in milliseconds, as uvloop does.
        delays = (0.03, 0.01, 0.02)

        def schedule() -> None:
            began = time.monotonic()
            now = loop.asyncio_loop.time()
            handles = [
                loop.asyncio_loop.call_at(now + delay, seen.append, delay) for delay in delays
            ]
            if time.monotonic() > began + 0.005:
                # The machine was slow, and some may be due before all are set: once more.
                for handle in handles:
                    handle.cancel()
                loop.add_callback(schedule)
                return
            loop.asyncio_loop.call_at(now + 0.04, loop.stop)
            while time.monotonic() < began + 0.05:
                pass  # so that all of them are due when the loop looks

        loop.add_callback(schedule)
        loop.start()
        self.assertEqual(seen, sorted(delays))

    def test_bad_deadline(self) -> None:
        """A deadline that is neither a number nor a delta is refused by name."""
        loop = self.make_loop()
        e = self.assertRaises(TypeError, loop.add_timeout, "soon", lambda: None)
        self.assertIn("'soon'", str(e))

    def test_remove_timeout(self) -> None:
        """A removed timer does not run; removing one that ran is no error."""
        loop = self.make_loop()
        loop.remove_timeout(loop.call_later(0, self.fail, "it was removed"))
        ran = loop.call_later(0.001, loop.stop)
        loop.start()
        loop.remove_timeout(ran)

    def test_futures(self) -> None:
        """add_future calls back on the loop, for Futures of every kind."""
        loop = self.make_loop()
        done: concurrent.futures.Future[str] = concurrent.futures.Future()
        results = []

        def collect(future) -> None:
            results.append((future.result(), threading.current_thread()))
            if len(results) == 3:
                loop.stop()

        def begin() -> None:
            own = asyncio.get_running_loop().create_future()
            own.set_result("asyncio")
            loop.add_future(own, collect)
            loop.add_future(done, collect)
            loop.add_future(succeed("deferred"), collect)
            threading.Thread(target=done.set_result, args=("thread",)).start()

        loop.add_callback(begin)
        loop.start()
        here = threading.current_thread()
        self.assertEqual(
            sorted(results, key=lambda row: row[0]),
            [("asyncio", here), ("deferred", here), ("thread", here)],
        )

    def test_executor(self) -> None:
        """run_in_executor uses a thread, and the executor that was set."""
        loop = self.make_loop()
        here = threading.get_ident()
        self.assertNotEqual(
            loop.run_sync(lambda: loop.run_in_executor(None, threading.get_ident)), here
        )
        executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="chosen")
        self.addCleanup(executor.shutdown)
        loop.set_default_executor(executor)
        name = loop.run_sync(
            lambda: loop.run_in_executor(None, lambda: threading.current_thread().name)
        )
        self.assertTrue(name.startswith("chosen"), name)

    def test_blocking_threshold(self) -> None:
        """A blocked loop is reported, with the line that blocks."""
        loop = self.make_loop()
        reported = threading.Event()
        stacks = []

        def report(number, frame) -> None:
            names = []
            while frame is not None:
                names.append(frame.f_code.co_name)
                frame = frame.f_back
            stacks.append(names)
            reported.set()

        def block_until_reported() -> None:
            self.assertTrue(reported.wait(30))
            loop.stop()

        loop.set_blocking_signal_threshold(0.02, report)
        loop.call_later(0.01, block_until_reported)
        loop.start()
        loop.set_blocking_signal_threshold(None)
        self.assertIn("block_until_reported", stacks[0])

    def test_blocking_log(self) -> None:
        """set_blocking_log_threshold logs the stack."""
        loop = self.make_loop()
        loop.set_blocking_log_threshold(30)
        with self.assertLogs("tornado.application", "WARNING") as logs:
            loop.log_stack(signal.SIGALRM, sys._getframe())
        self.assertIn("test_blocking_log", logs.output[0])


class Descriptors:
    """add_handler and its kin."""

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        for end in pair:
            end.setblocking(False)
            self.addCleanup(end.close)
        return pair

    def test_read_and_write(self) -> None:
        """Handlers get what was registered and the event; updating changes what is waited for."""
        loop = self.make_loop()
        near, far = self._pair()
        events = []

        def ready(fd, event) -> None:
            events.append((fd, event))
            if event == loop.WRITE:
                loop.update_handler(near, loop.READ)
                far.send(b"x")
            else:
                near.recv(1)
                loop.stop()

        loop.add_handler(near, ready, loop.WRITE)
        loop.start()
        self.assertEqual(events, [(near, loop.WRITE), (near, loop.READ)])
        loop.remove_handler(near)

    def test_number(self) -> None:
        """A descriptor may be given as a number."""
        loop = self.make_loop()
        near, far = self._pair()
        seen = []

        def ready(fd, event) -> None:
            seen.append(fd)
            near.recv(1)
            loop.stop()

        loop.add_handler(near.fileno(), ready, loop.READ)
        far.send(b"x")
        loop.start()
        self.assertEqual(seen, [near.fileno()])

    def test_hang_up(self) -> None:
        """The peer's close is reported as readable."""
        loop = self.make_loop()
        near, far = self._pair()
        read = []

        def ready(fd, event) -> None:
            read.append(near.recv(10))
            loop.remove_handler(near)
            loop.stop()

        loop.add_handler(near, ready, loop.READ)
        far.close()
        loop.start()
        self.assertEqual(read, [b""])

    def test_twice(self) -> None:
        """A second handler for a descriptor is refused, as number or object."""
        loop = self.make_loop()
        near, _ = self._pair()
        loop.add_handler(near, lambda fd, event: None, loop.READ)
        self.assertRaises(ValueError, loop.add_handler, near, print, loop.READ)
        self.assertRaises(ValueError, loop.add_handler, near.fileno(), print, loop.READ)

    def test_closed_first(self) -> None:
        """A descriptor that was closed before it is removed leaves its number usable."""
        loop = self.make_loop()
        near, _ = self._pair()
        number = near.fileno()
        loop.add_handler(number, self.fail, loop.READ)
        near.close()
        loop.remove_handler(number)
        near, far = self._pair()
        if near.fileno() != number:
            near, far = far, near
        self.assertEqual(near.fileno(), number)
        loop.add_handler(near, lambda fd, event: loop.stop(), loop.READ)
        far.send(b"x")
        loop.start()

    def test_unknown(self) -> None:
        """Removing an unknown descriptor is no error; updating one is."""
        loop = self.make_loop()
        near, _ = self._pair()
        loop.remove_handler(near)
        self.assertRaises(KeyError, loop.update_handler, near, loop.READ)

    def test_removed_while_ready(self) -> None:
        """Of two ready descriptors, one whose handler is removed by the other's is not called."""
        loop = self.make_loop()
        near, far = self._pair()
        near.send(b"x")
        far.send(b"x")
        called = []

        def ready(fd, event) -> None:
            called.append(fd)
            loop.remove_handler(near)
            loop.remove_handler(far)
            loop.add_callback(loop.stop)

        loop.add_handler(near, ready, loop.READ)
        loop.add_handler(far, ready, loop.READ)
        loop.start()
        self.assertEqual(len(called), 1)

    def test_exception(self) -> None:
        """An exception in a handler is logged; the handler stays."""
        loop = self.make_loop()
        near, far = self._pair()
        far.send(b"xy")

        def ready(fd, event) -> None:
            if near.recv(1) == b"x":
                raise ValueError("in the handler")
            loop.stop()

        loop.add_handler(near, ready, loop.READ)
        with ExpectLog("tornado.application", "Exception in callback"):
            loop.start()

    def test_close_all_fds(self) -> None:
        """close(all_fds=True) closes registered objects and numbers; close() leaves them."""
        loop = self.make_loop()
        near, far = self._pair()
        number = os.dup(far.fileno())
        loop.add_handler(near, print, loop.READ)
        loop.add_handler(number, print, loop.READ)
        loop.close(all_fds=True)
        self.assertEqual(near.fileno(), -1)
        self.assertRaises(OSError, os.fstat, number)

        other = self.make_loop()
        other.add_handler(far, print, other.READ)
        other.close()
        self.assertNotEqual(far.fileno(), -1)


globals().update(for_every_reactor(Running))
globals().update(for_every_reactor(Callbacks))
globals().update(for_every_reactor(Descriptors))
del Running, Callbacks, Descriptors


class CurrentTests(SynchronousTestCase):
    """Which loop is the current one."""

    def setUp(self) -> None:
        IOLoop.clear_current()
        self.addCleanup(IOLoop.clear_current)

    def loop(self, **kwargs: object) -> IOLoop:
        loop = IOLoop(**kwargs)
        self.addCleanup(loop.close)
        return loop

    def test_make_current(self) -> None:
        """A new loop is made current unless it is told not to."""
        loop = self.loop()
        self.assertIs(IOLoop.current(), loop)
        self.assertIs(IOLoop.instance(), loop)
        self.assertTrue(IOLoop.initialized())
        other = self.loop(make_current=False)
        self.assertIs(IOLoop.current(), loop)
        other.install()
        self.assertIs(IOLoop.current(), other)
        IOLoop.clear_instance()
        self.assertIsNone(IOLoop.current(instance=False))

    def test_closed(self) -> None:
        """A closed loop is nobody's current loop."""
        loop = IOLoop()
        loop.close()
        self.assertIsNone(IOLoop.current(instance=False))

    def test_only_while_it_runs(self) -> None:
        """A loop that was not made current is so while it runs, and not longer."""
        loop = self.loop(make_current=False)
        self.assertIs(loop.run_sync(lambda: succeed(IOLoop.current())), loop)
        self.assertIsNone(IOLoop.current(instance=False))

    def test_installed_reactor(self) -> None:
        """In the main thread, the loop of the installed reactor is found."""
        from twisted.internet import reactor

        self.assertIs(IOLoop.current().reactor, reactor)

    def test_threads(self) -> None:
        """Each thread has a loop of its own, all of which run at once."""
        barrier = threading.Barrier(3, timeout=30)
        loops = []

        def work() -> None:
            loop = IOLoop.current()
            loops.append(loop)

            async def meet() -> bool:
                await loop.run_in_executor(None, barrier.wait)
                return asyncio.get_running_loop() is loop.asyncio_loop

            self.assertTrue(loop.run_sync(meet))
            loop.close()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(set(loops)), 3)

    def test_one_each(self) -> None:
        """An asyncio loop has one IOLoop at the most."""
        loop = self.loop(make_current=False)
        e = self.assertRaises(
            RuntimeError, IOLoop, asyncio_loop=loop.asyncio_loop, make_current=False
        )
        self.assertIn("already", str(e))

    def test_asyncio_run(self) -> None:
        """asyncio.run has an IOLoop with a running reactor, which ends with it."""

        async def main() -> IOLoop:
            loop = IOLoop.current()
            self.assertIs(loop.asyncio_loop, asyncio.get_running_loop())
            self.assertIs(IOLoop.current(), loop)
            called: Deferred[None] = Deferred()
            loop.reactor.callWhenRunning(called.callback, None)
            await called.asFuture(asyncio.get_running_loop())
            return loop

        before = _descriptors()
        for _ in range(3):
            loop = asyncio.run(main())
            self.assertTrue(loop.asyncio_loop.is_closed())
        self.assertEqual(_descriptors(), before)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class DescriptorLeakTests(SynchronousTestCase):
    """Closed loops give back what they took."""

    if not os.path.isdir("/proc/self/fd"):
        skip = "the number of open descriptors is read from /proc"

    def test_500_loops(self) -> None:
        """500 loops with reactors, made, run and closed, leave no descriptor behind."""
        IOLoop(make_current=False).close()  # forgets the loops that others closed
        before = _descriptors()
        known = len(IOLoop._ioloop_for_asyncio)
        for _ in range(500):
            loop = IOLoop(make_current=False)
            loop.run_sync(lambda: succeed(loop.reactor.running))
            loop.close()
        self.assertEqual(_descriptors(), before)
        self.assertEqual(len(IOLoop._ioloop_for_asyncio), known)

    def test_500_asyncio_loops(self) -> None:
        """Loops that asyncio makes and closes leave no descriptor behind either."""
        before = _descriptors()
        for _ in range(500):
            loop = asyncio.new_event_loop()
            loop.call_soon(IOLoop.current)
            loop.call_soon(loop.stop)
            loop.run_forever()
            loop.close()
        self.assertEqual(_descriptors(), before)


class PeriodicCallbackTests(SynchronousTestCase):
    """PeriodicCallback."""

    def setUp(self) -> None:
        self.loop = IOLoop(make_current=False)
        self.addCleanup(self.loop.close)

    def dues(self, periodic: PeriodicCallback, nows: list[float]) -> list[float]:
        """The due times that follow from each ``now``, from a start at 0."""
        periodic._next_timeout = 0.0
        found = []
        for now in nows:
            periodic._update_next(now)
            found.append(periodic._next_timeout)
        return found

    def test_schedule(self) -> None:
        """Calls keep to the period; a late one costs those it overlaps, not the schedule."""
        periodic = PeriodicCallback(lambda: None, 1000)
        self.assertEqual(self.dues(periodic, [0, 1.25, 2, 5.5, 6.25]), [1, 2, 3, 6, 7])

    def test_clock_set_back(self) -> None:
        """A clock that is set back does not make calls come sooner."""
        periodic = PeriodicCallback(lambda: None, 1000)
        self.assertEqual(self.dues(periodic, [0, -50, -49]), [1, 2, 3])

    def test_jitter(self) -> None:
        """Jitter spreads the period on both sides."""
        periodic = PeriodicCallback(lambda: None, 1000, jitter=0.2)
        with mock.patch("random.random", side_effect=[0.0, 1.0]):
            self.assertEqual(self.dues(periodic, [0.0, 0.9]), [0.9, 2.0])

    def test_bad_period(self) -> None:
        """A period must be positive."""
        for period in (0, -1, datetime.timedelta(0)):
            self.assertRaises(ValueError, PeriodicCallback, print, period)

    def test_timedelta(self) -> None:
        """The period may be a timedelta; it is kept in milliseconds."""
        periodic = PeriodicCallback(print, datetime.timedelta(seconds=1.5))
        self.assertEqual(periodic.callback_time, 1500)

    def test_io_loop_argument(self) -> None:
        """The loop may be given, by name or as the third argument of old."""
        for periodic in (
            PeriodicCallback(self.loop.stop, 1, self.loop),
            PeriodicCallback(self.loop.stop, 1, io_loop=self.loop),
        ):
            self.assertEqual(periodic.jitter, 0)
            periodic.start()
            self.assertTrue(periodic.is_running())
            self.loop.start()
            periodic.stop()
            self.assertFalse(periodic.is_running())

    def test_coroutine(self) -> None:
        """A coroutine callback does not overlap with itself."""
        active = most = calls = 0

        async def work() -> None:
            nonlocal active, most, calls
            active += 1
            most = max(most, active)
            await asyncio.sleep(0.005)
            active -= 1
            calls += 1
            if calls == 3:
                periodic.stop()
                self.loop.stop()

        periodic = PeriodicCallback(work, 1, io_loop=self.loop)
        periodic.start()
        self.loop.start()
        self.assertEqual((calls, most), (3, 1))

    def test_exception(self) -> None:
        """An exception is logged, of plain and coroutine callbacks, and the calls go on."""
        outcomes = iter(["plain", "coroutine", "stop"])

        async def fail() -> None:
            raise ValueError("later")

        def work():
            what = next(outcomes)
            if what == "plain":
                raise ValueError("at once")
            if what == "coroutine":
                return fail()
            periodic.stop()
            return self.loop.stop()

        periodic = PeriodicCallback(work, 1, io_loop=self.loop)
        periodic.start()
        with self.assertLogs("tornado.application") as logs:
            self.loop.start()
        self.assertEqual(len(logs.records), 2)

    def test_restart(self) -> None:
        """A stopped PeriodicCallback may be started again; starting twice is one start."""
        calls = []

        def work() -> None:
            calls.append(1)
            self.loop.stop()

        # Long enough that no turn of the loop, uvloop's last one included, has room for two.
        periodic = PeriodicCallback(work, 50, io_loop=self.loop)
        periodic.stop()
        for _ in range(2):
            periodic.start()
            periodic.start()
            self.loop.start()
            periodic.stop()
        self.assertEqual(len(calls), 2)


class ProcessTests(SynchronousTestCase):
    """What only a fresh interpreter shows."""

    def python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_import_installs_nothing(self) -> None:
        """Importing the loop installs no reactor."""
        code = (
            "import sys, txtornado.ioloop, txtornado.platform.asyncio;"
            "print('twisted.internet.reactor' in sys.modules)"
        )
        self.assertEqual(self.python(code), "False")

    def test_current_installs(self) -> None:
        """Without a reactor, the current loop's reactor becomes the installed one."""
        code = (
            "from txtornado.ioloop import IOLoop; loop = IOLoop.current();"
            "from twisted.internet import reactor;"
            "print(loop.reactor is reactor, type(reactor).__name__, type(loop).__name__)"
        )
        self.assertEqual(self.python(code), "True AsyncioSelectorReactor AsyncIOMainLoop")

    def test_current_respects(self) -> None:
        """A reactor that is installed first is used as it is."""
        code = (
            "from twisted.internet import selectreactor; selectreactor.install();"
            "from txtornado.ioloop import IOLoop; from twisted.internet import reactor;"
            "print(IOLoop.current().reactor is reactor, type(reactor).__name__)"
        )
        self.assertEqual(self.python(code), "True SelectReactor")

    def test_uvloop_policy(self) -> None:
        """uvloop's policy is honoured."""
        try:
            import uvloop  # noqa: F401
        except ImportError:
            self.skipTest("uvloop is not installed")
        code = (
            "import asyncio, uvloop; asyncio.set_event_loop_policy(uvloop.EventLoopPolicy());"
            "from txtornado.ioloop import IOLoop; loop = IOLoop.current();"
            "print(type(loop.asyncio_loop).__module__, loop.run_sync(lambda: asyncio.sleep(0, 1)))"
        )
        self.assertEqual(self.python(code), "uvloop 1")

    def test_asyncio_run_installs(self) -> None:
        """Inside asyncio.run the reactor that is asked for becomes the installed one."""
        code = """
import asyncio
async def main():
    from txtornado.ioloop import IOLoop
    mine = IOLoop.current().reactor
    from twisted.internet import reactor
    print(mine is reactor, reactor.running)
asyncio.run(main())
"""
        self.assertEqual(self.python(code), "True True")

    def test_reactor_run(self) -> None:
        """Under reactor.run of a polling reactor, callbacks find the loops they expect."""
        code = """
import asyncio
from twisted.internet import selectreactor; selectreactor.install()
from twisted.internet import reactor
from txtornado.ioloop import IOLoop
def look():
    loop = IOLoop.current()
    print(loop.asyncio_loop is asyncio.get_running_loop(), loop.reactor is reactor)
    loop.asyncio_loop.create_task(work())
async def work():
    await asyncio.sleep(0.001)
    print("slept")
    IOLoop.current().stop()
IOLoop.current()
reactor.callWhenRunning(look)
reactor.addSystemEventTrigger("before", "shutdown", print, "an orderly end")
reactor.run()
"""
        self.assertEqual(self.python(code), "True True\nslept\nan orderly end")

    def test_asyncio_run_again(self) -> None:
        """Each asyncio.run has a live installed reactor, though the one before is gone."""
        code = """
import asyncio
async def main():
    from txtornado.ioloop import IOLoop
    mine = IOLoop.current().reactor
    from twisted.internet import reactor
    print(mine is reactor, reactor.running)
asyncio.run(main())
asyncio.run(main())
"""
        self.assertEqual(self.python(code), "True True\nTrue True")


class CancelledTurnTests(SynchronousTestCase):
    """A loop on a reactor that others use as well."""

    def test_goes_on(self) -> None:
        """When all calls of its reactor are cancelled, as by trial after a test, it still goes on."""
        reactor = MemoryReactorClock()
        loop = ReactorEventLoop(reactor)
        self.addCleanup(loop.close)
        calls: list[int] = []
        loop.call_soon(calls.append, 1)
        for call in reactor.getDelayedCalls():
            call.cancel()
        loop.call_soon(calls.append, 2)
        reactor.advance(0)
        self.assertEqual(calls, [1, 2])
