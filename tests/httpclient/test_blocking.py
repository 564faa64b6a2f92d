"""Tests for `HTTPClient` and for ``python -m txtornado.httpclient``."""

import sys

from twisted.internet import threads

from tests.httpclient.scripted import ScriptedServer, answer
from tests.processes import environment, run_beside
from txtornado.httpclient import HTTPClient, HTTPClientError
from txtornado.ioloop import IOLoop
from txtornado.simple_httpclient import SimpleAsyncHTTPClient
from txtornado.testing import ReactorTestCase

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-A: b\r\n\r\nhello\n"
GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 5\r\n\r\nsorry"


class HTTPClientTests(ReactorTestCase):
    async def test_fetch(self) -> None:
        """fetch() waits for the response; each client has a loop of its own."""
        url = await ScriptedServer(answer(OK)).start(self)

        def work():
            with HTTPClient() as client:
                return [client.fetch(url).body for _ in range(3)]

        self.assertEqual(await threads.deferToThread(work), [b"hello\n"] * 3)

    async def test_errors(self) -> None:
        """A bad status is raised, or not where that is asked for."""
        url = await ScriptedServer(answer(GONE)).start(self)

        def work():
            with HTTPClient() as client:
                with self.assertRaises(HTTPClientError) as caught:
                    client.fetch(url)
                return caught.exception.code, client.fetch(url, raise_error=False).code

        self.assertEqual(await threads.deferToThread(work), (410, 410))

    async def test_implementation(self) -> None:
        """The implementation and its arguments may be chosen."""

        def work():
            with HTTPClient(SimpleAsyncHTTPClient, max_clients=3) as client:
                return client._async_client.max_clients

        self.assertEqual(await threads.deferToThread(work), 3)

    async def test_bad_arguments(self) -> None:
        """Arguments that the implementation does not take leave nothing open."""

        def work():
            with self.assertRaises(TypeError):
                HTTPClient(colour="red")

        await threads.deferToThread(work)

    async def test_inside_a_loop(self) -> None:
        """It cannot be used where a loop runs already."""
        with self.assertRaises(RuntimeError):
            HTTPClient()
        self.assertIs(IOLoop.current(), self.io_loop)

    async def test_close(self) -> None:
        """It can be closed twice, and is when it goes away."""

        def work():
            client = HTTPClient()
            loop = client._io_loop.asyncio_loop
            client.close()
            client.close()
            return loop.is_closed()

        self.assertTrue(await threads.deferToThread(work))


class CommandLineTests(ReactorTestCase):
    async def run_it(self, *arguments: str) -> tuple[bytes, bytes, int]:
        command = [sys.executable, "-m", "txtornado.httpclient", *arguments]
        done = await run_beside(command, env=environment())
        return done.stdout, done.stderr, done.returncode

    async def test_body(self) -> None:
        """The body is printed as it is."""
        url = await ScriptedServer(answer(OK)).start(self)
        self.assertEqual(await self.run_it(url), (b"hello\n", b"", 0))

    async def test_headers(self) -> None:
        """Headers are printed where that is asked for, and the body is not."""
        url = await ScriptedServer(answer(OK)).start(self)
        out, _, code = await self.run_it("--print_headers", "--print_body=false", url)
        self.assertEqual(code, 0)
        self.assertIn(b"X-A: b\n", out)
        self.assertNotIn(b"hello", out)

    async def test_bad_status(self) -> None:
        """A response with a bad status is printed as well."""
        url = await ScriptedServer(answer(GONE)).start(self)
        self.assertEqual((await self.run_it(url))[0], b"sorry")

    async def test_no_response(self) -> None:
        """No response is an error."""
        out, err, code = await self.run_it("ftp://example.com/")
        self.assertEqual((out, code), (b"", 1))
        self.assertIn(b"Unsupported url scheme", err)
