"""Line echo and bulk transfer over IOStream, plain and with TLS.

Runs on this package or, for comparison, on Tornado itself::

    python benchmarks/iostream_echo.py --package txtornado
    python benchmarks/iostream_echo.py --package tornado --rounds 5 --json

The server and its clients share one process and one loop; each round is one measurement, and
the median counts.  ``echo`` is the number of lines per second that come back to a number of
clients, each of which waits for its line before it sends the next; ``bulk`` is mebibytes per
second from the server to one client that reads everything.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

CLIENTS = 16
LINE = b"x" * 62 + b"\r\n"
PIECE = b"y" * (1 << 16)


@contextlib.contextmanager
def certificate() -> Iterator[tuple[str, str]]:
    """A key and a self-signed certificate, made for the occasion."""
    with tempfile.TemporaryDirectory() as where:
        key, cert = os.path.join(where, "key.pem"), os.path.join(where, "cert.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
            + ["-subj", "/CN=localhost", "-keyout", key, "-out", cert],
            check=True,
            capture_output=True,
        )
        yield cert, key


def make_server(package: str, **options: Any) -> Any:
    """A server that echoes lines, and sends bulk to whoever asks for it."""
    tcpserver = importlib.import_module(f"{package}.tcpserver")
    iostream = importlib.import_module(f"{package}.iostream")

    class Server(tcpserver.TCPServer):  # type: ignore[name-defined,misc]
        async def handle_stream(self, stream: Any, address: Any) -> None:
            stream.set_nodelay(True)
            try:
                while True:
                    line = await stream.read_until(b"\r\n")
                    if line.startswith(b"bulk "):
                        for _ in range(int(line[5:]) // len(PIECE)):
                            await stream.write(PIECE)
                    else:
                        await stream.write(line)
            except iostream.StreamClosedError:
                pass

    return Server(**options)


async def connect(package: str, port: int, context: ssl.SSLContext | None) -> Any:
    tcpclient = importlib.import_module(f"{package}.tcpclient")
    stream = await tcpclient.TCPClient().connect("127.0.0.1", port, ssl_options=context)
    stream.set_nodelay(True)
    return stream


async def echo(stream: Any, until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        await stream.write(LINE)
        await stream.read_until(b"\r\n")
        count += 1
    return count


async def bulk(stream: Any, size: int) -> float:
    start = time.perf_counter()
    await stream.write(b"bulk %d\r\n" % size)
    left = size
    while left:
        left -= len(await stream.read_bytes(left, partial=True))
    return size / (time.perf_counter() - start) / (1 << 20)


async def measure(args: argparse.Namespace, cert: str, key: str) -> dict[str, float]:
    netutil = importlib.import_module(f"{args.package}.netutil")
    results: dict[str, list[float]] = {}
    for kind in args.kinds.split(","):
        options: dict[str, Any] = {}
        context = None
        if kind == "tls":
            server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            server_context.load_cert_chain(cert, key)
            options["ssl_options"] = server_context
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        server = make_server(args.package, **options)
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        port = sockets[0].getsockname()[1]
        streams = [await connect(args.package, port, context) for _ in range(CLIENTS)]
        for _ in range(args.rounds):
            start = time.perf_counter()
            counts = await asyncio.gather(*(echo(s, start + args.seconds) for s in streams))
            rate = sum(counts) / (time.perf_counter() - start)
            results.setdefault(f"echo {kind}", []).append(rate)
            results.setdefault(f"bulk {kind}", []).append(
                await bulk(streams[0], args.mebibytes << 20)
            )
        for stream in streams:
            stream.close()
        server.stop()
    return {name: statistics.median(values) for name, values in results.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", default="txtornado", help="txtornado or tornado")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of echo in a round")
    parser.add_argument("--mebibytes", type=int, default=256, help="of bulk in a round")
    parser.add_argument("--kinds", default="plain,tls")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with certificate() as (cert, key):
        results = asyncio.run(measure(args, cert, key))
    if args.json:
        print(json.dumps(results))
    else:
        for name, value in results.items():
            unit = "lines/s" if name.startswith("echo") else "MiB/s"
            print(f"{args.package:10s} {name:10s} {value:12,.0f} {unit}")


if __name__ == "__main__":
    main()
