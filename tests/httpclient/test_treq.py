"""Tests for `TreqAsyncHTTPClient`: those of the simple client, and what only this one can do."""

import gzip
import hashlib
import re
import ssl

import treq.client
from twisted.internet import defer, reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.web.client import Agent, HTTPConnectionPool

from tests.httpclient import test_simple as simple
from tests.httpclient.scripted import Scripted
from txtornado.httpclient import AsyncHTTPClient
from txtornado.simple_httpclient import HTTPStreamClosedError
from txtornado.testing import AsyncHTTPSTestCase
from txtornado.treq_httpclient import TreqAsyncHTTPClient
from txtornado.web import Application, RequestHandler

OK = simple.OK


class ResponseTests(simple.ResponseTests):
    implementation = TreqAsyncHTTPClient
    keeps_connections = True
    callback_error = ZeroDivisionError


class RequestTests(simple.RequestTests):
    implementation = TreqAsyncHTTPClient
    keeps_connections = True
    callback_error = ZeroDivisionError


class CallbackTests(simple.CallbackTests):
    implementation = TreqAsyncHTTPClient
    keeps_connections = True
    callback_error = ZeroDivisionError


class LimitTests(simple.LimitTests):
    implementation = TreqAsyncHTTPClient
    keeps_connections = True
    callback_error = ZeroDivisionError


class DigestTests(simple.DigestTests):
    implementation = TreqAsyncHTTPClient


class EndTests(simple.EndTests):
    implementation = TreqAsyncHTTPClient
    keeps_connections = True
    callback_error = ZeroDivisionError


class ConnectionTests(simple.ClientTestCase):
    """Connections that are kept."""

    implementation = TreqAsyncHTTPClient
    keeps_connections = True

    async def test_reuse(self) -> None:
        """Requests one after the other share a connection."""
        url = await self.serve(OK)
        client = self.client()
        for _ in range(5):
            self.assertEqual((await client.fetch(url)).body, b"hello")
        self.assertEqual(len(self.server.connections), 1)

    async def test_reuse_after_redirect(self) -> None:
        """A redirect's body is read, so that its connection can be used again."""

        def script(connection: Scripted) -> None:
            there = b"/there " in connection.data
            connection.data = b""
            connection.reply(
                OK if there
                else b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 3\r\n\r\nnot"
            )  # fmt: skip

        url = await self.serve(script)
        await self.client().fetch(url)
        self.assertEqual(len(self.server.connections), 1)

    async def test_not_kept(self) -> None:
        """A connection that the server is about to close is not used again."""
        url = await self.serve(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
        )
        client = self.client()
        await client.fetch(url)
        await client.fetch(url)
        self.assertEqual(len(self.server.connections), 2)

    async def test_stale(self) -> None:
        """A request that meets a connection just closed is sent once more, if it may be."""

        def script(connection: Scripted) -> None:
            if connection is self.server.connections[0] and self.server.answered:
                connection.transport.abortConnection()
                return
            self.server.answered = True
            connection.data = b""
            connection.reply(OK)

        url = await self.serve(script)
        self.server.answered = False
        client = self.client()
        await client.fetch(url)
        self.assertEqual((await client.fetch(url)).body, b"hello")
        self.assertEqual(len(self.server.connections), 2)

    async def test_stale_post(self) -> None:
        """A POST is not sent twice."""

        def script(connection: Scripted) -> None:
            if b"POST" in connection.data:
                connection.transport.abortConnection()
            else:
                connection.data = b""
                connection.reply(OK)

        url = await self.serve(script)
        client = self.client()
        await client.fetch(url)
        with self.assertRaises((HTTPStreamClosedError, ConnectionResetError)):
            await client.fetch(url, method="POST", body="x")
        self.assertEqual(len(self.server.connections), 1)

    async def test_different_addresses(self) -> None:
        """Requests that are to come from different addresses have different connections."""
        url = await self.serve(OK)
        client = self.client()
        for address in ("127.0.0.2", "127.0.0.3", "127.0.0.2"):
            await client.fetch(url, network_interface=address)
        self.assertEqual(len(self.server.connections), 2)

    async def test_close(self) -> None:
        """close() closes the connections that are kept; wait_closed() waits for that."""
        url = await self.serve(OK)
        async with TreqAsyncHTTPClient(force_instance=True) as client:
            await client.fetch(url)
        await self.server.connections[0].lost

    async def test_shared_client(self) -> None:
        """A test that uses the shared client leaves a clean reactor."""
        saved = AsyncHTTPClient._save_configuration()
        self.addCleanup(AsyncHTTPClient._restore_configuration, saved)
        AsyncHTTPClient.configure("txtornado.treq_httpclient.TreqAsyncHTTPClient")
        response = await AsyncHTTPClient().fetch(await self.serve(OK))
        self.assertEqual(response.code, 200)

    async def test_reading_pauses(self) -> None:
        """A callback that takes its time holds the server up, and memory stays bounded."""
        size = 20_000_000
        url = await self.serve(lambda connection: None)
        gate: defer.Deferred[None] = defer.Deferred()
        seen = []

        async def callback(chunk):
            seen.append(len(chunk))
            if len(seen) == 1:
                await gate

        future = self.client().fetch(url, streaming_callback=callback)
        await simple.wait_until(lambda: self.server.connections)
        (connection,) = self.server.connections
        connection.reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        connection.reply(b"x" * size)
        await simple.wait_until(lambda: seen)
        for _ in range(20):
            await simple.task.deferLater(reactor, 0)
        self.assertEqual(len(seen), 1)
        self.assertTrue(connection.transport.dataBuffer or connection.transport._tempDataBuffer)
        gate.callback(None)
        await future
        self.assertEqual(sum(seen), size)


class BuildingTests(simple.ClientTestCase):
    """Clients on somebody else's parts."""

    implementation = TreqAsyncHTTPClient

    async def test_pool(self) -> None:
        """A pool may be shared, and is not closed with the client."""
        url = await self.serve(OK)
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)
        for _ in range(2):
            client = self.client(pool=pool)
            await client.fetch(url)
            client.close()
        self.assertEqual(len(self.server.connections), 1)

    async def test_agent(self) -> None:
        """An agent may be given, and what belongs to its connections is refused."""
        url = await self.serve(OK)
        client = self.client(agent=Agent(reactor))
        response = await client.fetch(url)
        self.assertEqual(response.body, b"hello")
        self.assertEqual(response.headers["Content-Length"], "5")
        with self.assertRaisesRegex(NotImplementedError, "network_interface"):
            await client.fetch(url, network_interface="127.0.0.1")

    async def test_pool_that_repeats(self) -> None:
        """Twisted's pools send requests again themselves; with ours, that is decided here."""

        def script(connection: Scripted) -> None:
            if len(self.server.connections) == 1 and b"/b" in connection.data:
                connection.transport.abortConnection()
                return
            connection.data = b""
            connection.reply(OK)

        url = await self.serve(script)
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)
        client = self.client(pool=pool)
        await client.fetch(f"{url}/a")
        self.assertEqual((await client.fetch(f"{url}/b")).body, b"hello")
        self.assertEqual(len(self.server.connections), 2)

    async def test_pool_that_keeps_nothing(self) -> None:
        """With a pool that is not persistent each request has a connection of its own."""
        url = await self.serve(OK)
        client = self.client(pool=HTTPConnectionPool(reactor, persistent=False))
        for _ in range(2):
            await client.fetch(url)
        self.assertEqual(len(self.server.connections), 2)
        self.assertEqual((client.open_connections, client.idle_connections), (0, 0))

    async def test_given_treq(self) -> None:
        """Requests can go through a treq client of the user's."""
        url = await self.serve(OK)
        theirs = treq.client.HTTPClient(Agent(reactor))
        client = self.client(treq=theirs)
        self.assertIs(client.treq, theirs)
        response = await client.fetch(url, method="POST", body="abc", headers={"X-Mine": "1"})
        self.assertEqual((response.code, response.body), (200, b"hello"))
        with self.assertRaisesRegex(NotImplementedError, "ca_certs"):
            await client.fetch(url, ca_certs="/nowhere")

    async def test_given_treq_redirects(self) -> None:
        """Redirects and decompressed bodies are dealt with as ever."""
        packed = gzip.compress(b"hello " * 100)

        def script(connection: Scripted) -> None:
            there = b"/there " in connection.data
            self.sent = connection.data
            connection.data = b""
            connection.reply(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
                % (len(packed), packed)
                if there
                else b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
            )

        url = await self.serve(script)
        response = await self.client(treq=treq.client.HTTPClient(Agent(reactor))).fetch(url)
        self.assertEqual(response.body, b"hello " * 100)
        self.assertEqual(response.effective_url, f"{url}/there")
        self.assertEqual(self.sent.lower().count(b"accept-encoding"), 1)

    async def test_agent_fails(self) -> None:
        """What goes wrong with an agent's connection is an error like ours."""
        url = await self.serve(lambda connection: connection.transport.loseConnection())
        with self.assertRaises(HTTPStreamClosedError):
            await self.client(agent=Agent(reactor)).fetch(url)

    async def test_agent_streams(self) -> None:
        """Bodies are produced and streamed through an agent as well."""
        url = await self.serve(OK)
        chunks = []

        async def produce(write):
            await write(b"ab")
            await write(b"cd")

        await self.client(agent=Agent(reactor)).fetch(
            url, method="POST", body_producer=produce, streaming_callback=chunks.append
        )
        self.assertEqual(b"".join(chunks), b"hello")

    async def test_contradictions(self) -> None:
        """What cannot both be is refused."""
        agent = Agent(reactor)
        for both in (
            {"agent": agent, "pool": HTTPConnectionPool(reactor)},
            {"agent": agent, "treq": treq.client.HTTPClient(agent)},
            {"agent": agent, "unix_socket": "/nowhere"},
        ):
            with self.assertRaises(ValueError):
                TreqAsyncHTTPClient(force_instance=True, **both)

    async def test_treq(self) -> None:
        """treq users can work on the client's pool."""
        url = await self.serve(OK)
        client = self.client()
        response = await client.treq.get(url)
        self.assertEqual(await response.content(), b"hello")

    async def test_unsupported(self) -> None:
        """What is not supported is refused by name."""
        for name in ("auth_mode", "proxy_auth_mode"):
            with self.assertRaisesRegex(ValueError, name):
                await self.get(OK, **{name: "ntlm"})


CHALLENGE = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n"
    b'Proxy-Authenticate: Digest realm="here", nonce="n", qop="auth"\r\n\r\nno!'
)


class Proxy(Protocol):
    """Notes the request's head; answers it, or becomes a tunnel to where CONNECT asks."""

    def __init__(self, factory: "ProxyFactory") -> None:
        self.factory = factory
        self.data = b""
        self.other: Protocol | None = None
        self.factory.connections.append(self)
        self.lost: defer.Deferred[None] = defer.Deferred()

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)
            return
        self.data += data
        if b"\r\n\r\n" not in self.data:
            return
        head, self.data = self.data, b""
        self.factory.heads.append(head)
        if self.factory.digest and b"Proxy-Authorization: Digest " not in head:
            self.transport.write(CHALLENGE)
        elif not head.startswith(b"CONNECT "):
            self.transport.write(OK)
        elif self.factory.refuses:
            self.transport.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        else:
            host, _, port = head.split(b" ")[1].rpartition(b":")
            self.transport.pauseProducing()
            reactor.connectTCP(host.decode(), int(port), TunnelFactory(self))

    def connectionLost(self, reason=None) -> None:
        if self.other is not None:
            self.other.transport.loseConnection()
        self.lost.callback(None)


class TunnelFactory(simple.ScriptedServer):
    def __init__(self, client: Proxy) -> None:
        super().__init__(lambda connection: None)
        self.client = client

    def buildProtocol(self, addr):
        return TunnelEnd(self.client)

    def startedConnecting(self, connector) -> None: ...

    def clientConnectionLost(self, connector, reason) -> None: ...


class TunnelEnd(Protocol):
    def __init__(self, client: Proxy) -> None:
        self.client = client

    def connectionMade(self) -> None:
        self.client.other = self
        self.client.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.client.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        self.client.transport.write(data)

    def connectionLost(self, reason=None) -> None:
        self.client.transport.loseConnection()


class ProxyFactory(Factory):
    noisy = False
    refuses = False
    digest = False

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.connections: list[Proxy] = []

    def buildProtocol(self, addr) -> Proxy:
        return Proxy(self)


class HelloHandler(RequestHandler):
    def get(self) -> None:
        self.write("hello")


DIGEST = {"proxy_username": "me", "proxy_password": "secret", "proxy_auth_mode": "digest"}


def expected(method: str, uri: str, head: bytes) -> bytes:
    """The response that RFC 7616, section 3.4.1, asks for."""

    def md5(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    cnonce = re.search(rb'cnonce="(\w+)"', head)[1].decode()
    secret, what = md5("me", "here", "secret"), md5(method, uri)
    return f'response="{md5(secret, "n", "00000001", cnonce, "auth", what)}"'.encode()


class ProxyTests(AsyncHTTPSTestCase):
    """Proxies, plain and with CONNECT."""

    def get_app(self) -> Application:
        return Application([("/", HelloHandler)], log_function=lambda handler: None)

    def get_http_client(self) -> TreqAsyncHTTPClient:
        return TreqAsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})

    def setUp(self) -> None:
        super().setUp()
        global reactor
        self.proxy = ProxyFactory()
        loop_reactor = self.io_loop.reactor
        self.saved, reactor = reactor, loop_reactor
        self.port = loop_reactor.listenTCP(0, self.proxy, interface="127.0.0.1")
        self.options = {"proxy_host": "127.0.0.1", "proxy_port": self.port.getHost().port}

    def tearDown(self) -> None:
        global reactor
        reactor = self.saved
        self.port.stopListening()
        super().tearDown()

    def test_plain(self) -> None:
        """A proxy is asked for the whole URL, and connections to it are kept."""
        for path in ("a", "b"):
            response = self.fetch(f"http://example.com/{path}", **self.options)
            self.assertEqual(response.body, b"hello")
        self.assertTrue(self.proxy.heads[0].startswith(b"GET http://example.com/a HTTP/1.1\r\n"))
        self.assertNotIn(b"Proxy-Authorization", self.proxy.heads[0])
        self.assertEqual(len(self.proxy.connections), 1)

    def test_plain_authentication(self) -> None:
        """Credentials for the proxy are sent to it."""
        self.fetch(
            "http://example.com/", proxy_username="me", proxy_password="secret", **self.options
        )
        self.assertIn(b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n", self.proxy.heads[0])

    def test_plain_digest(self) -> None:
        """A proxy's challenge is answered for the URL as the proxy is asked for it."""
        self.proxy.digest = True
        response = self.fetch("http://example.com/a", **self.options, **DIGEST)
        self.assertEqual(response.body, b"hello")
        first, second = self.proxy.heads
        self.assertNotIn(b"Proxy-Authorization", first)
        self.assertIn(b'uri="http://example.com/a"', second)
        self.assertIn(expected("GET", "http://example.com/a", second), second)

    def test_plain_digest_refused(self) -> None:
        """A proxy that does not like the answer has the last word."""
        options = {**self.options, "proxy_username": "me", "proxy_password": "secret"}
        self.proxy.digest = True
        response = self.fetch("http://example.com/", raise_error=False, **options)
        self.assertEqual((response.code, response.body), (407, b"no!"))

    def test_tunnel_digest(self) -> None:
        """A challenge is answered for the tunnel itself."""
        self.proxy.digest = True
        self.assertEqual(self.fetch("/", **self.options, **DIGEST).body, b"hello")
        _, second = self.proxy.heads
        authority = f"127.0.0.1:{self.get_http_port()}"
        self.assertIn(f'uri="{authority}"'.encode(), second)
        self.assertIn(expected("CONNECT", authority, second), second)

    def test_tunnel(self) -> None:
        """https goes through a tunnel, with TLS to the server itself."""
        response = self.fetch("/", proxy_username="me", proxy_password="secret", **self.options)
        self.assertEqual(response.body, b"hello")
        (head,) = self.proxy.heads
        self.assertTrue(
            head.startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % self.get_http_port())
        )
        self.assertIn(b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n", head)
        self.assertEqual(self.fetch("/", **self.options).body, b"hello")
        self.assertEqual(len(self.proxy.heads), 2, "other credentials, another connection")

    def test_refusal(self) -> None:
        """A proxy that refuses is an error that says so."""
        self.proxy.refuses = True
        with self.assertRaisesRegex(HTTPStreamClosedError, "407 Proxy Authentication Required"):
            self.fetch("/", **self.options)

    def test_no_port(self) -> None:
        """A proxy needs a port."""
        with self.assertRaisesRegex(ValueError, "proxy_port"):
            self.fetch("/", proxy_host="127.0.0.1")

    def test_no_proxy(self) -> None:
        """NO_PROXY of the environment names hosts to go to directly."""
        import os

        saved = os.environ.get("no_proxy")
        os.environ["no_proxy"] = "127.0.0.1"
        try:
            self.assertEqual(self.fetch("/", **self.options).body, b"hello")
        finally:
            del os.environ["no_proxy"]
            if saved is not None:
                os.environ["no_proxy"] = saved
        self.assertEqual(self.proxy.heads, [])


class TLSTests(AsyncHTTPSTestCase):
    """TLS settings and kept connections."""

    def get_app(self) -> Application:
        return Application([("/", HelloHandler)], log_function=lambda handler: None)

    def get_http_client(self) -> TreqAsyncHTTPClient:
        return TreqAsyncHTTPClient(force_instance=True)

    def test_settings_are_not_mixed(self) -> None:
        """A connection whose certificate was not checked serves no request that wants it checked."""
        self.assertEqual(self.fetch("/", validate_cert=False).body, b"hello")
        with simple.ExpectLog(simple.gen_log, "SSL Error"), self.assertRaises(ssl.SSLError):
            self.fetch("/")
        authority = self.get_ssl_options()["certfile"]
        self.assertEqual(self.fetch("/", ca_certs=authority).body, b"hello")

    def test_reuse(self) -> None:
        """Requests with the same settings share a connection."""
        for _ in range(3):
            self.fetch("/", validate_cert=False)
        self.assertEqual(len(self.http_server._connections), 1)
