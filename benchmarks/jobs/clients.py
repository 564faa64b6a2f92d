"""HTTP clients: 32 requesters of one process, who ask a server that answers without thinking."""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmarks import load
from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._processes import SERVERS, environment, output_of, pinned

__all__ = ["JOBS", "ClientJob"]

REQUESTERS = 32
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
#: A program, and its first arguments.
Program = tuple[str, ...]


def tornado_client(package: str, kind: str) -> Program:
    """One of the implementations of Tornado's interface, by its first name."""
    return ("client_tornado.py", package, f"{kind.lower()}_httpclient", f"{kind}AsyncHTTPClient")


def same_client(kind: str) -> dict[str, Program]:
    """The implementation that both packages have."""
    return {package: tornado_client(package, kind) for package in ("txtornado", "tornado")}


@dataclass(frozen=True)
class ClientJob:
    """Requests, one after the other by each requester, and the client's processor time for one.

    The client is the contestant, so it runs on the processor of servers.
    """

    name: str
    title: str
    programs: dict[str, Program]
    group: str = "HTTP clients"
    needs: tuple[str, ...] = ("cc",)
    figures: tuple[Figure, ...] = (
        Figure("rate", "requests/s"),
        Figure("processor time", "µs/request", higher_is_better=False),
    )

    @property
    def contestants(self) -> tuple[str, ...]:
        return tuple(self.programs)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        program, *first = self.programs[contestant.name]
        with load.answering(RESPONSE, cpu=effort.load_cpu) as responder:
            url = f"http://127.0.0.1:{responder.port}/"
            arguments = [*first, url, str(REQUESTERS), str(effort.seconds)]
            command = pinned(
                [contestant.python, str(SERVERS / program), *arguments], effort.server_cpu
            )
            limit = 2 * effort.seconds + 60
            done = json.loads(output_of(command, limit=limit, env=environment()))
        return {
            "rate": done["requests"] / done["seconds"],
            "processor time": done["processor"] / done["requests"] * 1e6,
        }


JOBS: tuple[Job, ...] = (
    ClientJob(
        "client",
        "GET by the default clients",
        {
            "txtornado": tornado_client("txtornado", "Treq"),
            "tornado": tornado_client("tornado", "Simple"),
            "aiohttp": ("client_aiohttp.py",),
            "treq": ("client_treq.py",),
        },
    ),
    ClientJob("client-simple", "GET by SimpleAsyncHTTPClient", same_client("Simple")),
    ClientJob("client-curl", "GET by CurlAsyncHTTPClient", same_client("Curl")),
)
