"""Runs the project's tests under every reactor there is, and prints a table.

    python tests/matrix.py [OPTION ...] [TEST ...]

The tests are all of ``tests``, or those that are named (``tests.test_web`` ...), in one process
for each kind of reactor.  A kind that this machine has not is left out, and said so.  Tests that
the process's reactor has no part in run under the first kind only, or where ``--once`` says, see
`tests.processes.once`; the others skip them, and the table has them in a column of their own,
"elsewhere".

The failures of each kind follow the table.  The last line is ``matrix: N passed, N failed,
N skipped`` (N elsewhere among them); the exit status is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Seconds for one kind; see ``--limit``.
LIMIT = 1200
#: Seconds that a process has after that to say where it is.
NOTICE = 5

#: The name of the kind that runs what the others need not; `tests.processes.once` reads it.
ELSEWHERE = "TXTORNADO_TESTS_RUN_UNDER"
#: How the reason of a test begins that is skipped because of that.
RUNS_UNDER = "runs under "

TRIAL = """
import faulthandler, signal, sys
faulthandler.register(signal.SIGXCPU)
{before}
from twisted.scripts.trial import run
sys.argv[0] = "trial"
run()
"""
UVLOOP = "import asyncio, uvloop; asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())"

#: What the tests need besides the package.
BESIDE = ("tests", "benchmarks")

#: What the table calls a kind, the reactor, and what comes before.
KINDS = {
    "asyncio": ("asyncio", ""),
    "asyncio on uvloop": ("asyncio", UVLOOP),
    "epoll": ("epoll", ""),
    "poll": ("poll", ""),
    "select": ("select", ""),
    "TornadoReactor": ("tornado", ""),
}


def lacking(kind: str) -> str | None:
    """Why this machine cannot do it."""
    if "uvloop" in kind and importlib.util.find_spec("uvloop") is None:
        return "uvloop is not installed"
    if kind in ("epoll", "poll") and not hasattr(select, kind):
        return f"this system has no {kind}"
    return None


@dataclass
class Outcome:
    """What became of the tests of one kind."""

    kind: str
    output: str
    seconds: float
    #: The time was up.
    late: bool = False

    def __post_init__(self) -> None:
        summary = re.search(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", self.output, re.MULTILINE)
        counts = dict.fromkeys(("successes", "expectedFailures", "skips"), 0)
        counts |= dict.fromkeys(("failures", "errors", "unexpectedSuccesses"), 0)
        pairs = re.findall(r"(\w+)=(\d+)", (summary and summary[1]) or "")
        counts |= {name: int(count) for name, count in pairs}
        self.blocks = re.split(r"^={79}$", self.output, flags=re.MULTILINE)[1:]
        self.elsewhere = sum(map(_tests_elsewhere, self.blocks))
        self.passed = counts["successes"] + counts["expectedFailures"]
        self.skipped = counts["skips"]
        self.failed = counts["failures"] + counts["errors"] + counts["unexpectedSuccesses"]
        self.over = summary is not None and not self.late
        if not self.over:
            self.failed += 1

    def row(self) -> str:
        """Of the table."""
        skipped = self.skipped - self.elsewhere
        numbers = (self.passed, skipped, self.elsewhere, self.failed, round(self.seconds))
        return f"{self.kind:18}" + "".join(f"{number:10}" for number in numbers)

    def failures(self) -> Iterator[str]:
        """What there is to say of tests that failed, whole."""
        for block in self.blocks:
            if block.lstrip().startswith(("[FAIL]", "[ERROR]", "[SUCCESS!?!]")):
                yield block.partition("\n" + "-" * 79)[0].strip()
        if not self.over:
            reason = "the time was up" if self.late else "trial did not get to its end"
            yield f"{reason}; its last lines:\n" + "\n".join(self.output.splitlines()[-60:])


def _tests_elsewhere(block: str) -> int:
    """How many tests trial's summary names that were skipped because they run elsewhere."""
    reason, _, tests = block.lstrip().partition("\n\n")
    if not reason.startswith("[SKIPPED]\n" + RUNS_UNDER):
        return 0
    return len(tests.partition("\n" + "-" * 79)[0].split())


def run(kind: str, tests: list[str], options: argparse.Namespace, once: str) -> Outcome:
    """Run the tests under one kind of reactor."""
    reactor, before = KINDS[kind]
    environment = {**os.environ, "PYTHONPATH": "" if options.installed else str(ROOT)}
    environment.pop(ELSEWHERE, None)
    if kind != once:
        environment[ELSEWHERE] = once
    log = Path(options.logs) / f"{kind.replace(' ', '-')}.log"
    began = time.monotonic()
    late = False
    with tempfile.TemporaryDirectory() as folder:
        for name in BESIDE:
            os.symlink(ROOT / name, Path(folder) / name)
        command = [sys.executable, "-c", TRIAL.format(before=before)]
        command += [f"--reactor={reactor}", "--reporter=bwverbose"]
        command += [f"--temp-directory={folder}/trial", *tests]
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command,
                cwd=folder if options.installed else ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                process.wait(options.limit)
            except subprocess.TimeoutExpired:
                late = True
                process.send_signal(signal.SIGXCPU)
                time.sleep(NOTICE)
            finally:
                end(process)
    return Outcome(kind, log.read_text(errors="replace"), time.monotonic() - began, late)


def end(process: subprocess.Popen[bytes]) -> None:
    """End it, and what it has started and left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog="kinds: " + ", ".join(KINDS),
    )
    parser.add_argument("--jobs", type=int, default=1, help="kinds to run at a time")
    parser.add_argument(
        "--kind",
        action="append",
        choices=list(KINDS),
        metavar="KIND",
        help="run this one; may be given several times",
    )
    parser.add_argument(
        "--installed",
        action="store_true",
        help="test what is installed, not the checkout that the tests are in",
    )
    parser.add_argument("--logs", metavar="FOLDER", help="keep what trial prints there")
    parser.add_argument(
        "--once",
        metavar="WHERE",
        help="who runs what the others need not, if not the first: another kind, or somebody else",
    )
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for one kind")
    parser.add_argument("tests", nargs="*", default=["tests"], metavar="TEST")
    return parser.parse_args()


def run_all(options: argparse.Namespace) -> list[Outcome]:
    """Print the table; what became of each kind that this machine has."""
    kinds = options.kind or list(KINDS)
    there = [kind for kind in kinds if lacking(kind) is None]
    once = options.once or there[0]
    columns = ("passed", "skipped", "elsewhere", "failed", "seconds")
    print(f"{'reactor':18}" + "".join(f"{column:>10}" for column in columns), flush=True)
    outcomes = []
    with ThreadPoolExecutor(options.jobs) as executor:
        futures = {kind: executor.submit(run, kind, options.tests, options, once) for kind in there}
        for kind in kinds:
            if kind in futures:
                outcomes.append(futures[kind].result())
                print(outcomes[-1].row(), flush=True)
            else:
                print(f"{kind:18}  {lacking(kind)}", flush=True)
    return outcomes


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        options.logs = options.logs or folder
        outcomes = run_all(options)
    for outcome in outcomes:
        for failure in outcome.failures():
            print(f"\n== {outcome.kind}\n{failure}", flush=True)
    total = [sum(each) for each in zip(*((o.passed, o.failed, o.skipped) for o in outcomes))]
    print("matrix: {} passed, {} failed, {} skipped".format(*total))
    sys.exit(1 if total[1] else 0)


if __name__ == "__main__":
    main()
