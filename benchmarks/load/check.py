"""Whether the load is what is measured: its own speed, beside that of the contestants.

A contestant's figure is its own as long as an answer costs the load less processor time than it
costs the server: then it is the server that has no time left.  The peer in C answers without
thinking, so that what it can be asked in a second is about what the load can do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks import load
from benchmarks._model import Contestant, Effort
from benchmarks._processes import Server, server
from benchmarks.jobs import idle, streams, websockets

__all__ = ["CASES", "Case", "Speed", "check", "table"]

MESSAGE = b"x" * 32
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello, world"
BULK = 4 << 20


@dataclass(frozen=True)
class Case:
    """One kind of load, a peer for it, and who else is tried.

    peer
        the arguments of `benchmarks.load.answering`.
    programs
        what contestants run, by name.
    each
        answers that are counted as one.
    """

    name: str
    run: Callable[..., load.Load]
    exchange: load.Exchange
    connections: int
    peer: Mapping[str, Any]
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    each: int = 1


@dataclass(frozen=True)
class Speed:
    """What a load on one peer came to.

    rate
        answers per second.
    busy
        the load's share of its processor.
    load_cost, server_cost
        microseconds of processor time for an answer, on either side.
    """

    case: str
    peer: str
    rate: float
    busy: float
    load_cost: float
    server_cost: float

    @property
    def room(self) -> float:
        """How many times as much the load could have asked, on a processor of its own."""
        return self.server_cost / self.load_cost


def _websocket_case() -> Case:
    exchange = load.websocket("/echo", MESSAGE)
    peer = {
        "answer": bytes((0x81, len(MESSAGE))) + MESSAGE,
        "unit": len(exchange.requests[0]),
        "opening": SWITCHING,
    }
    return Case("websocket echo", load.closed_loop, exchange, 32, peer, websockets.PROGRAMS)


def _broadcast_case() -> Case:
    exchange = load.websocket("/all", b"1", answers=[b"x" * 64], greeting=b"ready")
    peer = {
        "answer": b"\x81\x40" + b"x" * 64,
        "unit": len(exchange.requests[0]),
        "opening": SWITCHING + b"\x81\x05ready",
        "to_all": True,
    }
    programs = websockets.PROGRAMS
    return Case("broadcast", load.broadcasts, exchange, 1000, peer, programs, each=1000)


def _line_case(depth: int) -> Case:
    lines = streams.LINE * depth
    exchange = load.Exchange((lines,), load.fixed(lines))
    name = f"line echo x{depth}"
    programs = streams.PROGRAMS
    return Case(name, load.closed_loop, exchange, 16, {"answer": None}, programs, each=depth)


def _bulk_case() -> Case:
    request = b"bulk %d %d\r\n" % (BULK, BULK)
    exchange = load.Exchange((request,), load.fixed(b"y" * BULK))
    peer = {"answer": b"y" * BULK, "unit": len(request)}
    return Case("bulk of 4 MiB", load.closed_loop, exchange, 1, peer, streams.PROGRAMS)


CASES = (
    _line_case(1),
    _line_case(32),
    _bulk_case(),
    _websocket_case(),
    _broadcast_case(),
    Case("HTTP", load.closed_loop, idle.HTTP, 32, {"answer": HELLO}, idle.HTTP_PROGRAMS),
)


def check(
    contestants: Iterable[Contestant], effort: Effort, cases: Iterable[Case] = CASES
) -> Iterator[Speed]:
    """What the peer that does nothing (``C``) and these contestants can be asked."""
    contestants = tuple(contestants)
    for case in cases:
        with load.answering(**case.peer, cpu=effort.server_cpu) as peer:
            yield _speed(case, "C", peer, effort)
        for contestant in contestants:
            if program := case.programs.get(contestant.name):
                with server(contestant, *program, effort=effort) as running:
                    yield _speed(case, contestant.name, running, effort)


def _speed(case: Case, name: str, peer: Server | load.Responder, effort: Effort) -> Speed:
    done = case.run(
        peer.port,
        case.exchange,
        connections=case.connections,
        seconds=effort.seconds,
        warmup=effort.seconds / 4,
        watch=peer.pid,
        cpu=effort.load_cpu,
    )
    each = case.each
    return Speed(
        case.name, name, done.rate * each, done.busy, done.own_cost / each, done.cost / each
    )


def table(speeds: Iterable[Speed]) -> Iterator[str]:
    """Lines of text, one for each peer."""
    yield f"{'':16}{'peer':14}{'answers/s':>12}{'load busy':>12}{'load µs':>10}{'server µs':>12}{'room':>8}"
    for speed in speeds:
        yield (
            f"{speed.case if speed.peer == 'C' else '':16}{speed.peer:14}{speed.rate:12,.0f}"
            f"{speed.busy:12.0%}{speed.load_cost:10.2f}{speed.server_cost:12.2f}{speed.room:7.1f}x"
        )
