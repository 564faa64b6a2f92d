"""An asyncio event loop whose work a Twisted reactor does.

asyncio's selector loop asks a selector for events and runs what is ready.  Here it is the
other way round: the reactor polls.  `ReactorEventLoop` therefore replaces the parts of the
selector loop that touch the outside: ``call_soon`` and ``call_at`` become a queue and delayed
calls of the reactor, the selector becomes one whose ``register`` is ``reactor.addReader``,
and ``run_forever`` is ``reactor.run``.  Transports, servers, subprocesses, executors, DNS
and TLS are asyncio's own code, on top of these.

The rules:

- Handles of ``call_soon`` run in order, one batch in a turn; what they schedule runs in the
  next turn, after the reactor has polled.
- While the reactor runs, this is asyncio's running loop in its thread, also in the reactor's
  own callbacks, so that a Twisted protocol can create tasks and futures.
- The clock is the reactor's, so that a fake clock serves both.

The ugly part: a reactor that was crashed rather than stopped (trial does that after each
test) leaves the running loop set; `forget_stale_running_loop` takes it back, and the loop's
entry points call it.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import signal
import sys
import threading
from asyncio import _get_running_loop, _set_running_loop
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import Context
from types import FrameType
from typing import Any, TypeVarTuple

from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from txtornado import _reactors

__all__ = ["ReactorEventLoop", "forget_stale_running_loop"]

_Ts = TypeVarTuple("_Ts")

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class _Timer(asyncio.TimerHandle):
    """A timer of the loop, and the reactor's delayed call behind it."""

    __slots__ = ("delayed",)
    delayed: Any


@implementer(IReadDescriptor, IWriteDescriptor)
class _Descriptor:
    """A registered descriptor, as the reactor sees it."""

    def __init__(self, loop: ReactorEventLoop, key: selectors.SelectorKey) -> None:
        self.loop = loop
        self.key = key

    def fileno(self) -> int:
        return self.key.fd

    def logPrefix(self) -> str:
        return "asyncio"

    def doRead(self) -> None:
        self.loop._run_handle(self.key.data[0])

    def doWrite(self) -> None:
        self.loop._run_handle(self.key.data[1])

    def connectionLost(self, reason: Failure) -> None:
        # The poll reports a hang-up: whoever registered the descriptor finds out by its own
        # next read or write, as with asyncio's selectors.
        reader, writer = self.key.data
        for handle in (reader, writer):
            if handle is not None:
                self.loop._run_handle(handle)


class _ReactorSelector(selectors.BaseSelector):
    """Keeps asyncio's books on descriptors, and the reactor's in step with them."""

    def __init__(self, loop: ReactorEventLoop) -> None:
        self._loop = loop
        self._reactor = loop.reactor
        self._descriptors: dict[int, _Descriptor] = {}

    def _number(self, fileobj: Any) -> int:
        return fileobj if isinstance(fileobj, int) else int(fileobj.fileno())

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = self._number(fileobj)
        if fd in self._descriptors:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        key = selectors.SelectorKey(fileobj, fd, events, data)
        descriptor = self._descriptors[fd] = _Descriptor(self._loop, key)
        try:
            self._apply(descriptor, 0, events)
        except BaseException:
            del self._descriptors[fd]
            raise
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        descriptor = self._descriptors[self._number(fileobj)]
        before = descriptor.key.events
        key = descriptor.key = selectors.SelectorKey(fileobj, descriptor.key.fd, events, data)
        self._apply(descriptor, before, events)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        descriptor = self._descriptors.pop(self._number(fileobj))
        self._apply(descriptor, descriptor.key.events, 0)
        return descriptor.key

    def _apply(self, descriptor: _Descriptor, before: int, after: int) -> None:
        reactor = self._reactor
        if after & READ and not before & READ:
            reactor.addReader(descriptor)
        if after & WRITE and not before & WRITE:
            reactor.addWriter(descriptor)
        try:
            if before & READ and not after & READ:
                reactor.removeReader(descriptor)
            if before & WRITE and not after & WRITE:
                reactor.removeWriter(descriptor)
        except OSError:
            # It was closed first.  Its number may be somebody else's by now, or soon.
            _reactors.forget_descriptor(reactor, descriptor.key.fd)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._descriptors[self._number(fileobj)].key

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {fd: descriptor.key for fd, descriptor in self._descriptors.items()}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        raise RuntimeError("the reactor polls, not this selector")

    def close(self) -> None:
        for descriptor in list(self._descriptors.values()):
            self.unregister(descriptor.key.fileobj)


class ReactorEventLoop(asyncio.SelectorEventLoop):
    """asyncio on any Twisted reactor; ours.

    Args:
        reactor: provides IReactorCore, IReactorTime, IReactorFDSet and IReactorFromThreads.
            A fake one (`twisted.internet.testing.MemoryReactorClock`) will do.

    Attributes:
        reactor: the reactor that was given.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self._queue: deque[asyncio.Handle] = deque()
        self._turn_call: Any = None
        self._turning = False
        self._stop_asked = False
        self._fatal: BaseException | None = None
        self._startup_trigger: Any = None
        self._shutdown_trigger: Any = None
        self._ran_by_us = False
        self._signal_handlers: dict[int, asyncio.Handle] = {}
        super().__init__(_ReactorSelector(self))
        self._arm()

    # -- the reactor's life -------------------------------------------------------------

    def _arm(self) -> None:
        """Arrange for `_reactor_started` at this or the next start of the reactor."""
        self._startup_trigger = None
        if not self.is_closed():
            self._startup_trigger = self.reactor.callWhenRunning(self._reactor_started)

    def _reactor_started(self) -> None:
        self._startup_trigger = None
        if _get_running_loop() is None:
            _set_running_loop(self)
        if self._shutdown_trigger is None:
            self._shutdown_trigger = self.reactor.addSystemEventTrigger(
                "after", "shutdown", self._reactor_stopped
            )
        # A trigger serves once; adding one while it fires would serve this start again.
        self.reactor.callLater(0, self._rearm)

    def _rearm(self) -> None:
        if not self.is_closed() and self._startup_trigger is None:
            self._startup_trigger = self.reactor.addSystemEventTrigger(
                "after", "startup", self._reactor_started
            )

    def _reactor_stopped(self) -> None:
        self._shutdown_trigger = None
        if _get_running_loop() is self:
            _set_running_loop(None)

    def is_running(self) -> bool:
        return bool(self.reactor.running)

    def run_forever(self) -> None:
        """``reactor.run``, until `stop`."""
        forget_stale_running_loop()
        self._check_closed()  # type: ignore[attr-defined]
        if self.is_running():
            raise RuntimeError("This event loop is already running")
        if _get_running_loop() is not None:
            raise RuntimeError("Cannot run the event loop while another loop is running")
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined]
            finalizer=self._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )
        self._thread_id = threading.get_ident()
        self._ran_by_us = True
        _set_running_loop(self)
        if self._stop_asked or self._queue:
            self._wake()
        try:
            with self._interruptible():
                self.reactor.run(installSignalHandlers=False)
        finally:
            self._ran_by_us = False
            self._thread_id = None  # type: ignore[assignment]
            self._stop_asked = False
            _set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
        if self._fatal is not None:
            fatal, self._fatal = self._fatal, None
            raise fatal

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Have Ctrl-C end `run_forever` with `KeyboardInterrupt`.

        The reactor's main loop logs and swallows every exception, this one too, so the
        handler stops the loop instead and the exception is raised when that has returned.
        """
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        ):
            yield
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            self._fatal = KeyboardInterrupt()
            self.reactor.callFromThread(self.reactor.crash)

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop(self) -> None:
        """End `run_forever` after this turn; before it, after its first turn."""
        self._stop_asked = True
        if self.is_running() and not self._turning:
            self._wake()

    def close(self) -> None:
        if self.is_closed():
            return
        for trigger in (self._startup_trigger, self._shutdown_trigger):
            if trigger is not None:
                with contextlib.suppress(ValueError, KeyError):
                    self.reactor.removeSystemEventTrigger(trigger)
        for handle in self._queue:
            handle.cancel()
        self._queue.clear()
        if self._turn_call is not None and self._turn_call.active():
            self._turn_call.cancel()
        super().close()

    # -- callbacks ----------------------------------------------------------------------

    def call_soon(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self._check_closed()  # type: ignore[attr-defined]
        handle = asyncio.Handle(callback, args, self, context)
        self._queue.append(handle)
        if not self._turning:
            self._wake()
        return handle

    def _call_soon(
        self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self._check_closed()  # type: ignore[attr-defined]
        handle = asyncio.Handle(callback, args, self, context)
        self.reactor.callFromThread(self._enqueue, handle)
        return handle

    def _enqueue(self, handle: asyncio.Handle) -> None:
        if not self.is_closed():
            self._add_callback(handle)

    def _add_callback(self, handle: asyncio.Handle) -> None:
        self._queue.append(handle)
        if not self._turning:
            self._wake()

    def _wake(self) -> None:
        call = self._turn_call
        # Others may have cancelled it: trial cancels all of a reactor's calls after a test.
        if call is None or not call.active():
            self._turn_call = self.reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        """Run what was queued before this turn began."""
        self._turn_call = None
        self._turning = True
        queue = self._queue
        try:
            for _ in range(len(queue)):
                self._run_handle(queue.popleft())
        finally:
            self._turning = False
            if self._stop_asked:
                self._stop_asked = False
                self.reactor.crash()
            elif queue:
                self._wake()

    def _run_handle(self, handle: asyncio.Handle | None) -> None:
        if handle is None or handle.cancelled():
            return
        outside = _get_running_loop()
        if outside is not self:
            _set_running_loop(self)
        try:
            handle._run()
        except (SystemExit, KeyboardInterrupt) as e:
            # Only these leave a handle.  The reactor would swallow them too.
            if not self._ran_by_us:
                raise
            self._fatal = e
            self.reactor.crash()
        finally:
            if outside is not self:
                _set_running_loop(self if outside is None and self.is_running() else outside)

    # -- time ---------------------------------------------------------------------------

    def time(self) -> float:
        return float(self.reactor.seconds())

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self._check_closed()  # type: ignore[attr-defined]
        timer = _Timer(when, callback, args, self, context)
        timer.delayed = self.reactor.callLater(max(0, when - self.time()), self._run_timer, timer)
        return timer

    def _run_timer(self, timer: _Timer) -> None:
        timer.delayed = None  # which refers to the timer
        self._run_handle(timer)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if isinstance(handle, _Timer) and handle.delayed is not None and handle.delayed.active():
            handle.delayed.cancel()

    # -- signals, and the self-pipe that the reactor's waker makes superfluous -----------

    def _make_self_pipe(self) -> None:
        pass

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        self.reactor.callFromThread(_nothing)

    def add_signal_handler(self, sig: int, callback: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Call ``callback`` on the loop when ``sig`` comes; in the main thread only."""
        self._check_closed()  # type: ignore[attr-defined]
        try:
            signal.signal(sig, lambda *_: self._enqueue_from_signal(callback, args))
            signal.siginterrupt(sig, False)
        except (OSError, ValueError) as e:
            raise RuntimeError(str(e)) from e
        self._signal_handlers[sig] = asyncio.Handle(callback, args, self, None)

    def _enqueue_from_signal(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.call_soon_threadsafe(callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        if self._signal_handlers.pop(sig, None) is None:
            return False
        default = signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL
        signal.signal(sig, default)
        return True


def _nothing() -> None:
    """Only wakes the reactor."""


def forget_stale_running_loop() -> None:
    """Unset the running loop of this thread if its reactor does not run any more."""
    loop = _get_running_loop()
    if isinstance(loop, ReactorEventLoop) and not loop.is_running():
        _set_running_loop(None)
