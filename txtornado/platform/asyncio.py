"""The loop's pieces: which asyncio loop and which reactor stand behind an IOLoop.

====================  ==========================  =======================================
class                 asyncio loop                reactor
====================  ==========================  =======================================
`AsyncIOLoop`         a new one of its own        one of its own, on that asyncio loop
`AsyncIOMainLoop`     the one that is there       the installed one if it turns that loop,
                                                  else one of its own
`ReactorIOLoop`       the reactor's own, or a     the one that is given
                      `ReactorEventLoop` on it
====================  ==========================  =======================================

Sources: Tornado 6's ``tornado.platform.asyncio``.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
from asyncio import _get_running_loop
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, cast

from txtornado import _reactors
from txtornado.concurrent import Future, as_future
from txtornado.ioloop import IOLoop
from txtornado.platform._reactor_loop import ReactorEventLoop, forget_stale_running_loop
from txtornado.platform._selector_thread import (
    AddThreadSelectorEventLoop,
    SelectorThread,
    _atexit_callback,
    _selector_loops,
)

if TYPE_CHECKING:
    AnyThreadEventLoopPolicy: type[Any]

__all__ = [
    "AddThreadSelectorEventLoop",
    "AnyThreadEventLoopPolicy",
    "AsyncIOLoop",
    "AsyncIOMainLoop",
    "BaseAsyncIOLoop",
    "ReactorEventLoop",
    "ReactorIOLoop",
    "SelectorThread",
    "_atexit_callback",
    "_selector_loops",
    "forget_stale_running_loop",
    "ioloop_for_thread",
    "ioloop_on_running",
    "to_asyncio_future",
    "to_tornado_future",
]


class BaseAsyncIOLoop(IOLoop):
    """What the loops on a plain asyncio loop have in common (Tornado 5.0).

    Attributes:
        selector_loop: the asyncio loop that waits for descriptors.
    """

    selector_loop: asyncio.AbstractEventLoop

    def initialize(  # type: ignore[override]
        self, asyncio_loop: asyncio.AbstractEventLoop, **kwargs: Any
    ) -> None:
        """
        Args:
            asyncio_loop: the loop to stand on.

        Raises:
            RuntimeError: it has an IOLoop already.
        """
        self.asyncio_loop = self.selector_loop = asyncio_loop
        super().initialize(**kwargs)


class AsyncIOLoop(BaseAsyncIOLoop):
    """A loop of its own: what ``IOLoop()`` makes (Tornado 5.0).

    Args:
        asyncio_loop: stand on this loop, and close it at the end, instead of a new one.
        make_current: as for `IOLoop`.
    """

    is_current = False
    old_asyncio: asyncio.AbstractEventLoop | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            make_current: bool = True,
            *,
            asyncio_loop: asyncio.AbstractEventLoop | None = None,
        ) -> None: ...

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        given = kwargs.pop("asyncio_loop", None)
        loop = asyncio.new_event_loop() if given is None else given
        try:
            super().initialize(loop, **kwargs)
        except BaseException:
            if given is None:
                loop.close()
            raise


class AsyncIOMainLoop(BaseAsyncIOLoop):
    """The IOLoop of the thread's own asyncio loop (Tornado 5.0).

    Made by `IOLoop.current`; making one by hand is for applications that set their asyncio
    loop up first.  The asyncio loop is closed by whoever made it.
    """

    _owns_asyncio_loop = True

    if TYPE_CHECKING:

        def __init__(self, make_current: bool = False, **kwargs: Any) -> None: ...

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        kwargs.setdefault("make_current", False)
        super().initialize(_asyncio_loop_of_thread(), **kwargs)
        self._share_installed_reactor()

    def _share_installed_reactor(self) -> None:
        installed = _reactors.installed_reactor()
        if installed is not None and _reactors.asyncio_loop_of(installed) is self.asyncio_loop:
            self._reactor = installed
            self._owns_reactor = False

    def _make_reactor(self) -> Any:
        install = (
            threading.current_thread() is threading.main_thread()
            and _reactors.installed_reactor() is None
        )
        reactor = _reactors.make_asyncio_reactor(self.asyncio_loop, install=install)
        if self.asyncio_loop.is_running():
            self._lifetime = _until_shutdown(self._asyncio_loop_ends)
        return reactor

    def _asyncio_loop_ends(self) -> None:
        """``asyncio.run`` is over: the reactor goes with its loop."""
        reactor, self._reactor = self._reactor, None
        if reactor is not None:
            _reactors.dispose(reactor)

    def close(self, all_fds: bool = False) -> None:
        if self.asyncio_loop.is_closed():
            self.closing = True
            IOLoop._ioloop_for_asyncio.pop(self.asyncio_loop, None)
            return
        super().close(all_fds)


class ReactorIOLoop(IOLoop):
    """The IOLoop of a reactor that is there already; ours.

    Args:
        reactor: any reactor.  It stays its owner's: `IOLoop.close` takes back what the loop
            registered, and leaves the reactor alone.
        make_current: as for `IOLoop`.

    Raises:
        RuntimeError: the reactor has an IOLoop already.
    """

    _owns_reactor = False

    if TYPE_CHECKING:

        def __init__(self, reactor: Any, make_current: bool = False) -> None: ...

    def initialize(  # type: ignore[override]
        self, reactor: Any, make_current: bool = False
    ) -> None:
        self._reactor = reactor
        loop = _reactors.asyncio_loop_of(reactor)
        self._owns_asyncio_loop = self._reactor_polls = loop is None
        if loop is None:
            if _ioloop_of_reactor(reactor) is not None:
                raise RuntimeError(f"{reactor!r} has an IOLoop already")
            loop = ReactorEventLoop(reactor)
        self.asyncio_loop = loop
        super().initialize(make_current=make_current)

    def _foreign_run(self) -> bool:
        loop = self.asyncio_loop
        return not (isinstance(loop, ReactorEventLoop) and loop._ran_by_us)

    def close(self, all_fds: bool = False) -> None:
        if self._owns_asyncio_loop and self._reactor.running:
            # The reactor goes on without us: only our registrations end.
            self.closing = True
            for fd, (selectable, _) in list(self.handlers.items()):
                self.remove_handler(fd)
                if all_fds:
                    self.close_fd(selectable)
            return
        super().close(all_fds)


def ioloop_on_running(loop: asyncio.AbstractEventLoop) -> IOLoop:
    """A new IOLoop on a running asyncio loop."""
    return AsyncIOMainLoop()


def _ioloop_of_reactor(reactor: Any) -> IOLoop | None:
    """The IOLoop that turns ``reactor`` by a `ReactorEventLoop` already."""
    for known, ioloop in IOLoop._ioloop_for_asyncio.items():
        if isinstance(known, ReactorEventLoop) and known.reactor is reactor:
            return ioloop
    return None


def ioloop_for_thread() -> IOLoop:
    """A new current IOLoop for this thread, in which no loop runs."""
    main = threading.current_thread() is threading.main_thread()
    if not main:
        return cast(IOLoop, AsyncIOLoop(make_current=True))
    installed = _reactors.installed_reactor()
    if installed is not None:
        loop = _reactors.asyncio_loop_of(installed)
        if loop is None:
            known = _ioloop_of_reactor(installed)
            if known is None:
                return ReactorIOLoop(installed, make_current=True)
            known.make_current()
            return known
        if not loop.is_closed():
            found = IOLoop._ioloop_for_asyncio.get(loop)
            if found is None:
                asyncio.set_event_loop(loop)
                found = AsyncIOMainLoop()
            found.make_current()
            return found
    found = IOLoop._ioloop_for_asyncio.get(_asyncio_loop_of_thread())
    if found is None:
        found = AsyncIOMainLoop()
    found.make_current()
    if installed is None:
        # A script asks for its loop before it imports twisted.internet.reactor: that must
        # be the reactor of this loop, not Twisted's default.
        found.reactor  # noqa: B018
    return found


def _asyncio_loop_of_thread() -> asyncio.AbstractEventLoop:
    """asyncio's current loop of this thread, made and set where there is none."""
    loop: asyncio.AbstractEventLoop | None = _get_running_loop()
    if loop is not None:
        return loop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_event_loop_policy().get_event_loop()
    if loop is None or loop.is_closed():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop


def _until_shutdown(callback: Callable[[], None]) -> object:
    """Call ``callback`` when the running asyncio loop shuts its generators down.

    The only hook that ``asyncio.run`` offers for its end.  The returned object must be kept.
    """

    async def live() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            callback()

    generator = live()
    with contextlib.suppress(StopIteration):
        generator.__anext__().__await__().__next__()
    return generator


def to_tornado_future(asyncio_future: Any) -> Future[Any]:
    """A Future for any awaitable of asyncio's (Tornado 4.1)."""
    return as_future(asyncio_future)


def to_asyncio_future(tornado_future: Any) -> Future[Any]:
    """A Future that asyncio can await, for whatever a coroutine here may yield (Tornado 4.1)."""
    return as_future(tornado_future)


def __getattr__(name: str) -> Any:
    if name == "AnyThreadEventLoopPolicy":
        policy = globals()[name] = _any_thread_policy()
        return policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _any_thread_policy() -> type[Any]:
    # Made when asked for: newer Pythons warn when asyncio's policies are so much as named.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        base = asyncio.DefaultEventLoopPolicy

    class AnyThreadEventLoopPolicy(base):  # type: ignore[valid-type, misc]
        """An asyncio policy that makes loops in any thread, not in the main one alone (5.0).

        `IOLoop` does so without it.
        """

        def get_event_loop(self) -> asyncio.AbstractEventLoop:
            try:
                return cast(asyncio.AbstractEventLoop, super().get_event_loop())
            except RuntimeError:
                loop: asyncio.AbstractEventLoop = self.new_event_loop()
                self.set_event_loop(loop)
                return loop

    return AnyThreadEventLoopPolicy
