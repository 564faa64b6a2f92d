"""One WebSocket message to many clients, and the memory that idle clients take.

One process serves, this one holds the clients' ends, as raw sockets::

    python benchmarks/websocket_broadcast.py --servers txtornado,tornado \\
        --python tornado=/path/to/venv/bin/python
    python benchmarks/websocket_broadcast.py --idle 10000 ...

Broadcasts are messages of 64 bytes to all of ``--clients`` connections, counted when they have
arrived; the servers take turns, and the median counts.  With ``--idle``: bytes by which the
server's resident memory grows for each of so many open connections, the kernel's share excluded.
"""

from __future__ import annotations

import argparse
import resource
import select
import socket
import sys
import time
import urllib.request

from websocket_echo import Server, common_arguments, interpreters, masked_text, report, rounds

SIZE = 64 + 2


def connect(server: Server, count: int) -> list[socket.socket]:
    sockets = []
    for _ in range(count):
        sock = server.connect("/all")
        sock.setblocking(False)
        sockets.append(sock)
    return sockets


def measure(server: Server, sockets: list[socket.socket], messages: int) -> float:
    """Messages per second that arrive, all clients together."""
    poll = select.epoll()
    receive = {sock.fileno(): sock.recv for sock in sockets}
    for fd in receive:
        poll.register(fd, select.EPOLLIN)
    left = len(sockets) * messages * SIZE
    start = time.perf_counter()
    sockets[0].send(masked_text(str(messages).encode()))
    while left > 0:
        for fd, _ in poll.poll():
            left -= len(receive[fd](65536))
    elapsed = time.perf_counter() - start
    poll.close()
    return len(sockets) * messages / elapsed


def memory(server: Server) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/memory") as response:
        return int(response.read())


def idle(args: argparse.Namespace) -> dict[str, list[float]]:
    wanted = args.idle + 200
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    results: dict[str, list[float]] = {}
    pythons = interpreters(args.python)
    for name in args.servers.split(","):
        server = Server(name, pythons.get(name.partition("-")[0], sys.executable))
        try:
            for sock in connect(server, 100):
                sock.close()
            before = memory(server)
            sockets = connect(server, args.idle)
            results[name] = [(memory(server) - before) / args.idle]
            for sock in sockets:
                sock.close()
        finally:
            server.stop()
    return results


def main() -> None:
    assert __doc__ is not None
    parser = common_arguments(__doc__.splitlines()[0], "txtornado")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=20, help="broadcasts in a round")
    parser.add_argument("--idle", type=int, help="measure memory with so many connections")
    args = parser.parse_args()
    if args.idle:
        report(idle(args), "bytes/connection", args.json)
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results: dict[str, list[float]] = {}
    connections: dict[str, list[socket.socket]] = {}
    for name, server in rounds(args):
        if name not in connections:
            connections[name] = connect(server, args.clients)
        results.setdefault(name, []).append(measure(server, connections[name], args.messages))
    report(results, "messages/s", args.json)


if __name__ == "__main__":
    main()
