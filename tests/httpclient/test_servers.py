"""The same script against other people's servers and proxies, started here."""

import re
import shutil
import socket
import ssl
import tempfile
import unittest
from pathlib import Path

from tests.processes import Program, free_port, running
from txtornado.httpclient import AsyncHTTPClient, HTTPClientError
from txtornado.log import gen_log
from txtornado.simple_httpclient import SimpleAsyncHTTPClient
from txtornado.testing import ExpectLog, ReactorTestCase
from txtornado.testing._certificate import certificate_files
from txtornado.treq_httpclient import TreqAsyncHTTPClient

try:
    from txtornado.curl_httpclient import CurlAsyncHTTPClient
except ImportError:
    CurlAsyncHTTPClient = None

PAGE = b"".join(b"line %d of a page\n" % number for number in range(200))

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    default_type text/plain;
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    add_header X-Connection $connection always;
    server {{
        listen 127.0.0.1:{port};
        listen unix:{folder}/socket;
        root {folder}/pages;
        location /moved {{ return 302 /page; }}
        location /old {{ add_header X-Connection $connection always; return 410; }}
    }}
    server {{
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_client_certificate {certificate};
        ssl_verify_client on;
        location / {{ return 200 "$ssl_client_s_dn"; }}
    }}
}}
"""

TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 20
BasicAuth me secret
"""


def program(name: str) -> str:
    """The path of a program of the system's, or the test is skipped."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin")
    if found is None:
        raise unittest.SkipTest(f"{name} is not installed")
    return found


def ca_file() -> str:
    return certificate_files()[0]


class ServerTestCase(ReactorTestCase):
    implementation: type[AsyncHTTPClient] = TreqAsyncHTTPClient
    timeout = 60

    def setUp(self) -> None:
        # Its own, and short: the path of a socket may have 100 bytes or so.
        self.folder = Path(tempfile.mkdtemp(prefix="txtornado-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.url = ""

    def client(self, **kwargs) -> AsyncHTTPClient:
        client = self.implementation(force_instance=True, **kwargs)
        self.addCleanup(client.close)
        return client

    def start(self, command: list[str], port: int) -> Program:
        manager = running(command, self.folder / f"output-{port}")
        started = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        started.wait_for_port(port)
        return started

    def start_nginx(self) -> None:
        nginx = program("nginx")
        (self.folder / "pages").mkdir()
        (self.folder / "pages" / "page").write_bytes(PAGE)
        certificate, key = certificate_files()
        self.port, self.tls_port = free_port(), free_port()
        config = self.folder / "nginx.conf"
        config.write_text(
            NGINX.format(
                folder=self.folder,
                port=self.port,
                tls_port=self.tls_port,
                certificate=certificate,
                key=key,
            )
        )
        self.start([nginx, "-c", str(config), "-p", str(self.folder)], self.port)
        self.url = f"http://127.0.0.1:{self.port}"

    def start_tinyproxy(self) -> dict[str, object]:
        tinyproxy = program("tinyproxy")
        port = free_port()
        config = self.folder / "tinyproxy.conf"
        config.write_text(TINYPROXY.format(port=port))
        self.start([tinyproxy, "-d", "-c", str(config)], port)
        return {
            "proxy_host": "127.0.0.1",
            "proxy_port": port,
            "proxy_username": "me",
            "proxy_password": "secret",
        }


class NginxTests(ServerTestCase):
    """nginx, with every client."""

    keeps_connections = True

    def setUp(self) -> None:
        super().setUp()
        self.start_nginx()

    async def test_page(self) -> None:
        """A page arrives whole, compressed on the way and decompressed here."""
        response = await self.client().fetch(f"{self.url}/page")
        self.assertEqual(response.body, PAGE)
        headers = response.headers
        # libcurl leaves the header as it was.
        coding = headers.get("X-Consumed-Content-Encoding") or headers.get("Content-Encoding")
        self.assertEqual(coding, "gzip")

    async def test_plain(self) -> None:
        """Without decompression the server is not asked to compress."""
        response = await self.client().fetch(f"{self.url}/page", decompress_response=False)
        self.assertEqual(response.body, PAGE)
        self.assertEqual(response.headers["Content-Length"], str(len(PAGE)))

    async def test_range(self) -> None:
        """A range is answered with just that."""
        # nginx sends no ranges of what it compresses.
        response = await self.client().fetch(
            f"{self.url}/page", headers={"Range": "bytes=5-8"}, decompress_response=False
        )
        self.assertEqual((response.code, response.body), (206, PAGE[5:9]))
        self.assertEqual(response.headers["Content-Range"], f"bytes 5-8/{len(PAGE)}")

    async def test_not_modified(self) -> None:
        """A 304 has no body, and the connection goes on."""
        client = self.client()
        stamp = (await client.fetch(f"{self.url}/page")).headers["Last-Modified"]
        again = await client.fetch(
            f"{self.url}/page", headers={"If-Modified-Since": stamp}, raise_error=False
        )
        self.assertEqual((again.code, again.body), (304, b""))
        self.assertEqual((await client.fetch(f"{self.url}/page")).body, PAGE)

    async def test_connections(self) -> None:
        """Requests share a connection where the client keeps them, whatever their outcome."""
        client = self.client()
        seen = set()
        for path in ("/page", "/old", "/moved", "/page", "/nowhere", "/page"):
            response = await client.fetch(self.url + path, raise_error=False)
            seen.add(response.headers["X-Connection"])
        response = await client.fetch(f"{self.url}/page", method="HEAD")
        seen.add(response.headers["X-Connection"])
        self.assertEqual(len(seen) == 1, self.keeps_connections, seen)

    async def test_client_certificate(self) -> None:
        """A client certificate is presented and the server's is checked."""
        certificate, key = certificate_files()
        url = f"https://127.0.0.1:{self.tls_port}/"
        client = self.client()
        options = {"ca_certs": certificate, "client_cert": certificate, "client_key": key}
        for _ in range(2):
            self.assertEqual((await client.fetch(url, **options)).body, b"CN=localhost")
        refused = await client.fetch(url, ca_certs=certificate, raise_error=False)
        self.assertEqual(refused.code, 400, "nginx says it in words")


class SimpleNginxTests(NginxTests):
    implementation = SimpleAsyncHTTPClient
    keeps_connections = False


class CurlNginxTests(NginxTests):
    implementation = CurlAsyncHTTPClient
    skip = None if CurlAsyncHTTPClient else "pycurl is not installed"


class UnixSocketTests(ServerTestCase):
    """nginx on a UNIX socket."""

    @property
    def socket_path(self) -> str:
        return str(self.folder / "socket")

    def setUp(self) -> None:
        super().setUp()
        self.start_nginx()

    async def test_page(self) -> None:
        """All requests go to the socket, over connections that are kept."""
        client = self.client(unix_socket=self.socket_path)
        connections = set()
        for _ in range(3):
            response = await client.fetch("http://any.where/page")
            self.assertEqual(response.body, PAGE)
            connections.add(response.headers["X-Connection"])
        self.assertEqual(len(connections), 1)

    async def test_nobody_there(self) -> None:
        """The error says what is wrong with the socket."""
        for implementation in (TreqAsyncHTTPClient, SimpleAsyncHTTPClient):
            client = implementation(force_instance=True, unix_socket=self.socket_path + "-not")
            self.addCleanup(client.close)
            with self.assertRaises(FileNotFoundError):
                await client.fetch("http://any.where/page")


class OpenSSLTests(ServerTestCase):
    """``openssl s_server``, which insists on a client certificate."""

    def setUp(self) -> None:
        super().setUp()
        openssl = program("openssl")
        certificate, key = certificate_files()
        port = free_port()
        command = [openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-www"]
        command += ["-cert", certificate, "-key", key, "-CAfile", certificate]
        self.start([*command, "-Verify", "1", "-verify_return_error"], port)
        self.url = f"https://127.0.0.1:{port}/"

    async def test_context(self) -> None:
        """An SSLContext with a certificate is enough."""
        context = ssl.create_default_context(cafile=ca_file())
        context.load_cert_chain(*certificate_files())
        response = await self.client().fetch(self.url, ssl_options=context)
        self.assertTrue(re.search(rb"Subject: CN ?= ?localhost", response.body))

    async def test_without(self) -> None:
        """Without a certificate there is no response."""
        with (
            ExpectLog(gen_log, "SSL Error", required=False),
            self.assertRaises((OSError, HTTPClientError)),
        ):
            await self.client().fetch(self.url, ca_certs=ca_file())


class SimpleOpenSSLTests(OpenSSLTests):
    implementation = SimpleAsyncHTTPClient


class TinyproxyTests(ServerTestCase):
    """tinyproxy, before nginx."""

    refusal = r"The proxy refused to connect: HTTP/1\.[01] 4"

    def setUp(self) -> None:
        super().setUp()
        self.start_nginx()
        self.proxy = self.start_tinyproxy()

    async def test_plain(self) -> None:
        """http URLs are fetched by the proxy."""
        response = await self.client().fetch(f"{self.url}/page", **self.proxy)
        self.assertEqual(response.body, PAGE)
        self.assertIn("tinyproxy", response.headers["Via"])

    async def test_tunnel(self) -> None:
        """https goes through a tunnel, which is kept, client certificate and all."""
        certificate, key = certificate_files()
        client = self.client()
        tls = {"ca_certs": certificate, "client_cert": certificate, "client_key": key}
        url = f"https://127.0.0.1:{self.tls_port}/"
        seen = set()
        for _ in range(2):
            response = await client.fetch(url, **self.proxy, **tls)
            self.assertEqual(response.body, b"CN=localhost")
            seen.add(response.headers["X-Connection"])
        self.assertEqual(len(seen), 1)

    async def test_wrong_password(self) -> None:
        """A proxy that does not know us answers 407, or refuses the tunnel."""
        wrong = {**self.proxy, "proxy_password": "guess"}
        client = self.client()
        response = await client.fetch(f"{self.url}/page", raise_error=False, **wrong)
        self.assertIn(response.code, (401, 407))
        with self.assertRaisesRegex(HTTPClientError, self.refusal):
            await client.fetch(f"https://127.0.0.1:{self.tls_port}/", **wrong)

    async def test_nobody_behind(self) -> None:
        """What the proxy cannot reach is its error."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            response = await self.client().fetch(url, raise_error=False, **self.proxy)
        self.assertEqual(response.code, 500)


class CurlTinyproxyTests(TinyproxyTests):
    implementation = CurlAsyncHTTPClient
    refusal = "response 4"
    skip = None if CurlAsyncHTTPClient else "pycurl is not installed"
