"""The private sides of Twisted's reactors that a loop of many needs, in one place.

Twisted has one reactor in a process, made at the start and never given back.  Here each
`txtornado.ioloop.IOLoop` may have one, in any thread, and closes it.  That takes a few
attributes that Twisted keeps to itself; every function below has a fallback for a reactor
that lacks them.  (The transports' private sides are in ``txtornado._twisted``.)
"""

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import twisted.internet
from twisted.internet import main
from twisted.internet.base import ReactorBase
from twisted.python.failure import Failure

__all__ = [
    "asyncio_loop_of",
    "begin",
    "dispose",
    "forget_descriptor",
    "installed_reactor",
    "internal_readers",
    "is_started",
    "make_asyncio_reactor",
    "pause",
    "wake_on_signals",
]

REACTOR_MODULE = "twisted.internet.reactor"


def installed_reactor() -> Any:
    """The global reactor if one is installed, else None; never installs one."""
    return sys.modules.get(REACTOR_MODULE)


def asyncio_loop_of(reactor: Any) -> asyncio.AbstractEventLoop | None:
    """The asyncio loop that drives ``reactor``; None for a reactor that polls by itself."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is None:
        # A `txtornado.platform.twisted.TornadoReactor`, on whosever IOLoop.
        loop = getattr(getattr(reactor, "io_loop", None), "asyncio_loop", None)
    return loop if isinstance(loop, asyncio.AbstractEventLoop) else None


def make_asyncio_reactor(loop: asyncio.AbstractEventLoop, *, install: bool) -> Any:
    """A new reactor on ``loop``, made the global one when ``install`` is true.

    Twisted's notion of *the* I/O thread is one for the process; a reactor that is not the
    global one leaves it alone.
    """
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    reactor = AsyncioSelectorReactor(loop)
    if install:
        main.installReactor(reactor)
    else:
        reactor._registerAsIOThread = False
    return reactor


def is_started(reactor: Any) -> bool:
    """True from the reactor's start to its stop, a little longer than ``reactor.running``."""
    return bool(getattr(reactor, "_started", reactor.running))


def internal_readers(reactor: Any) -> set[Any]:
    """What the reactor reads for itself, its waker say, and keeps when all else is removed."""
    readers: set[Any] = getattr(reactor, "_internalReaders", {reactor.waker})
    return readers


def begin(reactor: Any) -> None:
    """Put ``reactor`` into the running state; its asyncio loop turns it from then on."""
    reactor.startRunning(installSignalHandlers=False)


def pause(reactor: Any) -> None:
    """Undo `begin`, so that the reactor can be run again, by whoever comes next.

    This is what ``reactor.crash`` does, less the stopping of the asyncio loop.
    """
    if getattr(reactor, "_started", False):
        ReactorBase.crash(reactor)


def dispose(reactor: Any) -> None:
    """Give back what ``reactor`` holds: connections, timers, threads, descriptors.

    If it is the installed one, it is so no longer: whoever asks next, say within the next
    ``asyncio.run``, gets one that lives.
    """
    if sys.modules.get(REACTOR_MODULE) is reactor:
        del sys.modules[REACTOR_MODULE]
        if getattr(twisted.internet, "reactor", None) is reactor:
            del twisted.internet.reactor
    if getattr(reactor, "threadpool", None) is not None:
        reactor._stopThreadPool()
    for call in reactor.getDelayedCalls():
        call.cancel()
    reactor.disconnectAll()
    internal = internal_readers(reactor)
    for reader in list(internal):
        with contextlib.suppress(Exception):
            reactor.removeReader(reader)
        reader.connectionLost(Failure(main.CONNECTION_DONE))
    internal.clear()
    reactor.waker = None
    close_poller = getattr(getattr(reactor, "_poller", None), "close", None)
    if close_poller is not None:
        close_poller()


def forget_descriptor(reactor: Any, fd: int) -> None:
    """Drop from the reactor's books a descriptor that was closed before it was removed.

    The epoll reactor stumbles over such a one half way, and would then take a new descriptor
    of the same number for one that it watches already.
    """
    for name in ("_reads", "_writes"):
        known = getattr(reactor, name, None)
        if isinstance(known, set):
            known.discard(fd)
    selectables = getattr(reactor, "_selectables", None)
    if isinstance(selectables, dict):
        selectables.pop(fd, None)


@contextlib.contextmanager
def wake_on_signals(reactor: Any) -> Iterator[None]:
    """Let a signal wake ``reactor``, so that what its Python handler scheduled runs at once.

    Without it a handler's ``add_callback`` or ``stop`` waits until the loop turns for some
    other reason.  A wake-up descriptor that is set already (by asyncio's or Twisted's own
    signal handling) does the same work and is left in place.
    """
    fd = getattr(getattr(reactor, "waker", None), "o", -1)
    if fd == -1 or threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        previous = signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
    except ValueError:  # not the main interpreter
        yield
        return
    if previous != -1:
        signal.set_wakeup_fd(previous)
    try:
        yield
    finally:
        if previous == -1:
            now = signal.set_wakeup_fd(-1)
            if now not in (fd, -1):
                signal.set_wakeup_fd(now)  # somebody else's since then
