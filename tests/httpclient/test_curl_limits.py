"""Tests for `CurlAsyncHTTPClient`: limits, connections, and what is left in the end."""

import asyncio
import gc
import gzip
import os
import weakref
from unittest import mock

from twisted.internet import defer, reactor, task

from tests.httpclient.scripted import Scripted, answer
from tests.httpclient.test_curl import OK, CurlTestCase
from txtornado.concurrent import as_deferred
from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError
from txtornado.testing import ExpectLog

try:
    import pycurl
except ImportError:
    pass  # CurlTestCase skips
else:
    from txtornado.curl_httpclient import (
        CurlAsyncHTTPClient,
        CurlError,
        CurlTimeoutError,
        _CurlStreamingBuffer,
        curl_log,
    )


class LimitTests(CurlTestCase):
    async def test_max_body_size(self) -> None:
        """A body may have max_body_size bytes, and not one more, however it is sent."""
        length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
        packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        client = self.client(max_body_size=100, max_clients=1)
        for size in (100, 101, 100):
            body = b"x" * size
            squeezed = gzip.compress(body)
            for script in (
                answer(length % (size, body)),
                answer(b"HTTP/1.0 200 OK\r\n\r\n" + body, close=True),
                answer(packed % (len(squeezed), squeezed)),
            ):
                url = await self.serve(script)
                for chunks in (None, []):
                    callback = None if chunks is None else chunks.append
                    fetching = client.fetch(url, streaming_callback=callback)
                    if size > 100:
                        with self.assertRaisesRegex(CurlError, "max_body_size, 100 bytes"):
                            await fetching
                    else:
                        received = (await fetching).body
                        self.assertEqual(received if chunks is None else b"".join(chunks), body)

    async def test_max_clients(self) -> None:
        """Only max_clients requests are under way at once; the others wait, and say how long."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=2)
        futures = [client.fetch(f"{url}/{i}") for i in range(4)]
        await wait_until(lambda: len([c for c in self.server.connections if c.data]) == 2)
        responses = []
        for i in range(4):
            await wait_until(lambda i=i: self.asked_for(i))
            (connection,) = self.asked_for(i)
            self.assertEqual(len(self.server.connections), 2)
            connection.data = b""
            connection.reply(OK)
            responses.append(await futures[i])
        self.assertLess(responses[0].time_info["queue"], responses[2].time_info["queue"])

    def asked_for(self, i: int) -> list[Scripted]:
        return [c for c in self.server.connections if f"/{i} ".encode() in c.data]

    async def test_request_timeout(self) -> None:
        """A server that does not answer is given up, and its connection closed."""
        url = await self.serve(lambda connection: None)
        with self.assertRaises(HTTPTimeoutError) as caught:
            await self.client().fetch(url, request_timeout=0.05)
        error = caught.exception
        self.assertIsInstance(error, CurlTimeoutError)
        self.assertEqual((error.code, error.errno), (599, pycurl.E_OPERATION_TIMEDOUT))
        self.assertIn("waiting for the response after 0.05 s", str(error))
        await self.server.connections[0].lost

    async def test_timeout_while_reading(self) -> None:
        """The time limit is for the whole response, and its message says how far it came."""
        url = await self.serve(OK[:-1])
        with self.assertRaisesRegex(HTTPTimeoutError, "reading the response after 0.05 s"):
            await self.client().fetch(url, request_timeout=0.05)

    async def test_timeout_while_sending(self) -> None:
        """A server that does not take the body is given up, too."""
        url = await self.serve(lambda connection: connection.transport.pauseProducing())
        with self.assertRaisesRegex(HTTPTimeoutError, "sending the request after 0.1 s") as caught:
            await self.client().fetch(
                url, method="PUT", body=b"x" * 30_000_000, request_timeout=0.1
            )
        self.assertEqual(caught.exception.stage, "sending")

    async def test_timeout_while_paused(self) -> None:
        """A time limit that is over while the callback is behind ends the request as well."""
        self.patch(_CurlStreamingBuffer, "max_buffer_size", 10)
        url = await self.serve(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n" + b"x" * 1_000_000
        )
        chunks = []
        with self.assertRaisesRegex(HTTPTimeoutError, "reading the response after 0.2 s"):
            await self.client().fetch(url, streaming_callback=chunks.append, request_timeout=0.2)
        self.assertEqual(sum(map(len, chunks)), 1_000_000)

    async def test_connect_timeout(self) -> None:
        """A connection includes TLS, which a server that keeps silent does not do."""
        url = await self.serve(lambda connection: None)
        with self.assertRaisesRegex(HTTPTimeoutError, "connecting after 0.05 s"):
            await self.client().fetch(url.replace("http:", "https:"), connect_timeout=0.05)
        self.assertEqual((await self.get(OK, connect_timeout=0, request_timeout=0)).code, 200)

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


class EndTests(CurlTestCase):
    async def test_connections_are_kept(self) -> None:
        """Requests that follow each other share a connection and a handle."""
        made = []
        real = pycurl.Curl
        self.patch(pycurl, "Curl", lambda: made.append(1) or real())
        url = await self.serve(OK)
        client = self.client()
        for _ in range(5):
            await client.fetch(url)
        self.assertEqual((len(self.server.connections), len(made)), (1, 1))

    async def test_connection_lost_meanwhile(self) -> None:
        """A kept connection that the server has closed is replaced."""
        url = await self.serve(OK)
        client = self.client()
        await client.fetch(url)
        (connection,) = self.server.connections
        connection.transport.loseConnection()
        await connection.lost
        self.assertEqual((await client.fetch(url)).body, b"hello")
        self.assertEqual(len(self.server.connections), 2)

    async def test_forgotten_handler(self) -> None:
        """A handler that somebody left behind for a closed descriptor is not in the way."""
        url = await self.serve(OK)
        register = CurlAsyncHTTPClient._register
        left_behind = []

        def leave(client, event, fd):
            if event != pycurl.POLL_REMOVE and fd not in client._sockets:
                client.io_loop.handlers[fd] = (fd, print)
                left_behind.append(fd)
            register(client, event, fd)

        self.patch(CurlAsyncHTTPClient, "_register", leave)
        client = self.client()
        for future in [client.fetch(url) for _ in range(5)]:
            self.assertEqual((await future).body, b"hello")
        self.assertTrue(left_behind)

    async def test_cannot_watch(self) -> None:
        """A socket that cannot be watched costs a request its time, and no other its life."""
        url = await self.serve(lambda connection: None)
        client = self.client()
        # Not on the IOLoop itself, which the reactor may use as well.
        loop = mock.Mock(wraps=self.io_loop)
        loop.add_handler.side_effect = OSError("no more")
        log = ExpectLog(curl_log, "Cannot watch descriptor")
        broken = mock.patch.object(client, "io_loop", loop)
        with broken, log, self.assertRaises(CurlTimeoutError):
            await client.fetch(url, request_timeout=0.05)
        self.server.script = answer(OK)
        self.assertEqual((await client.fetch(url)).body, b"hello")

    async def test_cancelled(self) -> None:
        """Cancelling the Future, or a Deferred made of it, closes the connection."""
        url = await self.serve(lambda connection: None)
        future = self.client().fetch(url)
        d = as_deferred(self.client().fetch(url))
        await wait_until(lambda: len([c for c in self.server.connections if c.data]) == 2)
        future.cancel()
        d.cancel()
        with self.assertRaises(defer.CancelledError):
            await d
        for connection in self.server.connections:
            await connection.lost

    async def test_cancelled_in_queue(self) -> None:
        """A request that is cancelled while it waits never begins; those after it do."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=1)
        first, second, third = (client.fetch(f"{url}/{i}") for i in range(3))
        second.cancel()
        first.cancel()
        await wait_until(lambda: any(b"/2 " in c.data for c in self.server.connections))
        self.assertFalse(any(b"/1 " in c.data for c in self.server.connections))
        third.cancel()

    async def test_close(self) -> None:
        """Closing the client fails what is under way and what waits."""
        url = await self.serve(lambda connection: None)
        client = self.client(max_clients=1)
        futures = [client.fetch(url), client.fetch(url)]
        await wait_until(lambda: self.server.connections)
        client.close()
        client.close()
        for future in futures:
            with self.assertRaisesRegex(HTTPStreamClosedError, "client was closed"):
                await future
        await self.server.connections[0].lost
        with self.assertRaisesRegex(RuntimeError, "closed AsyncHTTPClient"):
            client.fetch(url)

    async def test_nothing_is_left(self) -> None:
        """A closed client leaves no descriptors, no handlers and no garbage that stays."""
        url = await self.serve(OK)
        handlers = len(self.io_loop.handlers)

        async def use() -> weakref.ref:
            client = CurlAsyncHTTPClient(force_instance=True)
            for options in ({}, {"streaming_callback": len}, {"header_callback": len}):
                await asyncio.gather(*(client.fetch(url, **options) for _ in range(30)))
            client.close()
            return weakref.ref(client)

        await use()
        await self.connections_lost()
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        gone = await use()
        await self.connections_lost()
        gc.collect()
        self.assertIsNone(gone())
        self.assertEqual(len(self.io_loop.handlers), handlers)
        if before:
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    async def connections_lost(self) -> None:
        for connection in self.server.connections:
            await connection.lost

    async def test_no_cycles(self) -> None:
        """A request that is over is freed without the garbage collector's help."""
        url = await self.serve(OK)
        client = self.client()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        request = HTTPRequest(url)
        gone = weakref.ref(request)
        await client.fetch(request)
        del request
        await asyncio.sleep(0)  # the task waits for another Future than ours
        self.assertIsNone(gone())


async def wait_until(condition) -> None:
    """Wait for something that a server in this process will have done soon."""
    while not condition():
        await task.deferLater(reactor, 0.001)
