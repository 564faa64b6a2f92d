"""Tests for ``tests/matrix.py``, which runs the others under every reactor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import matrix
from tests.matrix import Outcome
from tests.processes import LIMIT, ROOT, environment, once

BAR, LINE = "=" * 79, "-" * 79

OUTPUT = f"""
tests.sample.A.test_a ... [OK]

{BAR}
[SKIPPED]
runs under asyncio: it needs no reactor

tests.sample.A.test_b
tests.sample.A.test_c
{BAR}
[SKIPPED]
no such program

tests.sample.A.test_d
{BAR}
[FAIL]
Traceback (most recent call last):
  File "sample.py", line 1, in test_e
twisted.trial.unittest.FailTest: not equal

tests.sample.A.test_e
{BAR}
[ERROR]
builtins.ValueError: no

tests.sample.A.test_f
{LINE}
Ran 9 tests in 0.010s

FAILED (skips=3, expectedFailures=1, failures=1, errors=1, successes=3)
"""

SAMPLE = """
import time
from twisted.trial.unittest import SynchronousTestCase
from tests.processes import once

class A(SynchronousTestCase):
    def test_good(self):
        pass

    def test_skipped(self):
        pass

    test_skipped.skip = "not today"

    @once("it needs no reactor")
    def test_once(self):
        pass
"""

BAD = """
class B(SynchronousTestCase):
    def test_bad(self):
        self.assertEqual(1, 2)
"""

HANGING = """
class C(SynchronousTestCase):
    def test_hanging(self):
        time.sleep(600)
"""


class OutcomeTests(SynchronousTestCase):
    """What is read from the output of trial."""

    def test_counts(self) -> None:
        """Trial's counts, and how many of the skipped tests ran under another kind."""
        outcome = Outcome("epoll", OUTPUT, 1.0)
        counts = (outcome.passed, outcome.skipped, outcome.elsewhere, outcome.failed)
        self.assertEqual(counts, (4, 3, 2, 2))
        self.assertEqual(outcome.row().split(), ["epoll", "4", "1", "2", "2", "1"])

    def test_failures(self) -> None:
        """What failed is shown whole, and nothing else."""
        failures = list(Outcome("epoll", OUTPUT, 1.0).failures())
        self.assertEqual([each.splitlines()[0] for each in failures], ["[FAIL]", "[ERROR]"])
        self.assertEqual(
            [each.splitlines()[-1] for each in failures],
            ["tests.sample.A.test_e", "tests.sample.A.test_f"],
        )

    def test_all_well(self) -> None:
        """Nothing failed."""
        outcome = Outcome("epoll", "\nPASSED (successes=12)\n", 1.0)
        self.assertEqual((outcome.passed, outcome.failed), (12, 0))
        self.assertEqual(list(outcome.failures()), [])

    def test_no_end(self) -> None:
        """A trial that crashed has failed, and its last words are shown."""
        outcome = Outcome("epoll", "tests.sample.A.test_a ... Segmentation fault\n", 1.0)
        self.assertEqual(outcome.failed, 1)
        (failure,) = outcome.failures()
        self.assertIn("did not get to its end", failure)
        self.assertIn("Segmentation fault", failure)


@once("it runs all kinds itself")
class RunTests(SynchronousTestCase):
    """The whole program, over a module of a few tests."""

    def run_matrix(self, *arguments: str, sample: str = SAMPLE) -> tuple[list[str], int]:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        (folder / "sample.py").write_text(sample)
        done = subprocess.run(
            [sys.executable, matrix.__file__, *arguments, f"{folder.resolve()}/sample.py"],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines(), done.returncode

    def test_kinds(self) -> None:
        """Each kind has a row; what needs to run once runs under the first."""
        lines, status = self.run_matrix("--kind=select", "--kind=asyncio", "--jobs=2")
        self.assertEqual(status, 0, lines)
        self.assertEqual([line.split()[:5] for line in lines[1:3]], ROWS)
        self.assertEqual(lines[3:], ["matrix: 3 passed, 0 failed, 3 skipped"])

    def test_somebody_else(self) -> None:
        """What needs to run once is skipped under all kinds when somebody else sees to it."""
        lines, status = self.run_matrix("--kind=select", "--once=the README's command")
        self.assertEqual(status, 0, lines)
        self.assertEqual([lines[1].split()[:5]], [["select", *ROWS[1][1:]]])

    def test_failure(self) -> None:
        """A failure is shown below the table, and is the exit status."""
        lines, status = self.run_matrix("--kind=select", sample=SAMPLE + BAD)
        self.assertEqual(status, 1)
        self.assertIn("== select", lines)
        self.assertIn("sample.B.test_bad", lines)
        self.assertEqual(lines[-1], "matrix: 2 passed, 1 failed, 1 skipped")

    def test_limit(self) -> None:
        """A kind that takes too long has failed, and tells where it was."""
        arguments = ("--kind=select", "--limit=5")
        lines, status = self.run_matrix(*arguments, sample=SAMPLE + HANGING)
        self.assertEqual(status, 1)
        self.assertIn("the time was up; its last lines:", lines)
        self.assertTrue(any("most recent call first" in line for line in lines), lines)
        self.assertEqual(lines[-1], "matrix: 0 passed, 1 failed, 0 skipped")


ROWS = [["select", "2", "1", "0", "0"], ["asyncio", "1", "1", "1", "0"]]
