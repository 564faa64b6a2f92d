"""`HTTPServer.drain`: how connections come to an end when a server does."""

from __future__ import annotations

import asyncio

from twisted.internet.address import IPv4Address
from zope.interface import implementer

from tests.http1.support import MemoryStream, Recorder, RecordingApp, ok
from txtornado.httpserver import HTTPServer
from txtornado.interfaces import IUpgradedConnection
from txtornado.testing import ReactorTestCase

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = "Connection: close\r\n"


@implementer(IUpgradedConnection)
class Upgraded:
    """Another protocol on a connection that was HTTP's."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def shut_down(self) -> None:
        self.calls.append("shut_down")

    def abort(self) -> None:
        self.calls.append("abort")


class DrainTests(ReactorTestCase):
    """Connections in memory, each in a state of its own."""

    def setUp(self) -> None:
        self.app = RecordingApp(lambda conn: Recorder(conn, None))
        self.server = HTTPServer(self.app)

    def connect(self) -> MemoryStream:
        stream = MemoryStream()
        self.server.handle_stream(stream, ("127.0.0.1", 4321))  # type: ignore[arg-type]
        return stream

    async def begin(self) -> asyncio.Task[None]:
        """Begin to drain the server, and let the loop turn a few times."""
        drained = asyncio.ensure_future(self.server.drain())
        for _ in range(5):
            await asyncio.sleep(0)
        return drained

    async def test_no_connections(self) -> None:
        """A server without connections is done at once."""
        await self.server.drain()

    async def test_idle(self) -> None:
        """Connections without a request under way are closed at once, fresh and used ones."""
        fresh, used = self.connect(), self.connect()
        used.feed(GET)
        self.app.requests[0].respond(b"ok")
        await self.server.drain()
        self.assertTrue(fresh.closed())
        self.assertTrue(used.closed())
        self.assertEqual(used.sent, ok())
        self.assertEqual(self.app.closed, 2)

    async def test_busy(self) -> None:
        """A request under way is answered, and its connection says that it ends."""
        stream = self.connect()
        stream.feed(GET)
        drained = await self.begin()
        self.assertFalse(stream.closed())
        self.assertFalse(drained.done())
        self.app.requests[0].respond(b"late")
        self.assertEqual(stream.sent, ok(b"late", LAST))
        self.assertTrue(stream.closed())
        await drained

    async def test_head_sent(self) -> None:
        """A response that has begun is finished; the connection is closed though it did not say so."""
        stream = self.connect()
        stream.feed(GET)
        connection = self.app.requests[0].connection
        connection.write(ok(b"half")[:-2])
        drained = await self.begin()
        connection.write(b"lf")
        connection.finish()
        await drained
        self.assertEqual(stream.sent, ok(b"half"))
        self.assertTrue(stream.closed())

    async def test_body_to_come(self) -> None:
        """A request whose body is still coming in is one under way."""
        stream = self.connect()
        stream.feed(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        drained = await self.begin()
        self.assertFalse(stream.closed())
        stream.feed(b"cd")
        self.app.requests[0].respond(b"abcd")
        await drained
        self.assertEqual(stream.sent, ok(b"abcd", LAST))

    async def test_half_a_head(self) -> None:
        """So is one of which no more than the first bytes have come."""
        stream = self.connect()
        stream.feed(GET[:10])
        drained = await self.begin()
        self.assertFalse(stream.closed())
        stream.feed(GET[10:])
        self.app.requests[0].respond(b"ok")
        await drained
        self.assertEqual(stream.sent, ok(extra=LAST))

    async def test_pipelined(self) -> None:
        """The request under way is the last one, also when more of them wait behind it."""
        stream = self.connect()
        stream.feed(GET + GET)
        drained = await self.begin()
        self.app.requests[0].respond(b"first")
        await drained
        self.assertEqual(len(self.app.requests), 1)
        self.assertTrue(stream.closed())

    async def test_slow_reader(self) -> None:
        """A response that waits for its reader is not cut off."""
        stream = self.connect()
        stream.stuck = True
        stream.feed(GET)
        self.app.requests[0].respond(b"ok")
        drained = await self.begin()
        self.assertFalse(stream.closed())
        stream.drain()
        await drained
        self.assertTrue(stream.closed())

    async def test_time_is_up(self) -> None:
        """What is left when the time is up is cut off, and its request hears of it."""
        stream = self.connect()
        stream.feed(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        await self.server.drain(0)
        self.assertTrue(stream.closed())
        self.assertEqual(stream.sent, b"")
        self.assertEqual(self.app.requests[0].events, ["head", "data", "close"])

    async def test_twice(self) -> None:
        """Who asks while a server is being drained waits for the same end."""
        stream = self.connect()
        stream.feed(GET)
        first, second = await self.begin(), await self.begin()
        self.app.requests[0].respond(b"ok")
        await asyncio.gather(first, second)
        self.assertTrue(stream.closed())

    async def test_no_more_connections(self) -> None:
        """A server that is drained accepts nothing more."""
        await self.server.drain()
        self.assertIsNone(self.server.buildProtocol(None))

    async def test_detached(self) -> None:
        """A stream that another protocol has taken over is left alone."""
        stream = self.connect()
        stream.feed(GET)
        self.app.requests[0].connection.detach()
        await self.server.drain(0)
        self.assertFalse(stream.closed())

    async def test_adopted(self) -> None:
        """What was made known to the server is told to close, and waited for."""
        upgraded = Upgraded()
        self.server.adopt(upgraded)
        drained = await self.begin()
        self.assertEqual(upgraded.calls, ["shut_down"])
        self.assertFalse(drained.done())
        self.server.release(upgraded)
        await drained
        self.assertEqual(upgraded.calls, ["shut_down"])

    async def test_adopted_and_stubborn(self) -> None:
        """What does not close in time is cut off."""
        upgraded = Upgraded()
        self.server.adopt(upgraded)
        await self.server.drain(0)
        self.assertEqual(upgraded.calls, ["shut_down", "abort"])

    async def test_opens_again(self) -> None:
        """A port that opens after that finds the server ready."""
        await self.server.drain()
        self.server.doStart()
        self.assertIsNotNone(self.server.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4321)))
