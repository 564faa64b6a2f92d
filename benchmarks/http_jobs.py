"""HTTP jobs, beside Tornado and others: the same program, the same load, in turn.

    python benchmarks/http_jobs.py                             # hello world, beside Tornado
    python benchmarks/http_jobs.py --jobs hello json template static form
    python benchmarks/http_jobs.py --peers tornado ceiling aiohttp starlette --rounds 7

Each contestant runs in a process of its own, one at a time, and is loaded by ``wrk`` with 32
keep-alive connections.  A round runs all of them; what counts is the ratio within a round, and
the median over the rounds, for machines are noisy.  Beside the throughput stands the processor
time that the server spent on a request, which other programs on the machine disturb less.

The peers other than Tornado take part in hello world only.  Needs ``wrk``, and the contestants in
the interpreter's environment: ``pip install tornado==6.6.1`` (``--tornado-python`` names another
interpreter that has it).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from jobs import JOBS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

CEILING = """
from twisted.internet import {reactor}
{reactor}.install()
from twisted.internet import protocol, reactor

RESPONSE = (
    b"HTTP/1.1 200 OK\\r\\nServer: ceiling\\r\\nContent-Type: text/html; charset=UTF-8\\r\\n"
    b"Content-Length: 12\\r\\n\\r\\nHello, world"
)

class Fixed(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.writeSomeData(RESPONSE)

reactor.listenTCP({port}, protocol.Factory.forProtocol(Fixed), interface="127.0.0.1")
reactor.run()
"""

AIOHTTP = """
from aiohttp import web

async def hello(request):
    return web.Response(text="Hello, world", content_type="text/html")

app = web.Application()
app.router.add_get("/", hello)
web.run_app(app, host="127.0.0.1", port={port}, print=None, access_log=None)
"""

STARLETTE = """
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

async def hello(request):
    return HTMLResponse("Hello, world")

app = Starlette(routes=[Route("/", hello)])
uvicorn.run(app, host="127.0.0.1", port={port}, log_level="warning", access_log=False)
"""

#: Hello world by others.
OTHERS = {
    "ceiling": CEILING.replace("{reactor}", "asyncioreactor"),
    "ceiling-epoll": CEILING.replace("{reactor}", "epollreactor"),
    "aiohttp": AIOHTTP,
    "starlette": STARLETTE,
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process has spent so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        if process.poll() is not None:
            raise SystemExit(f"the server ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not come up")


def pinned(command: list[str], cpu: int) -> list[str]:
    """``command``, kept to one processor where that can be had."""
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(cpu), *command] if taskset and (os.cpu_count() or 1) > 1 else command


def program(job: str, name: str, port: int) -> str:
    """The text of a contestant's program."""
    if name in OTHERS:
        return OTHERS[name].replace("{port}", str(port))
    return JOBS[job].source(name, port)


def measure(
    job: str, name: str, python: str, seconds: float, connections: int
) -> tuple[float, float]:
    """Requests per second, and microseconds of the server's processor time for each."""
    port = free_port()
    text = program(job, name, port)
    env = dict(os.environ, PYTHONPATH=ROOT) if name == "txtornado" else dict(os.environ)
    server = subprocess.Popen(pinned([python, "-c", text], 0), env=env)
    script = tempfile.NamedTemporaryFile("w", suffix=".lua")
    script.write(JOBS[job].script())
    script.flush()
    try:
        wait_for(port, server)
        url = f"http://127.0.0.1:{port}{JOBS[job].path}"
        load = ["wrk", "-t1", f"-c{connections}", "-s", script.name, url]
        subprocess.run(pinned([*load, "-d1s"], 1), check=True, capture_output=True)
        before = processor_time(server.pid)
        done = subprocess.run(
            pinned([*load, f"-d{seconds:g}s"], 1), check=True, capture_output=True, text=True
        )
        spent = processor_time(server.pid) - before
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        script.close()
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"{name} did not answer as it should:\n{done.stdout}")
    requests = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    assert requests and rate, done.stdout
    return float(rate[1]), spent / int(requests[1]) * 1e6


def compare(job: str, names: list[str], args: argparse.Namespace) -> None:
    """Run one job on all contestants, in turn, and print the table."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    costs: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(args.rounds):
        for name in names:
            python = args.tornado_python if name == "tornado" else sys.executable
            rate, cost = measure(job, name, python, args.seconds, args.connections)
            rates[name].append(rate)
            costs[name].append(cost)
    print(f"{job:16}{'requests/s':>12}{'ratio':>8}{'min':>7}{'max':>7}{'CPU us':>9}{'ratio':>8}")
    for name in names:
        by_rate = [ours / theirs for ours, theirs in zip(rates["txtornado"], rates[name])]
        by_cost = [theirs / ours for ours, theirs in zip(costs["txtornado"], costs[name])]
        print(
            f"  {name:14}{statistics.median(rates[name]):12,.0f}{statistics.median(by_rate):8.2f}"
            f"{min(by_rate):7.2f}{max(by_rate):7.2f}"
            f"{statistics.median(costs[name]):9.1f}{statistics.median(by_cost):8.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", nargs="*", default=["hello"], choices=sorted(JOBS))
    parser.add_argument("--peers", nargs="*", default=[], choices=sorted(OTHERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--tornado-python", default=sys.executable)
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: install it with your system's packages")
    for job in args.jobs:
        compare(job, ["txtornado", "tornado", *(args.peers if job == "hello" else [])], args)
    print("ratio: how many times as fast txtornado is, by throughput and by processor time")


if __name__ == "__main__":
    main()
