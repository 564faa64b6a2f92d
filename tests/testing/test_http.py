"""Tests for `AsyncHTTPTestCase` and `AsyncHTTPSTestCase`; most are tests of those classes."""

import os
import socket
import ssl
import unittest

from twisted.internet import ssl as twisted_ssl

from txtornado.httpclient import HTTPClientError
from txtornado.log import gen_log
from txtornado.testing import AsyncHTTPSTestCase, AsyncHTTPTestCase, ExpectLog, gen_test
from txtornado.web import Application, RequestHandler

QUIET = {"log_function": lambda handler: None}


class InfoHandler(RequestHandler):
    def get(self) -> None:
        certificate = (
            self.request.get_ssl_certificate() if self.request.protocol == "https" else None
        )
        self.write(
            {
                "protocol": self.request.protocol,
                "method": self.request.method,
                "client": certificate and dict(x[0] for x in certificate["subject"]),
            }
        )

    post = get


class FetchTests(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return Application([("/", InfoHandler)], **QUIET)

    def test_fetch(self) -> None:
        """fetch() takes a path and parameters of HTTPRequest, and waits for the response."""
        self.assertIn(b'"method": "GET"', self.fetch("/").body)
        self.assertIn(b'"method": "POST"', self.fetch("/", method="POST", body="").body)

    def test_whole_url(self) -> None:
        """A whole URL is taken as it is, in any case."""
        url = self.get_url("/").replace("http", "HTTP")
        self.assertEqual(self.fetch(url).request.url, url)

    def test_errors(self) -> None:
        """A bad status is returned unless raise_error asks for an exception."""
        self.assertEqual(self.fetch("/nowhere").code, 404)
        with self.assertRaises(HTTPClientError):
            self.fetch("/nowhere", raise_error=True)

    def test_other_errors(self) -> None:
        """Other errors are raised."""
        with self.assertRaises(ValueError):
            self.fetch("/", method="POST")

    def test_stop_and_wait(self) -> None:
        """The client can be used with stop() and wait()."""
        self.http_client.fetch(self.get_url("/"), self.stop)
        self.assertEqual(self.wait().code, 200)

    @gen_test
    async def test_coroutine(self) -> None:
        """And from a coroutine."""
        response = await self.http_client.fetch(self.get_url("/"))
        self.assertEqual(response.code, 200)

    def test_url(self) -> None:
        """The URL names the port, which another test does not have."""
        self.assertEqual(self.get_url("/x"), f"http://127.0.0.1:{self.get_http_port()}/x")


class CaseTests(unittest.TestCase):
    """What the test case itself does."""

    def test_end(self) -> None:
        """When the test is over, the port is closed, also to connections that were open."""
        seen = []

        class Case(AsyncHTTPTestCase):
            def get_app(self):
                return Application([("/", InfoHandler)], **QUIET)

            def test(self):
                sock = socket.create_connection(("127.0.0.1", self.get_http_port()))
                seen.append(sock)
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(self.fetch("/").code, 200)

        case = Case("test")
        result = unittest.TestResult()
        case.run(result)
        self.assertTrue(result.wasSuccessful(), result.errors)
        with seen[0] as sock:
            while sock.recv(1000):
                pass
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", case.get_http_port()))
        self.assertFalse(hasattr(case, "http_server"))
        self.assertFalse(hasattr(case, "_app"))

    def test_no_application(self) -> None:
        """A test case that defines no get_app is an error that says so, and leaves no port."""
        case = AsyncHTTPTestCase("get_app")
        result = unittest.TestResult()
        case.run(result)
        self.assertIn("must define get_app", result.errors[0][1])
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", case.get_http_port()))

    def test_options(self) -> None:
        """get_httpserver_options reach the server."""
        options = []

        class Case(AsyncHTTPTestCase):
            def get_app(self):
                return Application(**QUIET)

            def get_httpserver_options(self):
                return {"xheaders": True}

            def test(self):
                options.append(self.http_server.xheaders)

        Case("test").run(unittest.TestResult())
        self.assertEqual(options, [True])


class TLSTests(AsyncHTTPSTestCase):
    def get_app(self) -> Application:
        return Application([("/", InfoHandler)], **QUIET)

    def test_fetch(self) -> None:
        """Requests travel through TLS, and the client takes the test's certificate."""
        self.assertTrue(self.get_url("/").startswith("https://"))
        self.assertIn(b'"protocol": "https"', self.fetch("/").body)

    def test_validation(self) -> None:
        """The certificate is its own authority, for those who check it."""
        authority = self.get_ssl_options()["certfile"]
        response = self.fetch("/", validate_cert=True, ca_certs=authority)
        self.assertEqual(response.code, 200)
        url = self.get_url("/").replace("127.0.0.1", "localhost")
        self.assertEqual(self.fetch(url, validate_cert=True, ca_certs=authority).code, 200)

    def test_distrust(self) -> None:
        """Without that it is refused, with an SSLError and no traceback."""
        with ExpectLog(gen_log, "SSL Error") as log, self.assertRaises(ssl.SSLError):
            self.fetch("/", validate_cert=True)
        self.assertFalse(log.logged_stack)

    def test_wrong_name(self) -> None:
        """So is a server that the certificate is not for."""
        authority = self.get_ssl_options()["certfile"]
        url = self.get_url("/").replace("127.0.0.1", "127.0.0.2")
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind(("127.0.0.2", self.get_http_port()))
        sock.listen()
        self.http_server.add_socket(sock)
        with ExpectLog(gen_log, "SSL Error"), self.assertRaises(ssl.SSLCertVerificationError):
            self.fetch(url, validate_cert=True, ca_certs=authority)

    def test_context(self) -> None:
        """ssl_options may be a context or a dict."""
        context = ssl.create_default_context(cafile=self.get_ssl_options()["certfile"])
        self.assertEqual(self.fetch("/", ssl_options=context).code, 200)
        self.assertEqual(self.fetch("/", ssl_options={"cert_reqs": ssl.CERT_NONE}).code, 200)

    def test_key_is_private(self) -> None:
        """Nobody else can read the key."""
        self.assertEqual(os.stat(self.get_ssl_options()["keyfile"]).st_mode & 0o077, 0)

    def test_certificate_in_twisted(self) -> None:
        """Twisted reads the files as well."""
        with open(self.get_ssl_options()["certfile"], "rb") as f:
            certificate = twisted_ssl.Certificate.loadPEM(f.read())
        self.assertEqual(certificate.getSubject().commonName, b"localhost")


class ClientCertificateTests(AsyncHTTPSTestCase):
    """A server that asks for a certificate."""

    def get_app(self) -> Application:
        return Application([("/", InfoHandler)], **QUIET)

    def get_ssl_options(self):
        options = super().get_ssl_options()
        return {**options, "ca_certs": options["certfile"], "cert_reqs": ssl.CERT_REQUIRED}

    def test_presented(self) -> None:
        """client_cert and client_key are presented."""
        options = self.get_ssl_options()
        response = self.fetch("/", client_cert=options["certfile"], client_key=options["keyfile"])
        self.assertIn(b'"client": {"commonName": "localhost"}', response.body)

    def test_missing(self) -> None:
        """Without one there is no response."""
        with (
            ExpectLog(gen_log, "SSL Error", required=False),
            self.assertRaises((OSError, HTTPClientError)),
        ):
            self.fetch("/")
