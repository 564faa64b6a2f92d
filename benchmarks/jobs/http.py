"""Requests and responses of all kinds, over 32 keep-alive connections."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._wrk import Request
from benchmarks.jobs import _http
from benchmarks.jobs._http import FRAMEWORKS, PROGRAMS, Check

__all__ = ["FIGURES", "JOBS", "HTTPJob"]

FIGURES = (
    Figure("rate", "requests/s"),
    Figure("processor time", "µs/request", higher_is_better=False),
)


@dataclass(frozen=True)
class HTTPJob:
    """One request, again and again."""

    name: str
    title: str
    request: Request
    right: Check
    connections: int = 32
    contestants: tuple[str, ...] = FRAMEWORKS
    group: str = "HTTP"
    figures: tuple[Figure, ...] = FIGURES
    needs: tuple[str, ...] = ("wrk",)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        with (
            _http.static_files() as folder,
            _http.serving(contestant, effort, "--static", str(folder)) as running,
        ):
            done = _http.throughput(
                running, self.request, self.right, effort, connections=self.connections
            )
        return {"rate": done.rate, "processor time": done.cost, "load busy": done.busy}


def _static(file: str, words: str, connections: int = 32) -> HTTPJob:
    name = f"static-{file.partition('.')[0]}"
    right = _http.text(_http.contents(_http.FILES[file]))
    return HTTPJob(name, f"Static file, {words}", Request(f"/static/{file}"), right, connections)


JOBS: tuple[Job, ...] = (
    HTTPJob(
        "hello",
        "Hello, world",
        Request(),
        _http.text("Hello, world"),
        contestants=tuple(PROGRAMS),
    ),
    HTTPJob(
        "json",
        "JSON, from arguments and a browser's headers",
        _http.JSON,
        _http.JSON_ANSWER,
    ),
    HTTPJob("template", "Template page, table of 50 rows", Request("/page"), _http.page),
    _static("1k.bin", "1 KiB"),
    _static("16k.bin", "16 KiB"),
    _static("10m.bin", "10 MiB", connections=4),
    HTTPJob("form", "Form post", _http.form(), _http.text("Thanks, Ada Lovelace of London")),
    HTTPJob(
        "upload",
        "Multipart upload, 10 MiB",
        _http.upload(),
        _http.text(str(10 * _http.MEBIBYTE)),
        connections=4,
    ),
    HTTPJob(
        "stream", "Streaming, 64 chunks of 1 KiB", Request("/stream"), _http.text(_http.stream())
    ),
)
