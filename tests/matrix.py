"""Runs the project's tests under every reactor there is, and prints a table.

    python tests/matrix.py [TEST ...]

The tests are all of ``tests``, or those that are named (``tests.test_web`` ...), in one process
for each kind, one after the other.  A kind that this machine has not is left out, and said so.
"""

from __future__ import annotations

import importlib.util
import os
import re
import select
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Seconds for one kind.
LIMIT = 1200

TRIAL = "import sys; from twisted.scripts.trial import run; sys.argv[0] = 'trial'; run()"
UVLOOP = "import asyncio, uvloop; asyncio.set_event_loop_policy(uvloop.EventLoopPolicy()); "

#: The kinds: what the table calls them, the reactor, what comes before.
KINDS = (
    ("asyncio", "asyncio", ""),
    ("asyncio on uvloop", "asyncio", UVLOOP),
    ("epoll", "epoll", ""),
    ("poll", "poll", ""),
    ("select", "select", ""),
    ("TornadoReactor", "tornado", ""),
)


def lacking(kind: str) -> str | None:
    """Why this machine cannot do it."""
    if "uvloop" in kind and importlib.util.find_spec("uvloop") is None:
        return "uvloop is not installed"
    if kind in ("epoll", "poll") and not hasattr(select, kind):
        return f"this system has no {kind}"
    return None


def run(reactor: str, before: str, tests: list[str]) -> tuple[dict[str, int], str]:
    """How many tests passed, failed, were skipped; and everything that was printed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", before + TRIAL, f"--reactor={reactor}"]
        command += [f"--temp-directory={folder}/trial", *tests]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return {"errors": 1}, f"still running after {LIMIT} seconds"
    found = re.search(r"^(?:PASSED|FAILED) ?(?:\((.*)\))?$", done.stdout, re.MULTILINE)
    if found is None:
        return {"errors": 1}, done.stdout
    pairs = re.findall(r"(\w+)=(\d+)", found[1] or "")
    return {name: int(count) for name, count in pairs}, done.stdout


def main() -> None:
    tests = sys.argv[1:] or ["tests"]
    bad = 0
    print(f"{'reactor':20}{'passed':>8}{'skipped':>9}{'failed':>8}", flush=True)
    for kind, reactor, before in KINDS:
        reason = lacking(kind)
        if reason is not None:
            print(f"{kind:20}  {reason}", flush=True)
            continue
        counts, output = run(reactor, before, tests)
        failed = sum(counts.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses"))
        passed = counts.get("successes", 0) + counts.get("expectedFailures", 0)
        print(f"{kind:20}{passed:8}{counts.get('skips', 0):9}{failed:8}", flush=True)
        if failed:
            bad += failed
            print("\n".join(output[output.find("\n=====") :].splitlines()[:200]), file=sys.stderr)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
