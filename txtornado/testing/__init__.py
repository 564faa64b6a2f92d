"""Tools for testing asynchronous code, Tornado's and Twisted's.

Tornado's own names, for ``unittest``, pytest and trial alike:

* `AsyncTestCase`, `AsyncHTTPTestCase`, `AsyncHTTPSTestCase`: an event loop of its own
  for each test, a server and a client on it;
* `gen_test`: lets a coroutine be a test method;
* `ExpectLog`, `LogTrapTestCase`: what a test may say in the logs;
* `bind_unused_port`, `get_unused_port`, `setup_with_context_manager`,
  `get_async_test_timeout`, and the runner `main` (``python -m txtornado.testing``).

And for users of Twisted:

* `ReactorTestCase`: trial's ``TestCase`` on the global reactor, whose tests may also be
  ``async def`` and await Futures, asyncio's things and Deferreds alike;
* `MemoryServer`: an application without sockets, on a reactor whose time stands still
  (`MemoryReactor`), with connections for raw bytes (`MemoryConnection`).
"""

from typing import TYPE_CHECKING, Any

from txtornado.testing._cases import (
    AsyncTestCase,
    gen_test,
    get_async_test_timeout,
    setup_with_context_manager,
)
from txtornado.testing._http import AsyncHTTPSTestCase, AsyncHTTPTestCase
from txtornado.testing._logs import ExpectLog, LogTrapTestCase
from txtornado.testing._main import main
from txtornado.testing._ports import bind_unused_port, get_unused_port
from txtornado.testing._reactor import ReactorTestCase

if TYPE_CHECKING:
    from txtornado.testing._memory import MemoryConnection, MemoryReactor, MemoryServer

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "ExpectLog",
    "LogTrapTestCase",
    "MemoryConnection",
    "MemoryReactor",
    "MemoryServer",
    "ReactorTestCase",
    "bind_unused_port",
    "gen_test",
    "get_async_test_timeout",
    "get_unused_port",
    "main",
    "setup_with_context_manager",
]


def __getattr__(name: str) -> Any:
    # These need the whole of the HTTP rooms, which most tests do not.
    if name in ("MemoryConnection", "MemoryReactor", "MemoryServer"):
        from txtornado.testing import _memory

        return getattr(_memory, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
