"""A Twisted reactor on an IOLoop.

Twisted's `PosixReactorBase` brings connections, ports, processes, threads and the events of a
reactor's life; it asks for four things, and they come from the IOLoop:

==============  ==========================================================================
descriptors     one `_Watch` for each number, registered with ``IOLoop.add_handler``; it knows
                a reader and a writer, which may be different objects
timed calls     the heap that every reactor has, and one timeout of the IOLoop for the earliest
other threads,  the waker: a pipe that is watched like any other descriptor, because that wakes
signals         a poll from a signal handler on every kind of IOLoop
running         ``IOLoop.start`` and ``stop``; whoever starts the IOLoop starts the reactor
==============  ==========================================================================

Of the IOLoop nothing but its documented methods is used, so that it may be anybody's: ours, or
Tornado's own.  What happens here is registered outside of the caller's context variables (and so
of its stack contexts), for one registration serves many callers.
"""

from __future__ import annotations

import contextlib
import contextvars
import signal
import threading
import time
from asyncio import _get_running_loop
from collections.abc import Callable
from typing import Any

from twisted.internet import error, main, process
from twisted.internet.interfaces import IHalfCloseableDescriptor, IReactorFDSet
from twisted.internet.posixbase import PosixReactorBase
from twisted.python import log
from twisted.python.failure import Failure
from zope.interface import implementer

from txtornado import _reactors
from txtornado.ioloop import IOLoop

__all__ = ["TornadoReactor", "install"]

READ, WRITE, ERROR = IOLoop.READ, IOLoop.WRITE, IOLoop.ERROR


class _Watch:
    """A descriptor's number, and who wants to know what happens to it.

    It is the "file-like object" that the IOLoop gets.
    """

    __slots__ = ("always", "events", "fd", "reactor", "reader", "writer")

    def __init__(self, reactor: TornadoReactor, fd: int) -> None:
        self.reactor = reactor
        self.fd = fd
        self.reader: Any = None
        self.writer: Any = None
        #: What the IOLoop looks for.
        self.events = 0
        #: The descriptor cannot be waited for, because it is always ready: a plain file.
        self.always = False

    def fileno(self) -> int:
        return self.fd

    def close(self) -> None:
        """``IOLoop.close(all_fds=True)`` was called."""
        self.reactor._disconnect_watch(self)

    def wanted(self) -> int:
        return (READ if self.reader is not None else 0) | (WRITE if self.writer is not None else 0)


@implementer(IReactorFDSet)
class TornadoReactor(PosixReactorBase):
    """A Twisted reactor that an IOLoop turns (Tornado 2.2 to 5.1).

    It starts in the first turn of the IOLoop, so that ``io_loop.start()`` is all an application
    needs; ``reactor.run()`` works too, and starts the IOLoop.  Stopping the reactor stops the
    IOLoop.  Under ``io_loop.start()`` no signal is handled but SIGCHLD, from the first
    `spawnProcess` on and in the main thread only; under ``reactor.run()`` those are that every
    reactor handles.

    A reactor that is not to live as long as its process is taken down with
    ``reactor.fireSystemEvent("shutdown")`` and ``reactor.disconnectAll()``; then the IOLoop is
    closed, with ``all_fds=True`` for what the reactor keeps for itself.

    Args:
        io_loop: an IOLoop, txtornado's or Tornado's own; by default the current one of ours,
            which is made if there is none.  It must be an idle one, or the current thread's.

    Attributes:
        io_loop: the IOLoop that was given.
    """

    def __init__(self, io_loop: Any = None) -> None:
        if io_loop is None:
            # Not IOLoop.current(): that would install another reactor.
            io_loop = IOLoop.current(instance=False) or IOLoop(make_current=True)
        self.io_loop: Any = io_loop
        self._watches: dict[int, _Watch] = {}
        # Selectables to the numbers they were registered by, for a closed one has none.
        self._read_fds: dict[Any, int] = {}
        self._write_fds: dict[Any, int] = {}
        self._context = contextvars.copy_context()
        self._timeout: Any = None
        self._timeout_at = 0.0
        self._turning = False
        self._polling = False
        #: Inside `run`.
        self._own_run = False
        #: Inside `iterate`.
        self._iterating = False
        self._ended = False
        self._children: _ChildSignals | None = None
        self._spawned = False
        super().__init__()
        if isinstance(io_loop, IOLoop):
            io_loop.adopt_reactor(self)
        self._outside(io_loop.add_callback, self._loop_started)

    def _outside(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call ``function`` outside of the caller's context."""
        return self._context.run(function, *args)

    # -- running ------------------------------------------------------------------------

    def _loop_started(self) -> None:
        if self._iterating:
            # Later: `iterate` starts nothing.
            self.io_loop.add_callback(self._loop_started)
        elif not self._ended and not _reactors.is_started(self):
            self.startRunning(installSignalHandlers=False)

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """See `twisted.internet.base.ReactorBase`."""
        # Twisted knows one I/O thread in a process; a loop of a side thread must not become it.
        self._registerAsIOThread = _in_main_thread()
        self._unwatch_children()
        super().startRunning(installSignalHandlers=installSignalHandlers)
        if self._spawned:
            self._watch_children()
        self._schedule()

    def run(self, installSignalHandlers: bool = True) -> None:
        """Start the IOLoop; returns when it is stopped.

        Raises:
            twisted.internet.error.ReactorAlreadyRunning: it, or its IOLoop, runs.
            twisted.internet.error.ReactorNotRestartable: it was stopped.
        """
        if _reactors.is_started(self) and not self._own_run and _get_running_loop() is None:
            # The IOLoop was started, and then stopped without our noticing.
            super().crash()
        if _reactors.is_started(self):
            raise error.ReactorAlreadyRunning()
        self._own_run = True
        try:
            super().run(installSignalHandlers=installSignalHandlers)
        finally:
            self._own_run = False
            self._unwatch_children()

    def mainLoop(self) -> None:
        try:
            self.io_loop.start()
        finally:
            if _reactors.is_started(self):
                # It was the IOLoop that was stopped; either may be started again.
                super().crash()

    def stop(self) -> None:
        """See `twisted.internet.interfaces.IReactorCore.stop`."""
        super().stop()
        self._ended = True
        self._outside(self.io_loop.add_callback, self._turn)

    def crash(self) -> None:
        """See `twisted.internet.interfaces.IReactorCore.crash`."""
        started = _reactors.is_started(self)
        super().crash()
        if started:
            self.io_loop.stop()

    def iterate(self, delay: float = 0.0) -> None:
        """Turn the IOLoop for ``delay`` seconds, whether or not the reactor runs."""
        loop = self.io_loop.asyncio_loop
        self._iterating = True
        try:
            self._outside(loop.call_later, max(0.0, delay), loop.stop)
            loop.run_forever()
        finally:
            self._iterating = False

    # -- time and threads ---------------------------------------------------------------

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """See `twisted.internet.interfaces.IReactorTime.callLater`."""
        call = super().callLater(delay, callable, *args, **kw)
        self._schedule()
        return call

    def _moveCallLaterSooner(self, delayedCall: Any) -> None:
        super()._moveCallLaterSooner(delayedCall)
        self._schedule()

    def _schedule(self) -> None:
        """See to it that there is a turn when the earliest timed call is due."""
        if self._turning:
            return  # at its end
        delay = self.timeout()
        if delay is None:
            return
        # Not by the reactor's clock, which is the system's, and may be set.
        at = time.monotonic() + delay
        if self._timeout is not None:
            if self._timeout_at <= at:
                return
            self.io_loop.remove_timeout(self._timeout)
        self._timeout_at = at
        self._timeout = self._outside(self.io_loop.call_later, delay, self._timed_out)

    def _timed_out(self) -> None:
        self._timeout = None
        self._turn()

    def _turn(self) -> None:
        """Run what is due: timed calls, calls from threads, the end."""
        self._turning = True
        try:
            self.runUntilCurrent()
        finally:
            self._turning = False
            self._schedule()

    # -- descriptors --------------------------------------------------------------------

    def addReader(self, reader: Any) -> None:
        """See `twisted.internet.interfaces.IReactorFDSet.addReader`."""
        if reader in self._read_fds:
            return
        watch = self._watch(reader, "reader")
        if watch.reader is not None:
            del self._read_fds[watch.reader]
        watch.reader = reader
        self._read_fds[reader] = watch.fd
        try:
            self._update(watch)
        except BaseException:
            self.removeReader(reader)
            raise

    def addWriter(self, writer: Any) -> None:
        """See `twisted.internet.interfaces.IReactorFDSet.addWriter`."""
        if writer in self._write_fds:
            return
        watch = self._watch(writer, "writer")
        if watch.writer is not None:
            del self._write_fds[watch.writer]
        watch.writer = writer
        self._write_fds[writer] = watch.fd
        try:
            self._update(watch)
        except BaseException:
            self.removeWriter(writer)
            raise

    def removeReader(self, reader: Any) -> None:
        """See `twisted.internet.interfaces.IReactorFDSet.removeReader`."""
        fd = self._read_fds.pop(reader, None)
        watch = None if fd is None else self._watches.get(fd)
        if watch is not None and watch.reader is reader:
            watch.reader = None
            self._reduce(watch)

    def removeWriter(self, writer: Any) -> None:
        """See `twisted.internet.interfaces.IReactorFDSet.removeWriter`."""
        fd = self._write_fds.pop(writer, None)
        watch = None if fd is None else self._watches.get(fd)
        if watch is not None and watch.writer is writer:
            watch.writer = None
            self._reduce(watch)

    def removeAll(self) -> list[Any]:
        """See `twisted.internet.interfaces.IReactorFDSet.removeAll`."""
        internal = _reactors.internal_readers(self)
        selectables = [each for each in self._read_fds if each not in internal]
        selectables += [each for each in self._write_fds if each not in self._read_fds]
        for each in selectables:
            self.removeReader(each)
            self.removeWriter(each)
        return selectables

    def getReaders(self) -> list[Any]:
        """See `twisted.internet.interfaces.IReactorFDSet.getReaders`."""
        return list(self._read_fds)

    def getWriters(self) -> list[Any]:
        """See `twisted.internet.interfaces.IReactorFDSet.getWriters`."""
        return list(self._write_fds)

    def _watch(self, selectable: Any, role: str) -> _Watch:
        """The watch of the selectable's descriptor."""
        fd: int = selectable.fileno()
        watch = self._watches.get(fd)
        if watch is not None:
            stale = [each for each in (watch.reader, watch.writer) if not _is_open(each, fd)]
            if not stale:
                return watch
            # It was closed without a word, and its number is somebody else's now.
            for each in stale:
                self.removeReader(each)
                self.removeWriter(each)
        if fd not in self._watches:
            self._watches[fd] = _Watch(self, fd)
        return self._watches[fd]

    def _update(self, watch: _Watch) -> None:
        """Have the IOLoop look for what is wanted."""
        wanted = watch.wanted()
        if watch.always or wanted == watch.events:
            return
        loop = self.io_loop
        if watch.events:
            watch.events = wanted
            self._outside(loop.update_handler, watch, wanted)
            return
        try:
            self._outside(loop.add_handler, watch, self._ready, wanted)
        except PermissionError:
            # What epoll says of plain files.
            loop.remove_handler(watch)
            watch.always = True
            self._poll_soon()
        else:
            watch.events = wanted

    def _reduce(self, watch: _Watch) -> None:
        """Have the IOLoop look for less, or for nothing."""
        if watch.wanted():
            # The descriptor may be closed: then there is nothing to look for.
            with contextlib.suppress(OSError):
                self._update(watch)
            return
        if self._watches.get(watch.fd) is watch:
            del self._watches[watch.fd]
        if not watch.always:
            with contextlib.suppress(OSError):
                self.io_loop.remove_handler(watch)
        watch.events = 0

    def _ready(self, watch: _Watch, events: int) -> None:
        """The IOLoop found something."""
        reader = watch.reader
        if reader is not None and events & (READ | ERROR):
            log.callWithLogger(reader, self._act, reader, reader.doRead, True)
        writer = watch.writer
        if writer is not None and events & (WRITE | ERROR):
            log.callWithLogger(writer, self._act, writer, writer.doWrite, False)
        if self.threadCallQueue and not self._turning:
            self._turn()

    def _act(self, selectable: Any, method: Callable[[], Any], reading: bool) -> None:
        if selectable.fileno() == -1:
            why: Any = error.ConnectionFdescWentAway("the descriptor was closed")
        else:
            try:
                why = method()
            except Exception as e:
                log.err()
                why = e
        if why:
            self._disconnect(selectable, why, reading)

    def _disconnect(self, selectable: Any, why: Exception, reading: bool) -> None:
        self.removeReader(selectable)
        if (
            reading
            and type(why) is error.ConnectionDone
            and IHalfCloseableDescriptor.providedBy(selectable)
        ):
            selectable.readConnectionLost(Failure(why))
            return
        self.removeWriter(selectable)
        selectable.connectionLost(Failure(why))

    def _disconnect_watch(self, watch: _Watch) -> None:
        for selectable in {watch.reader, watch.writer} - {None}:
            self.removeReader(selectable)
            self.removeWriter(selectable)
            _reactors.internal_readers(self).discard(selectable)
            if selectable is self.waker:
                self.waker = None
            selectable.connectionLost(Failure(main.CONNECTION_LOST))

    # Descriptors that cannot be waited for: they are asked in every turn.

    def _poll_soon(self) -> None:
        if not self._polling:
            self._polling = True
            self._outside(self.io_loop.add_callback, self._poll)

    def _poll(self) -> None:
        self._polling = False
        for watch in [watch for watch in self._watches.values() if watch.always]:
            self._poll_soon()
            self._ready(watch, READ | WRITE)

    # -- processes ----------------------------------------------------------------------

    def spawnProcess(self, *args: Any, **kwargs: Any) -> Any:
        """See `twisted.internet.interfaces.IReactorProcess.spawnProcess`."""
        self._spawned = True
        self._watch_children()
        return super().spawnProcess(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _watch_children(self) -> None:
        if self._children is None and _in_main_thread():
            self._children = _ChildSignals(self)

    def _unwatch_children(self) -> None:
        if self._children is not None:
            self._children.restore()
            self._children = None

    def disconnectAll(self) -> None:
        """Disconnect everything; the last thing that is called of a reactor."""
        self._unwatch_children()
        super().disconnectAll()


class _ChildSignals:
    """Has ended children reaped.

    Twisted's own way relies on the wake-up descriptor of `signal.set_wakeup_fd`, of which there is
    one in a process, and asyncio and uvloop take it for themselves.
    """

    def __init__(self, reactor: TornadoReactor) -> None:
        self._reactor = reactor
        # None is a handler that is not Python's, uvloop's say: it is kept out of the way of.
        self._previous = signal.getsignal(signal.SIGCHLD)
        if self._previous is not None:
            signal.signal(signal.SIGCHLD, self._child_ended)

    def _child_ended(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(process.reapAllProcesses)
        if callable(self._previous):
            self._previous(number, frame)

    def restore(self) -> None:
        """Put back what was there, unless somebody has done so already."""
        if signal.getsignal(signal.SIGCHLD) == self._child_ended and _in_main_thread():
            signal.signal(signal.SIGCHLD, self._previous)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_open(selectable: Any, fd: int) -> bool:
    """False for one that was watched by the number ``fd`` and has lost it."""
    return selectable is None or selectable.fileno() == fd


def install(io_loop: Any = None) -> TornadoReactor:
    """Make a `TornadoReactor` the global reactor (Tornado 2.2).

    To be called before anything imports ``twisted.internet.reactor``.

    Args:
        io_loop: as for `TornadoReactor`.

    Returns:
        The reactor.

    Raises:
        twisted.internet.error.ReactorAlreadyInstalledError: another reactor is there.
    """
    if _reactors.installed_reactor() is not None:
        raise error.ReactorAlreadyInstalledError(
            "a reactor is installed already: call install() before anything imports "
            "twisted.internet.reactor"
        )
    reactor = TornadoReactor(io_loop)
    main.installReactor(reactor)
    return reactor
