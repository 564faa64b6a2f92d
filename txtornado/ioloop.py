"""The event loop in Tornado's words: a thin face over a Twisted reactor and an asyncio loop.

Every `IOLoop` has two more faces, which always exist:

- `IOLoop.asyncio_loop`, on which callbacks, timers and descriptors are scheduled.  It is a
  plain asyncio loop (uvloop's, where its policy is set), or, for a reactor that polls by
  itself, a `txtornado.platform.asyncio.ReactorEventLoop`, whose work that reactor does.
- `IOLoop.reactor`, which transports, protocols and everything else of Twisted use.  On a
  plain asyncio loop it is made when it is first asked for, and costs nothing before.

Which loop `IOLoop.current` finds is told there; where the pieces come from, in
``txtornado.platform.asyncio``.

Sources: Tornado 2.3's documentation, chapter 3.1; Tornado 6's ``tornado.ioloop``.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import datetime
import functools
import numbers
import os
import threading
import time
import traceback
from asyncio import _get_running_loop
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

from txtornado import _reactors
from txtornado.concurrent import Future, as_future, is_future
from txtornado.log import app_log
from txtornado.stack_context import wrap
from txtornado.util import Configurable, TimeoutError, import_object

if TYPE_CHECKING:
    from typing import Literal

    from txtornado._watchdog import Watchdog

__all__ = ["IOLoop", "PeriodicCallback", "TimeoutError", "import_object"]

_T = TypeVar("_T")

#: What `IOLoop.add_handler` takes: a descriptor's number, or an object that has one.
Selectable = Any
Handler = Callable[[Any, int], Any]
#: What `IOLoop.add_timeout` and its kin return.
Timeout = asyncio.TimerHandle


class _PerThread(threading.local):
    loop: IOLoop | None = None


_per_thread = _PerThread()


class IOLoop(Configurable):
    """An event loop; all generations of Tornado, from 0.2 on.

    ``IOLoop()`` makes a new loop, with an asyncio loop and a reactor of its own, and makes it
    the thread's current one (``make_current=False`` leaves that alone).  Most programs use
    `IOLoop.current` instead.

    Only `add_callback` (and `add_callback_from_signal`) may be called from other threads.

    Attributes:
        asyncio_loop: the asyncio event loop, in whose callbacks
            ``asyncio.get_running_loop()`` is this very object (Tornado 5.0).
    """

    NONE = 0
    #: The descriptor has something to read, or was closed by its peer.
    READ = 0x001
    #: The descriptor takes data.
    WRITE = 0x004
    #: Reported as `READ` or `WRITE`, so that the handler's next call on the descriptor fails.
    ERROR = 0x018

    _ioloop_for_asyncio: ClassVar[dict[asyncio.AbstractEventLoop, IOLoop]] = {}

    asyncio_loop: asyncio.AbstractEventLoop
    #: The registered descriptors: number to (object, handler).
    handlers: dict[int, tuple[Selectable, Handler]]
    readers: set[int]
    writers: set[int]
    #: True once `close` was called.
    closing: bool
    _owns_asyncio_loop = True
    _owns_reactor = True
    #: The reactor drives the asyncio loop, rather than the other way round.
    _reactor_polls = False
    _reactor: Any = None
    _began = False
    _executor: concurrent.futures.Executor | None = None
    _watchdog: Watchdog | None = None
    _lifetime: object = None

    if TYPE_CHECKING:

        def __init__(self, make_current: bool = True, **kwargs: Any) -> None: ...

    # -- configuration ------------------------------------------------------------------

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return IOLoop

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        from txtornado.platform.asyncio import AsyncIOLoop

        return AsyncIOLoop

    def initialize(self, make_current: bool = True) -> None:
        """Subclasses set `asyncio_loop` first and then call this."""
        known = IOLoop._ioloop_for_asyncio
        for loop in [loop for loop in known if loop.is_closed()]:
            del known[loop]
        if self.asyncio_loop in known:
            raise RuntimeError(
                f"{self.asyncio_loop!r} has an IOLoop already: {known[self.asyncio_loop]!r}"
            )
        known[self.asyncio_loop] = self
        self.handlers = {}
        self.readers = set()
        self.writers = set()
        self.closing = False
        if make_current:
            self.make_current()

    # -- which loop ---------------------------------------------------------------------

    @overload
    @staticmethod
    def current() -> IOLoop: ...
    @overload
    @staticmethod
    def current(instance: Literal[True]) -> IOLoop: ...
    @overload
    @staticmethod
    def current(instance: bool) -> IOLoop | None: ...

    @staticmethod
    def current(instance: bool = True) -> IOLoop | None:
        """The current thread's loop (Tornado 2.3).

        Inside a running loop, that loop: also one that ``asyncio.run`` or ``reactor.run``
        turns.  Else the loop that was made current in this thread.  Else, in the main thread,
        the loop of the installed ``twisted.internet.reactor``; where none is installed, a new
        one on asyncio's loop for this thread, whose reactor is installed.

        Args:
            instance: False asks for a loop that is there already, or None.
        """
        running = _get_running_loop()
        if running is not None:
            found = IOLoop._ioloop_for_asyncio.get(running)
            if found is not None or not instance:
                return found
            from txtornado.platform.asyncio import ioloop_on_running

            return ioloop_on_running(running)
        found = _per_thread.loop
        if found is not None and not found.asyncio_loop.is_closed():
            return found
        if not instance:
            return None
        from txtornado.platform.asyncio import ioloop_for_thread

        return ioloop_for_thread()

    @staticmethod
    def instance() -> IOLoop:
        """The current loop; Tornado before 5.0 kept one for the process under this name."""
        return IOLoop.current()

    @staticmethod
    def initialized() -> bool:
        """True when `instance` has a loop already (Tornado before 5.0)."""
        return IOLoop.current(instance=False) is not None

    def install(self) -> None:
        """Make this loop the one that `instance` finds: `make_current` (Tornado before 5.0)."""
        self.make_current()

    @staticmethod
    def clear_instance() -> None:
        """Forget the loop that `instance` found (Tornado before 5.0)."""
        IOLoop.clear_current()

    def make_current(self) -> None:
        """Make this the thread's current loop, and its asyncio loop asyncio's (Tornado 2.4)."""
        from txtornado.platform.asyncio import forget_stale_running_loop

        forget_stale_running_loop()  # it would be preferred to this one
        _per_thread.loop = self
        asyncio.set_event_loop(self.asyncio_loop)

    @staticmethod
    def clear_current() -> None:
        """Let the thread have no current loop (Tornado 2.4)."""
        if _per_thread.loop is not None:
            _per_thread.loop = None
            asyncio.set_event_loop(None)

    @property
    def reactor(self) -> Any:
        """The Twisted reactor of this loop; ours.

        The same object for the loop's whole life, running whenever the loop is.
        """
        reactor = self._reactor
        if reactor is None:
            reactor = self._reactor = self._make_reactor()
        if not _reactors.is_started(reactor) and not self._began and self._turns_asyncio():
            self._begin()
        return reactor

    def adopt_reactor(self, reactor: Any) -> None:
        """Take ``reactor``, which this loop turns, for `reactor`, unless there is one; ours."""
        if self._reactor is None:
            self._reactor = reactor

    def _make_reactor(self) -> Any:
        return _reactors.make_asyncio_reactor(self.asyncio_loop, install=False)

    def _turns_asyncio(self) -> bool:
        """True while the asyncio loop turns without anybody having run the reactor."""
        return not self._reactor_polls and self.asyncio_loop.is_running()

    def _begin(self) -> None:
        self._began = True
        _reactors.begin(self._reactor)

    def _pause(self) -> None:
        if self._began:
            self._began = False
            _reactors.pause(self._reactor)

    # -- running ------------------------------------------------------------------------

    def start(self) -> None:
        """Run the loop until `stop` is called; may be called again afterwards.

        Signals keep the handlers they have, so that Ctrl-C raises `KeyboardInterrupt` here.

        Raises:
            RuntimeError: this or another loop runs in this thread already.
        """
        from txtornado.platform.asyncio import forget_stale_running_loop

        forget_stale_running_loop()
        reactor = self._reactor
        if reactor is not None and not self._reactor_polls and not _reactors.is_started(reactor):
            self._begin()
        try:
            with _reactors.wake_on_signals(reactor):
                self.asyncio_loop.run_forever()
        finally:
            self._pause()

    def stop(self) -> None:
        """Stop the loop after its current turn.

        When it does not run, the next `start` returns after one turn.  Where somebody else
        runs the reactor (``twistd``, ``reactor.run``), this is ``reactor.stop``: services
        are stopped in an orderly way and the process ends.
        """
        reactor = self._reactor
        if reactor is not None and reactor.running and not self._began and self._foreign_run():
            with contextlib.suppress(Exception):  # it is stopping already
                reactor.stop()
            return
        self.asyncio_loop.stop()
        if self.asyncio_loop.is_running():
            # From a signal handler the loop may be asleep in its poll.
            self.asyncio_loop.call_soon_threadsafe(_nothing)

    def _foreign_run(self) -> bool:
        return True

    def running(self) -> bool:
        """True while the loop runs (Tornado before 5.0)."""
        return self.asyncio_loop.is_running()

    def run_sync(self, func: Callable[[], Any], timeout: float | None = None) -> Any:
        """Start the loop, run ``func`` on it, stop the loop, return the result (Tornado 3.1).

        Args:
            func: a function that returns an awaitable of any kind, or None.
            timeout: seconds that it may take; then it is cancelled.

        Raises:
            TimeoutError: the time is over.
            BadYieldError: ``func`` returned something that cannot be awaited.
            RuntimeError: the loop was stopped before the result was there.
        """
        from txtornado.gen import convert_yielded

        outcome: Future[Any] | None = None
        timed_out = False

        def run() -> None:
            nonlocal outcome
            try:
                result = func()
                if result is not None:
                    result = convert_yielded(result)
            except Exception as e:
                outcome = Future(loop=self.asyncio_loop)
                outcome.set_exception(e)
            else:
                if is_future(result):
                    outcome = result
                else:
                    outcome = Future(loop=self.asyncio_loop)
                    outcome.set_result(result)
            self.add_future(outcome, lambda _: self.stop())

        def give_up() -> None:
            nonlocal timed_out
            timed_out = True
            if outcome is None or not outcome.cancel():
                self.stop()

        self.add_callback(run)
        handle = None if timeout is None else self.call_later(timeout, give_up)
        self.start()
        if handle is not None:
            self.remove_timeout(handle)
        if timed_out and (outcome is None or outcome.cancelled() or not outcome.done()):
            raise TimeoutError(f"Operation timed out after {timeout} seconds")
        if outcome is None or not outcome.done():
            if isinstance(outcome, asyncio.Task):
                # The caller has no way to it: its end would be reported as a lost task.
                outcome._log_destroy_pending = False  # type: ignore[attr-defined]
            raise RuntimeError("Event loop stopped before Future completed.")
        return outcome.result()

    def close(self, all_fds: bool = False) -> None:
        """Free what the loop holds: descriptors, timers, threads; not while it runs.

        Args:
            all_fds: also close the descriptors (or objects) that were registered with
                `add_handler`.

        Raises:
            RuntimeError: the loop runs.
        """
        if self.closing:
            return
        if self._owns_asyncio_loop and self.asyncio_loop.is_running():
            raise RuntimeError("Cannot close a running IOLoop: stop it and let start() return")
        self.closing = True
        self.set_blocking_signal_threshold(None)
        for fd, (selectable, _) in list(self.handlers.items()):
            self.remove_handler(fd)
            if all_fds:
                self.close_fd(selectable)
        IOLoop._ioloop_for_asyncio.pop(self.asyncio_loop, None)
        if _per_thread.loop is self:
            self.clear_current()
        if self._executor is not None:
            self._executor.shutdown(wait=False)
        self._dispose()
        if self._owns_asyncio_loop:
            self.asyncio_loop.close()

    def _dispose(self) -> None:
        reactor = self._reactor
        if reactor is not None and self._owns_reactor:
            self._pause()
            _reactors.dispose(reactor)

    # -- callbacks and timers -----------------------------------------------------------

    def add_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call ``callback`` on the next turn; callbacks run in the order they were added.

        Safe from any thread at any time.  A closed loop drops the callback.  An exception is
        logged by `handle_callback_exception`; an awaitable that is returned is awaited, and
        its exception logged.
        """
        loop = self.asyncio_loop
        callback = wrap(callback)
        if args or kwargs:
            callback = functools.partial(callback, *args, **kwargs)
        try:
            if _get_running_loop() is loop:
                loop.call_soon(self._run_callback, callback)
            else:
                loop.call_soon_threadsafe(self._run_callback, callback)
        except RuntimeError:
            if not loop.is_closed():
                raise

    def spawn_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """`add_callback` outside of the caller's stack contexts (Tornado 4.0)."""
        from txtornado.stack_context import NullContext

        with NullContext():
            self.add_callback(callback, *args, **kwargs)

    def add_callback_from_signal(
        self, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """`add_callback` for use in a Python signal handler (Tornado 3.0); wakes the loop."""
        from txtornado.stack_context import NullContext

        if args or kwargs:
            callback = functools.partial(callback, *args, **kwargs)
        with NullContext(), contextlib.suppress(RuntimeError):
            self.asyncio_loop.call_soon_threadsafe(self._run_callback, callback)

    def add_timeout(
        self,
        deadline: float | datetime.timedelta,
        callback: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Timeout:
        """Call ``callback`` at ``deadline``; returns a handle for `remove_timeout`.

        Args:
            deadline: a time on the loop's clock (`time`), in seconds, or a
                `datetime.timedelta` from now.

        Raises:
            TypeError: any other kind of deadline.
        """
        if isinstance(deadline, numbers.Real):
            return self.call_at(cast(float, deadline), callback, *args, **kwargs)
        if isinstance(deadline, datetime.timedelta):
            return self.call_later(deadline.total_seconds(), callback, *args, **kwargs)
        raise TypeError(f"a deadline is a number of seconds or a timedelta, not {deadline!r}")

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Timeout:
        """Call ``callback`` in ``delay`` seconds (Tornado 4.0)."""
        callback = wrap(callback)
        if args or kwargs:
            callback = functools.partial(callback, *args, **kwargs)
        return self.asyncio_loop.call_later(max(0, delay), self._run_callback, callback)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Timeout:
        """Call ``callback`` at ``when`` on the loop's clock, in seconds (Tornado 4.0)."""
        return self.call_later(when - self.time(), callback, *args, **kwargs)

    def remove_timeout(self, timeout: object) -> None:
        """Cancel a pending timeout; one that ran already, or was removed, is no error."""
        cast(Timeout, timeout).cancel()

    def time(self) -> float:
        """The loop's clock, in seconds since the epoch; `call_at` measures on it."""
        return time.time()

    def _run_callback(self, callback: Callable[[], Any]) -> None:
        try:
            result = callback()
            if result is not None:
                self._await_result(result, callback)
        except asyncio.CancelledError:
            pass
        except Exception:
            self.handle_callback_exception(callback)

    def _await_result(self, result: Any, callback: Callable[[], Any]) -> None:
        """A callback returned something: if it is an awaitable, look after its outcome."""
        from txtornado import gen

        try:
            future = gen.convert_yielded(result)
        except gen.BadYieldError:
            return  # plain callbacks may return what they like
        if isinstance(future, (list, dict)):
            return

        def collect(future: Future[Any]) -> None:
            if not future.cancelled():
                future.result()

        self.add_future(future, collect)

    # -- futures and threads ------------------------------------------------------------

    def add_future(self, future: Any, callback: Callable[[Any], Any]) -> None:
        """Call ``callback(future)`` on this loop once ``future`` is done (Tornado 2.4).

        Args:
            future: a Future of asyncio or `concurrent.futures`, or a Deferred.
        """
        callback = wrap(callback)
        if isinstance(future, asyncio.Future) and future.get_loop() is self.asyncio_loop:
            future.add_done_callback(
                lambda done: self._run_callback(functools.partial(callback, done))
            )
            return
        if not is_future(future):
            future = as_future(future)
        future.add_done_callback(lambda done: self.add_callback(callback, done))

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[..., _T],
        *args: Any,
    ) -> Future[_T]:
        """Run ``func(*args)`` in a thread of ``executor``, or of the default (Tornado 5.0)."""
        if executor is None:
            executor = self._executor
            if executor is None:
                executor = self._executor = concurrent.futures.ThreadPoolExecutor(
                    max_workers=min(32, 5 * (os.cpu_count() or 1)),
                    thread_name_prefix="txtornado",
                )
        return asyncio.wrap_future(executor.submit(func, *args), loop=self.asyncio_loop)

    def set_default_executor(self, executor: concurrent.futures.Executor) -> None:
        """What `run_in_executor` uses when none is given (Tornado 5.0)."""
        self._executor = executor

    # -- descriptors --------------------------------------------------------------------

    def add_handler(self, fd: Selectable, handler: Handler, events: int) -> None:
        """Call ``handler(fd, events)`` whenever the descriptor is ready.

        Args:
            fd: a descriptor's number or an object with ``fileno()`` (Tornado 4.0); the handler
                gets what was given here.
            handler: gets one event at a time: `READ` or `WRITE`.
            events: `READ`, `WRITE` or both; `ERROR` is implied.

        Raises:
            ValueError: the descriptor is registered already.
        """
        number, fd = self.split_fd(fd)
        if number in self.handlers:
            raise ValueError(f"descriptor {number} is registered already: use update_handler()")
        self.handlers[number] = (fd, wrap(handler))
        self._watch(number, events)

    def update_handler(self, fd: Selectable, events: int) -> None:
        """Wait for ``events`` instead.

        Raises:
            KeyError: the descriptor is not registered.
        """
        number, _ = self.split_fd(fd)
        if number not in self.handlers:
            raise KeyError(f"descriptor {number} is not registered: use add_handler()")
        self._watch(number, events)

    def remove_handler(self, fd: Selectable) -> None:
        """Wait no longer; an unknown descriptor is no error."""
        number, _ = self.split_fd(fd)
        if number in self.handlers:
            self._watch(number, self.NONE)
            del self.handlers[number]

    def _watch(self, number: int, events: int) -> None:
        loop = self.asyncio_loop
        for event, watched, add, remove in (
            (self.READ, self.readers, loop.add_reader, loop.remove_reader),
            (self.WRITE, self.writers, loop.add_writer, loop.remove_writer),
        ):
            if events & event:
                if number not in watched:
                    add(number, self._handle_event, number, event)
                    watched.add(number)
            elif number in watched:
                watched.discard(number)
                with contextlib.suppress(RuntimeError):  # the asyncio loop is closed
                    remove(number)

    def _handle_event(self, number: int, event: int) -> None:
        entry = self.handlers.get(number)
        if entry is not None:
            selectable, handler = entry
            self._run_callback(functools.partial(handler, selectable, event))

    def split_fd(self, fd: Selectable) -> tuple[int, Selectable]:
        """The descriptor's number and what was given (Tornado 4.0)."""
        return (fd, fd) if isinstance(fd, int) else (fd.fileno(), fd)

    def close_fd(self, fd: Selectable) -> None:
        """Close a descriptor, given as a number or an object (Tornado 4.0)."""
        with contextlib.suppress(OSError):
            if isinstance(fd, int):
                os.close(fd)
            else:
                fd.close()

    # -- errors and debugging -----------------------------------------------------------

    def handle_callback_exception(self, callback: Callable[..., Any]) -> None:
        """Log the exception (``sys.exc_info()``) that ``callback`` raised; made for overriding."""
        app_log.error("Exception in callback %r", callback, exc_info=True)

    def set_blocking_signal_threshold(
        self, seconds: float | None, action: Callable[[int, FrameType | None], Any] | None = None
    ) -> None:
        """Do something when the loop is blocked for more than ``seconds`` (Tornado before 5.0).

        A thread watches the loop; neither SIGALRM nor the process's timer is taken.

        Args:
            seconds: the limit; None ends the watch.
            action: called once for each block, in the watching thread, with the number of
                SIGALRM and the frame that the loop's thread is in, as a signal handler is.
                None kills the process by that signal.
        """
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None
        if seconds is not None:
            from txtornado._watchdog import Watchdog

            self._watchdog = Watchdog(self.asyncio_loop, seconds, action)

    def set_blocking_log_threshold(self, seconds: float | None) -> None:
        """Log a stack trace when the loop is blocked for more than ``seconds``; None ends it."""
        self.set_blocking_signal_threshold(seconds, self.log_stack)

    def log_stack(self, signal: int, frame: FrameType | None) -> None:
        """Log where the loop's thread is; for `set_blocking_signal_threshold`."""
        where = "".join(traceback.format_stack(frame))
        limit = 0.0 if self._watchdog is None else self._watchdog.seconds
        app_log.warning("IOLoop blocked for %f seconds in\n%s", limit, where)


def _nothing() -> None:
    """Only wakes the loop."""


# Last, for it needs IOLoop.
from txtornado._periodic import PeriodicCallback  # noqa: E402
