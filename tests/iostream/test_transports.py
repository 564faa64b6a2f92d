"""Tests for streams over the transports that Twisted and others make, and over own hooks."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet import endpoints, ssl
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface.verify import verifyObject

from tests.iostream.support import Consumer, MemoryTransport, StreamTestCase, tcp_sockets
from txtornado.concurrent import as_future
from txtornado.iostream import BaseIOStream, IOStream, SSLIOStream, StreamClosedError
from txtornado.testing import ExpectLog
from txtornado.testing._certificate import certificate_files


class StreamFactory(Factory):
    """Builds streams and keeps them."""

    noisy = False

    def __init__(self, cls: type[IOStream] = IOStream) -> None:
        self.cls = cls
        self.streams: list[IOStream] = []

    def buildProtocol(self, addr: Any) -> IOStream:
        stream = self.cls()
        self.streams.append(stream)
        return stream


class StockTransportTests(StreamTestCase):
    """Streams as protocols of Twisted's own transports."""

    async def connected(self, server: Any, client: Any) -> tuple[Any, Any]:
        accepted, connected = StreamFactory(), StreamFactory()
        port = await as_future(server.listen(accepted))
        self.addCleanup(port.stopListening)
        here = await as_future(client(port).connect(connected))
        while not accepted.streams:
            await as_future(self.turn())
        return self.closing(accepted.streams[0]), self.closing(here)

    async def turn(self) -> None:
        future = self.io_loop.asyncio_loop.create_future()
        self.io_loop.add_callback(future.set_result, None)
        await future

    async def exchange(self, server: Any, client: Any) -> None:
        await client.write(b"question\n")
        self.assertEqual(await server.read_until(b"\n"), b"question\n")
        big = os.urandom(5_000_000)
        future = server.write(big)
        self.assertEqual(await client.read_bytes(len(big)), big)
        await future
        closed = self.io_loop.asyncio_loop.create_future()
        client.set_close_callback(lambda: closed.set_result(None))
        server.close()
        await closed
        self.assertTrue(server.closed())

    async def test_tcp(self) -> None:
        """Twisted's TCP transports carry streams, with back pressure."""
        reactor = self.io_loop.reactor
        server, client = await self.connected(
            endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
            lambda port: endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port),
        )
        self.assertIsInstance(server.socket, socket.socket)
        await self.exchange(server, client)

    async def test_unix(self) -> None:
        """So do UNIX transports."""
        reactor = self.io_loop.reactor
        path = self.mktemp()[-40:].replace("/", "_")
        server, client = await self.connected(
            endpoints.UNIXServerEndpoint(reactor, path),
            lambda port: endpoints.UNIXClientEndpoint(reactor, path),
        )
        await self.exchange(server, client)

    async def test_tls(self) -> None:
        """So do TLS transports; nothing ever goes around the TLS layer."""
        reactor = self.io_loop.reactor
        with open(certificate_files()[0]) as cert, open(certificate_files()[1]) as key:
            pem = cert.read()
            options = ssl.PrivateCertificate.loadPEM(pem + key.read()).options()
        trust = ssl.optionsForClientTLS("localhost", trustRoot=ssl.Certificate.loadPEM(pem))
        server, client = await self.connected(
            endpoints.SSL4ServerEndpoint(reactor, 0, options, interface="127.0.0.1"),
            lambda port: endpoints.wrapClientTLS(
                trust, endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
            ),
        )
        await self.exchange(server, client)

    async def test_reset(self) -> None:
        """A lost connection over a stock transport is a reset."""
        reactor = self.io_loop.reactor
        server, client = await self.connected(
            endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
            lambda port: endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port),
        )
        pending = server.read_bytes(1)
        client.transport.abortConnection()
        with self.assertRaises(StreamClosedError) as caught:
            await pending
        self.assertIsInstance(caught.exception.real_error, ConnectionResetError)


class WrapperTests(StreamTestCase):
    def test_interfaces(self) -> None:
        """A stream is what Twisted's transports expect."""
        stream, _ = self.memory_stream()
        verifyObject(IHalfCloseableProtocol, stream)
        verifyObject(IPushProducer, stream)

    def test_wrappers_are_not_bypassed(self) -> None:
        """Wrapped protocols forward every attribute; writes go through their ``write`` alone."""

        class Rot13(ProtocolWrapper):
            def write(self, data: bytes) -> None:
                self.transport.write(data[::-1])

        a, b = tcp_sockets()
        self.addCleanup(b.close)
        outer = IOStream(a)
        outer._start()
        wrapper = Rot13(WrappingFactory(StreamFactory()), IOStream())
        inner = wrapper.wrappedProtocol
        outer.transport.protocol = wrapper
        wrapper.makeConnection(outer.transport)
        inner.write(b"abc")
        self.assertEqual(b.recv(10), b"cba")
        outer.close()

    def test_handed_over_transport(self) -> None:
        """A transport that is handed to a stream has it as its protocol from then on."""
        stream, transport = self.memory_stream()
        self.assertIs(transport.protocol, stream)
        self.assertIsNone(stream.socket)
        self.assertEqual(stream.fileno(), -1)
        self.assertFalse(stream.secure)
        stream.set_nodelay(True)
        stream.connectionLost(connectionDone)
        self.assertTrue(stream.closed() or stream._lost)

    def test_connection_after_the_end(self) -> None:
        """A transport that comes when the stream is closed is closed as well."""
        for cls in (IOStream, SSLIOStream):
            stream = cls()
            stream.close()
            _, transport = self.memory_stream()
            stream.makeConnection(transport)
            self.assertTrue(transport.disconnecting)

    def test_tls_factory_of_twisted(self) -> None:
        """`TLSMemoryBIOFactory` takes our connection creator, for any protocol."""
        from tests.iostream.support import server_context
        from txtornado.iostream.tls import ContextConnectionCreator

        factory = TLSMemoryBIOFactory(
            ContextConnectionCreator(server_context()),
            False,
            StreamFactory(),
            self.io_loop.reactor,
        )
        protocol = factory.buildProtocol(None)
        transport = MemoryTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(b"no TLS, really")
        self.assertTrue(transport.disconnecting)


class DescriptorStream(BaseIOStream):
    """A stream that does its own reading and writing, as an application would."""

    def __init__(self, sock: socket.socket, **options: Any) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.calls: list[str] = []
        super().__init__(**options)

    def fileno(self) -> Any:
        return self.sock

    def close_fd(self) -> None:
        self.calls.append("close")
        self.sock.close()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            return self.sock.recv_into(buf)
        except BlockingIOError:
            return None

    def write_to_fd(self, data: memoryview) -> int:
        return self.sock.send(data[:7])


class HookTests(StreamTestCase):
    async def test_own_descriptor(self) -> None:
        """Subclasses with their own reading and writing work, however little they write."""
        a, b = tcp_sockets()
        one, other = self.closing(DescriptorStream(a)), self.closing(DescriptorStream(b))
        future = one.write(b"0123456789" * 100)
        self.assertEqual(await other.read_bytes(1000), b"0123456789" * 100)
        await future
        one.close()
        self.assertEqual(one.calls, ["close"])
        with self.assertRaises(StreamClosedError):
            await other.read_bytes(1)
        self.assertEqual(other.calls, ["close"])

    async def test_failing_hook(self) -> None:
        """An exception in a hook is logged, and ends the stream with it."""
        a, b = tcp_sockets()
        stream = self.closing(DescriptorStream(a))

        def read_from_fd(buf: Any) -> int:
            raise OSError(errno.EIO, "broken disk")

        stream.read_from_fd = read_from_fd
        b.sendall(b"x")
        caught = self.assertRaises(StreamClosedError)
        with ExpectLog("tornado.general", "error on read: .*broken disk"), caught:
            await stream.read_bytes(1)
        self.assertEqual(caught.exception.real_error.errno, errno.EIO)
        b.close()

    async def test_hook_taken_back(self) -> None:
        """A stream whose hook is deleted reads as it did before, also in push mode."""
        a, b = tcp_sockets()
        stream = self.closing(IOStream(a))
        own = stream.read_from_fd

        def read_from_fd(buf: Any) -> int | None:
            size = own(buf)
            if size:
                buf[:size] = bytes(buf[:size]).upper()
            return size

        stream.read_from_fd = read_from_fd
        self.assertIs(stream.read_from_fd, read_from_fd)
        b.sendall(b"hello")
        self.assertEqual(await stream.read_bytes(5), b"HELLO")
        del stream.read_from_fd
        b.sendall(b"hello")
        self.assertEqual(await stream.read_bytes(5), b"hello")
        with self.assertRaises(AttributeError):
            del stream.read_from_fd
        stream.set_consumer(Consumer())
        stream.read_from_fd = read_from_fd
        stream.set_consumer(None)
        b.sendall(b"again")
        self.assertEqual(await stream.read_bytes(5), b"AGAIN")
        b.close()

    async def test_overridden_read(self) -> None:
        """A subclass of IOStream may see the bytes first."""

        class Shouting(IOStream):
            def read_from_fd(self, buf: Any) -> int | None:
                size = super().read_from_fd(buf)
                if size:
                    buf[:size] = bytes(buf[:size]).upper()
                return size

        a, b = tcp_sockets()
        stream = self.closing(Shouting(a))
        b.sendall(b"hello")
        self.assertEqual(await stream.read_bytes(5), b"HELLO")
        b.close()
        self.assertEqual(await stream.read_until_close(), b"")

    def test_abstract(self) -> None:
        """The base class says what a subclass has to bring."""
        stream = BaseIOStream()
        self.assertRaises(NotImplementedError, stream.fileno)
        self.assertRaises(NotImplementedError, stream.close_fd)
        self.assertIsNone(stream.get_fd_error())
        stream.set_nodelay(True)
