"""The benchmarks' command: what it can be asked, its rounds, and the peers' environment."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

import tests.conversations  # noqa: F401 - finds the benchmarks

# isort: split
from benchmarks import _command, _peers, _record, _rounds
from benchmarks._model import Contestant, Effort, Figure, Result
from benchmarks._record import Record
from benchmarks.jobs import all_jobs

RATE = Figure("rate", "requests/s")


@dataclasses.dataclass
class FakeJob:
    """A job whose outcomes are given: for each contestant what it measures or fails with."""

    outcomes: dict[str, list[dict[str, float] | BaseException]]
    name: str = "fake"
    title: str = "A fake"
    group: str = "Fakes"
    figures: tuple[Figure, ...] = (RATE,)
    needs: tuple[str, ...] = ()
    asked: list[str] = dataclasses.field(default_factory=list)

    @property
    def contestants(self) -> tuple[str, ...]:
        return tuple(self.outcomes)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        self.asked.append(contestant.name)
        outcome = self.outcomes[contestant.name].pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class RoundsTests(SynchronousTestCase):
    def run_job(self, job: FakeJob, rounds: int) -> Result:
        found = Result.of(job)
        contestants = _rounds.chosen(job, "python", [])
        _rounds.run(found, job, contestants, Effort(), rounds)
        return found

    def test_in_turn(self) -> None:
        """Contestants take turns, every other round backwards."""
        job = FakeJob({name: [{"rate": 1}] * 3 for name in ("txtornado", "a", "b")})
        found = self.run_job(job, 3)
        self.assertEqual(
            job.asked, ["txtornado", "a", "b", "b", "a", "txtornado", "txtornado", "a", "b"]
        )
        self.assertEqual(found.values["b"], {"rate": [1, 1, 1]})

    def test_failure(self) -> None:
        """One that fails is not tried again, keeps what it had, and the others go on."""
        job = FakeJob(
            {
                "txtornado": [{"rate": 1}] * 3,
                "bad": [{"rate": 5}, RuntimeError("wrong\n  answer")],
                "odd": [{"speed": 5}],
                "mute": [OSError()],
            }
        )
        found = self.run_job(job, 3)
        self.assertEqual(len(found.values["txtornado"]["rate"]), 3)
        self.assertEqual(found.values["bad"], {"rate": [5]})
        self.assertEqual(
            found.failures,
            {"bad": "wrong answer", "odd": "did not measure rate", "mute": "OSError"},
        )

    def test_chosen(self) -> None:
        """Ours is always among the contestants, of the others those that were named."""
        job = FakeJob({name: [] for name in ("txtornado", "a", "b")})
        names = [each.name for each in _rounds.chosen(job, "python", ["b"])]
        self.assertEqual(names, ["txtornado", "b"])


class CommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.patch(_peers, "versions", lambda python: {"Twisted": "26"})

    def command(self, *arguments: str, jobs: Sequence[FakeJob] | None = None) -> int:
        if jobs is not None:
            self.patch(_command, "all_jobs", lambda: tuple(jobs))
        with (
            contextlib.redirect_stdout(self.stdout),
            contextlib.redirect_stderr(self.stderr),
        ):
            try:
                return _command.main(arguments)
            except SystemExit as error:
                return int(error.code or 0)

    def jobs(self, ours: float = 10, theirs: float = 5) -> list[FakeJob]:
        outcomes = {"txtornado": [{"rate": ours}] * 9, "tornado": [{"rate": theirs}] * 9}
        return [FakeJob(outcomes)]

    def test_errors(self) -> None:
        """What cannot be asked for is refused with a sentence that says what can."""
        for arguments, words in (
            (["--jobs", "helo"], "there is no job 'helo'; did you mean hello"),
            (["--group", "web"], "there is no group 'web'; did you mean"),
            (["--contestants", "tornadoo"], "did you mean tornado"),
            (["--rounds", "0"], "1 or more is"),
            (["--rounds", "many"], "--rounds"),
            (["--seconds", "0"], "0.1 to 3600 is"),
            (["--seconds", "nan"], "0.1 to 3600 is"),
            (["--json", "/nowhere/at/all.json"], "there is no folder /nowhere/at"),
            (["--plot", "/nowhere/at/all.svg"], "there is no folder /nowhere/at"),
            (["--compare", "nowhere.json"], "nowhere.json cannot be read"),
            (["--read", "nowhere.json"], "nowhere.json cannot be read"),
            (["surplus"], "surplus"),
        ):
            self.stderr.truncate(0)
            self.assertEqual(self.command(*arguments), 2, arguments)
            self.assertIn(words, self.stderr.getvalue())

    def test_python_that_does_not_work(self) -> None:
        """An interpreter that is none is an error with its name."""
        self.patch(_peers, "versions", _versions)
        status = self.command("--python", "/nowhere/python", jobs=self.jobs())
        self.assertEqual(status, 2)
        self.assertIn("/nowhere/python does not work", self.stderr.getvalue())

    def test_list(self) -> None:
        """The list has every job with its contestants, and measures nothing."""
        self.assertEqual(self.command("--list"), 0)
        told = self.stdout.getvalue()
        for job in all_jobs():
            self.assertIn(job.name, told)
        self.assertIn("ceiling", told)

    def test_run(self) -> None:
        """A run is printed, written as JSON with the machine and the versions, and drawn."""
        folder = Path(self.mktemp())
        folder.mkdir()
        data, plot = folder / "run.json", folder / "run.svg"
        status = self.command(
            "--python=python", "--rounds=2", f"--json={data}", f"--plot={plot}", jobs=self.jobs()
        )
        self.assertEqual(status, 0)
        told = json.loads(data.read_text())
        self.assertEqual(told["results"][0]["values"]["tornado"]["rate"], [5, 5])
        self.assertEqual(told["about"]["rounds"], "2")
        self.assertEqual(told["packages"], {"Twisted": "26"})
        ElementTree.parse(plot)
        self.assertIn("behind no peer", self.stdout.getvalue())
        self.assertIn("fake 2/2 tornado: 5.00 requests/s", self.stderr.getvalue())

    def test_quick(self) -> None:
        """A quick run has one round, unless it is told otherwise."""
        (job,) = jobs = self.jobs()
        self.command("--python=python", "--quick", jobs=jobs)
        self.assertEqual(job.asked, ["txtornado", "tornado"])
        self.command("--python=python", "--quick", "--rounds=2", jobs=jobs)
        self.assertEqual(len(job.asked), 6)

    def test_strict(self) -> None:
        """The status tells whether we are behind or failed, only if that is asked for."""
        behind, failing = {"ours": 5, "theirs": 10}, self.jobs()
        failing[0].outcomes["txtornado"] = [RuntimeError("wrong")]
        for arguments, jobs, status in (
            ([], self.jobs(**behind), 0),
            (["--strict"], self.jobs(**behind), 1),
            (["--strict"], self.jobs(), 0),
            (["--strict"], failing, 1),
        ):
            found = self.command("--python=python", "--rounds=1", *arguments, jobs=jobs)
            self.assertEqual(found, status)

    def test_read_and_compare(self) -> None:
        """An earlier run is told again, and compared with another, without measuring."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, value in (("old", 10.0), ("new", 30.0)):
            values = {"txtornado": {"rate": [value]}, "tornado": {"rate": [1.0]}}
            told = Result("job", "Title", "Group", (RATE,), values)
            record = Record({"date": name}, {}, [told])
            _record.write(folder / f"{name}.json", record)
        status = self.command(
            "--read", str(folder / "new.json"), "--compare", str(folder / "old.json"), jobs=[]
        )
        self.assertEqual(status, 0)
        told = self.stdout.getvalue()
        self.assertIn("Since old", told)
        self.assertRegex(
            told, r"job, rate, txtornado +10.0 requests/s +30.0 requests/s +3.00 +3.00  better"
        )

    def test_interrupted(self) -> None:
        """Ctrl-C and SIGTERM end a run; what was measured until then is told and written."""
        for ending in (KeyboardInterrupt(), signal.SIGTERM):
            jobs = self.jobs()
            jobs.append(Interrupting({"txtornado": []}, name="cut short", ending=ending))
            data = Path(self.mktemp())
            before = signal.getsignal(signal.SIGTERM)
            status = self.command("--python=python", "--rounds=1", f"--json={data}", jobs=jobs)
            self.assertEqual(status, 130)
            told = _record.read(data)
            self.assertEqual([each.name for each in told.results], ["fake"])
            self.assertEqual(told.results[0].values["tornado"]["rate"], [5])
            self.assertIs(signal.getsignal(signal.SIGTERM), before)
        self.assertIn("interrupted", self.stderr.getvalue())

    def test_missing_programs(self) -> None:
        """Without a program, its jobs are left out by name, and the others run."""
        self.patch(_peers, "PROGRAMS", {"no-such-program": ("the load", "get it")})
        jobs = self.jobs()
        jobs.append(FakeJob({"txtornado": []}, name="loaded", needs=("no-such-program",)))
        self.assertEqual(self.command("--python=python", "--rounds=1", jobs=jobs), 0)
        told = self.stderr.getvalue()
        self.assertIn("no-such-program is not there (the load): install it (get it)", told)
        self.assertIn("Left out: loaded", told)
        self.assertEqual(jobs[1].asked, [])

    def test_one_processor(self) -> None:
        """On a machine of one processor, the run says what that means."""
        self.patch(_command, "processors", lambda: (0, 0))
        self.command("--python=python", "--rounds=1", jobs=self.jobs())
        self.assertIn("there is one processor only", self.stderr.getvalue())


_versions = _peers.versions


@dataclasses.dataclass
class Interrupting(FakeJob):
    """A job in the middle of which the run is ended."""

    ending: KeyboardInterrupt | signal.Signals = signal.SIGTERM

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        if isinstance(self.ending, KeyboardInterrupt):
            raise self.ending
        os.kill(os.getpid(), self.ending)
        return {"rate": 1}


class PeersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.commands: list[list[str]] = []
        self.patch(_peers, "output_of", self.output_of)
        self.patch(sys, "stderr", io.StringIO())

    def output_of(self, command: list[str], **options: object) -> str:
        self.commands.append(command)
        return ""

    def test_fingerprint(self) -> None:
        """It differs with the folder and with the versions, and with nothing else."""
        first = _peers.fingerprint(Path("/one"))
        self.assertEqual(first, _peers.fingerprint(Path("/one")))
        self.assertNotEqual(first, _peers.fingerprint(Path("/two")))
        self.patch(_peers, "PINNED", (*_peers.PINNED, "more==1"))
        self.assertNotEqual(first, _peers.fingerprint(Path("/one")))

    def test_pinned(self) -> None:
        """Every package of the environment has one version."""
        for requirement in _peers.PINNED:
            self.assertRegex(requirement, r"^[A-Za-z0-9._-]+(\[[a-z]+\])?==[0-9][0-9.]*$")

    def test_made_once(self) -> None:
        """An environment is made when it is first needed, and then found again."""
        python = _peers.interpreter(self.folder)
        self.assertEqual(python, str(self.folder / "bin" / "python"))
        self.assertIn("-m venv", " ".join(self.commands[0]))
        self.assertTrue(set(_peers.PINNED) <= set(self.commands[1]))
        self.assertEqual(_peers.interpreter(self.folder), python)
        self.assertEqual(len(self.commands), 2)

    def test_made_anew(self) -> None:
        """With other versions it is made again, and nothing is left of the old one."""
        _peers.interpreter(self.folder)
        (self.folder / "lib").mkdir()
        (self.folder / "lib" / "old.py").write_text("")
        (self.folder / "lib64").symlink_to("lib")
        (self.folder / "pyvenv.cfg").write_text("")
        self.patch(_peers, "PINNED", (*_peers.PINNED, "more==1"))
        _peers.interpreter(self.folder)
        self.assertEqual(len(self.commands), 4)
        self.assertIn("more==1", self.commands[3])
        self.assertEqual([path.name for path in self.folder.iterdir()], [_peers.STAMP])

    def test_failure(self) -> None:
        """If it cannot be made the error says why and what to do, and the next run tries again."""

        def fail(command: list[str], **options: object) -> str:
            raise RuntimeError("no network")

        self.patch(_peers, "output_of", fail)
        with self.assertRaisesRegex(_peers.PeersError, "no network.*--python"):
            _peers.interpreter(self.folder)
        self.patch(_peers, "output_of", self.output_of)
        _peers.interpreter(self.folder)
        self.assertEqual(len(self.commands), 2)

    def test_foreign_folder(self) -> None:
        """A folder of something else is not touched."""
        self.folder.mkdir()
        (self.folder / "thesis.txt").write_text("dear to me")
        with self.assertRaisesRegex(_peers.PeersError, "no environment of this tool"):
            _peers.interpreter(self.folder)
        self.assertEqual(self.commands, [])

    def test_programs(self) -> None:
        """A program that is missing has a sentence with its purpose and its package."""
        self.patch(os, "environ", {**os.environ, "PATH": "/nowhere", "CC": ""})
        missing = _peers.missing_programs()
        self.assertEqual(set(missing), set(_peers.PROGRAMS))
        self.assertIn("apt-get install wrk", missing["wrk"])
