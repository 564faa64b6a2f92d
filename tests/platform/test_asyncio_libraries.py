"""Libraries written for asyncio, on Twisted's epoll reactor, beside a Twisted service."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.platform.databases import postgres_server, redis_server
from tests.processes import LIMIT, environment, once

#: Every program begins with this: a reactor that polls by itself, and a service on it.
HEAD = """
from twisted.internet import epollreactor
epollreactor.install()
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo
import asyncio
from txtornado.ioloop import IOLoop
from txtornado.platform.asyncio import ReactorEventLoop
loop = IOLoop.current()
assert type(loop.asyncio_loop) is ReactorEventLoop and loop.reactor is reactor
service = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
port = service.getHost().port

async def echo(data):
    "What the Twisted service says to ``data``, asked by an asyncio stream."
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    received = await reader.readexactly(len(data))
    writer.close()
    await writer.wait_closed()
    return received
"""

TAIL = """
async def program():
    await main()
    assert await echo(b"still here") == b"still here"
    print("done")
    reactor.stop()

def start():
    asyncio.ensure_future(program()).add_done_callback(ended)

def ended(task):
    if task.exception() is not None:
        import traceback
        traceback.print_exception(task.exception())
        reactor.stop()

reactor.callWhenRunning(start)
reactor.run()
"""


def missing(module: str) -> str | None:
    """Why a library cannot be tried."""
    if sys.platform != "linux":
        return "epoll is Linux's"
    if importlib.util.find_spec(module) is None:
        return f"{module} is not installed"
    return None


@once("the programs choose theirs")
class OnEpoll(SynchronousTestCase):
    """One program for each library."""

    def need(self, module: str) -> None:
        reason = missing(module)
        if reason is not None:
            self.skipTest(reason)

    def run_program(self, body: str, *arguments: str) -> None:
        self.need("asyncio")
        done = subprocess.run(
            [sys.executable, "-c", HEAD + body + TAIL, *arguments],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        self.assertEqual(done.stdout, "done\n", done.stderr)

    def test_streams(self) -> None:
        """asyncio's own streams and servers, with the queue and the timeouts."""
        self.run_program("""
async def main():
    queue = asyncio.Queue()
    async def serve(reader, writer):
        await queue.put(await reader.readline())
        writer.write(b"answer\\n")
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"question\\n")
    assert await asyncio.wait_for(reader.read(), 10) == b"answer\\n"
    assert await queue.get() == b"question\\n"
    server.close()
    await server.wait_closed()
""")

    def test_subprocess(self) -> None:
        """``asyncio.subprocess``: output, input, exit status, signals."""
        self.run_program("""
import signal, sys
async def main():
    PIPE = asyncio.subprocess.PIPE
    cat = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    out, _ = await cat.communicate(b"x" * 200_000)
    assert len(out) == 200_000 and cat.returncode == 0
    bad = await asyncio.create_subprocess_shell("echo err >&2; exit 7", stderr=PIPE)
    assert (await bad.communicate())[1] == b"err\\n" and bad.returncode == 7
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    sleeper.terminate()
    assert await sleeper.wait() == -signal.SIGTERM
""")

    def test_aiohttp(self) -> None:
        """aiohttp's server and client, with a WebSocket."""
        self.need("aiohttp")
        self.run_program("""
from aiohttp import ClientSession, web
async def main():
    async def hello(request):
        return web.json_response({"body": await request.text()})
    async def repeat(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data * 2)
        return socket
    application = web.Application()
    application.add_routes([web.post("/", hello), web.get("/ws", repeat)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = "http://127.0.0.1:%d" % runner.addresses[0][1]
    async with ClientSession() as session:
        async with session.post(url + "/", data="x" * 300_000) as response:
            assert len((await response.json())["body"]) == 300_000
        async with session.ws_connect(url + "/ws") as socket:
            await socket.send_str("ab")
            assert (await socket.receive()).data == "abab"
    await runner.cleanup()
""")

    def test_redis(self) -> None:
        """redis-py's asyncio client: commands, a pipeline, subscriptions."""
        self.need("redis")
        program = """
import sys
import redis.asyncio
async def main():
    client = redis.asyncio.Redis(host="127.0.0.1", port=int(sys.argv[1]))
    key = "key"
    await client.set(key, "1", ex=60)
    async with client.pipeline() as pipeline:
        assert await pipeline.incr(key).incr(key).execute() == [2, 3]
    channel = client.pubsub()
    await channel.subscribe(key)
    assert (await channel.get_message(timeout=10))["type"] == "subscribe"
    await client.publish(key, "news")
    assert (await channel.get_message(timeout=10))["data"] == b"news"
    await channel.aclose()
    await client.aclose()
"""
        with redis_server() as port:
            self.run_program(program, str(port))

    def test_asyncpg(self) -> None:
        """asyncpg: queries, a transaction, a pool."""
        self.need("asyncpg")
        program = """
import sys
import asyncpg
async def main():
    url = "postgres://postgres@127.0.0.1:%s/postgres" % sys.argv[1]
    pool = await asyncpg.create_pool(url, ssl=False, min_size=1, max_size=3)
    values = await asyncio.gather(*[pool.fetchval("SELECT $1::int * 2", n) for n in range(10)])
    assert values == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    async with pool.acquire() as connection, connection.transaction():
        rows = [row[0] async for row in connection.cursor("SELECT generate_series(1, 500)")]
    assert rows == list(range(1, 501))
    await pool.close()
"""
        with postgres_server() as port:
            self.run_program(program, str(port))


@once("each test makes a loop of its own")
class CPythonsOwnTests(SynchronousTestCase):
    """CPython's own asyncio tests on `ReactorEventLoop`, see ``asyncio_suite.py``."""

    if importlib.util.find_spec("test.test_asyncio") is None:
        skip = "this interpreter comes without its tests"

    def test_selection(self) -> None:
        """They pass, but for the exceptions that are listed there."""
        suite = Path(__file__).with_name("asyncio_suite.py")
        done = subprocess.run(
            [sys.executable, suite],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT * 5,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
