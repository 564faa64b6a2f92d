"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import difflib
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from benchmarks import _peers, _plot, _record, _rounds, _tables
from benchmarks._model import OURS, Effort, Job, Result
from benchmarks._processes import processors
from benchmarks._record import Record, RecordError
from benchmarks.jobs import all_jobs

__all__ = ["main"]

DESCRIPTION = """\
How fast txtornado is beside its peers, on the machine at hand.

The first run makes an environment that has the peers.  Each job is done by each contestant in turn,
several rounds; server and load are kept to processors of their own.
"""

QUICK = Effort(seconds=1.0, share=0.05)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; what it returns is the exit status.

    0: all went well; 1: with ``--strict``, txtornado is behind a peer or failed; 2: it cannot be
    done as asked; 130: interrupted, and what was measured until then has been told.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return _run(options, parser)
    except (_peers.PeersError, RecordError, OSError) as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_argument_group("what is measured")
    which.add_argument("--jobs", nargs="+", metavar="NAME", default=[], help="these jobs")
    which.add_argument("--group", nargs="+", metavar="NAME", default=[], help="groups of jobs")
    which.add_argument(
        "--contestants", nargs="+", metavar="NAME", default=[], help=f"these, beside {OURS}"
    )
    which.add_argument("--list", action="store_true", help="list all jobs and stop")
    how = parser.add_argument_group("how")
    how.add_argument("--rounds", type=_count, metavar="N", help="default: 5")
    how.add_argument(
        "--seconds", type=_seconds, metavar="S", help=f"of load each; default: {Effort().seconds:g}"
    )
    how.add_argument(
        "--quick", action="store_true", help="one short round, and less of what is counted"
    )
    how.add_argument(
        "--environment", type=Path, metavar="DIR", help=f"default: {_peers.default_folder()}"
    )
    how.add_argument(
        "--python", metavar="PYTHON", help="an interpreter that has all peers; makes no environment"
    )
    told = parser.add_argument_group("what is told")
    told.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    told.add_argument("--plot", type=Path, metavar="FILE", help="draw it (SVG)")
    told.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="tell what has changed since"
    )
    told.add_argument(
        "--read", type=Path, metavar="FILE.json", help="tell of an earlier run; measure nothing"
    )
    told.add_argument(
        "--strict", action="store_true", help=f"status 1 if {OURS} is behind a peer, or fails"
    )
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of rounds: 1 or more is")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is no time for a measurement: 0.1 to 3600 is")
    return value


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    jobs = _chosen_jobs(options, parser)
    if options.list:
        print(_listed(jobs))
        return 0
    before = _record.read(options.compare) if options.compare else None
    for path in (options.json, options.plot):
        if path and not path.absolute().parent.is_dir():
            parser.error(f"there is no folder {path.absolute().parent} for {path.name}")
    if options.read:
        record, status = _record.read(options.read), 0
    else:
        record, status = _measured(jobs, options)
    behind = _tell(record, before, options)
    if not status and options.strict:
        return int(behind > 0 or any(OURS in result.failures for result in record.results))
    return status


# What is asked for


def _chosen_jobs(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Job]:
    jobs = all_jobs()
    groups = {job.group.lower(): job.group for job in jobs}
    _known(parser, "job", options.jobs, [job.name for job in jobs])
    _known(parser, "group", [name.lower() for name in options.group], list(groups))
    everybody = list(dict.fromkeys(name for job in jobs for name in job.contestants))
    _known(parser, "contestant", options.contestants, everybody)
    wanted = {groups[name.lower()] for name in options.group}
    if not options.jobs and not wanted:
        return list(jobs)
    return [job for job in jobs if job.name in options.jobs or job.group in wanted]


def _known(
    parser: argparse.ArgumentParser, kind: str, names: Sequence[str], all_names: Sequence[str]
) -> None:
    for name in names:
        if name not in all_names:
            near = difflib.get_close_matches(name, all_names, 3, 0.5) or all_names
            parser.error(f"there is no {kind} {name!r}; did you mean {', '.join(near)}?")


def _listed(jobs: Sequence[Job]) -> str:
    lines = []
    for group in dict.fromkeys(job.group for job in jobs):
        members = [job for job in jobs if job.group == group]
        rows = [f"  {job.name:22} {job.title} ({', '.join(job.contestants)})" for job in members]
        lines += [group, *rows]
    return "\n".join(lines)


# Measuring


def _effort(options: argparse.Namespace) -> tuple[Effort, int]:
    """How much is spent on a measurement, and how many rounds there are."""
    effort = QUICK if options.quick else Effort()
    server, load = processors()
    effort = dataclasses.replace(effort, server_cpu=server, load_cpu=load)
    if options.seconds:
        effort = dataclasses.replace(effort, seconds=options.seconds)
    return effort, options.rounds or (1 if options.quick else 5)


def _measured(jobs: Sequence[Job], options: argparse.Namespace) -> tuple[Record, int]:
    """All jobs done; also, if that was interrupted, those until then, and status 130."""
    python = options.python or _peers.interpreter(options.environment or _peers.default_folder())
    effort, count = _effort(options)
    spent = {"rounds": str(count), "seconds": f"{effort.seconds:g}", "share": f"{effort.share:g}"}
    record = Record({**_record.machine(), **spent}, _peers.versions(python))
    if effort.server_cpu == effort.load_cpu:
        _complain("there is one processor only: server and load share it, and disturb each other")
    ready = _without_missing(jobs)
    try:
        with _prepared():
            for job in ready:
                result = Result.of(job)
                record.results.append(result)
                contestants = _rounds.chosen(job, python, options.contestants)
                _rounds.run(result, job, contestants, effort, count, _progress(count))
    except KeyboardInterrupt:
        _complain("interrupted; this is what was measured until then")
        record.results = [each for each in record.results if each.values or each.failures]
        return record, 130
    return record, 0


@contextlib.contextmanager
def _prepared() -> Iterator[None]:
    """Other signals end a run as Ctrl-C does, and it may open as many files as may be had."""

    def interrupted(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.signal(number, interrupted) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _without_missing(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that can be done here; of the others is told what they miss."""
    missing = _peers.missing_programs()
    needs = {job.name: set(getattr(job, "needs", ())) & set(missing) for job in jobs}
    for program, words in missing.items():
        if left_out := [name for name, programs in needs.items() if program in programs]:
            _complain(f"{words}.  Left out: {', '.join(left_out)}")
    return [job for job in jobs if not needs[job.name]]


def _progress(count: int) -> _rounds.Progress:
    def progress(job: Job, name: str, number: int, outcome: dict[str, float] | str) -> None:
        if isinstance(outcome, str):
            told = f"failed: {outcome}"
        else:
            figure = job.figures[0]
            told = f"{_tables.number(outcome[figure.name])} {figure.unit}"
        _complain(f"{job.name} {number}/{count} {name}: {told}")

    return progress


def _complain(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


# Telling


def _tell(record: Record, before: Record | None, options: argparse.Namespace) -> int:
    """Print and write; returns in how many figures we are behind."""
    if options.json:
        _record.write(options.json, record)
    if options.plot:
        options.plot.write_text(_plot.drawing(record))
    print("; ".join(f"{name}: {words}" for name, words in record.about.items()))
    print(f"\n{_tables.report(record)}\n\n{_tables.LEGEND}\n")
    for words in _tables.warnings(record):
        print(f"Note: {words}")
    told, behind = _tables.told_verdict(record.results)
    print(told)
    if before:
        print(f"\n{_tables.changes(before, record)}")
    return behind
