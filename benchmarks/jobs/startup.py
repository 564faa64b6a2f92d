"""How long it takes until there is something: from a command to the first answer, and imports."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks._model import CEILING, Contestant, Effort, Figure, Job
from benchmarks._processes import SERVERS, environment, output_of, pinned, running
from benchmarks.jobs._http import FRAMEWORKS

__all__ = ["JOBS", "CommandJob", "ImportJob"]

GROUP = "Start-up"
MILLISECONDS = (Figure("time", "ms", higher_is_better=False),)
LIMIT = 30.0
PAUSE = 0.001

TWISTD = ("-c", "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()")
TWISTD_WEB = (*TWISTD, "-n", "--pidfile=", "web", "--listen=tcp:{port}:interface=127.0.0.1")
UVICORN = ("--loop=asyncio", "--http=httptools", "--log-level=error", "--no-access-log")
#: What follows the interpreter; each is how the documentation starts a server.
COMMANDS = {
    "txtornado": (
        *TWISTD,
        "-n",
        "--pidfile=",
        "tornado",
        "--listen=tcp:{port}:interface=127.0.0.1",
        "app",
        "startup_txtornado:make_app",
    ),
    "tornado": (str(SERVERS / "startup_script.py"), "tornado", "{port}"),
    "aiohttp": ("-m", "aiohttp.web", "-H", "127.0.0.1", "-P", "{port}", "startup_aiohttp:make_app"),
    "starlette": ("-m", "uvicorn", *UVICORN, "--port={port}", "startup_starlette:app"),
    "twisted.web": (*TWISTD_WEB, "--class=startup_twisted.Hello"),
    "klein": (*TWISTD_WEB, "--class=startup_klein.resource"),
    CEILING: (str(SERVERS / "startup_ceiling.py"), "{port}", "twistd"),
}
#: The same text, but for the import; and Twisted without anything on top.
SCRIPTS: dict[str, tuple[str, ...]] = {
    **{
        name: (str(SERVERS / "startup_script.py"), name, "{port}")
        for name in ("txtornado", "tornado")
    },
    CEILING: (str(SERVERS / "startup_ceiling.py"), "{port}"),
}
IMPORTS = {
    "txtornado": "txtornado.web, txtornado.ioloop",
    "tornado": "tornado.web, tornado.ioloop",
    "aiohttp": "aiohttp.web",
    "starlette": "starlette.applications, starlette.routing, starlette.responses, uvicorn",
    "twisted.web": "twisted.web.server, twisted.web.resource, twisted.internet.reactor",
    "klein": "klein, twisted.internet.reactor",
    CEILING: "twisted.internet.asyncioreactor",
}


def times(effort: Effort) -> int:
    """How often something is started for one measurement."""
    return max(2, round(5 * effort.share))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _out_of_the_way(cpu: int) -> Iterator[None]:
    """Keep this process to a processor meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def variables(contestant: Contestant) -> dict[str, str]:
    """Where Python looks: at the folder of servers, and at the checkout if it is ours."""
    folders = environment()["PYTHONPATH"] if contestant.name.startswith("txtornado") else ""
    return environment({"PYTHONPATH": os.pathsep.join(filter(None, (str(SERVERS), folders)))})


@dataclass(frozen=True)
class CommandJob:
    """The time from starting a command until it has answered its first request."""

    name: str
    title: str
    commands: dict[str, tuple[str, ...]]
    group: str = GROUP
    figures: tuple[Figure, ...] = MILLISECONDS

    @property
    def contestants(self) -> tuple[str, ...]:
        return tuple(self.commands)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        with _out_of_the_way(effort.load_cpu):
            self._once(contestant, effort)  # compiles, and fills the system's caches
            found = [self._once(contestant, effort) for _ in range(times(effort))]
        return {"time": statistics.median(found) * 1e3}

    def _once(self, contestant: Contestant, effort: Effort) -> float:
        port = free_port()
        words = [word.replace("{port}", str(port)) for word in self.commands[contestant.name]]
        command = pinned([contestant.python, *words], effort.server_cpu)
        start = time.perf_counter()
        with running(command, env=variables(contestant)) as (process, complaints):
            while time.perf_counter() - start < LIMIT:
                if _answers(port):
                    return time.perf_counter() - start
                if process.poll() is not None:
                    break
                time.sleep(PAUSE)
            complaints.seek(0)
            lines = complaints.read().strip().splitlines()[-3:]
            raise RuntimeError(f"{words[0]} did not answer: {' / '.join(lines)}")


def _answers(port: int) -> bool:
    """Whether somebody listens and greets.

    :raises RuntimeError: if it is another answer.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET", "/")
    except ConnectionRefusedError:
        return False
    else:
        response = connection.getresponse()
        body = response.read()
        if (response.status, body) != (200, b"Hello, world"):
            raise RuntimeError(f"wrong answer, status {response.status}: {body[:60]!r}")
        return True
    finally:
        connection.close()


@dataclass(frozen=True)
class ImportJob:
    """The time that imports take, Python's own start not included."""

    name: str = "import"
    title: str = "Importing what a server needs"
    contestants: tuple[str, ...] = (*FRAMEWORKS, CEILING)
    group: str = GROUP
    figures: tuple[Figure, ...] = MILLISECONDS

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        program = (
            f"import time; start = time.perf_counter(); import {IMPORTS[contestant.name]}; "
            "print(time.perf_counter() - start)"
        )
        command = pinned([contestant.python, "-c", program], effort.server_cpu)
        found = [
            float(output_of(command, limit=LIMIT, env=variables(contestant)))
            for _ in range(1 + times(effort))
        ]
        return {"time": statistics.median(found[1:]) * 1e3}


JOBS: tuple[Job, ...] = (
    CommandJob("startup", "From the command (twistd, uvicorn ...) to the first answer", COMMANDS),
    CommandJob("startup-script", "From a script, the same for both, to the first answer", SCRIPTS),
    ImportJob(),
)
