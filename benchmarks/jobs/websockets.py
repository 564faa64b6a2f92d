"""WebSockets: echo, broadcast, and how long a message takes at a fixed rate."""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmarks import load
from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._processes import server

__all__ = ["JOBS", "PROGRAMS", "BroadcastJob", "EchoJob", "LatencyJob"]

CONTESTANTS = ("txtornado", "tornado", "aiohttp", "websockets", "starlette")
#: Program and arguments of each.
PROGRAMS = {
    "txtornado": ("websocket_tornado.py", "txtornado"),
    "tornado": ("websocket_tornado.py", "tornado"),
    "aiohttp": ("websocket_aiohttp.py",),
    "websockets": ("websocket_websockets.py",),
    "starlette": ("websocket_starlette.py",),
}
CONNECTIONS = 32
RATE = Figure("rate", "messages/s")
COST = Figure("processor time", "µs/message", higher_is_better=False)


def articles(count: int = 16) -> tuple[bytes, ...]:
    """Messages of about 1 KiB as programs send them: alike, and not the same."""
    return tuple(
        json.dumps(
            {
                "type": "update",
                "number": number,
                "items": [
                    {"id": number * 37 + i, "name": f"Item {i * i} of {number}", "price": i * 1.25}
                    for i in range(20)
                ],
            }
        ).encode()
        for number in range(count)
    )


@dataclass(frozen=True)
class EchoJob:
    """Text messages that come back, one at a time on each connection."""

    name: str
    title: str
    messages: tuple[bytes, ...]
    path: str = "/echo"
    compressed: bool = False
    connections: int = CONNECTIONS
    group: str = "WebSockets"
    contestants: tuple[str, ...] = CONTESTANTS
    needs: tuple[str, ...] = ("cc",)
    figures: tuple[Figure, ...] = (RATE, COST)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        exchange = load.websocket(self.path, *self.messages, compressed=self.compressed)
        with server(contestant, *PROGRAMS[contestant.name], effort=effort) as running:
            done = load.closed_loop(
                running.port,
                exchange,
                connections=self.connections,
                seconds=effort.seconds,
                warmup=effort.seconds / 4,
                watch=running.pid,
                cpu=effort.load_cpu,
            )
        return {"rate": done.rate, "processor time": done.cost, "load busy": done.busy}


@dataclass(frozen=True)
class BroadcastJob:
    """Messages of 64 bytes to everybody; the next come when all have got the last.

    ``connections`` is the full count; rate and cost are those of a message to one client.
    """

    name: str
    title: str
    at_once: int = 1
    connections: int = 1000
    group: str = "WebSockets"
    contestants: tuple[str, ...] = CONTESTANTS
    needs: tuple[str, ...] = ("cc",)
    figures: tuple[Figure, ...] = (RATE, COST)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        connections = max(2, round(self.connections * effort.share))
        exchange = load.websocket(
            "/all", b"%d" % self.at_once, answers=[b"x" * 64], greeting=b"ready"
        )
        with server(contestant, *PROGRAMS[contestant.name], effort=effort) as running:
            done = load.broadcasts(
                running.port,
                exchange,
                connections=connections,
                at_once=self.at_once,
                seconds=effort.seconds,
                warmup=effort.seconds / 4,
                watch=running.pid,
                cpu=effort.load_cpu,
            )
        each = connections * self.at_once
        return {
            "rate": done.rate * each,
            "processor time": done.cost / each,
            "load busy": done.busy,
        }


@dataclass(frozen=True)
class LatencyJob:
    """How long an echo takes when messages come at a fixed rate, from when each was due."""

    name: str
    title: str
    rate: float
    connections: int = CONNECTIONS
    group: str = "WebSockets"
    contestants: tuple[str, ...] = CONTESTANTS
    needs: tuple[str, ...] = ("cc",)
    figures: tuple[Figure, ...] = (
        Figure("median", "µs", higher_is_better=False),
        Figure("99 %", "µs", higher_is_better=False),
        Figure("99.9 %", "µs", higher_is_better=False),
    )

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        with server(contestant, *PROGRAMS[contestant.name], effort=effort) as running:
            done = load.open_loop(
                running.port,
                load.websocket("/echo", b"x" * 32),
                rate=self.rate,
                connections=self.connections,
                seconds=effort.seconds,
                warmup=effort.seconds / 4,
                cpu=effort.load_cpu,
            )
        latency = done.latency
        return {"median": latency.p50, "99 %": latency.p99, "99.9 %": latency.p999}


JOBS: tuple[Job, ...] = (
    EchoJob("websocket-echo", "Echo of 32 bytes", (b"x" * 32,)),
    EchoJob("websocket-echo-1k", "Echo of 1 KiB", (b"x" * 1024,)),
    EchoJob("websocket-echo-64k", "Echo of 64 KiB", (b"x" * 65536,)),
    EchoJob(
        "websocket-coroutine",
        "Echo of 32 bytes by a coroutine, where handlers may be functions",
        (b"x" * 32,),
        "/coroutine",
        contestants=("txtornado", "tornado"),
    ),
    EchoJob("websocket-deflate", "Echo of 1 KiB of JSON, compressed", articles(), compressed=True),
    BroadcastJob("broadcast", "64 bytes to 1,000 clients"),
    BroadcastJob("broadcast-x20", "20 times 64 bytes to 1,000 clients", at_once=20),
    LatencyJob("websocket-latency", "Echo at 2,000 messages/s", rate=2000),
)
