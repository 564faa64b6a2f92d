"""Load by ``wrk``, for HTTP."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._processes import Server, output_of, pinned

__all__ = ["Request", "Throughput", "load", "script"]

#: Seconds that an answer may take, and that wrk may take beyond its time.
ANSWER_LIMIT = 20
MARGIN = 30.0


@dataclass(frozen=True)
class Request:
    """What is asked."""

    path: str = "/"
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Throughput:
    """What a server did under load.

    rate
        answers per second.
    cost
        microseconds of the server's processor time for one.
    busy
        the share of its processor that the load took.
    """

    rate: float
    cost: float
    busy: float


def script(request: Request, body: Path) -> str:
    """The request in wrk's language; ``body`` is a file that has its body."""
    lines = [f"wrk.method = {json.dumps(request.method)}"]
    lines += [
        f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}"
        for name, value in request.headers.items()
    ]
    if request.body:
        lines.append(f'wrk.body = io.open({json.dumps(str(body))}, "rb"):read("*a")')
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _script(request: Request) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        body, lua = Path(folder, "body"), Path(folder, "request.lua")
        body.write_bytes(request.body)
        lua.write_text(script(request, body))
        yield lua


def load(
    running: Server, request: Request, *, connections: int, seconds: float, cpu: int | None
) -> Throughput:
    """Ask again and again over so many connections.

    :param cpu: the processor to keep to.
    :raises RuntimeError: if answers are wrong, late or missing.
    """
    with _script(request) as lua:
        url = f"http://127.0.0.1:{running.port}{request.path}"
        command = ["wrk", "-t1", f"-c{connections}", f"--timeout={ANSWER_LIMIT}s"]
        # wrk takes whole seconds only.
        whole = max(1, round(seconds))
        command += [f"-d{whole}s", "-s", str(lua), url]
        used = _children_seconds()
        spent = running.cpu_seconds()
        output = output_of(
            pinned(command, cpu) if cpu is not None else command, limit=whole + MARGIN
        )
        spent = running.cpu_seconds() - spent
        used = _children_seconds() - used
    return _read(output, spent, used / whole)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _read(output: str, spent: float, busy: float) -> Throughput:
    """What wrk says.

    :raises RuntimeError: if it tells of wrong answers, or of none.
    """
    for line in output.splitlines():
        if "Non-2xx" in line or "Socket errors" in line:
            raise RuntimeError(f"wrk: {line.strip()}")
    count = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", output)
    if not count or not rate or not int(count[1]):
        raise RuntimeError("wrk got no answer in its time")
    return Throughput(float(rate[1]), spent / int(count[1]) * 1e6, min(busy, 1.0))
