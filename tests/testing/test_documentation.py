"""The examples of the documentation of Tornado 2.3, chapters 3.3 and 5.7, as tests.

What differs from the page: ``example_url`` is a server of this test in place of
``http://www.google.com/``, ``print`` has its brackets and bodies are bytes, as Python 3 has them.
"""

import contextlib
import io
import unittest

from twisted.internet import threads

from tests.httpclient.scripted import ScriptedServer, answer
from txtornado import httpclient, ioloop
from txtornado.httpclient import AsyncHTTPClient
from txtornado.httpserver import HTTPServer
from txtornado.testing import (
    AsyncHTTPTestCase,
    AsyncTestCase,
    LogTrapTestCase,
    ReactorTestCase,
    bind_unused_port,
)
from txtornado.web import Application, RequestHandler


class FriendHandler(RequestHandler):
    def get(self) -> None:
        self.write("FriendFeed")


APP = Application([("/", FriendHandler)], log_function=lambda handler: None)


class ExampleTestCase(AsyncTestCase):
    """With a server in place of the web."""

    def setUp(self) -> None:
        super().setUp()
        sock, port = bind_unused_port()
        server = HTTPServer(APP, io_loop=self.io_loop)
        server.add_socket(sock)
        self.addCleanup(server.stop)
        self.example_url = f"http://127.0.0.1:{port}/"


class MyTestCase(ExampleTestCase):
    """Chapter 5.7.1, the first example."""

    def test_http_fetch(self) -> None:
        """A callback looks at the response and stops the test."""
        client = AsyncHTTPClient(self.io_loop)
        client.fetch(self.example_url, self.handle_fetch)
        self.wait()

    def handle_fetch(self, response):
        # Test contents of response (failures and exceptions here
        # will cause self.wait() to throw an exception and end the
        # test).
        # Exceptions thrown here are magically propagated to
        # self.wait() in test_http_fetch() via stack_context.
        self.assertIn(b"FriendFeed", response.body)
        self.stop()


class FailureInCallbackTests(ExampleTestCase):
    """What the comments in that example promise."""

    def test_http_fetch(self) -> None:
        """A failing assertion in the callback comes out of wait()."""
        client = AsyncHTTPClient(self.io_loop)
        client.fetch(self.example_url, self.handle_fetch)
        with self.assertRaisesRegex(AssertionError, "MySpace"):
            self.wait()

    def handle_fetch(self, response):
        self.assertIn(b"MySpace", response.body)


class MyTestCase2(ExampleTestCase):
    """Chapter 5.7.1, the second example."""

    def test_http_fetch(self) -> None:
        """The response goes from stop() to wait()."""
        client = AsyncHTTPClient(self.io_loop)
        client.fetch(self.example_url, self.stop)
        response = self.wait()
        # Test contents of response
        self.assertIn(b"FriendFeed", response.body)


class MyHTTPTest(AsyncHTTPTestCase):
    """Chapter 5.7.1, the third example."""

    def get_app(self):
        return Application([("/", FriendHandler)], log_function=lambda handler: None)

    def test_homepage(self) -> None:
        """fetch() is a short form of what stands here."""
        # The following two lines are equivalent to
        # response = self.fetch('/')
        # but are shown in full here to demonstrate explicit use
        # of self.stop and self.wait.
        self.http_client.fetch(self.get_url("/"), self.stop)
        response = self.wait()
        # test contents of response
        self.assertEqual(response.body, self.fetch("/").body)


class CombinedTests(AsyncHTTPTestCase, LogTrapTestCase):
    """Chapter 5.7.2: the two may be combined."""

    def get_app(self):
        return APP

    def test_fetch(self) -> None:
        """The combination works as a test."""
        self.assertEqual(self.fetch("/").code, 200)


class ClientExampleTests(ExampleTestCase):
    """Chapter 3.3.1, the example of AsyncHTTPClient."""

    def get_new_ioloop(self):
        loop = ioloop.IOLoop()
        loop.install()  # the example uses the one loop that there was then
        return loop

    def test_async(self) -> None:
        """A callback prints the body and stops the loop."""
        printed = io.StringIO()

        def handle_request(response):
            if response.error:
                print("Error:", response.error)
            else:
                print(response.body)
            ioloop.IOLoop.instance().stop()

        with contextlib.redirect_stdout(printed):
            http_client = httpclient.AsyncHTTPClient()
            http_client.fetch(self.example_url, handle_request)
            ioloop.IOLoop.instance().start()
        self.assertEqual(printed.getvalue(), "b'FriendFeed'\n")

    def test_configure(self) -> None:
        """An implementation is configured by its name, which may be Tornado's."""
        saved = AsyncHTTPClient._save_configuration()
        self.addCleanup(AsyncHTTPClient._restore_configuration, saved)
        AsyncHTTPClient.configure("tornado.simple_httpclient.SimpleAsyncHTTPClient")
        client = AsyncHTTPClient()
        self.assertEqual(type(client).__module__.partition(".")[0], "txtornado")


class BlockingExampleTests(ReactorTestCase):
    """Chapter 3.3.1, the example of HTTPClient."""

    async def test_blocking(self) -> None:
        """The blocking client prints the body, or the error."""
        url = await ScriptedServer(
            answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        ).start(self)
        lines = []

        def example(url):
            http_client = httpclient.HTTPClient()
            try:
                response = http_client.fetch(url)
                lines.append(response.body)
            except httpclient.HTTPError as e:
                lines.append(f"Error: {e}")
            http_client.close()

        await threads.deferToThread(example, url)
        bad = await ScriptedServer(
            answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        ).start(self)
        await threads.deferToThread(example, bad)
        self.assertEqual(lines, [b"hello", "Error: HTTP 404: Not Found"])


class TimeoutTests(unittest.TestCase):
    """The release notes of 2.3: wait() resets its timeout on each call."""

    def test_each_wait(self) -> None:
        """The limit of a wait() that is over does not end a later one."""

        class Case(AsyncTestCase):
            def test(self):
                self.io_loop.add_callback(self.stop)
                self.wait(timeout=0.02)
                self.io_loop.call_later(0.05, self.stop)
                self.wait(timeout=60)

        result = unittest.TestResult()
        Case("test").run(result)
        self.assertTrue(result.wasSuccessful(), result.failures)
