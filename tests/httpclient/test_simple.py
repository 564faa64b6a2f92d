"""Tests for `SimpleAsyncHTTPClient` on real sockets, against a server that follows a script."""

import asyncio
import gzip
import logging

from twisted.internet import defer, reactor, task

from tests.httpclient.scripted import Scripted, ScriptedServer, answer
from txtornado import gen
from txtornado.concurrent import as_deferred
from txtornado.httpclient import HTTPClientError, HTTPRequest
from txtornado.httpclient._queue import QueuedHTTPClient
from txtornado.iostream import UnsatisfiableReadError
from txtornado.log import app_log, gen_log
from txtornado.simple_httpclient import (
    HTTPStreamClosedError,
    HTTPTimeoutError,
    SimpleAsyncHTTPClient,
)
from txtornado.testing import ExpectLog, ReactorTestCase

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class ClientTestCase(ReactorTestCase):
    """The tests below are run with other implementations as well, which see to it themselves."""

    implementation: type[QueuedHTTPClient] = SimpleAsyncHTTPClient
    keeps_connections = False
    callback_error: type[Exception] = HTTPStreamClosedError
    timeout = 30

    def client(self, **kwargs) -> QueuedHTTPClient:
        client = self.implementation(force_instance=True, **kwargs)
        self.addCleanup(client.close)
        return client

    async def serve(self, script) -> str:
        """Start a server; returns its URL."""
        self.server = ScriptedServer(answer(script) if isinstance(script, bytes) else script)
        return await self.server.start(self)

    async def get(self, script, **kwargs):
        """The response to a request to a server with this script."""
        url = await self.serve(script)
        return await self.client().fetch(url + "/", **kwargs)


class ResponseTests(ClientTestCase):
    async def test_length(self) -> None:
        """A body that has a length ends there, though the server keeps the connection."""
        response = await self.get(OK)
        self.assertEqual((response.code, response.reason, response.body), (200, "OK", b"hello"))

    async def test_chunked(self) -> None:
        """A chunked body is put together."""
        response = await self.get(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        self.assertEqual(response.body, b"abcde")

    async def test_until_close(self) -> None:
        """A body without a length ends with the connection."""
        response = await self.get(answer(b"HTTP/1.0 200 OK\r\n\r\nhello", close=True))
        self.assertEqual(response.body, b"hello")

    async def test_no_body(self) -> None:
        """Responses to HEAD, and 204, have none, whatever the headers say."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
        self.assertEqual((await self.get(head, method="HEAD")).body, b"")
        self.assertEqual((await self.get(b"HTTP/1.1 204 No Content\r\n\r\n")).code, 204)

    async def test_interim(self) -> None:
        """Interim responses are passed over."""
        response = await self.get(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)
        self.assertEqual((response.code, response.body), (200, b"hello"))
        self.assertNotIn("Link", response.headers)

    async def test_status_errors(self) -> None:
        """A bad status is raised with its response, or returned where that is asked for."""
        teapot = b"HTTP/1.1 418 I am a teapot\r\nContent-Length: 5\r\n\r\nshort"
        with self.assertRaises(HTTPClientError) as caught:
            await self.get(teapot)
        self.assertEqual(str(caught.exception), "HTTP 418: I am a teapot")
        self.assertEqual(caught.exception.response.body, b"short")
        self.assertEqual((await self.get(teapot, raise_error=False)).code, 418)

    async def test_cut_short(self) -> None:
        """A response that ends too early is an error, not a short body."""
        for data in (b"", b"HTTP/1.1 200", OK[:-1]):
            with self.subTest(data), self.assertRaises(HTTPStreamClosedError):
                await self.get(answer(data, close=True), raise_error=False)

    async def test_malformed(self) -> None:
        """Nonsense is an error, with one line in the log."""
        log = ExpectLog(gen_log, "Malformed HTTP message", level=logging.INFO)
        with log, self.assertRaises(HTTPStreamClosedError):
            await self.get(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello")
        self.assertFalse(log.logged_stack)

    async def test_times(self) -> None:
        """A response tells what took how long."""
        response = await self.get(OK)
        self.assertEqual(set(response.time_info), {"queue", "connect", "total"})
        self.assertLessEqual(0, response.time_info["connect"])
        self.assertLessEqual(response.time_info["connect"], response.request_time)


class RequestTests(ClientTestCase):
    async def sent(self, **kwargs) -> bytes:
        """What goes over the wire for a request with a body of five bytes at most."""
        seen: list[bytes] = []

        def script(connection: Scripted) -> None:
            seen.append(connection.data)
            if connection.data.endswith(
                (b"12345", b"0\r\n\r\n", b"close\r\n\r\n", b"gzip\r\n\r\n")
            ):
                connection.reply(OK)

        url = await self.serve(script)
        await self.client().fetch(url + "/path", **kwargs)
        return seen[-1]

    async def test_get(self) -> None:
        """A GET is a start line and headers, Host first."""
        sent = await self.sent()
        self.assertTrue(sent.startswith(b"GET /path HTTP/1.1\r\nHost: 127.0.0.1:"), sent)
        self.assertEqual(b"\r\nConnection: close\r\n" in sent, not self.keeps_connections)

    async def test_post(self) -> None:
        """A body follows the head and has its length."""
        sent = await self.sent(method="POST", body="12345")
        self.assertIn(b"\r\nContent-Length: 5\r\n", sent)
        self.assertTrue(sent.endswith(b"\r\n\r\n12345"))

    async def test_producer_with_length(self) -> None:
        """What a body_producer writes is sent as it is when the length was declared."""

        async def produce(write):
            await write(b"123")
            await asyncio.sleep(0)
            await write(b"45")

        sent = await self.sent(method="PUT", body_producer=produce, headers={"Content-Length": "5"})
        self.assertTrue(sent.endswith(b"\r\n\r\n12345"), sent)

    async def test_producers_chunked(self) -> None:
        """Without a length it is sent in chunks, whatever kind of function it is."""

        def plain(write):
            write(b"12345")

        @gen.coroutine
        def generator(write):
            yield write(b"12345")

        @defer.inlineCallbacks
        def twisted(write):
            yield as_deferred(write(b"12345"))

        for producer in (plain, generator, twisted):
            with self.subTest(producer.__name__):
                sent = await self.sent(method="POST", body_producer=producer)
                self.assertTrue(sent.endswith(b"\r\n\r\n5\r\n12345\r\n0\r\n\r\n"), sent)
                self.assertNotIn(b"Content-Length", sent)

    async def test_producer_fails(self) -> None:
        """An exception of a body_producer is the request's, and ends the connection."""

        async def produce(write):
            await write(b"1")
            raise ZeroDivisionError

        url = await self.serve(lambda connection: None)
        with self.assertRaises(ZeroDivisionError):
            await self.client().fetch(url, method="POST", body_producer=produce)
        await self.server.connections[0].lost

    async def test_early_answer(self) -> None:
        """An answer that comes before the body is sent is taken, and the producer cancelled."""
        cancelled = asyncio.Event()

        async def produce(write):
            await write(b"1")
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        url = await self.serve(
            answer(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n", close=True)
        )
        response = await self.client().fetch(
            url, method="POST", body_producer=produce, raise_error=False
        )
        self.assertEqual(response.code, 413)
        await cancelled.wait()

    async def test_expect_continue(self) -> None:
        """The body waits for the server's word."""
        heads = []

        def script(connection: Scripted) -> None:
            if not heads and connection.has_head():
                heads.append(connection.data)
                connection.reply(b"HTTP/1.1 100 Continue\r\n\r\n")
            elif connection.data.endswith(b"12345"):
                connection.reply(OK)

        url = await self.serve(script)
        response = await self.client().fetch(
            url, method="POST", body="12345", expect_100_continue=True
        )
        self.assertEqual(response.body, b"hello")
        self.assertTrue(heads[0].endswith(b"\r\n\r\n"))
        self.assertIn(b"\r\nExpect: 100-continue\r\n", heads[0])

    async def test_expectation_failed(self) -> None:
        """Without it the body is not sent."""

        def produce(write):
            raise AssertionError("must not be called")

        response = await self.get(
            answer(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"),
            method="POST", body_producer=produce, expect_100_continue=True, raise_error=False,
        )  # fmt: skip
        self.assertEqual(response.code, 417)

    async def test_header_injection(self) -> None:
        """Line ends in headers are refused before anything is sent."""
        url = await self.serve(OK)
        for headers in ({"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X\r\nY": "a"}, {"X Y": "a"}):
            with self.subTest(headers), self.assertRaises(ValueError):
                await self.client().fetch(url, headers=headers)
        self.assertEqual([c.data for c in self.server.connections if c.data], [])

    async def test_local_address(self) -> None:
        """network_interface is the address to come from; what is none is refused."""
        await self.get(OK, network_interface="127.0.0.3")
        self.assertEqual(self.server.connections[0].transport.getPeer().host, "127.0.0.3")
        with self.assertRaisesRegex(ValueError, "'eth0'"):
            await self.get(OK, network_interface="eth0")

    async def test_refused(self) -> None:
        """A connection that is refused is a ConnectionRefusedError."""
        url = await self.serve(OK)
        port = reactor.listenTCP(0, self.server, interface="127.0.0.1")
        refused = f"http://127.0.0.1:{port.getHost().port}/"
        await defer.maybeDeferred(port.stopListening)
        with self.assertRaises(ConnectionRefusedError):
            await self.client().fetch(refused)
        self.assertEqual((await self.client().fetch(url)).code, 200)


class CallbackTests(ClientTestCase):
    async def test_streaming(self) -> None:
        """A streaming_callback has the body, and the response none."""
        chunks = []
        response = await self.get(OK, streaming_callback=chunks.append)
        self.assertEqual((b"".join(chunks), response.body), (b"hello", b""))

    async def test_other_results(self) -> None:
        """What a streaming_callback returns does not matter unless it can be awaited."""
        response = await self.get(OK, streaming_callback=len)
        self.assertEqual(response.code, 200)

    async def test_streaming_waits(self) -> None:
        """The next chunk waits for the awaitable of the one before, of any kind."""
        events = []

        async def coroutine(chunk):
            events.append("begin")
            await asyncio.sleep(0)
            events.append("end")

        def deferred(chunk):
            events.append("begin")
            return task.deferLater(reactor, 0, events.append, "end")

        chunked = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
        )
        for callback in (coroutine, deferred):
            events.clear()
            await self.get(chunked, streaming_callback=callback)
            self.assertEqual(events, ["begin", "end"] * (len(events) // 2))
            self.assertTrue(events)

    async def test_headers(self) -> None:
        """A header_callback has the status line, each header and the empty line, in order."""
        lines = []
        await self.get(
            b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
            header_callback=lines.append,
        )
        self.assertEqual(
            lines,
            ["HTTP/1.1 200 Fine\r\n", "Content-Length: 0\r\n", "X-A: 1\r\n", "X-A: 2\r\n", "\r\n"],
        )

    async def test_redirects_are_not_reported(self) -> None:
        """Callbacks hear of the last response only."""

        def script(connection: Scripted) -> None:
            if b"GET /next " in connection.data:
                connection.reply(OK)
            elif connection.has_head():
                connection.reply(
                    b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 3\r\n\r\nnot"
                )

        lines, chunks = [], []
        response = await self.get(
            script, header_callback=lines.append, streaming_callback=chunks.append
        )
        self.assertEqual((lines[0], b"".join(chunks)), ("HTTP/1.1 200 OK\r\n", b"hello"))
        self.assertTrue(response.effective_url.endswith("/next"))

    async def test_errors(self) -> None:
        """An exception in a callback fails the request; it is logged, or raised."""

        def fail(data):
            raise ZeroDivisionError

        for kind in ("streaming_callback", "header_callback"):
            log = ExpectLog(app_log, "Uncaught exception", required=not self.keeps_connections)
            with self.subTest(kind), log, self.assertRaises(self.callback_error):
                await self.get(OK, **{kind: fail})


class DigestTests(ClientTestCase):
    """auth_mode="digest"."""

    def script(self, connection: Scripted) -> None:
        request, connection.data = connection.data, b""
        self.requests.append(request)
        if b"Authorization: Digest " in request and self.accepts:
            connection.reply(OK)
        else:
            connection.reply(
                b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n"
                b'WWW-Authenticate: Basic realm="x"\r\n'
                b'WWW-Authenticate: Digest realm="test", qop="auth", nonce="abc"\r\n\r\nno'
            )

    def setUp(self) -> None:
        self.requests: list[bytes] = []
        self.accepts = True

    async def test_answered(self) -> None:
        """A challenge is answered, and callbacks hear of the last response only."""
        url = await self.serve(self.script)
        lines = []
        response = await self.client().fetch(
            url + "/x?y", auth_username="me", auth_password="secret", auth_mode="digest",
            header_callback=lines.append,
        )  # fmt: skip
        self.assertEqual(response.body, b"hello")
        self.assertEqual(lines[0], "HTTP/1.1 200 OK\r\n")
        first, second = self.requests
        self.assertNotIn(b"Authorization", first)
        self.assertIn(b'Digest username="me", realm="test", nonce="abc", uri="/x?y"', second)
        self.assertNotIn(b"secret", second)

    async def test_refused(self) -> None:
        """An answer that is refused is not given again."""
        self.accepts = False
        url = await self.serve(self.script)
        response = await self.client().fetch(
            url, auth_username="me", auth_password="no", auth_mode="digest", raise_error=False
        )
        self.assertEqual((response.code, response.body, len(self.requests)), (401, b"no", 2))

    async def test_no_credentials(self) -> None:
        """Without credentials the challenge is the response."""
        url = await self.serve(self.script)
        response = await self.client().fetch(url, auth_mode="digest", raise_error=False)
        self.assertEqual((response.code, len(self.requests)), (401, 1))


class LimitTests(ClientTestCase):
    async def test_max_body_size(self) -> None:
        """A body may have max_body_size bytes, and not one more, however it is sent."""
        length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
        until_close = b"HTTP/1.0 200 OK\r\n\r\n"
        packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        client = self.client(max_body_size=100)
        for size in (100, 101):
            body = b"x" * size
            squeezed = gzip.compress(body)
            for script in (
                answer(length % (size, body)),
                answer(until_close + body, close=True),
                answer(packed % (len(squeezed), squeezed)),
            ):
                url = await self.serve(script)
                if size == 100:
                    self.assertEqual((await client.fetch(url)).body, body)
                else:
                    log = ExpectLog(gen_log, ".*(too long|too large)", level=logging.INFO)
                    with log, self.assertRaises(HTTPStreamClosedError):
                        await client.fetch(url)

    async def test_max_header_size(self) -> None:
        """A head that is too long is refused."""
        client = self.client(max_header_size=1024)
        url = await self.serve(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2000 + b"\r\n\r\n")
        log = ExpectLog(gen_log, "Unsatisfiable read", level=logging.INFO)
        with log, self.assertRaises(UnsatisfiableReadError):
            await client.fetch(url)

    async def test_max_clients(self) -> None:
        """Only max_clients requests are under way at once; the others come in order."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=2)
        futures = [client.fetch(f"{url}/{i}") for i in range(4)]
        self.assertEqual((len(client.active), len(client.queue), len(client.waiting)), (2, 2, 2))
        for i in range(4):
            await wait_until(
                lambda: any(f"/{i} ".encode() in c.data for c in self.server.connections)
            )
            (connection,) = (c for c in self.server.connections if f"/{i} ".encode() in c.data)
            connection.reply(OK)
            self.assertEqual((await futures[i]).body, b"hello")
        self.assertEqual((len(client.active), len(client.queue), len(client.waiting)), (0, 0, 0))

    async def test_queue_timeout(self) -> None:
        """A request may time out while it waits for its turn."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=1)
        first = client.fetch(url)
        with self.assertRaisesRegex(HTTPTimeoutError, "^Timeout in request queue$"):
            await client.fetch(url, connect_timeout=0.01)
        self.assertEqual((len(client.queue), len(client.waiting)), (0, 0))
        first.cancel()

    async def test_request_timeout(self) -> None:
        """A server that does not answer is given up, and its connection closed."""
        url = await self.serve(lambda connection: None)
        with self.assertRaisesRegex(HTTPTimeoutError, "waiting for the response after 0.05 s"):
            await self.client().fetch(url, request_timeout=0.05)
        await self.server.connections[0].lost

    async def test_timeout_while_reading(self) -> None:
        """The time limit is for the whole response, and its message says how far it came."""
        url = await self.serve(OK[:-1])
        with self.assertRaisesRegex(HTTPTimeoutError, "reading the response after 0.05 s"):
            await self.client().fetch(url, request_timeout=0.05)

    async def test_timeout_over_redirects(self) -> None:
        """Redirects do not start the time anew."""
        pending = []

        def script(connection: Scripted) -> None:
            connection.data = b""
            pending.append(reactor.callLater(0.02, connection.reply, found))

        found = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
        url = await self.serve(script)
        with self.assertRaises(HTTPTimeoutError):
            await self.client().fetch(url, request_timeout=0.1, max_redirects=1000)
        self.assertGreater(len(pending), 1)
        for call in pending:
            if call.active():
                call.cancel()


class EndTests(ClientTestCase):
    async def test_cancelled_future(self) -> None:
        """Cancelling the Future closes the connection."""
        url = await self.serve(lambda connection: None)
        future = self.client().fetch(url)
        await wait_until(lambda: self.server.connections)
        future.cancel()
        await self.server.connections[0].lost

    async def test_cancelled_at_any_time(self) -> None:
        """Whenever a request is cancelled, its place is free again and nothing stays open."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=1)
        for turns in range(30):
            future = client.fetch(url)
            for _ in range(turns):
                await asyncio.sleep(0)
            future.cancel()
            await wait_until(lambda: not client.active)
        await wait_until(lambda: client.open_connections == 0)
        for connection in self.server.connections:
            await connection.lost

    async def test_cancelled_deferred(self) -> None:
        """So does cancelling the Deferred made of it."""
        url = await self.serve(lambda connection: None)
        d = as_deferred(self.client().fetch(url))
        await wait_until(lambda: self.server.connections)
        d.cancel()
        with self.assertRaises(defer.CancelledError):
            await d
        await self.server.connections[0].lost

    async def test_cancelled_in_queue(self) -> None:
        """A request that is cancelled while it waits never begins."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=1)
        first, second = client.fetch(url), client.fetch(url)
        second.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.assertEqual(len(client.queue), 0)
        first.cancel()

    async def test_close(self) -> None:
        """Closing the client fails what is under way and what waits."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=1)
        futures = [client.fetch(url), client.fetch(url)]
        await wait_until(lambda: self.server.connections)
        client.close()
        for future in futures:
            with self.assertRaises(HTTPStreamClosedError):
                await future
        await self.server.connections[0].lost
        with self.assertRaisesRegex(RuntimeError, "closed AsyncHTTPClient"):
            client.fetch(url)

    async def test_close_of_the_shared_client(self) -> None:
        """Whoever closes the shared client leaves alone what others have under way on it."""
        url = await self.serve(lambda connection: None)
        client = self.implementation(max_clients=1)
        futures = [client.fetch(url), client.fetch(url)]
        await wait_until(lambda: self.server.connections)
        client.close()
        self.assertIsNot(self.implementation(), client)
        with self.assertRaisesRegex(RuntimeError, "closed AsyncHTTPClient"):
            client.fetch(url)
        connections = self.server.connections
        connections[0].reply(OK)
        self.assertEqual((await futures[0]).body, b"hello")
        self.assertFalse(futures[1].done())
        await wait_until(lambda: sum(c.data.count(b"GET") for c in connections) == 2)
        connections[-1].reply(OK)
        self.assertEqual((await futures[1]).body, b"hello")
        await client.wait_closed()
        for connection in connections:
            await connection.lost

    async def test_hostname_mapping(self) -> None:
        """Names may be mapped to addresses."""
        url = await self.serve(OK)
        port = url.rpartition(":")[2]
        client = self.client(hostname_mapping={"www.example.com": "127.0.0.1"})
        self.assertEqual((await client.fetch(f"http://www.example.com:{port}/")).code, 200)

    async def test_request_is_unchanged(self) -> None:
        """A request can be sent again, and is what its response refers to."""
        url = await self.serve(OK)
        request = HTTPRequest(url, headers={"X": "1"})
        for _ in range(2):
            response = await self.client().fetch(request)
            self.assertIs(response.request, request)
            self.assertEqual(dict(request.headers), {"X": "1"})


async def wait_until(condition) -> None:
    """Wait for something that a server in this process will have done soon."""
    while not condition():
        await task.deferLater(reactor, 0.001)
