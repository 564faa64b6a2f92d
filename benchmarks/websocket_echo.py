"""Echo of small WebSocket messages, by this package and by others.

One process serves, on one core; this one is the load: raw sockets, each of which sends a text
message of 32 bytes and waits for its echo before it sends the next (``--window``: several)::

    python benchmarks/websocket_echo.py
    python benchmarks/websocket_echo.py --servers txtornado,tornado,aiohttp,websockets \\
        --python tornado=/path/to/venv/bin/python

The servers take turns, round by round, and the median counts: machines are seldom quiet.  The
load wants a core of its own: without, it is measured as well, which flatters slow servers.  The
last column is the ratio to the first server.  ``txtornado-async`` and ``tornado-async`` have a
coroutine for ``on_message``.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import importlib
import json
import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

CONNECTIONS = 32
MESSAGE = b"x" * 32
HERE = os.path.dirname(os.path.abspath(__file__))


# --------------------------------------------------------------------------- the servers


def write_to_all(handlers: Iterable[Any], message: str) -> None:
    for handler in handlers:
        handler.write_message(message)


def tornado_app(package: str, is_async: bool) -> Callable[[socket.socket], Any]:
    """Tornado's API: an echo, and in ``/all`` a message that goes to everybody ("5" five times)."""
    httpserver = importlib.import_module(f"{package}.httpserver")
    web = importlib.import_module(f"{package}.web")
    websocket = importlib.import_module(f"{package}.websocket")
    everybody: set[Any] = set()
    broadcast = getattr(websocket, "broadcast", write_to_all)

    class Echo(websocket.WebSocketHandler):  # type: ignore[name-defined,misc]
        def on_message(self, message: Any) -> Any:
            self.write_message(message)

    class AsyncEcho(websocket.WebSocketHandler):  # type: ignore[name-defined,misc]
        async def on_message(self, message: Any) -> None:
            await self.write_message(message)

    class All(websocket.WebSocketHandler):  # type: ignore[name-defined,misc]
        def open(self) -> None:
            everybody.add(self)

        def on_close(self) -> None:
            everybody.discard(self)

        def on_message(self, message: Any) -> None:
            for _ in range(int(message)):
                broadcast(everybody, "x" * 64)

    class Memory(web.RequestHandler):  # type: ignore[name-defined,misc]
        def get(self) -> None:
            self.write(str(resident()))

    routes = [("/echo", AsyncEcho if is_async else Echo), ("/all", All), ("/memory", Memory)]
    server = httpserver.HTTPServer(web.Application(routes))

    async def serve(sock: socket.socket) -> None:
        server.add_sockets([sock])
        await asyncio.Event().wait()

    return serve


def aiohttp_app() -> Callable[[socket.socket], Any]:
    from aiohttp import web

    async def echo(request: Any) -> Any:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async def serve(sock: socket.socket) -> None:
        app = web.Application()
        app.add_routes([web.get("/echo", echo)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        await asyncio.Event().wait()

    return serve


def websockets_app() -> Callable[[socket.socket], Any]:
    from websockets.asyncio.server import serve as listen

    async def echo(ws: Any) -> None:
        async for message in ws:
            await ws.send(message)

    async def serve(sock: socket.socket) -> None:
        async with listen(echo, sock=sock, compression=None):
            await asyncio.Event().wait()

    return serve


def make_server(name: str) -> Callable[[socket.socket], Any]:
    if name == "aiohttp":
        return aiohttp_app()
    if name == "websockets":
        return websockets_app()
    package, _, kind = name.partition("-")
    return tornado_app(package, kind == "async")


def resident() -> int:
    """This process's memory, in bytes."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_server(name: str) -> None:
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    sock.setblocking(False)
    print(sock.getsockname()[1], flush=True)
    asyncio.run(make_server(name)(sock))


class Server:
    """A server in a process of its own."""

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        command = [python, os.path.join(HERE, "websocket_echo.py"), "--serve", name]
        environ = {**os.environ, "PYTHONPATH": os.path.dirname(HERE)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def connect(self, path: str) -> socket.socket:
        """A connection whose handshake is done."""
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        if b" 101 " not in head:
            raise RuntimeError(f"{self.name}: {head!r}")
        return sock

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


# ------------------------------------------------------------------------------ the load


def masked_text(data: bytes) -> bytes:
    key = os.urandom(4)
    return bytes((0x81, 0x80 | len(data))) + key + bytes(c ^ key[i & 3] for i, c in enumerate(data))


def measure(server: Server, seconds: float, window: int = 1) -> float:
    """Echoes per second, with ``window`` messages under way on each connection."""
    frame = masked_text(MESSAGE)
    size = len(MESSAGE) + 2
    sockets = [server.connect("/echo") for _ in range(CONNECTIONS)]
    poll = select.epoll()
    by_fd = {}
    for sock in sockets:
        by_fd[sock.fileno()] = (sock.recv, sock.send)
        poll.register(sock.fileno(), select.EPOLLIN)
        sock.send(frame)
    for sock in sockets:  # one for all, to warm up
        assert sock.recv(1024) == b"\x81\x20" + MESSAGE
        sock.send(frame * window)
    left = dict.fromkeys(by_fd, 0)  # bytes of an echo that is not complete
    count = 0
    start = time.perf_counter()
    until = start + seconds
    while (now := time.perf_counter()) < until:
        for fd, _ in poll.poll():
            receive, send = by_fd[fd]
            echoes, left[fd] = divmod(len(receive(4096)) + left[fd], size)
            send(frame * echoes)
            count += echoes
    for sock in sockets:
        sock.close()
    poll.close()
    return count / (now - start)


def interpreters(options: list[str]) -> dict[str, str]:
    return dict(option.split("=", 1) for option in options)


def rounds(args: argparse.Namespace) -> Iterator[tuple[str, Server]]:
    """Each server in turn, as often as was asked for."""
    pythons = interpreters(args.python)
    servers = [
        Server(name, pythons.get(name.partition("-")[0], sys.executable))
        for name in args.servers.split(",")
    ]
    try:
        for _ in range(args.rounds):
            for server in servers:
                yield server.name, server
    finally:
        for server in servers:
            server.stop()


def report(results: dict[str, list[float]], unit: str, as_json: bool) -> None:
    medians = {name: statistics.median(values) for name, values in results.items()}
    if as_json:
        print(json.dumps(medians))
        return
    first = next(iter(medians.values()))
    for name, value in medians.items():
        print(f"{name:16s} {value:12,.0f} {unit}   {first / value:6.2f}")


def common_arguments(description: str, servers: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--servers", default=servers)
    parser.add_argument("--python", action="append", default=[], metavar="SERVER=INTERPRETER")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    return parser


def main() -> None:
    assert __doc__ is not None
    parser = common_arguments(__doc__.splitlines()[0], "txtornado")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round")
    parser.add_argument("--window", type=int, default=1, help="messages under way at a time")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        run_server(args.serve)
        return
    results: dict[str, list[float]] = {}
    for name, server in rounds(args):
        results.setdefault(name, []).append(measure(server, args.seconds, args.window))
    report(results, "echoes/s", args.json)


if __name__ == "__main__":
    main()
