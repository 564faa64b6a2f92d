"""Tests for `txtornado.tcpserver`."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import textwrap
from typing import Any

from twisted.internet import endpoints
from twisted.internet.interfaces import IProtocolFactory
from zope.interface.verify import verifyObject

from tests.iostream.support import StreamTestCase, client_context, server_context
from txtornado.concurrent import as_future
from txtornado.iostream import IOStream, SSLIOStream, StreamClosedError
from txtornado.netutil import bind_sockets, bind_unix_socket
from txtornado.tcpserver import TCPServer
from txtornado.testing import ExpectLog
from txtornado.testing._certificate import certificate_files


class Echo(TCPServer):
    """Echoes lines, and remembers who came."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[IOStream, Any]] = []

    async def handle_stream(self, stream: IOStream, address: Any) -> None:
        self.seen.append((stream, address))
        try:
            while True:
                await stream.write(await stream.read_until(b"\n"))
        except StreamClosedError:
            pass


class ServerTestCase(StreamTestCase):
    def serve(self, server: TCPServer) -> tuple[Any, ...]:
        (sock,) = bind_sockets(0, "127.0.0.1")
        server.add_socket(sock)
        self.addCleanup(server.stop)
        return sock.getsockname()

    async def connected(self, address: Any, family: int = socket.AF_INET) -> IOStream:
        stream = self.closing(IOStream(socket.socket(family)))
        await stream.connect(address)
        return stream

    async def check_echo(self, stream: IOStream) -> None:
        await stream.write(b"hello\n")
        self.assertEqual(await stream.read_until(b"\n"), b"hello\n")

    async def finish(self, *streams: IOStream) -> None:
        """Close, and wait until the server has noticed."""
        for stream in streams:
            stream.close()
        for _ in range(20):
            future = self.io_loop.asyncio_loop.create_future()
            self.io_loop.call_later(0, future.set_result, None)
            await future


class ServeTests(ServerTestCase):
    async def test_echo(self) -> None:
        """A connection comes as a stream with the peer's address."""
        server = Echo(max_buffer_size=10_000, read_chunk_size=500)
        address = self.serve(server)
        client = await self.connected(address)
        await self.check_echo(client)
        ((stream, peer),) = server.seen
        self.assertEqual(peer, client.socket.getsockname())
        self.assertEqual((stream.max_buffer_size, stream.read_chunk_size), (10_000, 500))
        self.assertIs(stream.io_loop, self.io_loop)
        await self.finish(client)
        self.assertTrue(stream.closed())

    async def test_sockets(self) -> None:
        """The sockets that it listens on are told, where programs look for the port they have."""
        server = Echo()
        server.listen(0, "127.0.0.1")
        ((fd, sock),) = server._sockets.items()
        self.assertEqual(sock.fileno(), fd)
        await self.finish(await self.connected(sock.getsockname()))
        server.stop()
        self.assertEqual(server._sockets, {})

    async def test_ipv6_address(self) -> None:
        """IPv6 peers have addresses of four parts."""
        server = Echo()
        try:
            (sock,) = bind_sockets(0, "::1")
        except OSError:
            self.skipTest("there is no IPv6 here")
        server.add_socket(sock)
        self.addCleanup(server.stop)
        client = await self.connected(sock.getsockname(), socket.AF_INET6)
        await self.check_echo(client)
        self.assertEqual(server.seen[0][1], client.socket.getsockname())
        await self.finish(client)

    async def test_unix_socket(self) -> None:
        """A server listens on UNIX sockets too."""
        server = Echo()
        path = os.path.abspath("s")
        server.add_socket(bind_unix_socket(path))
        self.addCleanup(server.stop)
        client = await self.connected(path, socket.AF_UNIX)
        await self.check_echo(client)
        await self.finish(client)

    async def test_unix_socket_without_its_file(self) -> None:
        """A server stops cleanly when somebody removed the file of its UNIX socket."""
        server = Echo()
        path = os.path.abspath("removed")
        sock = bind_unix_socket(path)
        server.add_socket(sock)
        (listener,) = server._listeners.values()
        os.unlink(path)
        server.stop()
        self.assertFalse(listener.port.connected)
        self.assertEqual(sock.fileno(), -1)

    async def test_unix_socket_without_its_file_stops_within_a_request(self) -> None:
        """The same from within ``handle_stream``, when the port is in the midst of accepting."""
        stopped = self.io_loop.asyncio_loop.create_future()

        class Once(TCPServer):
            def handle_stream(self, stream, address):
                os.unlink(path)
                self.stop()
                stream.close()
                stopped.set_result(None)

        server = Once()
        path = os.path.abspath("removed")
        server.add_socket(bind_unix_socket(path))
        (listener,) = server._listeners.values()
        client = IOStream(socket.socket(socket.AF_UNIX))
        self.addCleanup(client.close)
        await client.connect(path)
        await stopped
        self.assertEqual(await client.read_until_close(), b"")
        while listener.port.connected:
            turn = self.io_loop.asyncio_loop.create_future()
            self.io_loop.add_callback(turn.set_result, None)
            await turn

    async def test_listen_and_bind(self) -> None:
        """``listen`` serves at once; ``bind`` waits for ``start``."""
        server = Echo()
        self.addCleanup(server.stop)
        server.bind(0, "127.0.0.1")
        (pending,) = server._pending
        server.start()
        self.assertRaises(RuntimeError, server.start)
        server.listen(0, "127.0.0.1")
        listeners = [listener.sock for listener in server._listeners.values()]
        self.assertIn(pending, listeners)
        clients = [await self.connected(sock.getsockname()) for sock in listeners]
        for client in clients:
            await self.check_echo(client)
        await self.finish(*clients)

    async def test_coroutine_errors_are_logged(self) -> None:
        """What a ``handle_stream`` coroutine raises is logged; others are served on."""

        class Failing(TCPServer):
            async def handle_stream(self, stream: IOStream, address: Any) -> None:
                stream.close()
                raise ZeroDivisionError("coroutine")

        address = self.serve(Failing())
        for _ in range(2):
            with ExpectLog("tornado.application", "Exception in callback"):
                client = await self.connected(address)
                await client.read_until_close()
                await self.finish(client)

    async def test_errors_are_logged(self) -> None:
        """What a plain ``handle_stream`` raises is logged, and its connection closed."""

        class Failing(TCPServer):
            def handle_stream(self, stream: IOStream, address: Any) -> None:
                raise ZeroDivisionError("function")

        address = self.serve(Failing())
        with ExpectLog("tornado.application", "Error in connection callback"):
            client = await self.connected(address)
            self.assertEqual(await client.read_until_close(), b"")
        self.assertRaises(NotImplementedError, TCPServer().handle_stream, client, None)

    async def test_stop(self) -> None:
        """After ``stop`` nobody is accepted, ports are free, and connections go on."""
        server = Echo()
        address = self.serve(server)
        client = await self.connected(address)
        await self.check_echo(client)
        server.stop()
        server.stop()
        with socket.create_server(address):
            pass
        await self.check_echo(client)
        await self.finish(client)

    async def test_stop_from_a_connection(self) -> None:
        """A server may be stopped by one of its connections, while others wait to be accepted."""

        class Once(Echo):
            def handle_stream(self, stream: IOStream, address: Any) -> Any:
                self.stop()
                return super().handle_stream(stream, address)

        server = Once()
        address = self.serve(server)
        raw = [socket.create_connection(address) for _ in range(5)]
        clients = [self.closing(IOStream(sock)) for sock in raw]
        ends = [client.read_until(b"\n") for client in clients]
        for client in clients:
            try:
                client.write(b"hello\n")
            except StreamClosedError:
                pass
        answers = []
        for end in ends:
            try:
                answers.append(await end)
            except StreamClosedError:
                pass
        self.assertEqual(answers, [b"hello\n"] * len(server.seen))
        self.assertEqual(len(server.seen), 1)
        await self.finish(*clients)


class TLSTests(ServerTestCase):
    async def check(self, server: TCPServer) -> SSLIOStream:
        address = self.serve(server)
        client = self.closing(SSLIOStream(socket.socket(), ssl_options=client_context()))
        await client.connect(address, server_hostname="localhost")
        await self.check_echo(client)
        return client

    async def test_options(self) -> None:
        """A dict or a context makes the server speak TLS."""
        cert, key = certificate_files()
        for options in ({"certfile": cert, "keyfile": key}, server_context()):
            server = Echo(ssl_options=options)
            client = await self.check(server)
            self.assertIsInstance(server.seen[0][0], SSLIOStream)
            await self.finish(client)

    async def test_twisteds_options(self) -> None:
        """So do ``CertificateOptions``."""
        from twisted.internet.ssl import PrivateCertificate

        pem = "".join(pathlib.Path(name).read_text() for name in certificate_files())
        client = await self.check(Echo(ssl_options=PrivateCertificate.loadPEM(pem).options()))
        await self.finish(client)

    def test_missing_files(self) -> None:
        """Options without a certificate, or with files that are not there, are refused."""
        cert, _ = certificate_files()
        self.assertRaises(KeyError, TCPServer, ssl_options={})
        self.assertRaises(ValueError, TCPServer, ssl_options={"certfile": "/nowhere"})
        options = {"certfile": cert, "keyfile": "/nowhere"}
        self.assertRaises(ValueError, TCPServer, ssl_options=options)

    async def test_plain_text_client(self) -> None:
        """Somebody who speaks no TLS disturbs nobody else."""
        server = Echo(ssl_options=server_context())
        client = await self.check(server)
        address = client.socket.getpeername()
        with ExpectLog("tornado.general", "SSL Error"):
            stranger = await self.connected(address)
            await stranger.write(b"hello\n")
            await stranger.read_until_close()
        await self.check_echo(client)
        await self.finish(client, stranger)


class FactoryTests(ServerTestCase):
    def test_interface(self) -> None:
        """A server is a Twisted protocol factory."""
        verifyObject(IProtocolFactory, TCPServer())

    async def test_endpoints(self) -> None:
        """Endpoints and ``listenTCP`` carry a server, on Twisted's own transports."""
        reactor = self.io_loop.reactor
        server = Echo()
        events = []
        server.startFactory = lambda: events.append("start")
        server.stopFactory = lambda: events.append("stop")
        endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        ports = [
            await as_future(endpoint.listen(server)),
            reactor.listenTCP(0, server, interface="127.0.0.1"),
        ]
        self.assertEqual(server.numPorts, 2)
        for port in ports:
            client = await self.connected(("127.0.0.1", port.getHost().port))
            await self.check_echo(client)
            self.assertEqual(server.seen[-1][1], client.socket.getsockname())
            await self.finish(client)
            await as_future(port.stopListening())
        self.assertEqual(events, ["start", "stop"])

    async def test_tls_endpoint(self) -> None:
        """Over a TLS endpoint the streams are `SSLIOStream`."""
        from twisted.internet.ssl import PrivateCertificate

        pem = "".join(pathlib.Path(name).read_text() for name in certificate_files())
        options = PrivateCertificate.loadPEM(pem).options()
        endpoint = endpoints.SSL4ServerEndpoint(
            self.io_loop.reactor, 0, options, interface="127.0.0.1"
        )
        server = Echo()
        port = await as_future(endpoint.listen(server))
        client = self.closing(SSLIOStream(socket.socket(), ssl_options=client_context()))
        await client.connect(("127.0.0.1", port.getHost().port), server_hostname="localhost")
        await self.check_echo(client)
        self.assertIsInstance(server.seen[0][0], SSLIOStream)
        await self.finish(client)
        await as_future(port.stopListening())


class DocumentationTests(ServerTestCase):
    """The three patterns of chapter 3.4 of Tornado 2.3's documentation."""

    def run_program(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return "".join(sorted(done.stdout))

    def test_listen(self) -> None:
        """``listen``: simple single-process."""
        out = self.run_program("""
            from txtornado.ioloop import IOLoop
            from txtornado.netutil import TCPServer

            server = TCPServer()
            server.listen(0)
            IOLoop.instance().add_callback(IOLoop.instance().stop)
            IOLoop.instance().start()
            print("0", end="")
        """)
        self.assertEqual(out, "0")

    def test_bind_and_start(self) -> None:
        """``bind``/``start``: simple multi-process."""
        out = self.run_program("""
            from txtornado.ioloop import IOLoop
            from txtornado.netutil import TCPServer
            from txtornado.process import task_id

            server = TCPServer()
            server.bind(0)
            server.start(2)  # forks multiple sub-processes
            IOLoop.instance().add_callback(IOLoop.instance().stop)
            IOLoop.instance().start()
            print(task_id(), end="")
        """)
        self.assertEqual(out, "01")

    def test_add_sockets(self) -> None:
        """``add_sockets``: advanced multi-process."""
        out = self.run_program("""
            import txtornado.process
            from txtornado.ioloop import IOLoop
            from txtornado.netutil import TCPServer, bind_sockets

            sockets = bind_sockets(0)
            txtornado.process.fork_processes(2)
            server = TCPServer()
            server.add_sockets(sockets)
            IOLoop.instance().add_callback(IOLoop.instance().stop)
            IOLoop.instance().start()
            print(txtornado.process.task_id(), end="")
        """)
        self.assertEqual(out, "01")

    async def test_constructor_of_2_3(self) -> None:
        """``TCPServer(io_loop, ssl_options)`` is understood, by position and by name."""
        context = server_context()
        for server in (
            TCPServer(self.io_loop, context),
            TCPServer(io_loop=self.io_loop, ssl_options=context),
        ):
            self.assertIs(server.io_loop, self.io_loop)
            self.assertIs(server.ssl_options, context)
            self.assertIsNone(server.max_buffer_size)
