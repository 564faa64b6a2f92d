"""Ten thousand connections that do nothing: what memory they take, and how a busy one fares."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from benchmarks import load
from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._processes import server
from benchmarks.jobs import websockets

__all__ = ["JOBS", "IdleJob"]

#: Files that a server may have open besides its connections.
SPARE = 256
HTTP = load.Exchange((b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",), load.http(b"Hello, world"))
HTTP_PROGRAMS: dict[str, tuple[str, ...]] = {
    name: ("idle.py", name)
    for name in ("txtornado", "tornado", "aiohttp", "starlette", "twisted.web")
}


def allow_files(pid: int, wanted: int) -> None:
    """Let a process have so many files open.

    :raises RuntimeError: if this user may not grant that.
    """
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY:
        hard = max(hard, wanted)
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (wanted, hard))
    except (PermissionError, ValueError):
        raise RuntimeError(
            f"a server of so many connections needs {wanted} open files: "
            f"allow them with `ulimit -Hn {wanted}`, or run with a smaller share"
        ) from None


@dataclass(frozen=True)
class IdleJob:
    """Idle connections, each of which has had one answer, and beside them a busy one.

    ``memory`` is what the server's resident memory grew by, for each; the kernel's share is not in
    it.  The busy connection asks at a fixed rate, and its latency counts from when it should have.
    """

    name: str
    title: str
    exchange: load.Exchange
    programs: dict[str, tuple[str, ...]]
    connections: int = 10_000
    rate: float = 500
    group: str = "Idle connections"
    needs: tuple[str, ...] = ("cc",)
    figures: tuple[Figure, ...] = (
        Figure("memory", "KiB/connection", higher_is_better=False),
        Figure("median", "µs", higher_is_better=False),
        Figure("99 %", "µs", higher_is_better=False),
        Figure("99.9 %", "µs", higher_is_better=False),
    )

    @property
    def contestants(self) -> tuple[str, ...]:
        return tuple(self.programs)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        connections = max(100, round(self.connections * effort.share))
        cpu = effort.load_cpu
        with server(contestant, *self.programs[contestant.name], effort=effort) as running:
            allow_files(running.pid, connections + SPARE)
            # What the first ones make a server allocate is not theirs.
            with load.idle(running.port, self.exchange, connections=100, cpu=cpu):
                pass
            before = running.resident()
            with load.idle(running.port, self.exchange, connections=connections, cpu=cpu):
                grown = running.resident() - before
                busy = load.open_loop(
                    running.port,
                    self.exchange,
                    rate=self.rate,
                    connections=1,
                    seconds=effort.seconds,
                    warmup=effort.seconds / 4,
                    cpu=cpu,
                )
        return {
            "memory": grown / connections / 1024,
            "median": busy.latency.p50,
            "99 %": busy.latency.p99,
            "99.9 %": busy.latency.p999,
        }


JOBS: tuple[Job, ...] = (
    IdleJob("idle-http", "10,000 idle keep-alive connections", HTTP, HTTP_PROGRAMS),
    IdleJob(
        "idle-websocket",
        "10,000 idle WebSockets",
        load.websocket("/echo", b"x" * 32),
        websockets.PROGRAMS,
    ),
)
