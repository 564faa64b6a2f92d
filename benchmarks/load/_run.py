"""The program in C as functions."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._processes import pinned
from benchmarks.load._build import build
from benchmarks.load._exchange import Exchange

__all__ = [
    "Latency",
    "Load",
    "LoadError",
    "Responder",
    "answering",
    "broadcasts",
    "closed_loop",
    "idle",
    "open_loop",
    "percentiles",
]

#: Connections from one loopback address, at most: it has some 28,000 ports.
CONNECTIONS_PER_SOURCE = 20_000


class LoadError(RuntimeError):
    """The peer refused, closed, fell silent or gave a wrong answer; the text says which."""


@dataclass(frozen=True)
class Latency:
    """Percentiles in microseconds; above a quarter of one they may be up to 1/128 too high."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    mean: float

    @classmethod
    def of(cls, nanoseconds: dict[str, float]) -> Latency:
        return cls(*(nanoseconds[name] / 1e3 for name in ("50", "90", "99", "99.9", "max", "mean")))


@dataclass(frozen=True)
class Load:
    """What came of a load.

    answers
        in the time that was measured.
    bytes
        that came in then.
    seconds
        how long that was.
    busy
        the share of it that the load generator's processor worked: well below 1, or it is the load
        that was measured.
    server_seconds
        processor time that the process ``watch`` spent meanwhile; 0 without one.
    unanswered
        requests of an open loop that had no answer when patience ended; ``latency`` counts them
        with what they had waited.
    latency
        of an answer; in an open loop from the time when the request was due.
    """

    answers: int
    bytes: int
    seconds: float
    busy: float
    server_seconds: float
    unanswered: int
    latency: Latency

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of the server's processor time for an answer."""
        return self.server_seconds / max(self.answers, 1) * 1e6

    @property
    def own_cost(self) -> float:
        """Microseconds of the load generator's processor time for an answer."""
        return self.busy * self.seconds / max(self.answers, 1) * 1e6


def closed_loop(
    port: int,
    exchange: Exchange,
    *,
    connections: int = 32,
    window: int = 1,
    seconds: float = 1.0,
    warmup: float = 0.0,
    count: int = 0,
    watch: int = 0,
    cpu: int | None = None,
    limit: float = 10.0,
) -> Load:
    """Ask again as soon as an answer is there, ``window`` requests at a time on each connection.

    :param port: of 127.0.0.1.
    :param seconds: of load that is measured, after ``warmup`` seconds that are not.
    :param count: measure so many requests instead, without warming up.
    :param watch: the server's process, for its processor time.
    :param cpu: the processor to keep to.
    :param limit: seconds that a connection may wait for anything at all.
    :raises LoadError: on any answer but the right one.
    """
    options = _options("closed", port, exchange, connections, seconds, warmup, count, watch, limit)
    return _run({**options, "window": window}, exchange, cpu, seconds + warmup)


def open_loop(
    port: int,
    exchange: Exchange,
    *,
    rate: float,
    connections: int = 32,
    seconds: float = 1.0,
    warmup: float = 0.0,
    count: int = 0,
    watch: int = 0,
    cpu: int | None = None,
    limit: float = 10.0,
) -> Load:
    """Ask ``rate`` times a second, on the connections in turn, whether or not answers keep up.

    A request that finds its connection waiting goes out after that answer, but its latency counts
    from when it was due: what a slow answer does to others is not left out ("coordinated
    omission").  Other parameters are `closed_loop`'s.
    """
    options = _options("open", port, exchange, connections, seconds, warmup, count, watch, limit)
    return _run({**options, "rate": rate}, exchange, cpu, seconds + warmup)


def broadcasts(
    port: int,
    exchange: Exchange,
    *,
    connections: int = 1000,
    at_once: int = 1,
    seconds: float = 1.0,
    warmup: float = 0.0,
    count: int = 0,
    watch: int = 0,
    cpu: int | None = None,
    limit: float = 10.0,
) -> Load:
    """One connection asks, and all get ``at_once`` answers; then it asks again.

    ``Load.answers`` are the requests for which everybody has had everything, and ``latency`` is
    how long the last one had to wait.  Other parameters are `closed_loop`'s.
    """
    options = _options("all", port, exchange, connections, seconds, warmup, count, watch, limit)
    return _run({**options, "at-once": at_once}, exchange, cpu, seconds + warmup)


@contextlib.contextmanager
def idle(
    port: int,
    exchange: Exchange,
    *,
    connections: int,
    cpu: int | None = None,
    limit: float = 30.0,
) -> Iterator[None]:
    """Connections that do nothing while the block runs.

    Each has done its opening and, if the exchange has a request, had one answer when the block
    begins.  They come from several loopback addresses where one has not enough ports.

    :raises LoadError: if one cannot be opened, or was closed in the meantime.
    """
    options = _options("idle", port, exchange, connections, 0, 0, 0, 0, limit)
    options["sources"] = 1 + connections // CONNECTIONS_PER_SOURCE
    with _started("run", options, exchange, cpu) as process:
        assert process.stdin and process.stdout
        if not process.stdout.readline():
            _finish(process, limit)
        yield
        _finish(process, limit)


@dataclass(frozen=True)
class Responder:
    """A peer that answers without thinking, in a process of its own."""

    port: int
    pid: int


@contextlib.contextmanager
def answering(
    answer: bytes | None,
    *,
    unit: int = 0,
    opening: bytes = b"",
    to_all: bool = False,
    cpu: int | None = None,
) -> Iterator[Responder]:
    """Run a server that gives this answer to whatever is asked.

    :param answer: the same bytes for each request; None: send back what comes.
    :param unit: the size of a request; 0: requests end with an empty line, as HTTP's do.
    :param opening: what the first request of a connection is answered with.
    :param to_all: every connection gets the answer.
    """
    options: dict[str, Any] = {"unit": unit, "to-all": to_all, "echo": answer is None}
    given = {"answer": [answer] if answer is not None else [], "opening": [opening][: len(opening)]}
    with _started("serve", options, given, cpu) as process:
        assert process.stdin and process.stdout
        line = process.stdout.readline()
        if not line:
            _finish(process, 1)
        yield Responder(int(line), process.pid)


def percentiles(values: Iterable[int]) -> dict[str, float]:
    """What the histogram makes of these numbers: percentiles ``50`` to ``99.9``, max and mean."""
    text = "\n".join(map(str, values))
    command = [str(build()), "percentiles"]
    output = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    result: dict[str, float] = json.loads(output)["latency"]
    return result


# The process


def _options(
    mode: str,
    port: int,
    exchange: Exchange,
    connections: int,
    seconds: float,
    warmup: float,
    count: int,
    watch: int,
    limit: float,
) -> dict[str, Any]:
    answer = exchange.answer
    options = {
        "mode": mode,
        "port": port,
        "connections": connections,
        "seconds": seconds,
        "warmup": warmup,
        "count": count,
        "watch": watch,
        "limit": limit,
        "tls": exchange.tls,
        "framing": answer.framing,
        "repeat": answer.repeat,
        "opcode": answer.opcode,
        "compressed": answer.compressed,
    }
    if exchange.opening:
        options["accept"] = exchange.opening.accept
    return options


def _contents(exchange: Exchange) -> dict[str, list[bytes]]:
    contents = {"request": list(exchange.requests), "answer": list(exchange.answer.bodies)}
    if exchange.opening:
        contents["opening"] = [exchange.opening.request]
        contents["greeting"] = [exchange.opening.greeting]
    return contents


@contextlib.contextmanager
def _started(
    command: str,
    options: dict[str, Any],
    contents: Exchange | dict[str, list[bytes]],
    cpu: int | None,
) -> Iterator[subprocess.Popen[str]]:
    """The program, with bytes handed over in files; it is ended at the end at the latest."""
    arguments = [str(build()), command]
    for name, value in options.items():
        if value is True:
            arguments.append(f"--{name}")
        elif value is not False:
            arguments += [f"--{name}", str(value)]
    if isinstance(contents, Exchange):
        contents = _contents(contents)
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        for name, pieces in contents.items():
            for number, piece in enumerate(pieces):
                path = Path(folder) / f"{name}-{number}"
                path.write_bytes(piece)
                arguments += [f"--{name}", str(path)]
        process = subprocess.Popen(
            arguments if cpu is None else pinned(arguments, cpu),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


def _finish(process: subprocess.Popen[str], patience: float) -> str:
    """End its input, and wait for what it says."""
    try:
        output, trouble = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        raise LoadError(f"the load generator does not end within {patience:g} seconds")
    if process.returncode:
        raise LoadError(trouble.strip() or f"the load generator ended with {process.returncode}")
    return output


def _run(options: dict[str, Any], exchange: Exchange, cpu: int | None, seconds: float) -> Load:
    # Opening the connections takes its time, and so does waiting for late answers.
    patience = seconds + 6 * float(options["limit"]) + 60
    with _started("run", options, exchange, cpu) as process:
        result = json.loads(_finish(process, patience))
    if exchange.answer.compressed:
        kept = [bytes.fromhex(text) for text in result["kept"]]
        wrong = exchange.answer.check(kept)
        if wrong:
            raise LoadError(wrong)
    return Load(
        answers=result["answers"],
        bytes=result["bytes"],
        seconds=result["seconds"],
        busy=result["busy"],
        server_seconds=result["server_seconds"],
        unanswered=result["unanswered"],
        latency=Latency.of(result["latency"]),
    )
