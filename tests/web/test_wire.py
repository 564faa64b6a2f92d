"""Handlers over the wire: the fast way and the slow way say the same; bad input is refused."""

from __future__ import annotations

import logging
import os
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado.testing import MemoryServer
from txtornado.web import (
    Application,
    HTTPError,
    RequestHandler,
    StaticFileHandler,
    stream_request_body,
)

DATE = re.compile(rb"Date: [^\r]*")


class WireTestCase(SynchronousTestCase):
    """A server in memory, and a quiet log."""

    def serve(self, app: Application) -> MemoryServer:
        server = MemoryServer(app)
        self.addCleanup(server.close)
        return server

    def setUp(self) -> None:
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)


class Plain(RequestHandler):
    """Answers without a look at the headers."""

    def get(self) -> None:
        self.write("hello")
        self.write(self.get_argument("more", ""))

    head = get

    def post(self) -> None:
        if self.get_argument("cookies", None):
            self.set_cookie("a", "b", httponly=True)
            self.set_cookie("c", "d e")
        self.write({"a": 1})

    def put(self) -> None:
        self.write("put")


class Touched(Plain):
    """The same, after asking for the headers."""

    def prepare(self) -> None:
        self.assert_type = self._headers["Content-Type"]


class SameTests(WireTestCase):
    """Responses are the same whether or not their headers were ever made."""

    def answers(self, request: bytes) -> list[bytes]:
        app = Application([("/", Plain), ("/touched", Touched)])
        answers = []
        for path in (b"/", b"/touched"):
            connection = self.serve(app).connect()
            connection.send(request.replace(b"PATH", path))
            answers.append(DATE.sub(b"Date: today", connection.received()))
        return answers

    def test_same(self) -> None:
        """For every kind of request, to the byte."""
        for request in (
            b"GET PATH HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET PATH?more=%20x HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET PATH HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"GET PATH HTTP/1.0\r\n\r\n",
            b"GET PATH HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            b"HEAD PATH HTTP/1.1\r\nHost: a\r\n\r\n",
            b"PUT PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
            b"POST PATH HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            b"POST PATH?cookies=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            b'GET PATH HTTP/1.1\r\nHost: a\r\nIf-None-Match: "x"\r\n\r\n',
            b"GET PATH HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
        ):
            plain, touched = self.answers(request)
            self.assertEqual(plain, touched)
            self.assertTrue(plain.startswith(b"HTTP/1.1 "), request)

    def test_pipelined(self) -> None:
        """Requests sent together are answered in their order, in one connection."""
        app = Application([("/", Plain), ("/touched", Touched)])
        connection = self.serve(app).connect()
        connection.send(
            b"GET /?more=1 HTTP/1.1\r\nHost: a\r\n\r\n"
            b"GET /touched?more=2 HTTP/1.1\r\nHost: a\r\n\r\n"
            b"GET /?more=3 HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        self.assertEqual(re.findall(rb"hello(\d)", connection.received()), [b"1", b"2", b"3"])
        self.assertFalse(connection.closed)

    def test_sent_headers_can_be_read(self) -> None:
        """After a response went out the headers tell what it was sent with."""
        seen: list[Any] = []

        class Handler(RequestHandler):
            def get(self) -> None:
                self.set_cookie("a", "b")
                self.write({"a": 1})

            def on_finish(self) -> None:
                names = ("Content-Length", "Etag", "Content-Type", "Set-Cookie")
                seen.extend(self._headers[name] for name in names)

        connection = self.serve(Application([("/", Handler)])).connect()
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(seen[0], "8")
        self.assertEqual(seen[2:], ["application/json; charset=UTF-8", "a=b; Path=/"])
        self.assertIn(f"Etag: {seen[1]}\r\n".encode(), connection.received())

    def test_own_hooks(self) -> None:
        """A handler's own etags, default headers and cookies are never left out."""

        class Etag(RequestHandler):
            def compute_etag(self) -> str | None:
                return '"mine"'

            def get(self) -> None:
                self.write("x")

        class Default(RequestHandler):
            def set_default_headers(self) -> None:
                self.set_header("X-Default", "yes")

            def get(self) -> None:
                self.write("x")

        class Cookie(RequestHandler):
            def get(self) -> None:
                self.set_cookie("a", "b")

        class Typed(RequestHandler):
            def get(self) -> None:
                self.write({"a": 1})
                self.set_header("Content-Type", "application/vnd.api+json")

        class Cleared(RequestHandler):
            def get(self) -> None:
                self.write({"a": 1})
                self.clear()
                self.write("x")

        class Setter(RequestHandler):
            def set_header(self, name: str, value: Any) -> None:
                super().set_header(name, value + "+mine" if name == "Content-Type" else value)

            def get(self) -> None:
                self.write({"a": 1})

        class Status(RequestHandler):
            def get(self) -> None:
                self.set_status(202, "Fine")

        app = Application(
            [
                ("/e", Etag),
                ("/d", Default),
                ("/c", Cookie),
                ("/s", Status),
                ("/t", Typed),
                ("/l", Cleared),
                ("/h", Setter),
            ]
        )
        for path, words in (
            (b"/e", b'Etag: "mine"'),
            (b"/d", b"X-Default: yes"),
            (b"/c", b"Set-Cookie: a=b"),
            (b"/s", b"HTTP/1.1 202 Fine"),
            (b"/t", b"Content-Type: application/vnd.api+json"),
            (b"/l", b"Content-Type: text/html"),
            (b"/h", b"charset=UTF-8+mine"),
        ):
            connection = self.serve(app).connect()
            connection.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            self.assertIn(words, connection.received())


class PlainStaticTests(WireTestCase):
    """Static files, sent from memory or otherwise."""

    def test_same(self) -> None:
        """A file comes with the same headers whichever way it is sent."""

        class Hooked(StaticFileHandler):
            def set_extra_headers(self, path: str) -> None:
                pass

        folder = self.mktemp()
        os.mkdir(folder)
        path = os.path.join(folder, "f.txt")
        with open(path, "w") as file:
            file.write("content")
        os.utime(path, (1_500_000_000, 1_500_000_000))
        app = Application(
            [
                ("/s/(.*)", StaticFileHandler, {"path": folder}),
                ("/h/(.*)", Hooked, {"path": folder}),
            ]
        )
        for request in (
            b"GET /X/f.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /X/f.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"GET /X/f.txt HTTP/1.0\r\n\r\n",
            b"HEAD /X/f.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /X/f.txt?v=1 HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            answers = []
            for prefix in (b"h", b"s", b"s"):  # the second one may have filled the memory
                connection = self.serve(app).connect()
                connection.send(request.replace(b"X", prefix))
                answer = DATE.sub(b"Date: today", connection.received())
                answers.append(re.sub(rb"Expires: [^\r]*", b"Expires: then", answer))
            self.assertEqual(answers[0], answers[1])
            self.assertEqual(answers[0], answers[2])
            self.assertIn(b"\r\nEtag: ", answers[0])


class StreamedTests(WireTestCase):
    """Bodies in pieces, over the wire."""

    def test_refused(self) -> None:
        """A body that is refused on the way gets its answer, and the connection is closed."""

        @stream_request_body
        class Handler(RequestHandler):
            async def data_received(self, chunk: bytes) -> None:
                if b"!" in chunk:
                    raise HTTPError(413)

            def put(self) -> None:
                self.write("taken")

        server = self.serve(Application([("/", Handler)]))
        head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
        connection = server.connect()
        connection.send(head + b"01234")
        connection.send(b"56789")
        self.assertTrue(connection.received().endswith(b"taken"))
        self.assertFalse(connection.closed)
        connection.send(head + b"012!")
        server.settle()
        self.assertTrue(connection.received().startswith(b"HTTP/1.1 413 "))
        self.assertTrue(connection.closed)


class Argument(RequestHandler):
    def get(self) -> None:
        self.write(self.get_argument("a", "none"))

    post = get


class Path(RequestHandler):
    def get(self, path: str) -> None:
        self.write(path)


class Cookie(RequestHandler):
    def get(self) -> None:
        self.write(self.get_cookie("a", "none"))
        self.write(self.get_signed_cookie("s") or b"")
        self.write(self.xsrf_token)
        self.write(self.locale.code)


class Reflect(RequestHandler):
    """Puts what it is told where it must not stand."""

    def get(self, where: str) -> None:
        value = self.get_argument("v")
        {
            "header": lambda: self.set_header("X-V", value),
            "cookie": lambda: self.set_cookie("a", value),
            "domain": lambda: self.set_cookie("a", "b", domain=value),
            "redirect": lambda: self.redirect(value),
            "reason": lambda: self.set_status(200, value),
        }[where]()


def get(path: bytes, *headers: bytes) -> bytes:
    lines = [b"GET %s HTTP/1.1" % path, b"Host: a", *headers, b"", b""]
    return b"\r\n".join(lines)


def form(body: bytes, content_type: bytes = b"application/x-www-form-urlencoded") -> bytes:
    head = b"POST /argument HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (content_type, len(body)) + body


def multipart(part: bytes) -> bytes:
    return form(b"--x\r\n" + part + b"\r\n--x--\r\n", b"multipart/form-data; boundary=x")


FIELD = b'Content-Disposition: form-data; name="a"\r\n\r\n'


class BadInputTests(WireTestCase):
    """Bad input gets the status that Tornado 6.6.1 gives it, and the server goes on."""

    def setUp(self) -> None:
        super().setUp()
        folder = self.mktemp()
        os.mkdir(folder)
        with open(os.path.join(folder, "f.txt"), "w") as file:
            file.write("content")
        app = Application(
            [
                ("/argument", Argument),
                ("/path/(.*)", Path),
                ("/cookie", Cookie),
                ("/reflect/(.*)", Reflect),
                ("/static/(.*)", StaticFileHandler, {"path": folder}),
            ],
            cookie_secret="secret",
        )
        self.server = self.serve(app)

    def check(self, *cases: tuple[bytes, int]) -> None:
        for request, code in cases:
            connection = self.server.connect()
            connection.send(request)
            head, _, _ = connection.received().partition(b"\r\n\r\n")
            status = head.split(b" ", 2)[1:2]
            self.assertEqual(status, [b"%d" % code], request[:200])
            self.assertNotIn(b"X-Evil", head)
        connection = self.server.connect()
        connection.send(get(b"/argument?a=well"))
        self.assertTrue(connection.received().endswith(b"well"))

    def test_arguments(self) -> None:
        """Arguments that cannot be decoded, or are too many."""
        self.check(
            (get(b"/argument?a=%ff"), 400),
            (get(b"/argument?a=%c0%af"), 400),
            (get(b"/argument?a=%zz%"), 200),
            (get(b"/argument?" + b"b=1&" * 2000), 400),
            (get(b"/path/%ff"), 400),
            (get(b"/path/\xff"), 200),
            (get(b"/path/%00"), 200),
            (get(b"/path/\x00"), 400),
            (get(b"/path/%0d%0aX-Evil:1"), 200),
        )

    def test_bodies(self) -> None:
        """Forms that are none."""
        self.check(
            (form(b"a=%ff"), 400),
            (form(b"a=\xff\x00"), 400),
            (form(b"&&=&"), 200),
            (form(b"a=1", b"///;;=\x0b"), 400),
            (form(b"a=1", b"multipart/form-data"), 400),
            (form(b"--\r\n\r\n----", b"multipart/form-data; boundary="), 400),
            (form(b"--x\r\n\r\n", b"multipart/form-data; boundary=x"), 400),
            (multipart(FIELD + b"fine"), 200),
            (multipart(FIELD + b"\xff"), 400),
            (multipart(b"Foo: bar\r\n\r\nv"), 400),
            (multipart(b"Content-Disposition: form-data\r\n\r\nv"), 400),
            (multipart(b"\xff\xff\r\n\r\nv"), 400),
            (multipart(b"\r\n--x\r\n".join([FIELD + b"v"] * 200)), 400),
            (form(b"a=1").replace(b"Host: a\r\n", b"Host: a\r\nContent-Encoding: gzip\r\n"), 400),
        )

    def test_cookies(self) -> None:
        """Cookies that are too large, too many, or no cookies."""
        self.check(
            (get(b"/cookie", b"Cookie: a=" + b"x" * 60000), 200),
            (get(b"/cookie", b"Cookie: a=" + b"x" * 70000), 431),
            (get(b"/cookie", b"Cookie: " + b"; ".join(b"c%d=1" % i for i in range(3000))), 200),
            (get(b"/cookie", b"Cookie: =;;=;\xff\xff=\xfe; a=1"), 200),
            (get(b"/cookie", b'Cookie: a="\\999\\'), 200),
            (get(b"/cookie", b"Cookie: s=2|1:0|1:\xff|||; _xsrf=2|\xff|x|y"), 200),
        )

    def test_headers(self) -> None:
        """Headers that say nothing."""
        self.check(
            (get(b"/argument", b'If-None-Match: "a, W/, *"'), 200),
            (get(b"/cookie", b"Accept-Language: \xff;q=x,,;;q=1,de;q=1e999,fr;q=nan"), 200),
            (get(b"/static/f.txt", b"Range: bytes=--1"), 200),
            (get(b"/static/f.txt", b"Range: bytes=0-" + b"9" * 4000), 200),
            (get(b"/static/f.txt", b"If-Modified-Since: \xff Jan 99999 00:00:00"), 200),
            (get(b"/static/f.txt", b"If-Modified-Since: Mon, 00 Jan 0000 00:00:00 GMT"), 200),
            (b"GET /argument HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            (b"GET /argument HTTP/1.1\r\n\r\n", 400),
            (b"G<T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"G" * 2000 + b" /argument HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        )

    def test_reflected(self) -> None:
        """Line ends that an application passes on do not reach the response."""
        evil = b"?v=a%0d%0aX-Evil:%201"
        self.check(
            (get(b"/reflect/header" + evil), 500),
            (get(b"/reflect/cookie" + evil), 500),
            (get(b"/reflect/domain?v=a;%20secure"), 500),
            (get(b"/reflect/redirect" + evil), 500),
            (get(b"/reflect/reason" + evil), 200),
        )

    def test_traversal(self) -> None:
        """Ways out of the static folder."""
        self.check(
            (get(b"/static/../../etc/passwd"), 403),
            (get(b"/static/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), 403),
            (get(b"/static/%c0%ae%c0%ae%c0%afetc/passwd"), 400),
            (get(b"/static/..%5c..%5cetc%5cpasswd"), 404),
            (get(b"/static//etc/passwd"), 403),
            (get(b"/static/f.txt%00"), 404),
            (get(b"/static/%ed%a0%80"), 400),
            (get(b"/static/" + b"a" * 5000), 404),
            (get(b"/static/%0a"), 404),
        )
