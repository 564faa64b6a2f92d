"""Tests for what a client shows: traces of its requests, its connections, where it stood."""

import pickle
from unittest import TestCase

from tests.httpclient import test_simple as simple
from tests.httpclient.scripted import Scripted
from txtornado.httpclient import RequestTrace
from txtornado.httpclient._errors import HTTPTimeoutError
from txtornado.log import app_log
from txtornado.simple_httpclient import HTTPStreamClosedError
from txtornado.testing import ExpectLog
from txtornado.treq_httpclient import TreqAsyncHTTPClient

OK = simple.OK


class Notes(RequestTrace):
    """Writes everything down."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def queued(self, request) -> None:
        self.lines.append(f"queued {request.method}")

    def connecting(self, request, host, port) -> None:
        self.lines.append(f"connecting {host}")

    def connected(self, request, reused) -> None:
        self.lines.append("reused" if reused else "connected")

    def sent(self, request) -> None:
        self.lines.append("sent")

    def head(self, request, code, headers) -> None:
        self.lines.append(f"head {code} {headers.get('Content-Length')}")

    def body(self, request, size) -> None:
        self.lines.append(f"body {size}")

    def done(self, request, response) -> None:
        self.lines.append(f"done {response.code}")


class TraceTests(simple.ClientTestCase):
    """Tracing hooks."""

    again = "connecting 127.0.0.1", "connected"

    async def test_stages(self) -> None:
        """Each stage of each request is told, in order."""
        notes = Notes()
        url = await self.serve(OK)
        client = self.client(trace=notes)
        await client.fetch(url)
        rest = ["sent", "head 200 5", "body 5", "done 200"]
        self.assertEqual(notes.lines, ["queued GET", "connecting 127.0.0.1", "connected", *rest])
        notes.lines.clear()
        await client.fetch(url)
        self.assertEqual(notes.lines, ["queued GET", *self.again, *rest])

    async def test_redirect(self) -> None:
        """A redirect has stages of its own between the first and the last."""

        def script(connection: Scripted) -> None:
            there = b"/there " in connection.data
            connection.data = b""
            connection.reply(
                OK if there
                else b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
            )  # fmt: skip

        notes = Notes()
        url = await self.serve(script)
        await self.client(trace=notes).fetch(url)
        kinds = [line.split()[0] for line in notes.lines]
        self.assertEqual((kinds.count("queued"), kinds.count("done")), (1, 1))
        self.assertEqual(
            [line for line in notes.lines if "head" in line], ["head 302 0", "head 200 5"]
        )

    async def test_failure(self) -> None:
        """What failed is done as well."""
        notes = Notes()
        url = await self.serve(lambda connection: connection.transport.loseConnection())
        with self.assertRaises(HTTPStreamClosedError):
            await self.client(trace=notes).fetch(url)
        self.assertEqual(notes.lines[-2:], ["sent", "done 599"])

    async def test_producer(self) -> None:
        """A request is sent when its body is complete."""
        notes = Notes()

        async def produce(write):
            notes.lines.append("producing")
            await write(b"abc")

        url = await self.serve(OK)
        await self.client(trace=notes).fetch(
            url, method="POST", body_producer=produce, headers={"Content-Length": "3"}
        )
        self.assertLess(notes.lines.index("producing"), notes.lines.index("sent"))

    async def test_broken_trace(self) -> None:
        """An exception in a trace is logged and does no harm."""

        class Broken(RequestTrace):
            def head(self, request, code, headers) -> None:
                raise ZeroDivisionError

        url = await self.serve(OK)
        with ExpectLog(app_log, r"Exception in Broken\.head"):
            self.assertEqual((await self.client(trace=Broken()).fetch(url)).body, b"hello")


class TreqTraceTests(TraceTests):
    implementation = TreqAsyncHTTPClient
    again = ("reused",)


class CounterTests(simple.ClientTestCase):
    """Counters of connections."""

    implementation = TreqAsyncHTTPClient

    async def test_counters(self) -> None:
        """Connections are counted while they stand, and while they are idle."""
        url = await self.serve(OK)
        client = self.client()
        counts = []

        def count(chunk) -> None:
            counts.append((client.open_connections, client.idle_connections))

        await client.fetch(url, streaming_callback=count)
        await client.fetch(url, streaming_callback=count)
        self.assertEqual(counts, [(1, 0), (1, 0)])
        self.assertEqual((client.open_connections, client.idle_connections), (1, 1))
        client.close()
        await client.wait_closed()
        self.assertEqual((client.open_connections, client.idle_connections), (0, 0))

    async def test_server_hangs_up(self) -> None:
        """A connection that the server closes is not counted any more."""
        url = await self.serve(OK)
        client = self.client()
        await client.fetch(url)
        self.server.connections[0].transport.loseConnection()
        await simple.wait_until(lambda: client.open_connections == 0)
        self.assertEqual(client.idle_connections, 0)
        self.assertEqual((client.pool._connections, client.pool._timeouts), ({}, {}))
        self.assertEqual((await client.fetch(url)).body, b"hello")

    async def test_many(self) -> None:
        """No more connections are open than requests may be under way."""
        url = await self.serve(OK)
        client = self.client(max_clients=3)
        for future in [client.fetch(url) for _ in range(20)]:
            await future
        self.assertEqual(len(self.server.connections), 3)
        self.assertEqual((client.open_connections, client.idle_connections), (3, 3))

    async def test_unasked(self) -> None:
        """What a server says without being asked ends the connection, and is no response."""
        url = await self.serve(OK)
        client = self.client()
        await client.fetch(url)
        self.server.connections[0].reply(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        with ExpectLog(simple.gen_log, "unexpected message", required=False):
            await simple.wait_until(lambda: client.open_connections == 0)
            self.assertEqual((await client.fetch(url)).body, b"hello")

    async def test_simple(self) -> None:
        """The simple client keeps none."""
        url = await self.serve(OK)
        client = simple.SimpleAsyncHTTPClient(force_instance=True)
        self.addCleanup(client.close)
        counts = []
        await client.fetch(url, streaming_callback=lambda _: counts.append(client.open_connections))
        self.assertEqual((counts, client.open_connections), ([1], 0))


class StageTests(simple.ClientTestCase):
    """Time limits say where the request stood."""

    implementation = TreqAsyncHTTPClient

    async def stage(self, script, **kwargs) -> str:
        url = await self.serve(script)
        with self.assertRaises(HTTPTimeoutError) as caught:
            await self.client().fetch(url, request_timeout=0.05, **kwargs)
        return caught.exception.stage

    async def test_waiting(self) -> None:
        """Nothing came."""
        self.assertEqual(await self.stage(lambda connection: None), "waiting")

    async def test_reading(self) -> None:
        """Something came, and then nothing more."""
        script = simple.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhel")
        self.assertEqual(await self.stage(script), "reading")

    async def test_sending(self) -> None:
        """The request's own body was not complete."""

        async def produce(write):
            await write(b"ab")
            await simple.asyncio.Event().wait()

        stage = await self.stage(lambda c: None, method="POST", body_producer=produce)
        self.assertEqual(stage, "sending")

    async def test_in_queue(self) -> None:
        """It never had its turn."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=1)
        first = client.fetch(url, raise_error=False)
        with self.assertRaises(HTTPTimeoutError) as caught:
            await client.fetch(url, request_timeout=0.02)
        self.assertEqual(caught.exception.stage, "in queue")
        first.cancel()

    async def test_connecting(self) -> None:
        """There was no address yet."""

        class Never(simple.asyncio.Future):
            pass

        class NeverResolver:
            def resolve(self, *args, **kwargs):
                return Never()

            def close(self) -> None: ...

        client = self.client(resolver=NeverResolver())
        for limits in ({"request_timeout": 0.02}, {"connect_timeout": 0.02}):
            with self.assertRaises(HTTPTimeoutError) as caught:
                await client.fetch("http://any.where/", **limits)
            self.assertEqual(caught.exception.stage, "connecting")


class ErrorTests(TestCase):
    def test_pickle(self) -> None:
        """The stage travels with the error."""
        error = pickle.loads(pickle.dumps(HTTPTimeoutError("late", "reading")))
        self.assertEqual((error.stage, str(error)), ("reading", "late"))
