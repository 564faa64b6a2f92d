"""Line echo and bulk transfer over IOStream, plain and with TLS.

Runs on this package or, for comparison, on Tornado itself::

    python benchmarks/iostream_echo.py --package txtornado
    python benchmarks/iostream_echo.py --package tornado --json

or on both in turn, the other one with an interpreter that has it, for the ratios::

    python benchmarks/iostream_echo.py --against /path/to/other/python

The server under measurement has a process of its own; its client is the same plain, blocking
socket code for every package.  Each number is the median of several rounds.  ``wall`` is what the
client saw; ``cpu`` is per second of the server's processor time, which other work on the machine
and a slow client do not change.

``echo`` counts lines: 16 clients send one line each and wait for it (``x1``), or send 32 lines at
once and wait for them all (``x32``).  ``bulk`` counts mebibytes from the server to one client,
written in pieces of 8 KiB or 1 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import multiprocessing
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

CLIENTS = 16
_OPENSSL = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
LINE = b"x" * 62 + b"\r\n"


@contextlib.contextmanager
def certificate() -> Iterator[tuple[str, str]]:
    """A key and a self-signed certificate, made for the occasion."""
    with tempfile.TemporaryDirectory() as where:
        key, cert = os.path.join(where, "key.pem"), os.path.join(where, "cert.pem")
        subprocess.run(
            [*_OPENSSL.split(), "-keyout", key, "-out", cert],
            check=True,
            capture_output=True,
        )
        yield cert, key


# The server: the only part that knows the package


def serve(package: str, pipe: Any, files: tuple[str, str] | None) -> None:
    """Echo lines, and answer ``bulk SIZE PIECE`` and ``cpu``; runs until it is killed."""
    tcpserver = importlib.import_module(f"{package}.tcpserver")
    iostream = importlib.import_module(f"{package}.iostream")
    netutil = importlib.import_module(f"{package}.netutil")

    class Server(tcpserver.TCPServer):  # type: ignore[name-defined,misc]
        async def handle_stream(self, stream: Any, address: Any) -> None:
            stream.set_nodelay(True)
            try:
                while True:
                    line = await stream.read_until(b"\r\n")
                    if line.startswith(b"bulk "):
                        size, piece = map(int, line.split()[1:])
                        data = b"y" * piece
                        for _ in range(size // piece):
                            await stream.write(data)
                    elif line == b"cpu\r\n":
                        await stream.write(b"%30.9f" % time.process_time())
                    else:
                        await stream.write(line)
            except iostream.StreamClosedError:
                pass

    async def main() -> None:
        options = {}
        if files is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*files)
            options["ssl_options"] = context
        server = Server(**options)
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        pipe.send(sockets[0].getsockname())
        await asyncio.Event().wait()

    asyncio.run(main())


# The client: the same for every package


def connect(address: Any, secure: bool) -> socket.socket:
    sock = socket.create_connection(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not secure:
        return sock
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


def receive(sock: socket.socket, size: int, buffer: bytearray) -> None:
    with memoryview(buffer) as view:
        while size:
            size -= sock.recv_into(view[: min(size, len(buffer))])


def cpu(sock: socket.socket) -> float:
    sock.sendall(b"cpu\r\n")
    answer = bytearray(30)
    receive(sock, 30, answer)
    return float(answer)


def echo(clients: list[socket.socket], depth: int, seconds: float) -> tuple[float, float]:
    batch, buffer = LINE * depth, bytearray(1 << 16)
    start, start_cpu, count = time.perf_counter(), cpu(clients[0]), 0
    while time.perf_counter() - start < seconds:
        for sock in clients:
            sock.sendall(batch)
        for sock in clients:
            receive(sock, len(batch), buffer)
        count += depth * len(clients)
    wall = time.perf_counter() - start
    return count / wall, count / (cpu(clients[0]) - start_cpu)


def bulk(sock: socket.socket, piece: int, mebibytes: int) -> tuple[float, float]:
    buffer = bytearray(1 << 20)
    start, start_cpu = time.perf_counter(), cpu(sock)
    sock.sendall(b"bulk %d %d\r\n" % (mebibytes << 20, piece))
    receive(sock, mebibytes << 20, buffer)
    wall = time.perf_counter() - start
    return mebibytes / wall, mebibytes / (cpu(sock) - start_cpu)


def measure(args: argparse.Namespace, files: tuple[str, str]) -> dict[str, float]:
    rounds: dict[str, list[tuple[float, float]]] = {}
    spawn = multiprocessing.get_context("spawn")
    for kind in args.kinds.split(","):
        secure = kind == "tls"
        here, there = spawn.Pipe()
        process = spawn.Process(
            target=serve, args=(args.package, there, files if secure else None), daemon=True
        )
        process.start()
        address = here.recv()
        clients = [connect(address, secure) for _ in range(CLIENTS)]
        for _ in range(args.rounds):
            for depth in (1, 32):
                name = f"echo {kind} x{depth}"
                rounds.setdefault(name, []).append(echo(clients, depth, args.seconds))
            for name, piece in (("8K", 1 << 13), ("1M", 1 << 20)):
                rounds.setdefault(f"bulk {kind} {name}", []).append(
                    bulk(clients[0], piece, args.mebibytes)
                )
        process.terminate()
        process.join()
    results = {}
    for name, values in rounds.items():
        results[f"{name} wall"] = statistics.median(wall for wall, _ in values)
        results[f"{name} cpu"] = statistics.median(cpu for _, cpu in values)
    return results


# Two packages in turn


def run_once(python: str, package: str, args: argparse.Namespace) -> dict[str, float]:
    """One round in a process of its own."""
    command = [python, os.path.abspath(__file__), "--json", "--rounds=1", f"--package={package}"]
    command += [f"--{name}={getattr(args, name)}" for name in ("seconds", "mebibytes", "kinds")]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    results: dict[str, float] = json.loads(output)
    return results


def compare(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Medians of both packages, and of the ratios of the pairs, which outlast a noisy machine."""
    pairs = []
    for number in range(args.rounds):
        runs = [(sys.executable, args.package), (args.against, args.other)]
        if number % 2:
            runs.reverse()
        done = {package: run_once(python, package, args) for python, package in runs}
        pairs.append((done[args.package], done[args.other]))
    return {
        name: {
            args.package: statistics.median(ours[name] for ours, _ in pairs),
            args.other: statistics.median(other[name] for _, other in pairs),
            "ratio": statistics.median(ours[name] / other[name] for ours, other in pairs),
        }
        for name in pairs[0][0]
    }


def show_comparison(args: argparse.Namespace, results: dict[str, dict[str, float]]) -> None:
    print(f"{'':20s} {args.package:>12s} {args.other:>12s}  ratio")
    for name, values in results.items():
        ours, other = values[args.package], values[args.other]
        print(f"{name:20s} {ours:12,.0f} {other:12,.0f}  {values['ratio']:5.2f}  {unit(name)}")


def unit(name: str) -> str:
    return "lines/s" if name.startswith("echo") else "MiB/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", default="txtornado", help="txtornado or tornado")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of echo in a round")
    parser.add_argument("--mebibytes", type=int, default=256, help="of bulk in a round")
    parser.add_argument("--kinds", default="plain,tls")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--against", metavar="PYTHON", help="compare with the other package")
    parser.add_argument("--other", default="tornado", help="the package of --against")
    args = parser.parse_args()
    if args.against:
        compared = compare(args)
        if args.json:
            print(json.dumps(compared))
        else:
            show_comparison(args, compared)
        return
    with certificate() as files:
        results = measure(args, files)
    if args.json:
        print(json.dumps(results))
    else:
        for name, value in results.items():
            print(f"{args.package:10s} {name:20s} {value:12,.0f} {unit(name)}")


if __name__ == "__main__":
    main()
