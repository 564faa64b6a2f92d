"""Runs a selection of CPython's own asyncio tests on ``ReactorEventLoop``, and prints a table.

    python tests/platform/asyncio_suite.py

Needs an interpreter that ships ``test.test_asyncio``.  The tests make their loops by
``asyncio.new_event_loop``, through the policy that is set here, or by a method of the test case that
is replaced: each is on a reactor of its own.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import signal
import sys
import unittest
import warnings
from typing import Any

from twisted.internet.selectreactor import SelectReactor

from txtornado import _reactors
from txtornado.platform.asyncio import ReactorEventLoop

MODULES = (
    "test_context",
    "test_futures",
    "test_locks",
    "test_pep492",
    "test_queues",
    "test_runners",
    "test_server",
    "test_sock_lowlevel",
    "test_streams",
    "test_subprocess",
    "test_taskgroups",
    "test_tasks",
    "test_timeouts",
    "test_transports",
    "test_waitfor",
)

#: What does not pass, and why: the end of a test's id to the reason.
EXCEPTIONS: dict[str, str] = {}


class _Loop(ReactorEventLoop):
    """A loop that owns its reactor."""

    def __init__(self) -> None:
        super().__init__(SelectReactor())

    def close(self) -> None:
        if not self.is_closed() and not self.is_running():
            super().close()
            _reactors.dispose(self.reactor)
        else:
            super().close()


class _Policy(asyncio.DefaultEventLoopPolicy):  # type: ignore[name-defined, misc]
    """Makes loops on reactors."""

    _loop_factory = _Loop


def run(name: str) -> Any:
    """The result of one module's tests."""
    module = importlib.import_module(f"test.test_asyncio.{name}")
    asyncio.set_event_loop_policy(_Policy())
    for case in vars(module).values():
        if isinstance(case, type) and hasattr(case, "create_event_loop"):
            case.create_event_loop = lambda self: _Loop()
        if isinstance(case, type) and "new_loop" in vars(case) and name == "test_server":
            case.new_loop = lambda self: _Loop()
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    return unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite)


def main() -> None:
    # Ignored in what a shell has started in the background; some tests wait for it forever then.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore")
    total = bad = 0
    print(f"{'module':22}{'run':>6}{'skipped':>9}{'failed':>8}")
    for name in MODULES:
        try:
            result = run(name)
        except ImportError:
            print(f"{name:22}  not in this Python")
            continue
        failed = [test for test, _ in (*result.failures, *result.errors)]
        total += result.testsRun - len(result.skipped)
        print(f"{name:22}{result.testsRun:6}{len(result.skipped):9}{len(failed):8}", flush=True)
        for test in failed:
            reason = next((why for end, why in EXCEPTIONS.items() if end in test.id()), None)
            bad += reason is None
            print(f"    {test.id()}: {reason or 'FAILED'}")
    print(f"{total} tests, {bad} failed that should pass")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
