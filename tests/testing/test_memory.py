"""Tests for `MemoryServer`."""

import asyncio
import unittest

from twisted.internet import defer, task, threads

from txtornado import gen
from txtornado.ioloop import IOLoop
from txtornado.testing import MemoryServer
from txtornado.web import Application, RedirectHandler, RequestHandler, stream_request_body


class EchoHandler(RequestHandler):
    def get(self):
        self.write("hello")

    def post(self):
        self.write(self.request.body)


class SlowHandler(RequestHandler):
    async def get(self, seconds):
        await gen.sleep(float(seconds))
        self.write("late")


class DeferredHandler(RequestHandler):
    @defer.inlineCallbacks
    def get(self):
        result = yield task.deferLater(IOLoop.current().reactor, 5, lambda: "deferred")
        self.write(result)


class ThreadHandler(RequestHandler):
    async def get(self):
        loop = IOLoop.current()
        self.write(
            {
                "executor": await loop.run_in_executor(None, lambda: 1),
                "to_thread": await asyncio.to_thread(lambda: 2),
                "twisted": await threads.deferToThreadPool(
                    loop.reactor, loop.reactor.getThreadPool(), lambda: 3
                ),
            }
        )


class InfoHandler(RequestHandler):
    def get(self):
        loop = IOLoop.current()
        self.write(
            {
                "protocol": self.request.protocol,
                "remote_ip": self.request.remote_ip,
                "host": self.request.host,
                "same_loop": asyncio.get_running_loop() is loop.asyncio_loop,
                "time": loop.time(),
            }
        )


class FloodHandler(RequestHandler):
    written = 0

    async def get(self):
        for _ in range(100):
            self.write(b"x" * 1000)
            type(self).written += 1000
            await self.flush()


@stream_request_body
class UploadHandler(RequestHandler):
    def prepare(self):
        self.sizes = []

    async def data_received(self, chunk):
        await asyncio.sleep(1)
        self.sizes.append(len(chunk))

    def post(self):
        self.write({"received": sum(self.sizes)})


def make_app() -> Application:
    return Application(
        [
            ("/", EchoHandler),
            (r"/slow/(\d+)", SlowHandler),
            ("/deferred", DeferredHandler),
            ("/threads", ThreadHandler),
            ("/info", InfoHandler),
            ("/flood", FloodHandler),
            ("/upload", UploadHandler),
            ("/redirect", RedirectHandler, {"url": "/"}),
        ],
        log_function=lambda handler: None,
    )


class MemoryServerTests(unittest.TestCase):
    def setUp(self) -> None:
        self.server = MemoryServer(make_app())
        self.addCleanup(self.server.close)

    def test_fetch(self) -> None:
        """fetch() sends a request and has the response at once."""
        response = self.server.fetch("/")
        self.assertEqual((response.code, response.body), (200, b"hello"))
        self.assertEqual(self.server.fetch("/", method="POST", body="abc").body, b"abc")

    def test_statuses(self) -> None:
        """A bad status is returned, or raised where that is asked for; redirects are followed."""
        self.assertEqual(self.server.fetch("/nowhere").code, 404)
        with self.assertRaisesRegex(Exception, "404"):
            self.server.fetch("/nowhere", raise_error=True)
        self.assertEqual(self.server.fetch("/redirect").body, b"hello")

    def test_environment(self) -> None:
        """The application sees a loop, an address and a host of its own."""
        before = IOLoop.current(instance=False)
        info = self.server.fetch("http://virtual.example/info").body.decode()
        self.assertIn('"remote_ip": "127.0.0.1"', info)
        self.assertIn('"host": "virtual.example"', info)
        self.assertIn('"same_loop": true', info)
        self.assertIs(IOLoop.current(instance=False), before)

    def test_options(self) -> None:
        """Options go to HTTPServer: requests may look encrypted, or come through a proxy."""
        with MemoryServer(make_app(), protocol="https", xheaders=True) as server:
            info = server.fetch("/info", headers={"X-Real-Ip": "10.1.2.3"}).body
        self.assertIn(b'"protocol": "https"', info)
        self.assertIn(b'"remote_ip": "10.1.2.3"', info)

    def test_time(self) -> None:
        """Time passes when it is told to, and not otherwise."""
        future = self.server.request("/slow/3600", request_timeout=0)
        self.server.advance(3599)
        self.assertFalse(future.done())
        self.server.advance(1)
        self.assertEqual(future.result().body, b"late")

    def test_timers_in_order(self) -> None:
        """Timers go off at their time, also those that others set on the way."""
        seen = []
        reactor = self.server.reactor

        async def tick():
            for _ in range(3):
                await asyncio.sleep(10)
                seen.append(reactor.seconds())

        with self.assertRaises(AssertionError):
            self.server.run(tick)
        self.server.io_loop.add_callback(tick)
        self.server.advance(100)
        self.assertEqual(seen, [10, 20, 30])
        self.assertEqual(reactor.seconds(), 100)

    def test_unfinished(self) -> None:
        """A response that needs time is an error that says so."""
        with self.assertRaisesRegex(AssertionError, "no response to /slow/1: .*advance"):
            self.server.fetch("/slow/1")

    def test_busy(self) -> None:
        """An application that never comes to rest is found out."""

        def again():
            self.server.reactor.callLater(0, again)

        again()
        with self.assertRaisesRegex(AssertionError, "still busy"):
            self.server.settle()
        for call in self.server.reactor.getDelayedCalls():
            call.cancel()

    def test_deferreds(self) -> None:
        """Twisted code on the loop's reactor lives in the same time."""
        future = self.server.request("/deferred")
        self.server.advance(5)
        self.assertEqual(future.result().body, b"deferred")

    def test_threads(self) -> None:
        """What belongs in a thread is called at once, in this one."""
        self.assertEqual(
            self.server.fetch("/threads").body, b'{"executor": 1, "to_thread": 2, "twisted": 3}'
        )

    def test_streamed_upload(self) -> None:
        """A body that the application takes its time over is not lost."""
        future = self.server.request("/upload", method="POST", body=b"x" * 200_000)
        self.server.advance(15)
        self.assertEqual(future.result().body, b'{"received": 200000}')

    def test_client_timeout(self) -> None:
        """The client's time limits are on the same clock, and say where the request stood."""
        future = self.server.request("/slow/100", request_timeout=30)
        self.server.advance(29)
        self.assertFalse(future.done())
        self.server.advance(1)
        self.assertEqual(
            str(future.exception()), "Timeout during request: waiting for the response after 30 s"
        )

    def test_run(self) -> None:
        """A coroutine can be run on the server's loop."""

        async def both():
            client = self.server.http_client
            return [
                r.body
                for r in await gen.multi([client.fetch("http://a/"), client.fetch("http://b/")])
            ]

        self.assertEqual(self.server.run(both), [b"hello", b"hello"])

    def test_no_tls(self) -> None:
        """https URLs are refused with a hint."""
        with self.assertRaisesRegex(ValueError, "protocol='https'"):
            self.server.fetch("https://localhost/")

    def test_close(self) -> None:
        """Closing ends what is under way, and may be done twice."""
        connection = self.server.connect()
        future = self.server.request("/slow/100")
        self.server.close()
        self.assertTrue(connection.closed)
        self.assertTrue(future.done())
        self.assertEqual(self.server.reactor.getDelayedCalls(), [])
        self.server.close()


class MemoryConnectionTests(unittest.TestCase):
    def setUp(self) -> None:
        self.server = MemoryServer(make_app(), idle_connection_timeout=60)
        self.addCleanup(self.server.close)
        self.connection = self.server.connect()

    def test_bytes(self) -> None:
        """Bytes go in and come out as they do on the wire, in any pieces."""
        self.connection.send(b"GET / HT")
        self.assertEqual(self.connection.received(), b"")
        self.connection.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        head, _, body = self.connection.received().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual(body, b"hello")
        self.assertEqual(self.connection.received(), b"")
        self.assertFalse(self.connection.closed)

    def test_server_closes(self) -> None:
        """The end of an HTTP/1.0 exchange is seen."""
        self.connection.send(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(self.connection.closed)
        self.assertIn(b"hello", self.connection.received())

    def test_idle(self) -> None:
        """An idle connection is closed by the server's own clock."""
        self.server.advance(59)
        self.assertFalse(self.connection.closed)
        self.server.advance(2)
        self.assertTrue(self.connection.closed)

    def test_client_closes(self) -> None:
        """The server hears when the client goes."""
        self.connection.close()
        self.assertTrue(self.connection.closed)
        self.assertEqual(self.server.http_server._connections, set())

    def test_client_that_does_not_read(self) -> None:
        """The application has to wait for a client that takes nothing."""
        FloodHandler.written = 0
        self.connection.stop_reading()
        self.connection.send(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertLess(FloodHandler.written, 100_000)
        self.connection.start_reading()
        self.assertEqual(FloodHandler.written, 100_000)
        self.assertGreater(len(self.connection.received()), 100_000)

    def test_malformed(self) -> None:
        """Nonsense is answered with 400 and the end of the connection."""
        self.connection.send(b"what is this\r\n\r\n")
        self.assertTrue(self.connection.received().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(self.connection.closed)
