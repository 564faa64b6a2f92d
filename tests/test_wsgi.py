"""`txtornado.wsgi`: both directions, by hand and with other people's software."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from twisted.internet.defer import inlineCallbacks
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.http1.test_server_connection import LoggingTestCase, turns
from tests.test_httpserver import ServerTestCase
from txtornado.httputil import HTTPHeaders, HTTPServerRequest
from txtornado.web import RequestHandler, asynchronous
from txtornado.wsgi import HTTPRequest, WSGIApplication, WSGIContainer, to_wsgi_str


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello ", b"world!"]


class ContainerTests(ServerTestCase):
    """WSGI applications under HTTPServer."""

    @inlineCallbacks
    def fetch(self, application: Any, request: bytes = b"", executor: Any = None) -> Any:
        """The bytes of the response to ``request``, which closes the connection."""
        self.serve(WSGIContainer(application, executor))
        client = yield self.connect()
        client.write(request or b"GET / HTTP/1.1\r\nHost: x:81\r\nConnection: close\r\n\r\n")
        yield client.until_lost()
        return client.received

    def executor(self) -> ThreadPoolExecutor:
        executor = ThreadPoolExecutor(2)

        def end() -> Any:
            # A response can be here before its thread is done, and the loop told of that.
            executor.shutdown()
            return turns()

        self.addCleanup(end)
        return executor

    @inlineCallbacks
    def test_list(self) -> Any:
        """A list goes out in one piece, with its length, whether in a thread or not."""
        for executor in (None, self.executor()):
            received = yield self.fetch(validator(hello), executor=executor)
            head, _, body = received.partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertIn(b"Content-Type: text/plain", head)
            self.assertIn(b"Hello ", body)
        received = yield self.fetch(hello)
        self.assertIn(b"Content-Length: 12\r\n", received)
        self.assertTrue(received.endswith(b"\r\n\r\nHello world!"))
        self.assertIn("INFO 200 GET / (127.0.0.1)", self.messages()[-1])

    @inlineCallbacks
    def test_environment(self) -> Any:
        """The environment has everything that PEP 3333 wants."""
        seen: dict[str, Any] = {}

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            seen.update(environ)
            seen["body"] = environ["wsgi.input"].read()
            return hello(environ, start_response)

        yield self.fetch(
            application,
            b"POST /a%20b/%C3%A9?q=%20 HTTP/1.1\r\nHost: x:81\r\nConnection: close\r\n"
            b"Content-Type: text/x\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=b\r\nCookie: c=d\r\n"
            b"X_B: fake\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        )
        for key, value in {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/a b/\xc3\xa9",
            "QUERY_STRING": "q=%20",
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "x",
            "SERVER_PORT": "81",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "text/x",
            "CONTENT_LENGTH": "3",
            "HTTP_X_A": "1,2",
            "HTTP_COOKIE": "a=b; c=d",
            "wsgi.url_scheme": "http",
            "wsgi.multithread": False,
            "body": b"abc",
        }.items():
            self.assertEqual(seen[key], value, key)
        self.assertNotIn("HTTP_X_B", seen)
        self.assertNotIn("HTTP_CONTENT_TYPE", seen)

    @inlineCallbacks
    def test_generator(self) -> Any:
        """What a generator yields is sent before it is asked for more."""
        gate = threading.Event()
        self.addCleanup(gate.set)

        def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            yield b""
            yield b"first"
            gate.wait(10)
            yield b"second"

        self.serve(WSGIContainer(application, self.executor()))
        client = yield self.connect()
        client.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        yield client.until_count(b"first")
        self.assertNotIn(b"second", client.received)
        gate.set()
        yield client.until_count(b"\r\n0\r\n\r\n")
        self.assertIn(b"second", client.received)

    @inlineCallbacks
    def test_write(self) -> Any:
        """What start_response returns writes, before the rest."""

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            write = start_response("200 OK", [("Content-Length", "3")])
            write(b"a")
            write(b"b")
            return [b"c"]

        received = yield self.fetch(application)
        self.assertTrue(received.endswith(b"\r\n\r\nabc"))

    @inlineCallbacks
    def test_close(self) -> Any:
        """The iterable's close() is called, once."""

        class Result:
            closed = 0

            def __iter__(self) -> Iterator[bytes]:
                return iter([b"x"])

            def close(self) -> None:
                self.closed += 1

        result = Result()

        def application(environ: dict[str, Any], start_response: Any) -> Result:
            start_response("200 OK", [])
            return result

        yield self.fetch(application)
        yield turns()
        self.assertEqual(result.closed, 1)

    @inlineCallbacks
    def test_failures(self) -> Any:
        """An application that fails before its headers are sent gets its client a 500."""

        def raises(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            raise ValueError("no")

        def raises_late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            yield from ()
            raise ValueError("no")

        def never_starts(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            return [b"x"]

        def bad_header(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("200 OK", [("A", "b\r\nC: d")])
            return [b"x"]

        for application in (raises, raises_late, never_starts, bad_header):
            received = yield self.fetch(application)
            self.assertTrue(received.startswith(b"HTTP/1.1 500 "), application)
            yield turns()
            self.assertIn("ERROR Uncaught exception of a WSGI application /", self.messages())
            self.records.clear()

    @inlineCallbacks
    def test_failure_within_body(self) -> Any:
        """One that fails later has its connection cut, so that nobody takes the body for whole."""

        def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            yield b"x"
            raise ValueError("no")

        received = yield self.fetch(application)
        self.assertIn(b"x", received)
        self.assertNotIn(b"0\r\n\r\n", received)

    @inlineCallbacks
    def test_exc_info(self) -> Any:
        """An application may think again about its headers while they are not sent."""

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            try:
                raise ValueError("no")
            except ValueError:
                start_response("503 Busy", [], sys.exc_info())
            return [b"later"]

        received = yield self.fetch(application)
        self.assertTrue(received.startswith(b"HTTP/1.1 503 Busy\r\n"))

    def test_static_environ(self) -> None:
        """Before Tornado 6.3 environ was a static method, and still works as one."""
        request = HTTPServerRequest("GET", "/x", headers=HTTPHeaders({"Host": "h"}))
        self.assertEqual(WSGIContainer.environ(request)["PATH_INFO"], "/x")
        threaded = WSGIContainer(hello, self.executor()).environ(request)
        self.assertTrue(threaded["wsgi.multithread"])

    @inlineCallbacks
    def test_flask(self) -> Any:
        """Flask runs."""
        try:
            import flask
        except ImportError:
            raise SkipTest("needs Flask")
        app = flask.Flask("app")
        app.add_url_rule("/<name>", view_func=lambda name: f"Hello {name}", endpoint="x")
        received = yield self.fetch(
            app,
            b"GET /w%C3%B6rld HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            self.executor(),
        )
        self.assertTrue(received.endswith("Hello wörld".encode()))

    @inlineCallbacks
    def test_django(self) -> Any:
        """Django runs."""
        try:
            import django
            from django.conf import settings
            from django.core.wsgi import get_wsgi_application
            from django.http import HttpResponse
            from django.urls import path
        except ImportError:
            raise SkipTest("needs Django")
        del django
        if not settings.configured:
            settings.configure(
                ALLOWED_HOSTS=["*"],
                ROOT_URLCONF=(path("<str:name>", lambda r, name: HttpResponse(f"Hi {name}")),),
                SECRET_KEY="x",
                LOGGING_CONFIG=None,
            )
        received = yield self.fetch(
            get_wsgi_application(),
            b"GET /there HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            self.executor(),
        )
        self.assertIn(b"\r\nHi there\r\n", received)


class MainHandler(RequestHandler):
    def initialize(self, word: str = "Hello") -> None:
        self.word = word

    def get(self, name: str) -> None:
        self.set_cookie("c", "d")
        self.write(f"{self.word} {name} {self.get_argument('q', '-')}")

    def post(self, name: str) -> None:
        self.write({"arguments": sorted(self.request.arguments), "ip": self.request.remote_ip})


class NativeHandler(RequestHandler):
    async def get(self) -> None:
        self.write("native")


class WaitingHandler(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0.01)
        self.write("waiting")


class OldWaitingHandler(RequestHandler):
    @asynchronous
    def get(self) -> None:
        pass


class FlushingHandler(RequestHandler):
    def get(self) -> None:
        self.write("x")
        self.flush()


class FailingHandler(RequestHandler):
    def get(self) -> None:
        raise ValueError("no")


def application() -> WSGIApplication:
    return WSGIApplication(
        [
            ("/native", NativeHandler),
            ("/waiting", WaitingHandler),
            ("/old", OldWaitingHandler),
            ("/flush", FlushingHandler),
            ("/fail", FailingHandler),
            ("/(.*)", MainHandler, {"word": "Hi"}),
        ]
    )


class ApplicationTests(LoggingTestCase):
    """Handlers under WSGI servers."""

    def call(self, path: str = "/", body: bytes = b"", **environ: Any) -> tuple[str, dict, bytes]:
        environ = {
            "PATH_INFO": path,
            "wsgi.input": io.BytesIO(body),
            "REMOTE_ADDR": "1.2.3.4",
            **environ,
        }
        if body:
            environ.update(REQUEST_METHOD="POST", CONTENT_LENGTH=str(len(body)))
        setup_testing_defaults(environ)
        started: list[Any] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
            started.extend((status, dict(headers)))

        result = b"".join(application()(environ, start_response))
        return started[0], started[1], result

    def test_get(self) -> None:
        """A handler answers, with headers and cookies."""
        status, headers, body = self.call("/w\xc3\xb6rld", QUERY_STRING="q=a%20b")
        self.assertEqual(status, "200 OK")
        self.assertEqual(body, "Hi wörld a b".encode())
        self.assertEqual(headers["Content-Length"], str(len(body)))
        self.assertIn("c=d", headers["Set-Cookie"])

    def test_post(self) -> None:
        """A form is parsed."""
        _, _, body = self.call("/x", b"a=b&c=d", CONTENT_TYPE="application/x-www-form-urlencoded")
        self.assertEqual(body, b'{"arguments": ["a", "c"], "ip": "1.2.3.4"}')

    def test_head(self) -> None:
        """The answer to HEAD has no body."""
        status, _, body = self.call("/x", REQUEST_METHOD="HEAD")
        self.assertEqual((status, body), ("405 Method Not Allowed", b""))

    @inlineCallbacks
    def test_coroutines(self) -> Any:
        """A coroutine has the server's thread, in which no loop runs, until it is done."""
        for path in ("/native", "/waiting"):
            _, _, body = yield deferToThread(self.call, path)
            self.assertEqual(body, path[1:].encode())

    def test_not_finished(self) -> None:
        """A response that would be finished some other time is impossible, and said to be so."""
        for path in ("/old", "/flush"):
            status, _, _ = self.call(path)
            self.assertEqual(status, "500 Internal Server Error", path)
            self.assertIn("ERROR", self.messages()[0])
            self.records.clear()

    def test_failing(self) -> None:
        """Exceptions become error pages."""
        status, _, body = self.call("/fail")
        self.assertEqual(status, "500 Internal Server Error")
        self.assertIn(b"500: Internal Server Error", body)

    def test_bad_request(self) -> None:
        """A request that makes no sense gets 400."""
        self.assertEqual(self.call("/x", HTTP_HOST="a b")[0], "400 Bad Request")

    def test_validator(self) -> None:
        """wsgiref's validator finds nothing wrong, also in a thread without a loop."""
        results: list[bytes] = []

        def run() -> None:
            environ: dict[str, Any] = {"PATH_INFO": "/x", "SCRIPT_NAME": "", "QUERY_STRING": ""}
            setup_testing_defaults(environ)
            environ["wsgi.input"] = io.BytesIO()
            with mock.patch("sys.stderr", io.StringIO()):
                result = validator(application())(environ, lambda status, headers, exc=None: print)
                results.append(b"".join(result))
                result.close()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        self.assertEqual(results, [b"Hi x -"])

    def test_request(self) -> None:
        """HTTPRequest mimics the server's requests."""
        environ: dict[str, Any] = {"PATH_INFO": "/a b", "QUERY_STRING": "c=d", "HTTP_X_Y": "z"}
        setup_testing_defaults(environ)
        request = HTTPRequest(environ)
        self.assertEqual((request.method, request.uri), ("GET", "/a%20b?c=d"))
        self.assertEqual(request.full_url(), "http://127.0.0.1/a%20b?c=d")
        self.assertEqual(request.headers["X-Y"], "z")
        self.assertEqual(request.arguments, {"c": [b"d"]})
        self.assertFalse(request.supports_http_1_1())
        self.assertEqual(request.cookies, {})
        self.assertLess(request.request_time(), 10)
        self.assertEqual(HTTPRequest("PUT", "/later").method, "PUT")

    def test_wsgi_str(self) -> None:
        """Bytes become characters one by one; text is refused."""
        self.assertEqual(to_wsgi_str(b"\xc3\xb6"), "\xc3\xb6")
        self.assertRaises(TypeError, to_wsgi_str, "text")

    @inlineCallbacks
    def test_wsgiref_server(self) -> Any:
        """wsgiref's server serves it."""

        class Quiet(WSGIRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

        server = make_server("127.0.0.1", 0, application(), handler_class=Quiet)
        self.addCleanup(server.server_close)

        def fetch() -> bytes:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            url = f"http://127.0.0.1:{server.server_port}/there"
            with urllib.request.urlopen(url, timeout=10) as response:
                body: bytes = response.read()
            thread.join()
            return body

        body = yield deferToThread(fetch)
        self.assertEqual(body, b"Hi there -")

    @inlineCallbacks
    def test_gunicorn(self) -> Any:
        """gunicorn serves it."""
        try:
            import gunicorn
        except ImportError:
            raise SkipTest("needs gunicorn")
        del gunicorn

        def fetch() -> bytes:
            command = [
                *(sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "1"),
                "tests.test_wsgi:application()",
            ]
            with subprocess.Popen(
                command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": _ROOT}
            ) as process:
                assert process.stderr is not None
                try:
                    for line in process.stderr:
                        if "Listening at: " in line:
                            url = line.partition("Listening at: ")[2].split()[0]
                            with urllib.request.urlopen(f"{url}/there", timeout=20) as response:
                                body: bytes = response.read()
                            return body
                    return b"gunicorn did not start"
                finally:
                    process.terminate()
                    process.stderr.read()

        body = yield deferToThread(fetch)
        self.assertEqual(body, b"Hi there -")


_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
