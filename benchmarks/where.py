"""Where the microseconds of a request go.

    python -m benchmarks.where                      # hello, world
    python -m benchmarks.where json form
    python -m benchmarks.where --checkout DIR       # of another version of txtornado, for "before"

The server is loaded as in the jobs of these names, first undisturbed, which tells the processor time of
a request, then watched by ``py-spy`` (``pip install py-spy``), which tells the shares: each sample
counts for the part of the house whose line was running, and so for what that line calls in C.
On Linux another user's or a sibling's process may only be watched by root, or with
``kernel.yama.ptrace_scope=0``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks._model import Contestant, Effort
from benchmarks._processes import CHECKOUT, server
from benchmarks._wrk import load
from benchmarks.jobs import _http
from benchmarks.jobs.http import JOBS, HTTPJob

__all__ = ["PARTS", "main", "part_of", "shares", "table"]

#: Samples per second.
RATE = 400
#: The parts, in the order in which a request meets them, and what tells them: the first expression
#: that is found in ``function (file:line)`` counts.
PARTS: tuple[tuple[str, str], ...] = (
    ("waiting for the kernel: epoll", r"^select \(selectors\.py|poll"),
    ("reading from the socket", r"doRead \(.*_twisted\.py"),
    ("sending to the socket", r"writeSomeData \(.*_twisted\.py"),
    ("event loop", r"\((asyncio|selectors\.py|.*/asyncio/|.*/selectors\.py|txtornado/platform/)"),
    ("stream", r"\(.*txtornado/(iostream/|_twisted\.py|_twisted_tls\.py|tcpserver\.py)"),
    ("HTTP/1 engine and channel", r"\(.*txtornado/http1connection/"),
    ("request object and headers", r"\(.*txtornado/httputil/"),
    ("routing", r"\(.*txtornado/(routing/|httpserver\.py|web/_(application|delegate|routes)\.py)"),
    ("template", r"\(.*txtornado/template/|\(<string>"),
    ("handler and response", r"\(.*(txtornado/|servers/)"),
)
OTHER = "libraries"


def part_of(frame: str) -> str:
    """The part that a frame of py-spy's belongs to."""
    for part, expression in PARTS:
        if re.search(expression, frame):
            return part
    return OTHER


def shares(stacks: Iterable[str]) -> dict[str, float]:
    """The share of each part, from lines of ``frame;frame;... count``; they add up to 1."""
    counts: Counter[str] = Counter()
    for stack in stacks:
        frames, _, count = stack.rpartition(" ")
        if frames:
            counts[part_of(frames.rpartition(";")[2])] += int(count)
    total = sum(counts.values())
    names = [*(part for part, _ in PARTS), OTHER]
    return {name: counts[name] / total for name in names if counts[name]} if total else {}


def table(title: str, cost: float, parts: dict[str, float]) -> Iterator[str]:
    """Lines of text: microseconds and shares."""
    yield f"{title}: {cost:.1f} µs of processor time for a request"
    for name, share in parts.items():
        yield f"  {name:32}{share * cost:7.2f} µs{share:7.1%}"


def profile(job: HTTPJob, spy: str, effort: Effort, checkout: Path) -> Iterator[str]:
    """Load the job's server twice, and tell what came out.

    :raises RuntimeError: if the process may not be watched.
    """
    with (
        _http.static_files() as folder,
        tempfile.TemporaryDirectory(prefix="benchmarks-") as results,
        server(
            Contestant("txtornado", sys.executable),
            *_http.PROGRAMS["txtornado"],
            *("--static", str(folder)),
            effort=effort,
            env={"PYTHONPATH": str(checkout)},
        ) as running,
    ):
        done = _http.throughput(
            running, job.request, job.right, effort, connections=job.connections
        )
        stacks = Path(results, "stacks")
        # To stop the server for each sample would have most of them at its system calls.
        command = [spy, "record", "--nonblocking", "--format=raw", f"--rate={RATE}"]
        command += [f"--duration={effort.seconds:g}", f"--output={stacks}", f"--pid={running.pid}"]
        watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            load(
                running,
                job.request,
                connections=job.connections,
                seconds=effort.seconds + 1,
                cpu=effort.load_cpu,
            )
            _, said = watcher.communicate(timeout=effort.seconds + 30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                watcher.kill()
            watcher.wait()
        if watcher.returncode or not stacks.exists():
            raise RuntimeError(f"py-spy could not watch the server: {said.decode().strip()}")
        yield from table(job.title, done.cost, shares(stacks.read_text().splitlines()))


def main() -> None:
    jobs = {job.name: job for job in JOBS if isinstance(job, HTTPJob)}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.where", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(jobs))
    parser.add_argument("--seconds", type=float, default=8, help="of load (default 8)")
    parser.add_argument("--checkout", type=Path, default=CHECKOUT, help="of another version")
    args = parser.parse_args()
    unknown = [name for name in args.jobs if name not in jobs]
    if unknown:
        parser.error(f"no such job: {', '.join(unknown)}; there are {', '.join(jobs)}")
    if not (args.checkout / "txtornado").is_dir():
        parser.error(f"no txtornado in {args.checkout}")
    folder = sysconfig.get_path("scripts")
    spy = shutil.which("py-spy", path=os.pathsep.join([folder, os.environ.get("PATH", "")]))
    if spy is None:
        parser.error("py-spy is needed: pip install py-spy")
    for name in args.jobs or ["hello"]:
        try:
            for line in profile(jobs[name], spy, Effort(seconds=args.seconds), args.checkout):
                print(line, flush=True)
        except RuntimeError as error:
            raise SystemExit(f"{name}: {error}") from None


if __name__ == "__main__":
    main()
