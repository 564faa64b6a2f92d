"""Tests of what a stream and a server must stand: many connections, and no descriptors."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap

from tests.iostream.support import StreamTestCase
from txtornado.iostream import IOStream, StreamClosedError
from txtornado.netutil import bind_sockets
from txtornado.tcpclient import TCPClient
from txtornado.tcpserver import TCPServer


class Echo(TCPServer):
    async def handle_stream(self, stream, address):
        try:
            while True:
                await stream.write(await stream.read_until(b"\n"))
        except StreamClosedError:
            pass


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class ManyConnectionsTests(StreamTestCase):
    timeout = 120

    async def test_ten_thousand_in_a_row(self) -> None:
        """10,000 connections one after the other are all served, and leave nothing behind."""
        if not os.path.isdir("/proc/self/fd"):
            self.skipTest("there is no /proc/self/fd to count descriptors in")
        server, client = Echo(), TCPClient()
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        self.addCleanup(server.stop)
        address = sockets[0].getsockname()
        readers = len(self.io_loop.reactor.getReaders())
        before = open_descriptors()
        for i in range(10_000):
            stream = await client.connect(*address) if i % 100 == 0 else IOStream(socket.socket())
            if i % 100:
                await stream.connect(address)
            await stream.write(b"%d\n" % i)
            self.assertEqual(await stream.read_until(b"\n"), b"%d\n" % i)
            # A reset, so that 10,000 ports do not linger in TIME_WAIT.
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            stream.close()
        client.close()
        while len(self.io_loop.reactor.getReaders()) > readers:
            await self.turn()
        self.assertLessEqual(open_descriptors(), before + 2)

    async def turn(self) -> None:
        future = self.io_loop.asyncio_loop.create_future()
        self.io_loop.call_later(0, future.set_result, None)
        await future


EXHAUSTION = """
    import asyncio, logging, resource, socket, sys, time
    {install}
    from txtornado.ioloop import IOLoop
    from txtornado.iostream import IOStream, StreamClosedError
    from txtornado.netutil import add_accept_handler, bind_sockets
    from txtornado.tcpserver import TCPServer
    logging.getLogger("tornado").setLevel(logging.CRITICAL)

    streams = []

    class Echo(TCPServer):
        async def handle_stream(self, stream, address):
            await serve(stream)

    async def serve(stream):
        streams.append(stream)
        try:
            while True:
                await stream.write(await stream.read_until(b"\\n"))
        except StreamClosedError:
            pass

    async def main():
        loop = IOLoop.current()
        loop.reactor
        sock, = bind_sockets(0, "127.0.0.1")
        address = sock.getsockname()
        if {with_server}:
            Echo().add_socket(sock)
        else:
            add_accept_handler(sock, lambda c, a: loop.add_callback(serve, IOStream(c)))
        clients = [socket.socket() for _ in range(40)]
        for client in clients:
            client.settimeout(10)
        lowest = max(c.fileno() for c in clients)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 12, lowest + 12))
        for client in clients:
            await loop.run_in_executor(None, client.connect, address)
        clock = time.process_time()
        await asyncio.sleep(0.3)
        busy = time.process_time() - clock
        served = len(streams)
        assert 0 < served < 40, served
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 12, lowest + 12))
        while not all(stream.closed() for stream in streams):
            await asyncio.sleep(0.01)
        client = socket.socket()
        client.settimeout(10)
        await loop.run_in_executor(None, client.connect, address)
        client.sendall(b"alive\\n")
        answer = await loop.run_in_executor(None, client.recv, 100)
        assert answer == b"alive\\n", answer
        assert busy < 0.2, busy
        print("resumed", flush=True)

    IOLoop.current().run_sync(main, timeout=60)
"""


class ExhaustionTests(StreamTestCase):
    """In a process of their own, which is let have few descriptors."""

    timeout = 120

    def run_program(self, with_server: bool, install: str = "") -> None:
        code = textwrap.dedent(EXHAUSTION).format(with_server=with_server, install=install)
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=100,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        self.assertEqual(done.stdout, "resumed\n", done.stderr)

    def test_server(self) -> None:
        """A server out of descriptors neither spins nor stops: it accepts when some are free."""
        self.run_program(True)

    def test_server_on_epoll(self) -> None:
        """The same on the epoll reactor."""
        self.run_program(True, "from twisted.internet import epollreactor; epollreactor.install()")

    def test_accept_handler(self) -> None:
        """So does ``add_accept_handler``."""
        self.run_program(False)
