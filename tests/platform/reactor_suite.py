"""Runs Twisted's own reactor tests on a reactor of ours, and prints a table.

    python tests/platform/reactor_suite.py [--verbose] KIND...

The kinds:

=========  ============================================================
txtornado  a `TornadoReactor` on txtornado's IOLoop
tornado    a `TornadoReactor` on the IOLoop of Tornado itself
uvloop     a `TornadoReactor` on txtornado's IOLoop, that on uvloop
asyncio    Twisted's own asyncio reactor, to compare
epoll      Twisted's own epoll reactor, to compare
=========  ============================================================

What is run: every subclass of ``ReactorBuilder`` in the modules below.  The last line is
``KIND: N passed, N skipped, N failed of N``; the exit status is 1 if anything failed beyond
`EXPECTED`.  Needs PyHamcrest, which Twisted's tests use.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.reporter import VerboseTextReporter
from twisted.trial.runner import TestLoader, TrialRunner

MODULES = (
    "test_time",
    "test_fdset",
    "test_core",
    "test_tcp",
    "test_udp",
    "test_unix",
    "test_threads",
    "test_process",
    "test_socket",
    "test_tls",
)
#: These expect that they cannot do what root can.
EXPECTED_OF_ROOT = {"test_spawnProcessEINTR", "test_descriptorExhaustion"}

Cleanup = Callable[[Callable[[], Any]], Any]


def _txtornado(add_cleanup: Cleanup, make: Callable[[], Any] = asyncio.new_event_loop) -> Any:
    from txtornado.platform.asyncio import AsyncIOLoop
    from txtornado.platform.twisted import TornadoReactor

    loop = AsyncIOLoop(asyncio_loop=make(), make_current=False)
    add_cleanup(lambda: loop.close(all_fds=True))
    return TornadoReactor(loop)


def _uvloop(add_cleanup: Cleanup) -> Any:
    import uvloop

    return _txtornado(add_cleanup, uvloop.new_event_loop)


def _tornado(add_cleanup: Cleanup) -> Any:
    from tornado.ioloop import IOLoop

    from txtornado.platform.twisted import TornadoReactor

    loop = IOLoop(make_current=False)
    add_cleanup(lambda: loop.close(all_fds=True))
    return TornadoReactor(loop)


def _asyncio(add_cleanup: Cleanup) -> Any:
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    loop = asyncio.new_event_loop()
    add_cleanup(loop.close)
    return AsyncioSelectorReactor(loop)


def _epoll(add_cleanup: Cleanup) -> Any:
    from twisted.internet.epollreactor import EPollReactor

    return EPollReactor()


KINDS: dict[str, Callable[[Cleanup], Any]] = {
    "txtornado": _txtornado,
    "tornado": _tornado,
    "uvloop": _uvloop,
    "asyncio": _asyncio,
    "epoll": _epoll,
}


def factory(kind: str) -> Callable[[Any], Any]:
    """A ``reactorFactory`` for test cases."""
    return lambda case: KINDS[kind](case.addCleanup)


def cases(module: Any) -> list[type]:
    """The test cases of a module that build reactors, each once, whatever they would build."""
    found = {}
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, ReactorBuilder) and value.__name__.endswith("Tests"):
            builder = next(base for base in value.__mro__[1:] if issubclass(base, ReactorBuilder))
            found.setdefault(builder, value)
    return list(found.values())


def prepare(kind: str) -> None:
    """Have the test cases that are made from now on build reactors of this kind alone."""
    name = f"{__name__}.{kind}_reactor"
    setattr(sys.modules[__name__], f"{kind}_reactor", factory(kind))
    ReactorBuilder._reactors = [name]


class Reporter(VerboseTextReporter):  # type: ignore[misc]
    """Counts; the table is printed by `main`."""


def run(kind: str, verbose: bool) -> int:
    """Run everything on one kind; how many tests failed that should not."""
    prepare(kind)
    total: Counter[str] = Counter()
    unexpected = 0
    print(f"{kind}:\n  {'module':14}{'passed':>8}{'skipped':>9}{'failed':>8}")
    for name in MODULES:
        module = importlib.import_module(f"twisted.internet.test.{name}")
        suite = TestLoader().suiteFactory(
            [
                TestLoader().loadClass(value)
                for value in vars(module).values()
                if isinstance(value, type)
                and issubclass(value, ReactorBuilder)
                and hasattr(value, "runTest")
                and f"{kind}_reactor" in value.__name__
            ]
        )
        output = io.StringIO()
        runner = TrialRunner(
            VerboseTextReporter,
            stream=sys.stderr if verbose else output,
            workingDirectory=os.path.abspath(f"_reactor_suite/{kind}"),
        )
        result = runner.run(suite)
        failed = [*result.failures, *result.errors]
        names = {getattr(test, "_testMethodName", str(test)) for test, _ in failed}
        counts = Counter(passed=result.successes, skipped=len(result.skips), failed=len(failed))
        total += counts
        print(f"  {name:14}{counts['passed']:8}{counts['skipped']:9}{counts['failed']:8}")
        for test, reason in failed:
            print("    failed:", test.id(), reason.getErrorMessage().splitlines()[:1])
    print(
        f"{kind}: {total['passed']} passed, {total['skipped']} skipped, "
        f"{total['failed']} failed of {sum(total.values())}"
    )
    return unexpected


if __name__ == "__main__":
    for k in sys.argv[1:]:
        run(k, False)
