"""How it goes on as there is more of something: connections, routes, bytes, processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._processes import settle
from benchmarks._wrk import Request, Throughput
from benchmarks.jobs import _http
from benchmarks.jobs._http import FRAMEWORKS, KIBIBYTE

__all__ = ["JOBS", "BodiesJob", "ConnectionsJob", "ProcessesJob", "RoutesJob"]

GROUP = "Growth"
RATE, COST = "requests/s", "µs of processor time/request"
HELLO, HELLO_BODY = Request(), _http.text("Hello, world")

CONNECTIONS = (1, 10, 100, 1000)
ROUTES = (1, 10, 100, 500)
SIZES = {
    "1 KiB": KIBIBYTE,
    "10 KiB": 10 * KIBIBYTE,
    "100 KiB": 100 * KIBIBYTE,
    "1 MiB": 1024 * KIBIBYTE,
    "10 MiB": 10240 * KIBIBYTE,
}
PROCESSES = (1, 2, 3, 4)


def shorter(effort: Effort) -> Effort:
    """There are several points to measure."""
    return replace(effort, seconds=max(1.0, effort.seconds / 2))


def _told(points: dict[str, Throughput], *, cost: bool = False) -> dict[str, float]:
    values = {name: done.cost if cost else done.rate for name, done in points.items()}
    return {**values, "load busy": max(done.busy for done in points.values())}


@dataclass(frozen=True)
class ConnectionsJob:
    """Hello, world, over more and more connections to the same server."""

    name: str = "growth-connections"
    title: str = "Hello, world, by connections"
    axis: str = "connections"
    contestants: tuple[str, ...] = FRAMEWORKS
    group: str = GROUP
    figures: tuple[Figure, ...] = tuple(Figure(f"{count:,}", RATE) for count in CONNECTIONS)
    needs: tuple[str, ...] = ("wrk",)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        with _http.serving(contestant, effort) as running:
            return _told(
                {
                    f"{count:,}": _http.throughput(
                        running, HELLO, HELLO_BODY, shorter(effort), connections=count
                    )
                    for count in CONNECTIONS
                }
            )


@dataclass(frozen=True)
class RoutesJob:
    """An application of more and more routes, each with an argument; the last one is asked."""

    name: str = "growth-routes"
    title: str = "The last route, by routes"
    axis: str = "routes beside seven others"
    contestants: tuple[str, ...] = FRAMEWORKS
    group: str = GROUP
    figures: tuple[Figure, ...] = tuple(
        Figure(str(count), COST, higher_is_better=False) for count in ROUTES
    )
    needs: tuple[str, ...] = ("wrk",)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        return _told(dict(self._points(contestant, shorter(effort))), cost=True)

    def _points(self, contestant: Contestant, effort: Effort) -> Iterator[tuple[str, Throughput]]:
        right = _http.text("page42")
        for count in ROUTES:
            request = Request(f"/section{count - 1}/page42")
            with _http.serving(contestant, effort, "--routes", str(count)) as running:
                yield str(count), _http.throughput(running, request, right, effort)


@dataclass(frozen=True)
class BodiesJob:
    """Larger and larger request bodies, read whole."""

    name: str = "growth-bodies"
    title: str = "Post, by size of the body"
    axis: str = "size of the body"
    contestants: tuple[str, ...] = FRAMEWORKS
    group: str = GROUP
    figures: tuple[Figure, ...] = tuple(Figure(name, RATE) for name in SIZES)
    needs: tuple[str, ...] = ("wrk",)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        kind = {"Content-Type": "application/octet-stream"}
        points = {}
        with _http.serving(contestant, effort) as running:
            for name, size in SIZES.items():
                request = Request("/body", "POST", kind, _http.contents(size))
                points[name] = _http.throughput(
                    running, request, _http.text(str(size)), shorter(effort), connections=8
                )
        return _told(points)


@dataclass(frozen=True)
class ProcessesJob:
    """One to four processes at one port, on all processors but the load's if there are three.

    With two processors, servers and load share both: more than one process helps little then.
    """

    name: str = "growth-processes"
    title: str = "JSON, by processes"
    axis: str = "processes"
    contestants: tuple[str, ...] = ("txtornado", "tornado", "aiohttp", "starlette", "twisted.web")
    group: str = GROUP
    figures: tuple[Figure, ...] = tuple(Figure(str(count), RATE) for count in PROCESSES)
    needs: tuple[str, ...] = ("wrk",)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        return _told(dict(self._points(contestant, shorter(effort))))

    def _points(self, contestant: Contestant, effort: Effort) -> Iterator[tuple[str, Throughput]]:
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) > 2:
            cpus.remove(effort.load_cpu)
        for count in PROCESSES:
            options = ("--processes", str(count))
            with _http.serving(contestant, effort, *options, cpus=cpus) as running:
                settle(running)
                yield (
                    str(count),
                    _http.throughput(
                        running, _http.JSON, _http.JSON_ANSWER, effort, connections=64
                    ),
                )


JOBS: tuple[Job, ...] = (ConnectionsJob(), RoutesJob(), BodiesJob(), ProcessesJob())
