"""How long an answer takes when requests come at a fixed rate, whether or not answers keep up."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import load
from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._processes import Server
from benchmarks._wrk import Request
from benchmarks.jobs import _http
from benchmarks.jobs._http import FRAMEWORKS, Check

__all__ = ["JOBS", "LatencyJob"]

CONNECTIONS = 32
#: The load goes by Content-Length, and Klein sends chunks.
CONTESTANTS = tuple(name for name in FRAMEWORKS if name != "klein")
PERCENTILES = {"50 %": "p50", "90 %": "p90", "99 %": "p99", "99.9 %": "p999"}


def plain(request: Request) -> bytes:
    """A GET request as bytes."""
    headers = {"Host": "127.0.0.1", **request.headers}
    lines = [f"GET {request.path} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(frozen=True)
class LatencyJob:
    """Percentiles of the time from when a request was due to when its answer was there."""

    name: str
    title: str
    request: Request
    right: Check
    rate: float
    contestants: tuple[str, ...] = CONTESTANTS
    group: str = "Latency at a fixed rate"
    figures: tuple[Figure, ...] = tuple(
        Figure(name, "µs", higher_is_better=False) for name in PERCENTILES
    )
    axis: str = "percentile of the requests"
    needs: tuple[str, ...] = ("cc",)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        with _http.serving(contestant, effort) as running:
            _http.check(running, self.request, self.right)
            found = self._load(running, _http.answer(running, self.request), effort)
        latency = found.latency
        told = {name: float(getattr(latency, field)) for name, field in PERCENTILES.items()}
        return {**told, "unanswered": found.unanswered, "load busy": found.busy}

    def _load(self, running: Server, body: bytes, effort: Effort) -> load.Load:
        return load.open_loop(
            running.port,
            load.Exchange((plain(self.request),), load.http(body)),
            rate=self.rate,
            connections=CONNECTIONS,
            seconds=effort.seconds,
            warmup=effort.seconds / 4,
            watch=running.pid,
            cpu=effort.load_cpu,
        )


JOBS: tuple[Job, ...] = (
    LatencyJob(
        "latency",
        "Hello, world, 2,000 requests/s",
        Request(),
        _http.text("Hello, world"),
        rate=2000,
    ),
    LatencyJob(
        "latency-template",
        "Template page, 200 requests/s",
        Request("/page"),
        _http.page,
        rate=200,
        # twisted.web sends what its own templates make in chunks, too.
        contestants=tuple(name for name in CONTESTANTS if name != "twisted.web"),
    ),
)
