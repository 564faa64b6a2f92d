"""One set of tests for every kind of reactor.

`for_every_reactor` takes a mixin of tests and makes a test case for each kind that this
machine has; ``self.make_loop()`` gives a new IOLoop on a reactor of that kind, which is
closed when the test ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado import _reactors
from txtornado.ioloop import IOLoop
from txtornado.platform.asyncio import AsyncIOLoop, ReactorIOLoop


def _asyncio() -> IOLoop:
    return IOLoop(make_current=False)


def _uvloop() -> IOLoop:
    import uvloop

    return AsyncIOLoop(asyncio_loop=uvloop.new_event_loop(), make_current=False)


def _epoll() -> IOLoop:
    from twisted.internet.epollreactor import EPollReactor

    return ReactorIOLoop(EPollReactor())


def _poll() -> IOLoop:
    from twisted.internet.pollreactor import PollReactor

    return ReactorIOLoop(PollReactor())


def _select() -> IOLoop:
    from twisted.internet.selectreactor import SelectReactor

    return ReactorIOLoop(SelectReactor())


def _twisted_asyncio() -> IOLoop:
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    return ReactorIOLoop(AsyncioSelectorReactor(asyncio.new_event_loop()))


def _tornado() -> IOLoop:
    from txtornado.platform.twisted import TornadoReactor

    return TornadoReactor(IOLoop(make_current=False)).io_loop


KINDS: dict[str, Callable[[], IOLoop]] = {
    "Asyncio": _asyncio,
    "Uvloop": _uvloop,
    "Epoll": _epoll,
    "Poll": _poll,
    "Select": _select,
    "AsyncioReactor": _twisted_asyncio,
    "TornadoReactor": _tornado,
}


def on_uvloop(loop: IOLoop) -> bool:
    """Whether uvloop runs below; with its policy set, that is so for plain IOLoops too."""
    return type(loop.asyncio_loop).__module__.partition(".")[0] == "uvloop"


def _missing(kind: str) -> str | None:
    modules = {"Uvloop": "uvloop", "Epoll": "twisted.internet.epollreactor"}
    try:
        if kind in modules:
            __import__(modules[kind])
    except ImportError as e:
        return f"this machine has no {kind.lower()}: {e}"
    return None


class LoopTestCase(SynchronousTestCase):
    """A test case that makes loops of one kind."""

    kind = "Asyncio"

    def make_loop(self) -> Any:
        """A new loop, closed at the end of the test."""
        loop = KINDS[self.kind]()
        self.addCleanup(self._close, loop)
        return loop

    def _close(self, loop: IOLoop) -> None:
        loop.close(all_fds=True)
        if isinstance(loop, ReactorIOLoop):
            _reactors.dispose(loop.reactor)
            if not loop.asyncio_loop.is_closed():
                loop.asyncio_loop.close()


def for_every_reactor(mixin: type) -> dict[str, type]:
    """Test cases named after the mixin and the kind; to be put into the module's globals."""
    cases = {}
    for kind in KINDS:
        name = f"{mixin.__name__}On{kind}"
        body = {"kind": kind, "__module__": mixin.__module__, "__doc__": mixin.__doc__}
        skip = _missing(kind)
        if skip is not None:
            body["skip"] = skip
        cases[name] = type(name, (mixin, LoopTestCase), body)
    return cases
