"""Tests for `txtornado.tcpclient`."""

from __future__ import annotations

import asyncio
import datetime
import gc
import itertools
import socket
import ssl
import warnings
from typing import Any

from twisted.internet import endpoints

from tests.iostream.support import StreamTestCase, client_context, server_context
from txtornado.iostream import IOStream, SSLIOStream, StreamClosedError
from txtornado.netutil import BlockingResolver, OverrideResolver, Resolver, bind_sockets
from txtornado.tcpclient import TCPClient, _Connector, _format_addr
from txtornado.tcpserver import TCPServer
from txtornado.testing import ExpectLog
from txtornado.util import TimeoutError


class Greeter(TCPServer):
    async def handle_stream(self, stream: IOStream, address: Any) -> None:
        try:
            await stream.write(b"hello %s\n" % address[0].encode())
        except StreamClosedError:
            pass  # the client did not like the certificate
        stream.close()


class FixedResolver(Resolver):
    """Answers with the same addresses always."""

    def initialize(self, addresses: list[Any]) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Any:
        return self.addresses


class ConnectTests(StreamTestCase):
    def serve(self, **options: Any) -> int:
        server = Greeter(**options)
        (sock,) = bind_sockets(0, "127.0.0.1")
        server.add_socket(sock)
        self.addCleanup(server.stop)
        return sock.getsockname()[1]

    def client(self, resolver: Resolver | None = None) -> TCPClient:
        client = TCPClient(resolver)
        self.addCleanup(client.close)
        return client

    async def test_connect(self) -> None:
        """A name and a port make a stream, from the addresses that are asked for."""
        port = self.serve()
        stream = self.closing(
            await self.client().connect(
                "localhost", port, socket.AF_INET, source_ip="127.0.0.2", max_buffer_size=1000
            )
        )
        self.assertEqual(await stream.read_until_close(), b"hello 127.0.0.2\n")
        self.assertEqual(stream.max_buffer_size, 1000)

    async def test_callback(self) -> None:
        """Tornado before 6.0 called back with the stream."""
        future = self.io_loop.asyncio_loop.create_future()
        self.client().connect("127.0.0.1", self.serve(), callback=future.set_result)
        stream = self.closing(await future)
        self.assertEqual(await stream.read_until_close(), b"hello 127.0.0.1\n")

    async def test_source_port(self) -> None:
        """``source_port`` is the port that the peer sees."""
        port = self.serve()
        with socket.create_server(("127.0.0.1", 0)) as free:
            source = free.getsockname()[1]
        stream = self.closing(
            await self.client().connect(
                "127.0.0.1", port, source_ip="127.0.0.1", source_port=source
            )
        )
        self.assertEqual(stream.socket.getsockname()[1], source)
        await stream.read_until_close()

    async def test_source_address_that_is_not_ours(self) -> None:
        """A source address of somebody else's is an error."""
        with self.assertRaises(OSError):
            await self.client().connect("127.0.0.1", self.serve(), source_ip="192.0.2.1")

    async def test_refused(self) -> None:
        """Nobody there is an OSError."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with self.assertRaises(OSError):
            await self.client().connect("127.0.0.1", port)

    async def test_second_address(self) -> None:
        """An address that refuses is passed over."""
        port = self.serve()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            dead = listener.getsockname()
        resolver = FixedResolver([(socket.AF_INET, dead), (socket.AF_INET, ("127.0.0.1", port))])
        stream = self.closing(await self.client(resolver).connect("any.example", port))
        self.assertEqual(await stream.read_until_close(), b"hello 127.0.0.1\n")

    async def test_tls(self) -> None:
        """``ssl_options`` makes an `SSLIOStream`, checked for the host that was asked for."""
        port = self.serve(ssl_options=server_context())
        stream = self.closing(
            await self.client().connect("localhost", port, socket.AF_INET, client_context())
        )
        self.assertIsInstance(stream, SSLIOStream)
        self.assertEqual(await stream.read_until_close(), b"hello 127.0.0.1\n")
        resolver = OverrideResolver(BlockingResolver(), {"other.example": "127.0.0.1"})
        refused = self.assertRaises(ssl.SSLCertVerificationError)
        mismatch = ExpectLog("tornado.general", "SSL Error.*Hostname mismatch")
        with mismatch, ExpectLog("tornado.general", "SSL Error", required=False):
            with refused:
                await self.client(resolver).connect(
                    "other.example", port, ssl_options=client_context()
                )
            await asyncio.sleep(0.01)  # the server hears of it, or not

    async def test_timeout_while_resolving(self) -> None:
        """A resolver that does not answer is given up, with a message that says so."""

        class Silent(Resolver):
            def resolve(self, *args: Any, **kwargs: Any) -> Any:
                return asyncio.get_running_loop().create_future()

        for timeout in (0.01, datetime.timedelta(milliseconds=10)):
            with self.assertRaises(TimeoutError) as caught:
                await self.client(Silent()).connect("host.example", 1, timeout=timeout)
            self.assertEqual(str(caught.exception), "Timeout while resolving host.example")
        with self.assertRaises(TypeError):
            await self.client(Silent()).connect("host.example", 1, timeout="soon")

    async def test_timeout_of_the_handshake(self) -> None:
        """So is a TLS handshake that does not get on, and its connection is closed."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            with self.assertRaises(TimeoutError) as caught:
                await self.client().connect(
                    "127.0.0.1", port, ssl_options=client_context(), timeout=0.05
                )
            accepted, _ = listener.accept()
        self.assertIn("Timeout during TLS handshake with 127.0.0.1", str(caught.exception))
        accepted.settimeout(5)
        while accepted.recv(1000):
            pass
        accepted.close()

    async def test_cancelled(self) -> None:
        """A cancelled attempt closes its connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            task = asyncio.ensure_future(
                self.client().connect("127.0.0.1", port, ssl_options=client_context())
            )
            accepted, _ = await self.io_loop.run_in_executor(None, listener.accept)
        peer = self.closing(IOStream(accepted))
        await peer.read_bytes(1, partial=True)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        await peer.read_until_close()

    async def test_cancelled_early(self) -> None:
        """An attempt can be cancelled at any turn, be it with a time limit; nothing is left."""
        client, port = self.client(), self.serve()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for turns, timeout in itertools.product(range(5), (None, 0, 3600)):
                task = asyncio.ensure_future(client.connect("localhost", port, timeout=timeout))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with self.assertRaises((asyncio.CancelledError, TimeoutError)):
                    await task
            del task
            gc.collect()
        self.assertEqual([str(warning.message) for warning in caught], [])

    async def test_endpoint(self) -> None:
        """Any endpoint of Twisted's carries a stream, with TLS above it if asked for."""
        reactor = self.io_loop.reactor
        for options, expected in ((None, IOStream), (client_context(), SSLIOStream)):
            port = self.serve(ssl_options=options and server_context())
            endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port)
            stream = self.closing(
                await self.client().connect_endpoint(endpoint, options, "localhost", timeout=10)
            )
            self.assertIs(type(stream), expected)
            self.assertEqual(await stream.read_until_close(), b"hello 127.0.0.1\n")

    def test_addresses_for_people(self) -> None:
        """Addresses are written as people know them."""
        self.assertEqual(_format_addr(("1.2.3.4", 443)), "1.2.3.4:443")
        self.assertEqual(_format_addr(("::1", 443, 0, 0)), "[::1]:443")
        self.assertEqual(_format_addr("/tmp/s"), "/tmp/s")


class FakeStream:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class ConnectorTests(StreamTestCase):
    """The order of attempts, with connections that never leave memory."""

    def start(self, *addresses: tuple[int, str]) -> tuple[_Connector, Any]:
        self.streams: dict[str, FakeStream] = {}
        self.futures: dict[str, Any] = {}

        def connect(family: int, address: str) -> Any:
            self.streams[address] = FakeStream()
            self.futures[address] = self.io_loop.asyncio_loop.create_future()
            return self.streams[address], self.futures[address]

        connector = _Connector(list(addresses), connect)
        return connector, connector.start(3600)

    async def settle(self, address: str, success: bool) -> None:
        future = self.futures[address]
        if success:
            future.set_result(self.streams[address])
        else:
            future.set_exception(OSError(f"{address} failed"))
        for _ in range(2):
            turn = self.io_loop.asyncio_loop.create_future()
            self.io_loop.add_callback(turn.set_result, None)
            await turn

    async def test_families_race(self) -> None:
        """The second family joins after a while; the first to connect wins, the rest close."""
        connector, future = self.start((10, "six"), (2, "four"))
        self.assertEqual(list(self.futures), ["six"])
        connector.on_timeout()
        self.assertEqual(list(self.futures), ["six", "four"])
        await self.settle("four", True)
        self.assertEqual(future.result(), (2, "four", self.streams["four"]))
        self.assertTrue(self.streams["six"].closed)
        await self.settle("six", True)
        self.assertFalse(self.streams["four"].closed)

    async def test_failure_starts_the_other_family(self) -> None:
        """A failed attempt starts the next address and the other family at once."""
        _, future = self.start((10, "six"), (10, "six too"), (2, "four"))
        await self.settle("six", False)
        self.assertEqual(set(self.futures), {"six", "six too", "four"})
        await self.settle("six too", False)
        self.assertFalse(future.done())
        await self.settle("four", False)
        self.assertEqual(str(future.exception()), "four failed")

    async def test_cancel(self) -> None:
        """Giving up closes all attempts."""
        connector, future = self.start((10, "six"), (2, "four"))
        connector.on_timeout()
        future.cancel()
        turn = self.io_loop.asyncio_loop.create_future()
        self.io_loop.add_callback(turn.set_result, None)
        await turn
        self.assertTrue(all(stream.closed for stream in self.streams.values()))
