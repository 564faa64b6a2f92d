"""Raw streams: lines that come back, and bulk, plain and with TLS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import load
from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._processes import Server, server
from benchmarks.jobs._certificate import certificate

__all__ = ["JOBS", "BulkJob", "EchoJob"]

CONTESTANTS = ("txtornado", "tornado", "twisted", "asyncio")
#: Program and arguments of each.
PROGRAMS = {
    "txtornado": ("stream_tornado.py", "txtornado"),
    "tornado": ("stream_tornado.py", "tornado"),
    "twisted": ("stream_twisted.py",),
    "asyncio": ("stream_asyncio.py",),
}
CONNECTIONS = 16
LINE = b"x" * 62 + b"\r\n"
MEBIBYTE = 1 << 20
#: Of one answer of a bulk job.
BULK = 64 * MEBIBYTE


@contextlib.contextmanager
def serving(contestant: Contestant, secure: bool, effort: Effort) -> Iterator[Server]:
    """The contestant's server; with ``secure``, behind TLS."""
    if secure and not load.has_tls():
        raise RuntimeError(
            "jobs with TLS need OpenSSL's header files for the load generator: install them "
            f"(Debian: apt-get install libssl-dev) and delete {load.build()}"
        )
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(certificate()) if secure else ()
        arguments = (*PROGRAMS[contestant.name], *files)
        yield stack.enter_context(server(contestant, *arguments, effort=effort))


@dataclass(frozen=True)
class EchoJob:
    """Lines of 64 bytes over 16 connections, ``depth`` at once on each."""

    name: str
    title: str
    depth: int = 1
    secure: bool = False
    group: str = "Streams"
    contestants: tuple[str, ...] = CONTESTANTS
    needs: tuple[str, ...] = ("cc",)
    figures: tuple[Figure, ...] = (
        Figure("rate", "lines/s"),
        Figure("processor time", "µs/line", higher_is_better=False),
    )

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        lines = LINE * self.depth
        exchange = load.Exchange((lines,), load.fixed(LINE, repeat=self.depth), tls=self.secure)
        with serving(contestant, self.secure, effort) as running:
            done = load.closed_loop(
                running.port,
                exchange,
                connections=CONNECTIONS,
                seconds=effort.seconds,
                warmup=effort.seconds / 4,
                watch=running.pid,
                cpu=effort.load_cpu,
            )
        return {
            "rate": done.rate * self.depth,
            "processor time": done.cost / self.depth,
            "load busy": done.busy,
        }


@dataclass(frozen=True)
class BulkJob:
    """Bytes from the server to one client, written in pieces of a size."""

    name: str
    title: str
    piece: int
    secure: bool = False
    group: str = "Streams"
    contestants: tuple[str, ...] = CONTESTANTS
    needs: tuple[str, ...] = ("cc",)
    figures: tuple[Figure, ...] = (
        Figure("rate", "MiB/s"),
        Figure("processor time", "µs/MiB", higher_is_better=False),
    )

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        request = b"bulk %d %d\r\n" % (BULK, self.piece)
        answer = load.fixed(b"y" * self.piece, repeat=BULK // self.piece)
        with serving(contestant, self.secure, effort) as running:
            done = load.closed_loop(
                running.port,
                load.Exchange((request,), answer, tls=self.secure),
                connections=1,
                seconds=effort.seconds,
                warmup=effort.seconds / 4,
                watch=running.pid,
                cpu=effort.load_cpu,
            )
        mebibytes = done.bytes / MEBIBYTE
        return {
            "rate": mebibytes / done.seconds,
            "processor time": done.server_seconds / mebibytes * 1e6,
            "load busy": done.busy,
        }


def _jobs() -> Iterator[Job]:
    for secure, suffix, words in ((False, "", ""), (True, "-tls", ", TLS")):
        yield EchoJob(f"echo{suffix}", f"Line echo{words}", secure=secure)
        yield EchoJob(f"echo-x32{suffix}", f"Line echo, 32 lines at once{words}", 32, secure)
        yield BulkJob(f"bulk-8k{suffix}", f"Bulk in pieces of 8 KiB{words}", 1 << 13, secure)
        yield BulkJob(f"bulk-1m{suffix}", f"Bulk in pieces of 1 MiB{words}", 1 << 20, secure)


JOBS: tuple[Job, ...] = tuple(_jobs())
