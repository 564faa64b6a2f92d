"""Runs Twisted's own reactor tests on a reactor of ours, and prints a table.

    python tests/platform/reactor_suite.py KIND

The kinds:

=========  ============================================================
txtornado  a `TornadoReactor` on txtornado's IOLoop
tornado    a `TornadoReactor` on the IOLoop of Tornado itself
asyncio    Twisted's own asyncio reactor, to compare
epoll      Twisted's own epoll reactor, to compare
=========  ============================================================

What is run: every subclass of ``ReactorBuilder`` in `BUILDERS`, whose tests each make a reactor;
and all of `WHOLE`, whose tests use the global reactor, which is one of that kind.  The last line is
``KIND: N passed, N skipped, N failed of N``; the exit status is 1 if anything failed that is not
listed below.  Needs PyHamcrest, which Twisted's tests use.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.main import installReactor
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.reporter import VerboseTextReporter
from twisted.trial.runner import TestLoader, TrialRunner
from twisted.trial.unittest import SkipTest

BUILDERS = (
    "internet.test.test_time",
    "internet.test.test_fdset",
    "internet.test.test_core",
    "internet.test.test_tcp",
    "internet.test.test_udp",
    "internet.test.test_unix",
    "internet.test.test_threads",
    "internet.test.test_process",
    "internet.test.test_socket",
    "internet.test.test_stdio",
    "internet.test.test_tls",
    "internet.test.test_newtls",
)
WHOLE = (
    "internet.test.test_endpoints",
    "test.test_internet",
    "test.test_tcp",
    "test.test_udp",
    "test.test_unix",
    "test.test_ssl",
    "test.test_threads",
    "test.test_loopback",
)
#: Tests that cannot pass, and why; nor do they on Twisted's asyncio and epoll reactors.
IMPOSSIBLE = {
    "test_lostFileDescriptor": "epoll says nothing of a descriptor that was closed",
}
#: What root sees fail: changing to its own user is no change.
OF_ROOT = ("test_changeUID",)

Cleanup = Callable[[Callable[[], Any]], Any]


def _txtornado(add_cleanup: Cleanup) -> Any:
    from txtornado.ioloop import IOLoop
    from txtornado.platform.twisted import TornadoReactor

    return TornadoReactor(_closing(IOLoop(make_current=False), add_cleanup))


def _tornado(add_cleanup: Cleanup) -> Any:
    from tornado.ioloop import IOLoop

    from txtornado.platform.twisted import TornadoReactor

    return TornadoReactor(_closing(IOLoop(make_current=False), add_cleanup))


def _closing(loop: Any, add_cleanup: Cleanup) -> Any:
    add_cleanup(lambda: loop.close(all_fds=True))
    return loop


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
    "asyncio": _asyncio,
    "epoll": _epoll,
}


def cases(module: Any, kind: str) -> Iterator[type[Any]]:
    """The test cases of a module that build reactors of this kind."""
    for value in list(vars(module).values()):
        if (
            isinstance(value, type)
            and issubclass(value, ReactorBuilder)
            and (f"{kind}_reactor" in value.__name__ or "Glib" in value.__name__)
            and hasattr(value, "runTest")
        ):
            for name, reason in IMPOSSIBLE.items():
                if hasattr(value, name):
                    setattr(value, name, _skipped(name, reason))
            yield value


def _skipped(name: str, reason: str) -> Callable[[Any], None]:
    def test(self: Any) -> None:
        raise SkipTest(reason)

    test.__name__ = name
    return test


def prepare(kind: str) -> None:
    """Install a reactor of this kind, and have test cases build such reactors alone."""
    installReactor(KINDS[kind](lambda cleanup: None))
    setattr(sys.modules[__name__], f"{kind}_reactor", lambda case: KINDS[kind](case.addCleanup))
    ReactorBuilder._reactors = [f"{__name__}.{kind}_reactor"]


def run_module(name: str, kind: str) -> Any:
    """The result of the tests of one module."""
    module = importlib.import_module(f"twisted.{name}")
    loader = TestLoader()
    if name in WHOLE:
        suite = loader.loadModule(module)
    else:
        suite = loader.suiteFactory([loader.loadClass(case) for case in cases(module, kind)])
    runner = TrialRunner(VerboseTextReporter, stream=io.StringIO(), workingDirectory="_trial_temp")
    return runner.run(suite)


def run(kind: str) -> int:
    """Run everything on one kind; how many tests failed that should not."""
    prepare(kind)
    total: Counter[str] = Counter()
    unexpected = 0
    print(f"{kind:31}{'passed':>8}{'skipped':>9}{'failed':>8}")
    for name in (*BUILDERS, *WHOLE):
        result = run_module(name, kind)
        failed = [*result.failures, *result.errors]
        counts = Counter(passed=result.successes, skipped=len(result.skips), failed=len(failed))
        total += counts
        print(
            f"  {name:29}{counts['passed']:8}{counts['skipped']:9}{counts['failed']:8}", flush=True
        )
        for test, reason in result.skips:
            print(f"    skipped: {test.id()}: {reason}")
        for test, failure in failed:
            expected = os.geteuid() == 0 and test.id().endswith(OF_ROOT)
            unexpected += not expected
            word = "failed, as root" if expected else "failed"
            print(f"    {word}: {test.id()}: {failure.getErrorMessage()}")
    print(
        f"{kind}: {total['passed']} passed, {total['skipped']} skipped, "
        f"{total['failed']} failed of {sum(total.values())}",
        flush=True,
    )
    return unexpected


def main() -> None:
    # One process can do one kind: the test cases are made when the modules are imported.
    if len(sys.argv) != 2 or sys.argv[1] not in KINDS:
        sys.exit((__doc__ or "").strip())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        status = 1 if run(sys.argv[1]) else 0
        os.chdir("/")
    sys.exit(status)


if __name__ == "__main__":
    main()
