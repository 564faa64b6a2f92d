"""Tests for `CurlAsyncHTTPClient`: TLS, proxies and authentication."""

import asyncio
import os
import ssl
import unittest
from unittest import mock

from tests.httpclient.scripted import Scripted, ScriptedServer
from tests.httpclient.test_curl import OK, CurlTestCase
from txtornado.iostream import StreamClosedError
from txtornado.tcpclient import TCPClient
from txtornado.tcpserver import TCPServer
from txtornado.testing import AsyncHTTPSTestCase, bind_unused_port
from txtornado.web import Application, RequestHandler

try:
    import pycurl
except ImportError:
    SKIP: str | None = "needs pycurl"
else:
    from txtornado.curl_httpclient import CurlAsyncHTTPClient, CurlError

    SKIP = None


class CertificateHandler(RequestHandler):
    def get(self) -> None:
        self.write("with" if self.request.get_ssl_certificate() else "without")


@unittest.skipIf(SKIP is not None, SKIP or "")
class HTTPSTestCase(AsyncHTTPSTestCase):
    def setUp(self) -> None:
        if SKIP is not None:
            self.skipTest(SKIP)
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        patch = mock.patch.dict(os.environ, clean, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        super().setUp()

    def get_app(self) -> Application:
        return Application([("/", CertificateHandler)])

    def get_http_client(self):
        return CurlAsyncHTTPClient(force_instance=True, max_clients=1)

    def authority(self) -> str:
        return self.get_ssl_options()["certfile"]


class TLSTests(HTTPSTestCase):
    """Certificates, the server's and one's own."""

    def get_httpserver_options(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authority())
        context.load_cert_chain(**self.get_ssl_options())
        context.verify_mode = ssl.CERT_OPTIONAL
        return {"ssl_options": context}

    def test_validation(self) -> None:
        """A certificate is checked against the authorities, unless that is not wanted."""
        with self.assertRaises(CurlError) as caught:
            self.fetch("/")
        self.assertEqual(caught.exception.errno, pycurl.E_PEER_FAILED_VERIFICATION)
        self.assertEqual(self.fetch("/", validate_cert=False).code, 200)
        self.assertEqual(self.fetch("/", ca_certs=self.authority()).code, 200)
        # Nothing of that is left for the next one.
        with self.assertRaises(CurlError):
            self.fetch("/")

    def test_host_name(self) -> None:
        """The certificate must be for the host that was asked for."""
        port = self.get_http_port()

        def resolve(curl) -> None:
            curl.setopt(pycurl.RESOLVE, [f"www.example.com:{port}:127.0.0.1"])

        with self.assertRaises(CurlError) as caught:
            self.fetch(
                f"https://www.example.com:{port}/",
                ca_certs=self.authority(),
                prepare_curl_callback=resolve,
            )
        self.assertEqual(caught.exception.errno, pycurl.E_PEER_FAILED_VERIFICATION)

    def test_missing_authorities(self) -> None:
        """A file of authorities that cannot be read is an error that says so."""
        with self.assertRaises(CurlError) as caught:
            self.fetch("/", ca_certs="/nonexistent.pem")
        self.assertEqual(caught.exception.errno, pycurl.E_SSL_CACERT_BADFILE)

    def test_client_certificates(self) -> None:
        """A client's certificate is the request's only."""
        options = self.get_ssl_options()
        response = self.fetch(
            "/",
            ca_certs=self.authority(),
            client_cert=options["certfile"],
            client_key=options["keyfile"],
        )
        self.assertEqual(response.body, b"with")
        self.assertEqual(self.fetch("/", ca_certs=self.authority()).body, b"without")

    def test_bad_client_certificate(self) -> None:
        """One that cannot be read is an error that says so."""
        with self.assertRaises(CurlError) as caught:
            self.fetch("/", validate_cert=False, client_cert="/nonexistent.pem")
        self.assertEqual(caught.exception.errno, pycurl.E_SSL_CERTPROBLEM)


class ProxyTests(CurlTestCase):
    """Proxies, plain and with CONNECT."""

    async def proxy(self) -> dict:
        """Start a proxy; returns the parameters that name it."""
        self.heads: list[bytes] = []

        def script(connection: Scripted) -> None:
            if connection.has_head():
                self.heads.append(connection.data)
                connection.data = b""
                connection.reply(self.answer)

        self.answer = OK
        url = await ScriptedServer(script).start(self)
        return {"proxy_host": "127.0.0.1", "proxy_port": int(url.rpartition(":")[2])}

    async def test_plain(self) -> None:
        """A proxy is asked for the whole URL; no host name need be known for that."""
        proxy = await self.proxy()
        response = await self.client().fetch("http://nosuch.invalid/x?y", **proxy)
        self.assertEqual(response.body, b"hello")
        self.assertTrue(self.heads[0].startswith(b"GET http://nosuch.invalid/x?y HTTP/1.1\r\n"))

    async def test_credentials(self) -> None:
        """A proxy's credentials are for it, and for the one request."""
        proxy = await self.proxy()
        client = self.client(max_clients=1)
        url = "http://nosuch.invalid/"
        await client.fetch(url, proxy_username="foo", proxy_password="b:\xe9", **proxy)
        await client.fetch(url, **proxy)
        self.assertIn(b"\r\nProxy-Authorization: Basic Zm9vOmI6w6k=\r\n", self.heads[0])
        self.assertNotIn(b"Proxy-Authorization", self.heads[1])

    async def test_digest(self) -> None:
        """A proxy may want digest authentication."""
        proxy = await self.proxy()
        self.answer = (
            b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n"
            b'Proxy-Authenticate: Digest realm="x", nonce="abc", qop="auth"\r\n\r\n'
        )
        response = await self.client().fetch(
            "http://nosuch.invalid/", proxy_username="foo", proxy_password="secret",
            proxy_auth_mode="digest", raise_error=False, **proxy,
        )  # fmt: skip
        self.assertEqual(response.code, 407)
        self.assertIn(b'\r\nProxy-Authorization: Digest username="foo"', self.heads[1])
        self.assertNotIn(b"secret", b"".join(self.heads))

    async def test_no_proxy(self) -> None:
        """NO_PROXY of the environment goes for proxies that a request names."""
        url = await self.serve(OK)
        proxy = await self.proxy()
        with mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"}):
            await self.client().fetch(url, **proxy)
        self.assertEqual((len(self.heads), len(self.server.connections)), (0, 1))


class Tunnel(TCPServer):
    """A proxy that notes heads, and lets bytes through to where CONNECT asks."""

    refuses = False

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[bytes] = []

    async def handle_stream(self, stream, address) -> None:
        head = await stream.read_until(b"\r\n\r\n")
        self.heads.append(head)
        if self.refuses:
            await stream.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
            stream.close()
            return
        host, _, port = head.split(b" ")[1].rpartition(b":")
        other = await TCPClient().connect(host.decode(), int(port))
        await stream.write(b"HTTP/1.1 200 Connection established\r\nX: proxy\r\n\r\n")
        await asyncio.gather(self.carry(stream, other), self.carry(other, stream))

    async def carry(self, here, there) -> None:
        try:
            while True:
                await there.write(await here.read_bytes(65536, partial=True))
        except StreamClosedError:
            there.close()


class TunnelTests(HTTPSTestCase):
    """CONNECT."""

    def setUp(self) -> None:
        super().setUp()
        self.tunnel = Tunnel()
        socket, port = bind_unused_port()
        self.tunnel.add_socket(socket)
        self.addCleanup(self.tunnel.stop)
        self.proxy = {"proxy_host": "127.0.0.1", "proxy_port": port}

    def test_tunnel(self) -> None:
        """https goes through a tunnel, of which a header_callback does not hear."""
        lines = []
        response = self.fetch(
            "/",
            ca_certs=self.authority(),
            header_callback=lines.append,
            proxy_username="foo",
            proxy_password="bar",
            **self.proxy,
        )
        self.assertEqual(response.body, b"without")
        self.assertNotIn("X", response.headers)
        self.assertNotIn("X: proxy\r\n", lines)
        self.assertEqual(lines[0], "HTTP/1.1 200 OK\r\n")
        (head,) = self.tunnel.heads
        self.assertTrue(head.startswith(b"CONNECT 127.0.0.1:%d " % self.get_http_port()), head)
        self.assertIn(b"\r\nProxy-Authorization: Basic Zm9vOmJhcg==\r\n", head)

    def test_server_headers(self) -> None:
        """What is meant for the server is not told to the proxy."""
        self.fetch("/", ca_certs=self.authority(), headers={"Cookie": "secret"}, **self.proxy)
        self.assertNotIn(b"Cookie", self.tunnel.heads[0])

    def test_refused(self) -> None:
        """A proxy that refuses is an error."""
        self.tunnel.refuses = True
        with self.assertRaisesRegex(CurlError, "407"):
            self.fetch("/", **self.proxy)


class AuthTests(CurlTestCase):
    """auth_username and auth_password."""

    def script(self, connection: Scripted) -> None:
        data = connection.data
        if not connection.has_head() or (b"Length: 5\r\n" in data and data[-5:] != b"12345"):
            return
        self.requests.append(data)
        connection.data = b""
        if self.accepts and b"\r\nAuthorization: " in data:
            connection.reply(OK)
        else:
            connection.reply(
                b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n"
                b'WWW-Authenticate: Basic realm="x"\r\n'
                b'WWW-Authenticate: Digest realm="test", qop="auth", nonce="abc"\r\n\r\nno'
            )

    def setUp(self) -> None:
        super().setUp()
        self.requests: list[bytes] = []
        self.accepts = True

    async def test_basic(self) -> None:
        """Credentials are sent at once, in UTF-8 and normalized, the password maybe empty."""
        url = await self.serve(self.script)
        for kwargs, expected in (
            ({"auth_username": "jose\u0301", "auth_password": "s\u0259"}, b"am9zw6k6c8mZ"),
            ({"auth_username": "me", "auth_mode": "basic"}, b"bWU6"),
        ):
            await self.client().fetch(url, **kwargs)
            self.assertIn(b"\r\nAuthorization: Basic " + expected + b"\r\n", self.requests[-1])
        await self.client().fetch(url.replace("//", "//me:se%20cret@"), auth_username="other")
        self.assertIn(b"\r\nAuthorization: Basic bWU6c2UgY3JldA==\r\n", self.requests[-1])
        self.assertEqual(len(self.requests), 3)

    async def test_digest(self) -> None:
        """A challenge is answered, with the body that goes with it."""
        url = await self.serve(self.script)
        chunks = []
        for method in ("POST", "PUT"):
            self.requests.clear()
            chunks.clear()
            await self.client().fetch(
                url + "/x?y", method=method, body="12345", auth_username="me",
                auth_password="secret", auth_mode="digest", streaming_callback=chunks.append,
            )  # fmt: skip
            self.assertEqual(b"".join(chunks), b"hello")
            last = self.requests[-1]
            self.assertIn(b'\r\nAuthorization: Digest username="me"', last)
            self.assertIn(b'uri="/x?y"', last)
            self.assertTrue(last.endswith(b"12345"))
            self.assertNotIn(b"secret", b"".join(self.requests))
            self.assertNotIn(b"Authorization", self.requests[0])

    async def test_refused(self) -> None:
        """An answer that is refused is not given again; credentials are the request's only."""
        self.accepts = False
        url = await self.serve(self.script)
        client = self.client(max_clients=1)
        response = await client.fetch(
            url, auth_username="me", auth_password="no", auth_mode="digest", raise_error=False
        )
        self.assertEqual((response.code, response.body, len(self.requests)), (401, b"no", 2))
        await client.fetch(url, raise_error=False)
        self.assertNotIn(b"Authorization", self.requests[-1])
