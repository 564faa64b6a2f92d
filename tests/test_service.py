"""`txtornado.service`: a server as a part of a Twisted program."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import defer, reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from txtornado.concurrent import new_future
from txtornado.httpclient import AsyncHTTPClient
from txtornado.service import HTTPService
from txtornado.testing import ExpectLog, ReactorTestCase
from txtornado.web import Application, RequestHandler

HERE = "tcp:0:interface=127.0.0.1"


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("hello from " + str(self.request.remote_ip))


class Waiting(RequestHandler):
    """Answers when it is told to."""

    async def get(self) -> None:
        self.settings["requests"].append(self)
        self.write(await self.settings["answer"])


class Gathering(Protocol):
    """A client that keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""
        self.closed: defer.Deferred[None] = defer.Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.closed.callback(None)


class HTTPServiceTests(ReactorTestCase):
    """Services that listen on real ports."""

    def setUp(self) -> None:
        self.app = Application(
            [("/", Hello), ("/waiting", Waiting)], requests=[], answer=new_future()
        )

    async def start(self, *endpoints: Any, **options: Any) -> HTTPService:
        service = HTTPService(self.app, endpoints or [HERE], **options)
        service.startService()
        self.addCleanup(self.stop, service)
        return service

    async def stop(self, service: HTTPService) -> None:
        if service.running:
            service.grace = 0
            await service.stopService()

    def url(self, service: HTTPService, path: str = "/", number: int = 0) -> str:
        address: Any = service.ports[number].getHost()
        return f"http://127.0.0.1:{address.port}{path}"

    async def fetch(self, url: str, **options: Any) -> str:
        response = await AsyncHTTPClient().fetch(url, **options)
        return str(response.body, "utf-8")

    async def connect(self, service: HTTPService, request: bytes = b"") -> Gathering:
        address: Any = service.ports[0].getHost()
        client = TCP4ClientEndpoint(reactor, "127.0.0.1", address.port)
        protocol: Gathering = await connectProtocol(client, Gathering())
        protocol.transport.write(request)  # type: ignore[union-attr]
        return protocol

    async def test_serves(self) -> None:
        """A service that runs answers, on each of its endpoints, strings and objects."""
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        service = await self.start(HERE, endpoint)
        for number in range(2):
            body = await self.fetch(self.url(service, number=number))
            self.assertEqual(body, "hello from 127.0.0.1")

    async def test_server_options(self) -> None:
        """Further arguments are the server's."""
        service = await self.start(xheaders=True)
        body = await self.fetch(self.url(service), headers={"X-Real-IP": "192.0.2.7"})
        self.assertEqual(body, "hello from 192.0.2.7")

    async def test_function(self) -> None:
        """What is served may be a function of requests."""
        self.app = lambda request: request.connection.close()  # type: ignore[assignment]
        service = await self.start()
        client = await self.connect(service, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.closed
        self.assertEqual(client.data, b"")

    async def test_in_a_tree(self) -> None:
        """As a child of another service it starts and stops with that."""
        parent = MultiService()
        service = HTTPService(self.app, [HERE])
        service.setServiceParent(parent)
        parent.privilegedStartService()
        (port,) = service.ports
        parent.startService()
        self.assertEqual(service.ports, [port])
        self.assertEqual(await self.fetch(self.url(service)), "hello from 127.0.0.1")
        await parent.stopService()
        self.assertEqual(service.ports, [])

    async def test_stops(self) -> None:
        """Once stopped the port is closed, and so are connections that were kept."""
        service = await self.start()
        client = await self.connect(service, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await self.fetch(self.url(service))
        address: Any = service.ports[0].getHost()
        await service.stopService()
        await client.closed
        self.assertIn(b"hello", client.data)
        again = TCP4ServerEndpoint(reactor, address.port, interface="127.0.0.1")
        port: Any = await again.listen(service.server)
        await port.stopListening()

    async def test_request_under_way(self) -> None:
        """A request under way is answered while the service stops."""
        service = await self.start()
        response = self.fetch_later(self.url(service, "/waiting"))
        await self.request_to_come()
        stopped = service.stopService()
        self.assertNoResult(stopped)
        self.app.settings["answer"].set_result("at last")
        self.assertEqual(await response, "at last")
        await stopped

    async def test_grace(self) -> None:
        """A request that takes longer than that is cut off."""
        service = await self.start(grace=0)
        client = await self.connect(service, b"GET /waiting HTTP/1.1\r\nHost: x\r\n\r\n")
        await self.request_to_come()
        await service.stopService()
        await client.closed
        self.assertEqual(client.data, b"")
        self.app.settings["answer"].set_result("too late")

    async def test_starts_again(self) -> None:
        """A stopped service can be started again."""
        service = await self.start()
        await service.stopService()
        service.startService()
        self.assertEqual(await self.fetch(self.url(service)), "hello from 127.0.0.1")

    async def test_stopped_before_it_listens(self) -> None:
        """A port that opens only when the service has been stopped is closed at once."""

        class SlowEndpoint:
            def listen(self, factory: Any) -> defer.Deferred[Any]:
                self.factory = factory
                self.opened: defer.Deferred[Any] = defer.Deferred()
                return self.opened

        endpoint = SlowEndpoint()
        service = await self.start(endpoint)
        await service.stopService()
        port = reactor.listenTCP(  # type: ignore[attr-defined]
            0, endpoint.factory, interface="127.0.0.1"
        )
        endpoint.opened.callback(port)
        self.assertEqual(service.ports, [])
        self.assertTrue(port.disconnecting or port.disconnected)

    def fetch_later(self, url: str) -> Any:
        return asyncio.ensure_future(self.fetch(url))

    async def request_to_come(self) -> None:
        while not self.app.settings["requests"]:
            await asyncio.sleep(0.001)


class Failing:
    """An endpoint that cannot listen."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    def listen(self, factory: object) -> Any:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class FailureTests(ReactorTestCase):
    """Services that cannot listen."""

    def logs(self, text: str) -> ExpectLog:
        return ExpectLog("tornado.general", text, level=logging.ERROR)

    def test_port_in_use(self) -> None:
        """A port that cannot be had is logged with the reason, and the others are opened."""
        memory = MemoryReactorClock()
        refused = CannotListenError("", 80, OSError(98, "Address already in use"))
        service = HTTPService(print, [Failing(defer.fail(refused)), "tcp:8080"], reactor=memory)
        with self.logs("cannot listen on .*: Address already in use"):
            service.startService()
        self.assertEqual([server[0] for server in memory.tcpServers], [8080])

    def test_endpoint_that_raises(self) -> None:
        """So is an endpoint that raises, and one whose failure comes later."""
        later: defer.Deferred[Any] = defer.Deferred()
        service = HTTPService(print, [Failing(ValueError("no such thing")), Failing(later)])
        with self.logs("cannot listen on .*: no such thing"):
            service.startService()
        with self.logs("cannot listen on .* was lost"):
            later.errback(Failure(ConnectionLost()))

    def test_unknown_endpoint(self) -> None:
        """A description that is none is told with its text."""
        with self.logs("cannot listen on nosuch:1: Unknown endpoint type: 'nosuch'"):
            HTTPService(print, ["nosuch:1"]).startService()

    def test_overridden(self) -> None:
        """What `listen_failed` raises stops the start."""

        class Strict(HTTPService):
            def listen_failed(self, endpoint: Any, failure: Failure) -> None:
                raise SystemExit(f"{endpoint} {self.explain(failure)}")

        service = Strict(print, ["nosuch:1"])
        error = self.assertRaises(SystemExit, service.startService)
        self.assertEqual(str(error), "nosuch:1 Unknown endpoint type: 'nosuch'")
