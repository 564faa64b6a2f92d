"""`AsyncHTTPTestCase`: a server and a client on the loop of each test."""

from typing import TYPE_CHECKING, Any

from txtornado.testing._cases import AsyncTestCase, get_async_test_timeout
from txtornado.testing._ports import bind_unused_port

if TYPE_CHECKING:
    from txtornado.httpclient import AsyncHTTPClient, HTTPResponse
    from txtornado.httpserver import HTTPServer
    from txtornado.web import Application

__all__ = ["AsyncHTTPSTestCase", "AsyncHTTPTestCase"]


class AsyncHTTPTestCase(AsyncTestCase):
    """A test case that starts an HTTP server on a free port of ``127.0.0.1``.

    Subclasses define `get_app`, and fetch from the server with `fetch`, or with
    `http_client` and `get_url`::

        class HomeTest(AsyncHTTPTestCase):
            def get_app(self):
                return Application([("/", HomeHandler)])

            def test_home(self):
                self.assertEqual(self.fetch("/").body, b"Hello")
    """

    http_client: "AsyncHTTPClient"
    http_server: "HTTPServer"

    def setUp(self) -> None:
        super().setUp()
        sock, self._port = bind_unused_port()
        try:
            self.http_client = self.get_http_client()
            self._app = self.get_app()
            self.http_server = self.get_http_server()
            self.http_server.add_socket(sock)
        except BaseException:
            sock.close()
            raise

    def tearDown(self) -> None:
        self.http_server.stop()
        self.io_loop.run_sync(
            self.http_server.close_all_connections, timeout=get_async_test_timeout()
        )
        self.http_client.close()
        # unittest keeps finished test cases; what they served need not be kept with them.
        del self.http_server, self._app
        super().tearDown()

    def get_app(self) -> "Application":
        """The `Application`, or another callback of `HTTPServer`, to be tested."""
        raise NotImplementedError(f"{type(self).__name__} must define get_app()")

    def get_http_client(self) -> "AsyncHTTPClient":
        """The client of this test, `AsyncHTTPClient()` by default."""
        from txtornado.httpclient import AsyncHTTPClient

        return AsyncHTTPClient()

    def get_http_server(self) -> "HTTPServer":
        """The server of this test, made of `get_app` and `get_httpserver_options`."""
        from txtornado.httpserver import HTTPServer

        return HTTPServer(self._app, **self.get_httpserver_options())

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> "HTTPResponse":
        """Fetch ``path`` from the test's server and wait for the response.

        Args:
            path: a path on the server, or a whole URL (since 5.0).
            raise_error: whether a response that is not 2xx is raised as `HTTPClientError` (since
                5.1); other errors are raised in any case.
            kwargs: go to `AsyncHTTPClient.fetch`.
        """
        whole = path.lower().startswith(("http://", "https://"))
        url = path if whole else self.get_url(path)
        response: HTTPResponse = self.io_loop.run_sync(
            lambda: self.http_client.fetch(url, raise_error=raise_error, **kwargs),
            timeout=get_async_test_timeout(),
        )
        return response

    def get_httpserver_options(self) -> dict[str, Any]:
        """More keyword arguments for `HTTPServer`; none by default."""
        return {}

    def get_http_port(self) -> int:
        """The port of the server, another one for each test."""
        return self._port

    def get_protocol(self) -> str:
        """The scheme of the server's URLs, ``"http"``."""
        return "http"

    def get_url(self, path: str) -> str:
        """The whole URL of ``path`` on the test's server."""
        return f"{self.get_protocol()}://127.0.0.1:{self.get_http_port()}{path}"


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """An `AsyncHTTPTestCase` over TLS, with a certificate of its own.

    The client does not check the certificate.  To have it checked, fetch with
    ``validate_cert=True`` and the certificate as ``ca_certs``.
    """

    def get_http_client(self) -> "AsyncHTTPClient":
        from txtornado.httpclient import AsyncHTTPClient

        return AsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})

    def get_httpserver_options(self) -> dict[str, Any]:
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any]:
        """The server's ``ssl_options``, by default a self-signed certificate for ``localhost``."""
        return type(self).default_ssl_options()

    @staticmethod
    def default_ssl_options() -> dict[str, Any]:
        """``certfile`` and ``keyfile`` of the testing certificate."""
        from txtornado.testing._certificate import certificate_files

        certfile, keyfile = certificate_files()
        return {"certfile": certfile, "keyfile": keyfile}

    def get_protocol(self) -> str:
        return "https"
