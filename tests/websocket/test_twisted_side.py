"""Tests for Twisted protocols over WebSockets."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import IConsumer, IPushProducer, IStreamClientEndpoint, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.amp import AMP, Command, Integer
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.websocket.support import Client, close, serve
from txtornado.httpserver import HTTPServer
from txtornado.testing import ReactorTestCase, bind_unused_port
from txtornado.web import Application
from txtornado.websocket import ProtocolHandler, WebSocketEndpoint

TEXT, BINARY, CLOSE = 0x81, 0x82, 0x88


class Sum(Command):
    arguments = [(b"a", Integer()), (b"b", Integer())]
    response = [(b"total", Integer())]


class Calculator(AMP):
    @Sum.responder
    def sum(self, a: int, b: int) -> dict[str, int]:
        return {"total": a + b}


class Recorder(Protocol):
    instance: Any

    def connectionMade(self) -> None:
        Recorder.instance = self
        self.received: list[bytes] = []
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


class Nobody(Factory):
    def buildProtocol(self, addr: Any) -> None:
        return None


class Producer:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class TransportTests(SynchronousTestCase):
    """A protocol at the server's end."""

    def connect(self, protocol: Any = Recorder, factory: Any = None) -> tuple[Client, Any]:
        factory = factory or Factory.forProtocol(protocol)
        self.server = serve(self, ProtocolHandler, {"factory": factory})
        client = Client(self.server)
        return client, getattr(Recorder, "instance", None)

    def test_interfaces(self) -> None:
        """It is a transport and all that goes with it."""
        _, protocol = self.connect()
        for interface in (ITransport, IConsumer, IPushProducer):
            verifyObject(interface, protocol.transport)
        self.assertEqual(protocol.transport.getPeer().host, "127.0.0.1")
        self.assertEqual(protocol.transport.getHost().host, "127.0.0.1")

    def test_bytes(self) -> None:
        """Messages of either kind are bytes; what is written goes out as binary messages."""
        client, protocol = self.connect()
        client.send(BINARY, b"\xff")
        client.send(TEXT, "\u00e9".encode())
        client.send(TEXT, b"")
        self.assertEqual(protocol.received, [b"\xff", "\u00e9".encode()])
        protocol.transport.write(b"one")
        protocol.transport.write(b"")
        protocol.transport.writeSequence([b"t", b"wo"])
        self.assertEqual(client.received(), [(BINARY, b"one"), (BINARY, b"two")])

    def test_lose_connection(self) -> None:
        """loseConnection closes when everything is out; the protocol hears that it is done."""
        client, protocol = self.connect()
        protocol.transport.write(b"last")
        protocol.transport.loseConnection()
        protocol.transport.loseConnection()
        protocol.transport.write(b"too late")
        self.assertEqual(client.received(), [(BINARY, b"last"), (CLOSE, close(1000))])
        client.send(CLOSE, close(1000))
        self.assertTrue(protocol.lost.check(ConnectionDone))

    def test_lost(self) -> None:
        """The reason tells an orderly end from another."""
        for code, reason in (
            (1000, ConnectionDone),
            (1001, ConnectionDone),
            (1002, ConnectionLost),
        ):
            client, protocol = self.connect()
            client.send(CLOSE, close(code))
            self.assertTrue(protocol.lost.check(reason), protocol.lost)

    def test_abort(self) -> None:
        """abortConnection ends it at once."""
        client, protocol = self.connect()
        protocol.transport.abortConnection()
        self.server.settle()
        self.assertTrue(client.closed)
        self.assertIsNotNone(protocol.lost)

    def test_pause(self) -> None:
        """A protocol that pauses its transport gets nothing until it resumes."""
        client, protocol = self.connect()
        protocol.transport.pauseProducing()
        client.send(BINARY, b"a")  # was on its way
        client.send(BINARY, b"b")
        self.assertEqual(protocol.received, [b"a"])
        protocol.transport.resumeProducing()
        self.server.settle()
        self.assertEqual(protocol.received, [b"a", b"b"])

    def test_push_producer(self) -> None:
        """A streaming producer is paused while the client takes nothing."""
        client, protocol = self.connect()
        producer = Producer()
        protocol.transport.registerProducer(producer, True)
        self.assertRaises(RuntimeError, protocol.transport.registerProducer, Producer(), True)
        client.wire.stop_reading()
        protocol.transport.write(b"x" * (4 << 20))
        self.assertEqual(producer.calls, ["pause"])
        client.wire.start_reading()
        self.server.settle()
        self.assertEqual(producer.calls, ["pause", "resume"])
        client.wire.close()
        self.assertEqual(producer.calls, ["pause", "resume", "stop"])
        protocol.transport.registerProducer(producer, True)
        self.assertEqual(producer.calls[-2:], ["stop", "stop"])

    def test_pull_producer(self) -> None:
        """A pull producer is asked for more until there is no more, and loseConnection waits."""
        client, protocol = self.connect()

        class Pulled(Producer):
            def resumeProducing(self) -> None:
                super().resumeProducing()
                protocol.transport.write(b"%d" % len(self.calls))
                if len(self.calls) == 3:
                    protocol.transport.unregisterProducer()

        producer = Pulled()
        protocol.transport.registerProducer(producer, False)
        protocol.transport.loseConnection()
        self.server.settle()
        sent = [(BINARY, b"1"), (BINARY, b"2"), (BINARY, b"3"), (CLOSE, close(1000))]
        self.assertEqual(client.received(), sent)

    def test_refused(self) -> None:
        """A factory may refuse a connection."""
        client, _ = self.connect(factory=Nobody())
        self.assertEqual(client.received(), [(CLOSE, close(1008))])
        client.send(BINARY, b"x")
        client.send(CLOSE, close(1008))
        self.assertTrue(client.closed)

    def test_lines(self) -> None:
        """Where messages begin and end makes no difference to a protocol of lines."""

        class Shout(LineReceiver):
            def lineReceived(self, line: bytes) -> None:
                self.sendLine(line.upper())

        client, _ = self.connect(Shout)
        client.send(TEXT, b"hel")
        client.send(TEXT, b"lo\r\nworld\r\n")
        data = b"".join(payload for _, payload in client.received())
        self.assertEqual(data, b"HELLO\r\nWORLD\r\n")


class EndpointTests(ReactorTestCase):
    """Both ends, over sockets."""

    async def setUp(self) -> None:
        factory = Factory.forProtocol(Calculator)
        arguments = {"factory": factory, "subprotocols": ["amp"]}
        self.server = HTTPServer(Application([("/", ProtocolHandler, arguments)]))
        sock, port = bind_unused_port()
        self.server.add_sockets([sock])
        self.url = f"ws://127.0.0.1:{port}/"

        async def stop() -> None:
            await self.server.drain(5)

        self.addCleanup(stop)

    async def test_amp(self) -> None:
        """AMP runs over a WebSocket, with a subprotocol if one likes."""
        endpoint = WebSocketEndpoint(self.url, subprotocols=["amp"])
        verifyObject(IStreamClientEndpoint, endpoint)
        amp = await connectProtocol(endpoint, AMP())
        self.assertEqual(amp.transport.connection.selected_subprotocol, "amp")
        self.assertEqual(await amp.callRemote(Sum, a=2, b=3), {"total": 5})
        await self.end(amp)

    async def end(self, protocol: Any) -> None:
        """Close, and wait until the protocol has heard of it."""
        lost: Deferred[None] = Deferred()
        original = protocol.connectionLost

        def connection_lost(reason: Failure) -> None:
            original(reason)
            lost.callback(None)

        protocol.connectionLost = connection_lost
        protocol.transport.loseConnection()
        await lost

    async def test_no_protocol(self) -> None:
        """A factory without a protocol is a NoProtocol."""

        connections = set(self.server._upgraded)
        with self.assertRaises(NoProtocol):
            await WebSocketEndpoint(self.url).connect(Nobody())
        while self.server._upgraded - connections:
            await asyncio.sleep(0)
        for _ in range(3):  # until this end has noticed
            await asyncio.sleep(0)

    async def test_nobody_there(self) -> None:
        """A failure to connect is the Deferred's."""
        sock, port = bind_unused_port()
        sock.close()
        with self.assertRaises(OSError):
            await WebSocketEndpoint(f"ws://127.0.0.1:{port}/").connect(Factory())
