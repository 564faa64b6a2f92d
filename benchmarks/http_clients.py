"""HTTP clients: 32 parallel requesters, beside Tornado's clients.

    python benchmarks/http_clients.py
    python benchmarks/http_clients.py --clients treq simple curl tornado tornado-curl --rounds 7

A small server answers in a process of its own, and so does each client, one at a time; where
there are two processors, each has one.  A round runs all clients, in turn; what counts is the
ratio within a round, and the median over the rounds, for machines are noisy.  Beside the time by
the clock stands the processor time that the client spent on a request, which other programs on
the machine, and how fast the server is, disturb less.

Needs Tornado in the interpreter's environment (``pip install tornado==6.6.1``), or another
interpreter that has it, named with ``--tornado-python``; and pycurl for the curl clients.
"""

from __future__ import annotations

import argparse
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

CLIENTS = {
    "treq": ("txtornado.treq_httpclient", "TreqAsyncHTTPClient"),
    "simple": ("txtornado.simple_httpclient", "SimpleAsyncHTTPClient"),
    "curl": ("txtornado.curl_httpclient", "CurlAsyncHTTPClient"),
    "tornado": ("tornado.simple_httpclient", "SimpleAsyncHTTPClient"),
    "tornado-curl": ("tornado.curl_httpclient", "CurlAsyncHTTPClient"),
}

CLIENT = """
import asyncio, importlib, sys, time

package, module, name, url, requests, requesters = sys.argv[1:]
requests, requesters = int(requests), int(requesters)
implementation = getattr(importlib.import_module(module), name)
IOLoop = importlib.import_module(package + ".ioloop").IOLoop

async def fetch(client, number):
    async def requester():
        nonlocal number
        while number > 0:
            number -= 1
            response = await client.fetch(url)
            assert response.body == b"hello", response.body
    await asyncio.gather(*[requester() for _ in range(requesters)])

async def main():
    client = implementation(force_instance=True, max_clients=requesters)
    await fetch(client, requests // 10)
    wall, spent = time.perf_counter(), time.process_time()
    await fetch(client, requests)
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    client.close()
    print(wall / requests * 1e6, spent / requests * 1e6)

IOLoop().run_sync(main)
"""


RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


def serve() -> None:
    """Print the port, and answer every request with five bytes, for ever.

    As little as will do, so that it is the clients who are measured: their requests are small and
    come in one piece.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            connection: socket.socket = key.fileobj  # type: ignore[assignment]
            try:
                data = connection.recv(65536)
                if data:
                    connection.send(RESPONSE)
            except ConnectionError:
                data = b""
            if not data or b"Connection: close" in data:
                selector.unregister(connection)
                connection.close()


def pinned(command: list[str], cpu: int) -> list[str]:
    """``command``, kept to one processor where that can be had."""
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(cpu), *command] if taskset and (os.cpu_count() or 1) > 1 else command


def measure(name: str, python: str, url: str, args: argparse.Namespace) -> tuple[float, float]:
    """Microseconds by the clock, and of the client's processor time, for each request."""
    module, implementation = CLIENTS[name]
    env = dict(os.environ)
    if module.startswith("txtornado"):
        env["PYTHONPATH"] = ROOT
    package = module.partition(".")[0]
    sizes = [str(args.requests), str(args.requesters)]
    command = [python, "-c", CLIENT, package, module, implementation, url, *sizes]
    done = subprocess.run(pinned(command, 0), env=env, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    wall, spent = map(float, done.stdout.split())
    return wall, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--clients", nargs="*", default=["treq", "simple", "tornado"], choices=sorted(CLIENTS)
    )
    parser.add_argument("--beside", default="tornado", choices=sorted(CLIENTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--requesters", type=int, default=32)
    parser.add_argument("--tornado-python", default=sys.executable)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve()
        return
    names = list(dict.fromkeys([*args.clients, args.beside]))
    walls: dict[str, list[float]] = {name: [] for name in names}
    costs: dict[str, list[float]] = {name: [] for name in names}
    server = subprocess.Popen(
        pinned([sys.executable, os.path.abspath(__file__), "--serve"], 1), stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/"
        for _ in range(args.rounds):
            for name in names:
                ours = CLIENTS[name][0].startswith("txtornado")
                python = sys.executable if ours else args.tornado_python
                wall, cost = measure(name, python, url, args)
                walls[name].append(wall)
                costs[name].append(cost)
    finally:
        server.kill()
        server.wait()
    print(
        f"{'us per request':16}{'clock':>9}{'ratio':>7}{'CPU':>9}{'ratio':>7}{'min':>7}{'max':>7}"
    )
    for name in names:
        by_wall = [theirs / ours for theirs, ours in zip(walls[args.beside], walls[name])]
        by_cost = [theirs / ours for theirs, ours in zip(costs[args.beside], costs[name])]
        print(
            f"  {name:14}{statistics.median(walls[name]):9.1f}{statistics.median(by_wall):7.2f}"
            f"{statistics.median(costs[name]):9.1f}{statistics.median(by_cost):7.2f}"
            f"{min(by_cost):7.2f}{max(by_cost):7.2f}"
        )
    print(f"ratio: how many times as fast as {args.beside}")


if __name__ == "__main__":
    main()
