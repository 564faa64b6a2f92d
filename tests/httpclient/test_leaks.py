"""Nothing is left of a request when it is over: ten thousand of them, of all kinds."""

import asyncio
import gc
import gzip
import os
import unittest

from tests.httpclient import test_simple as simple
from tests.httpclient.scripted import Scripted
from txtornado.httpclient import HTTPClientError
from txtornado.treq_httpclient import TreqAsyncHTTPClient

PACKED = gzip.compress(b"hello " * 50)
ANSWERS = {
    b"plain": simple.OK,
    b"gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(PACKED), PACKED),
    b"chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    b"moved": b"HTTP/1.1 302 Found\r\nLocation: /plain\r\nContent-Length: 0\r\n\r\n",
    b"missing": b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!",
    b"closed": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    b"never": b"",
}
#: What is asked for in turn; the kinds that need a new connection are the rarer ones.
ROUND = ["plain"] * 12 + [
    "gzip",
    "chunked",
    "moved",
    "missing",
    "plain",
    "closed",
    "broken",
    "never",
]


def script(connection: Scripted) -> None:
    while connection.has_head():
        head, _, connection.data = connection.data.partition(b"\r\n\r\n")
        kind = head.split(b" ")[1][1:]
        if kind == b"broken":
            connection.transport.abortConnection()
            return
        connection.reply(ANSWERS[kind], close=kind == b"closed")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class LeakTests(simple.ClientTestCase):
    implementation = TreqAsyncHTTPClient
    requests = 10_000
    requesters = 32
    timeout = 110

    async def load(self, requests: int) -> None:
        """Fetch in parallel, some of it in vain."""
        left = iter(range(requests))

        async def requester() -> None:
            for number in left:
                kind = ROUND[number % len(ROUND)]
                future = self.http.fetch(f"{self.url}/{kind}")
                if kind == "never":
                    await asyncio.sleep(0)
                    future.cancel()
                try:
                    await future
                except (HTTPClientError, ConnectionError):
                    self.failed += 1
                except asyncio.CancelledError:
                    self.cancelled += 1

        for done in [simple.as_deferred(requester()) for _ in range(self.requesters)]:
            await done

    def state(self) -> tuple[int, int, int]:
        """Descriptors, delayed calls and objects."""
        self.server.connections[:] = [c for c in self.server.connections if not c.lost.called]
        gc.collect()
        return descriptors(), len(simple.reactor.getDelayedCalls()), len(gc.get_objects())

    async def test_ten_thousand(self) -> None:
        """Descriptors, delayed calls and objects are as many after 10,000 requests as before."""
        if not os.path.isdir("/proc/self/fd"):
            raise unittest.SkipTest("the system has no /proc/self/fd")
        self.url = await self.serve(script)
        self.http = self.client(max_clients=self.requesters)
        self.failed = self.cancelled = 0
        await self.load(2 * self.requesters * len(ROUND))
        before = self.state()
        self.failed = self.cancelled = 0
        await self.load(self.requests)
        rounds = self.requests // len(ROUND)
        self.assertEqual((self.failed, self.cancelled), (2 * rounds, rounds))
        # The server hears of connections that were given up a little later.
        await simple.wait_until(lambda: descriptors() <= before[0] + 2 * self.requesters)
        after = self.state()
        slack = 4 * self.requesters  # connections come and go
        self.assertLess(after[0] - before[0], slack)
        self.assertLess(after[1] - before[1], slack)
        self.assertLess(after[2] - before[2], self.requests // 3, "objects")
        self.assertLessEqual(self.http.open_connections, self.requesters)
        self.assertEqual((len(self.http.active), len(self.http.queue)), (0, 0))
        self.http.close()
        await self.http.wait_closed()
        self.assertEqual((self.http.open_connections, self.http.idle_connections), (0, 0))


class SimpleLeakTests(LeakTests):
    implementation = simple.SimpleAsyncHTTPClient
