"""Tests for `txtornado.httputil.request` and `txtornado.httputil.interfaces`."""

import ssl
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
)
from txtornado.httputil import request as request_module


def request(
    uri: str = "/", version: str = "HTTP/1.1", host: str = "example.com", **headers: Any
) -> HTTPServerRequest:
    """Make a request from a start line; underscores in ``headers`` stand for hyphens."""
    fields = HTTPHeaders({name.replace("_", "-"): value for name, value in headers.items()})
    if host:
        fields["Host"] = host
    return HTTPServerRequest(start_line=RequestStartLine("GET", uri, version), headers=fields)


class Connection(HTTPConnection):
    """Remembers what was written."""

    def __init__(self, **attributes: Any) -> None:
        self.written: list[bytes | None] = []
        self.__dict__.update(attributes)

    def write(self, chunk: bytes) -> Any:
        self.written.append(chunk)

    def finish(self) -> None:
        self.written.append(None)


class ConstructorTests(SynchronousTestCase):
    """What is known at once."""

    def test_start_line(self) -> None:
        """The target is split at the first question mark."""
        made = request("/a/b?c=d?e#f")
        self.assertEqual((made.method, made.version), ("GET", "HTTP/1.1"))
        self.assertEqual((made.uri, made.path, made.query), ("/a/b?c=d?e#f", "/a/b", "c=d?e#f"))
        self.assertEqual((made.body, made.remote_ip, made.protocol), (b"", None, "http"))

    def test_old_arguments(self) -> None:
        """Tornado 2.3's arguments do without a start line."""
        made = HTTPServerRequest(
            "POST", "/a?b=c", "HTTP/1.1", HTTPHeaders(), b"body", "example.com:80",
            remote_ip="10.0.0.1", protocol="https", files={"f": []},
        )  # fmt: skip
        self.assertEqual((made.method, made.path, made.body), ("POST", "/a", b"body"))
        self.assertEqual((made.remote_ip, made.protocol), ("10.0.0.1", "https"))
        self.assertEqual((made.host, made.host_name), ("example.com:80", "example.com"))
        self.assertEqual(made.files, {"f": []})

    def test_connection(self) -> None:
        """Address and protocol come from the connection's context."""
        context = SimpleNamespace(remote_ip="10.0.0.1", protocol="https")
        connection, server = Connection(context=context), object()
        made = HTTPServerRequest(
            start_line=RequestStartLine("GET", "/", "HTTP/1.0"),
            connection=connection,
            server_connection=server,
        )
        self.assertEqual((made.remote_ip, made.protocol), ("10.0.0.1", "https"))
        self.assertIs(made.connection, connection)
        self.assertIs(made.server_connection, server)

    def test_hosts(self) -> None:
        """The host keeps its port and case, its name does not."""
        for host, name in [
            ("Example.COM:8888", "example.com"),
            ("[::1]:80", "[::1]"),
            ("a%20b", "a%20b"),
        ]:
            for _ in range(2):
                made = request(host=host)
                self.assertEqual((made.host, made.host_name), (host, name))

    def test_bad_hosts(self) -> None:
        """A host with what no host has in it is refused, and so are several."""
        for host in ("a b", "a/b", "a@b", "a\xe9", "%zz"):
            with self.assertRaisesRegex(HTTPInputError, "Invalid Host"):
                request(host=host)
        for host in ("a,b", ["a", "b"]):
            with self.assertRaisesRegex(HTTPInputError, "Multiple host"):
                request(host=host)  # type: ignore[arg-type]

    def test_missing_host(self) -> None:
        """HTTP/1.1 needs a host, HTTP/1.0 does not."""
        with self.assertRaisesRegex(HTTPInputError, "Missing Host"):
            request(host="")
        self.assertEqual(request(version="HTTP/1.0", host="").host, "127.0.0.1")

    def test_known_hosts_are_bounded(self) -> None:
        """However many hosts come in, few are remembered."""
        for number in range(1000):
            request(host=f"host{number}")
        request(host="a" * 1000)
        known = request_module._HOST_NAMES
        self.assertLessEqual(len(known), request_module._MAX_KNOWN_HOSTS)
        self.assertLess(max(map(len, known)), 1000)

    def test_too_many_arguments(self) -> None:
        """More arguments than the limit are refused before anybody asks for them."""
        self.assertEqual(len(request("/?" + "a&" * 999).arguments["a"]), 999)
        with self.assertRaisesRegex(HTTPInputError, "Max number of fields"):
            request("/?" + "a&" * 1000)

    def test_repr(self) -> None:
        """The repr names the request but shows no header."""
        text = repr(request("/a", Cookie="secret"))
        self.assertIn("uri='/a'", text)
        self.assertNotIn("secret", text)


class LazyTests(SynchronousTestCase):
    """What is made on demand."""

    def test_arguments(self) -> None:
        """Query and body arguments are there apart and together."""
        made = request("/?a=1&b=", Content_Type="application/x-www-form-urlencoded")
        made.body = b"a=2"
        made._parse_body()
        self.assertEqual(made.query_arguments, {"a": [b"1"], "b": [b""]})
        self.assertEqual(made.body_arguments, {"a": [b"2"]})
        self.assertEqual(made.arguments, {"a": [b"1", b"2"], "b": [b""]})

    def test_arguments_read_before_the_body(self) -> None:
        """Arguments that were read, and changed, before the body came get its arguments."""
        made = request("/?a=1", Content_Type="application/x-www-form-urlencoded")
        arguments = made.arguments
        arguments["x"] = [b"y"]
        made.body = b"a=2"
        made._parse_body()
        self.assertIs(made.arguments, arguments)
        self.assertEqual(arguments, {"a": [b"1", b"2"], "x": [b"y"]})
        self.assertEqual(made.query_arguments, {"a": [b"1"]})

    def test_files(self) -> None:
        """Files of the body are there by name."""
        made = request(Content_Type="multipart/form-data; boundary=B")
        self.assertEqual(made.files, {})
        made.body = (
            b'--B\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n1\r\n--B--'
        )
        made._parse_body()
        self.assertEqual(made.files["f"][0].body, b"1")
        self.assertEqual(made.arguments, {})

    def test_malformed_body(self) -> None:
        """A malformed form is refused, an empty urlencoded one and other types are not."""
        made = request(Content_Type="multipart/form-data; boundary=B")
        self.assertRaises(HTTPInputError, made._parse_body)
        for content_type in ("application/x-www-form-urlencoded", "text/plain", ""):
            made = request(Content_Type=content_type)
            made._parse_body()
            self.assertEqual(made.arguments, {})

    def test_attributes_can_be_set(self) -> None:
        """What is made on demand can be replaced, on one request alone."""
        made = request("/?a=1")
        made.arguments = {"b": [b"2"]}
        made.cookies = {}
        self.assertEqual(made.arguments, {"b": [b"2"]})
        self.assertEqual(made.cookies, {})
        self.assertEqual(request("/?a=1").arguments, {"a": [b"1"]})

    def test_cookies(self) -> None:
        """Cookies are Morsels; several headers add up; impossible names are left out."""
        made = request(Cookie=["a=1; b=2", "b=3; x y=4; path=5"])
        self.assertEqual(
            {name: morsel.value for name, morsel in made.cookies.items()}, {"a": "1", "b": "3"}
        )
        self.assertIs(made.cookies, made.cookies)
        self.assertEqual(made.cookie_values["x y"], "4")
        self.assertEqual(request().cookies, {})

    def test_one_cookie(self) -> None:
        """One cookie's value is the same with and without the others being made."""
        for name, value in [("a", "1"), ("x y", None), ("path", None), ("none", None)]:
            made = request(Cookie="a=1; x y=4; path=5")
            self.assertEqual(made.get_cookie_value(name), value)
            self.assertNotIn("cookies", made.__dict__)
            made.cookies
            self.assertEqual(made.get_cookie_value(name), value)


class MethodTests(SynchronousTestCase):
    """What one can ask a request, and Tornado 2.3's way to respond."""

    def test_full_url(self) -> None:
        """The URL is put together of protocol, host and target."""
        made = request("/a?b", host="example.com:81")
        made.protocol = "https"
        self.assertEqual(made.full_url(), "https://example.com:81/a?b")

    def test_supports_http_1_1(self) -> None:
        """Only HTTP/1.1 is HTTP/1.1."""
        self.assertTrue(request().supports_http_1_1())
        self.assertFalse(request(version="HTTP/1.0").supports_http_1_1())

    def test_request_time(self) -> None:
        """The time runs until the request is finished."""
        clock = SimpleNamespace(now=100.0)
        self.patch(request_module, "time", SimpleNamespace(time=lambda: clock.now))
        made = request()
        made.connection = Connection()
        clock.now = 101.5
        self.assertEqual(made.request_time(), 1.5)
        made.finish()
        clock.now = 200.0
        self.assertEqual(made.request_time(), 1.5)

    def test_write(self) -> None:
        """Bytes go to the connection as they are."""
        made = request()
        made.connection = connection = Connection()
        made.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        made.finish()
        self.assertEqual(connection.written, [b"HTTP/1.1 204 No Content\r\n\r\n", None])

    def test_without_connection(self) -> None:
        """Without a connection there is nothing to write to."""
        self.assertRaises(RuntimeError, request().write, b"x")
        self.assertRaises(RuntimeError, request().finish)

    def test_certificate(self) -> None:
        """The client's certificate is the socket's, or None."""
        made = request()
        self.assertIsNone(made.get_ssl_certificate())
        answers: dict[bool, Any] = {False: {"subject": ()}, True: b"DER"}
        socket = SimpleNamespace(getpeercert=lambda binary_form: answers[binary_form])
        made.connection = Connection(stream=SimpleNamespace(socket=socket))
        self.assertEqual(made.get_ssl_certificate(), {"subject": ()})
        self.assertEqual(made.get_ssl_certificate(binary_form=True), b"DER")
        answers[False] = {}
        self.assertIsNone(made.get_ssl_certificate())

        def fail(binary_form: bool) -> None:
            raise ssl.SSLError("no handshake yet")

        socket.getpeercert = fail
        self.assertIsNone(made.get_ssl_certificate())


class InterfaceTests(SynchronousTestCase):
    """The abstract classes."""

    def test_abstract(self) -> None:
        """What a subclass must define says so."""
        for call in (
            lambda: HTTPServerConnectionDelegate().start_request(object(), HTTPConnection()),
            lambda: HTTPConnection().write_headers(RequestStartLine("GET", "/", ""), HTTPHeaders()),
            lambda: HTTPConnection().write(b""),
            lambda: HTTPConnection().finish(),
        ):
            with self.assertRaisesRegex(NotImplementedError, "must define"):
                call()

    def test_optional(self) -> None:
        """The rest does nothing by default."""
        HTTPServerConnectionDelegate().on_close(object())
        delegate = HTTPMessageDelegate()
        self.assertIsNone(
            delegate.headers_received(RequestStartLine("GET", "/", ""), HTTPHeaders())
        )
        self.assertIsNone(delegate.data_received(b"x"))
        delegate.finish()
        delegate.on_connection_close()
