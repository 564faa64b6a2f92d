"""Tests for `CurlAsyncHTTPClient` on real sockets, against a server that follows a script."""

import asyncio
import contextvars
import gzip
import os
import pickle
import subprocess
import sys
from unittest import mock

from twisted.internet import defer, reactor
from twisted.trial import unittest

from tests.httpclient.scripted import Scripted, ScriptedServer, answer
from txtornado import gen
from txtornado.httpclient import HTTPClientError, HTTPRequest
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httputil import HTTPHeaders
from txtornado.log import app_log
from txtornado.testing import ExpectLog, ReactorTestCase

try:
    import pycurl
except ImportError:
    pycurl = None
    SKIP: str | None = "needs pycurl"
else:
    from txtornado.curl_httpclient import (
        CurlAsyncHTTPClient,
        CurlError,
        CurlTimeoutError,
        _CurlStreamingBuffer,
        curl_log,
    )

    SKIP = None

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="none")


class CurlTestCase(ReactorTestCase):
    skip = SKIP
    timeout = 30

    def setUp(self) -> None:
        # libcurl heeds the proxies of the environment.
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        patch = mock.patch.dict(os.environ, clean, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

    def client(self, **kwargs):
        client = CurlAsyncHTTPClient(force_instance=True, **kwargs)
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

    async def sent(self, path="/path", ending=b"\r\n\r\n", **kwargs) -> bytes:
        """What goes over the wire for a request that ends in these bytes."""
        seen: list[bytes] = []

        def script(connection: Scripted) -> None:
            if connection.data.endswith(ending):
                seen.append(connection.data)
                connection.data = b""
                connection.reply(OK)

        url = await self.serve(script)
        await self.client().fetch(url + path, **kwargs)
        return seen[-1]


class ResponseTests(CurlTestCase):
    async def test_plain(self) -> None:
        """A response has its status, reason, headers, body and URL."""
        response = await self.get(
            b"HTTP/1.1 201 Made it\r\nX-A: 1\r\nX-A:2 \r\nContent-Length: 5\r\n\r\nhello"
        )
        self.assertEqual((response.code, response.reason), (201, "Made it"))
        self.assertEqual(response.headers.get_list("x-a"), ["1", "2"])
        self.assertEqual(response.body, b"hello")
        self.assertEqual(response.effective_url, response.request.url)

    async def test_other_forms(self) -> None:
        """Bodies may be chunked, go on until the connection is closed, or be missing."""
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        self.assertEqual((await self.get(chunked)).body, b"abc")
        until_close = answer(b"HTTP/1.0 200 OK\r\n\r\nhello", close=True)
        self.assertEqual((await self.get(until_close)).body, b"hello")
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
        self.assertEqual((await self.get(head, method="HEAD")).body, b"")
        self.assertEqual((await self.get(b"HTTP/1.1 204 No Content\r\n\r\n")).body, b"")

    async def test_neither_interim_nor_trailers(self) -> None:
        """The headers are those of the final response's head."""
        response = await self.get(
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n"
            b"1\r\na\r\n0\r\nTrailer: y\r\n\r\n"
        )
        self.assertEqual((response.code, response.body), (200, b"a"))
        self.assertEqual(sorted(response.headers), ["Transfer-Encoding", "X"])

    async def test_odd_headers(self) -> None:
        """Folded lines are joined; lines that are no headers are left out."""
        with ExpectLog(curl_log, "Ignoring a malformed header line: .*B ad", level=20):
            response = await self.get(
                b"HTTP/1.1 200 OK\r\nFolded: a;\r\n\tb=c\r\nB ad: 1\r\nL: \xe9\r\n"
                b"Content-Length: 0\r\n\r\n"
            )
        self.assertEqual(response.headers["Folded"], "a; b=c")
        self.assertEqual(response.headers["L"], "\xe9")
        self.assertNotIn("B ad", response.headers)

    async def test_no_reason(self) -> None:
        """A status line without a reason gets the usual one."""
        response = await self.get(b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", raise_error=False)
        self.assertEqual((response.code, response.reason), (404, "Not Found"))

    async def test_status_errors(self) -> None:
        """A bad status is raised with its response."""
        with self.assertRaises(HTTPClientError) as caught:
            await self.get(b"HTTP/1.1 418 I am a teapot\r\nContent-Length: 5\r\n\r\nshort")
        self.assertEqual(str(caught.exception), "HTTP 418: I am a teapot")
        self.assertEqual(caught.exception.response.body, b"short")
        self.assertNotIsInstance(caught.exception, CurlError)

    async def test_broken(self) -> None:
        """What is no whole response is an error, with libcurl's number."""
        for data, errno in (
            (b"", pycurl.E_GOT_NOTHING),
            (OK[:-1], pycurl.E_PARTIAL_FILE),
            (b"nonsense\r\n\r\n", pycurl.E_UNSUPPORTED_PROTOCOL),
        ):
            with self.subTest(data), self.assertRaises(CurlError) as caught:
                await self.get(answer(data, close=True), raise_error=False)
            self.assertEqual((caught.exception.code, caught.exception.errno), (599, errno))

    async def test_decompression(self) -> None:
        """A compressed body is decompressed, unless that is not wanted."""
        squeezed = gzip.compress(b"hello")
        script = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        script = script % (len(squeezed), squeezed)
        self.assertEqual((await self.get(script)).body, b"hello")
        self.assertEqual((await self.get(script, decompress_response=False)).body, squeezed)

    async def test_times(self) -> None:
        """A response tells what took how long, in the queue and as libcurl measured it."""
        response = await self.get(OK)
        self.assertEqual(
            set(response.time_info),
            {"queue", "namelookup", "connect", "appconnect", "pretransfer", "starttransfer"}
            | {"total", "redirect"},
        )
        self.assertTrue(all(0 <= value < 10 for value in response.time_info.values()))
        self.assertLessEqual(response.time_info["connect"], response.time_info["total"])


class RequestTests(CurlTestCase):
    async def test_get(self) -> None:
        """A GET is a start line and headers."""
        sent = await self.sent()
        self.assertTrue(sent.startswith(b"GET /path HTTP/1.1\r\nHost: 127.0.0.1:"), sent)
        self.assertIn(b"\r\nUser-Agent: Tornado/", sent)
        self.assertIn(b"\r\nAccept-Encoding: gzip,deflate\r\n", sent)

    async def test_headers(self) -> None:
        """Headers are sent as they were given, empty, repeated and as bytes too."""
        headers = HTTPHeaders({"Empty": "", "B": b"\xe9", "User-Agent": "mine"})
        headers.add("Twice", "1")
        headers.add("Twice", "2")
        sent = await self.sent(headers=headers)
        for line in (b"Empty:", b"B: \xe9", b"User-Agent: mine", b"Twice: 1", b"Twice: 2"):
            self.assertIn(b"\r\n" + line + b"\r\n", sent)
        self.assertEqual(sent.count(b"User-Agent"), 1)
        sent = await self.sent(headers={"User-Agent": "mine"}, user_agent="his")
        self.assertIn(b"\r\nUser-Agent: his\r\n", sent)
        self.assertNotIn(b"mine", sent)

    async def test_methods(self) -> None:
        """Every method is sent under its name, with a body where it has one."""
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET", "ODD"):
            sent = await self.sent(
                ending=b"12345", method=method, body="12345", allow_nonstandard_methods=True
            )
            self.assertTrue(sent.startswith(method.encode() + b" /path HTTP/1.1\r\n"), sent)
            self.assertIn(b"\r\nContent-Length: 5\r\n", sent)
        for method in ("DELETE", "OPTIONS", "HEAD", "ODD"):
            sent = await self.sent(method=method, allow_nonstandard_methods=True)
            self.assertTrue(sent.startswith(method.encode() + b" /path HTTP/1.1\r\n"), sent)
            self.assertNotIn(b"Content-Length", sent)

    async def test_expectations(self) -> None:
        """The server is asked before a body only when the request says so."""
        large = b"x" * 3_000_000 + b"end"
        for method in ("POST", "PUT"):
            sent = await self.sent(ending=b"end", method=method, body=large)
            self.assertNotIn(b"Expect", sent[:500])
            self.assertTrue(sent.endswith(large))
        heads = []

        def script(connection: Scripted) -> None:
            if not heads and connection.has_head():
                heads.append(connection.data)
                connection.reply(b"HTTP/1.1 100 Continue\r\n\r\n")
            elif connection.data.endswith(b"12345"):
                connection.reply(OK)

        response = await self.get(script, method="POST", body="12345", expect_100_continue=True)
        self.assertEqual(response.body, b"hello")
        self.assertIn(b"\r\nExpect: 100-continue\r\n", heads[0])
        self.assertTrue(heads[0].endswith(b"\r\n\r\n"))

    async def test_url(self) -> None:
        """A URL goes out in ASCII, without its fragment and credentials."""
        sent = await self.sent(path="/\xe9 x?\xfc=a b#part")
        self.assertTrue(sent.startswith(b"GET /%C3%A9%20x?%C3%BC=a%20b HTTP/1.1\r\n"), sent)

    async def test_injection(self) -> None:
        """Line ends are refused wherever they might become another header or request."""
        url = await self.serve(OK)
        for kwargs in (
            {"headers": {"X": "a\r\nY: b"}},
            {"headers": {"X": "a\nb"}},
            {"headers": {"X": "a\rb"}},
            {"headers": {"X": b"a\nb"}},
            {"headers": {"X": "a\0b"}},
            {"headers": {"X\r\nY": "a"}},
            {"headers": {"X Y": "a"}},
            {"headers": {"X:": "a"}},
            {"headers": {"": "a"}},
            {"user_agent": "a\r\nX: b"},
            {"url": url + "/\r\nX: y"},
            {"url": url + "/\n"},
            {"url": url + "/\0"},
            {"auth_username": "a\0b"},
            {"proxy_host": "127.0.0.1\r\nX: y", "proxy_port": 1},
        ):
            with self.subTest(kwargs), self.assertRaises(ValueError):
                await self.client().fetch(kwargs.pop("url", url), **kwargs)
        self.assertEqual(self.server.connections, [])

    async def test_method_injection(self) -> None:
        """A method is a word."""
        url = await self.serve(OK)
        for method in ("GET / HTTP/1.1\r\nX:", "A B", ""):
            with self.subTest(method), self.assertRaises(ValueError):
                await self.client().fetch(url, method=method, allow_nonstandard_methods=True)
        self.assertEqual(self.server.connections, [])

    async def test_other_schemes(self) -> None:
        """Only http and https are spoken, first or after a redirect."""
        with self.assertRaisesRegex(ValueError, "Unsupported url scheme"):
            await self.client().fetch("file:///etc/passwd")
        for location in (b"file:///etc/passwd", b"ftp://127.0.0.1/", b"gopher://127.0.0.1/"):
            with self.subTest(location), self.assertRaises(CurlError) as caught:
                await self.get(
                    b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location
                )
            self.assertEqual(caught.exception.errno, pycurl.E_UNSUPPORTED_PROTOCOL)

    async def test_refused_by_name(self) -> None:
        """What this client cannot do is refused, by the name of the parameter."""

        async def coroutine(data):
            pass

        @gen.coroutine
        def generator(data):
            yield gen.moment

        url = await self.serve(OK)
        for name, kwargs, error in (
            ("body_producer", {"method": "POST", "body_producer": len}, ValueError),
            ("ssl_options", {"ssl_options": {}}, ValueError),
            ("streaming_callback", {"streaming_callback": coroutine}, TypeError),
            ("streaming_callback", {"streaming_callback": generator}, TypeError),
            ("header_callback", {"header_callback": coroutine}, TypeError),
            ("auth_mode", {"auth_username": "a", "auth_mode": "ntlm"}, ValueError),
            ("proxy_auth_mode", {"proxy_auth_mode": "ntlm"}, ValueError),
            ("proxy_port", {"proxy_host": "127.0.0.1"}, ValueError),
            ("unknown method", {"method": "ODD"}, KeyError),
            ("Body must be None", {"method": "HEAD", "body": b"", **ANY_METHOD}, ValueError),
            ("Body must be None", {"body": b""}, ValueError),
            ("Body must not be None", {"method": "POST"}, ValueError),
        ):
            with self.subTest(name), self.assertRaisesRegex(error, name):
                await self.client().fetch(url, **kwargs)
        self.assertEqual(self.server.connections, [])

    async def test_local_address(self) -> None:
        """network_interface is an address or an interface to come from."""
        await self.get(OK, network_interface="127.0.0.3")
        self.assertEqual(self.server.connections[0].transport.getPeer().host, "127.0.0.3")
        with self.assertRaises(CurlError) as caught:
            await self.get(OK, network_interface="no-such-interface")
        self.assertEqual(caught.exception.errno, pycurl.E_INTERFACE_FAILED)

    async def test_refused_connection(self) -> None:
        """Where nobody listens is an error that says so."""
        url = await self.serve(OK)
        port = reactor.listenTCP(0, self.server, interface="127.0.0.1")
        refused = f"http://127.0.0.1:{port.getHost().port}/"
        await defer.maybeDeferred(port.stopListening)
        client = self.client()
        with self.assertRaises(CurlError) as caught:
            await client.fetch(refused)
        self.assertEqual(caught.exception.errno, pycurl.E_COULDNT_CONNECT)
        self.assertEqual((await client.fetch(url)).code, 200)

    async def test_request_is_unchanged(self) -> None:
        """A request can be sent again, and is what its response refers to."""
        url = await self.serve(OK)
        request = HTTPRequest(url, headers={"X": "1"})
        for _ in range(2):
            response = await self.client().fetch(request)
            self.assertIs(response.request, request)
            self.assertEqual(dict(request.headers), {"X": "1"})


ANY_METHOD = {"allow_nonstandard_methods": True}


class RedirectTests(CurlTestCase):
    def redirecting(self, status: bytes, location: bytes = b"/next"):
        """A script that redirects to another path, and notes what is asked for there."""
        self.followers: list[bytes] = []

        def script(connection: Scripted) -> None:
            data = connection.data
            if not connection.has_head() or (b"Length: 5\r\n" in data and data[-5:] != b"12345"):
                return
            connection.data = b""
            if b" /next " in data:
                self.followers.append(data)
                connection.reply(OK)
            else:
                connection.reply(
                    b"HTTP/1.1 %s\r\nLocation: %s\r\nContent-Length: 3\r\n\r\nnot"
                    % (status, location)
                )

        return script

    async def test_followed(self) -> None:
        """A redirect is followed, and the response tells where to."""
        response = await self.get(self.redirecting(b"302 Found"))
        self.assertEqual(response.body, b"hello")
        self.assertTrue(response.effective_url.endswith("/next"), response.effective_url)

    async def test_not_followed(self) -> None:
        """A redirect that is not to be followed is the response."""
        response = await self.get(
            self.redirecting(b"302 Found"), follow_redirects=False, raise_error=False
        )
        self.assertEqual((response.code, response.headers["Location"]), (302, "/next"))
        self.assertEqual(response.body, b"not")

    async def test_methods(self) -> None:
        """Method and body remain, or become a GET, as the status says."""
        for method, status, expected in (
            ("POST", b"301 x", b"GET"),
            ("POST", b"302 x", b"GET"),
            ("POST", b"303 x", b"GET"),
            ("PUT", b"303 x", b"GET"),
            ("PUT", b"302 x", b"PUT"),
            ("PATCH", b"302 x", b"PATCH"),
            ("POST", b"307 x", b"POST"),
            ("PUT", b"307 x", b"PUT"),
            ("PATCH", b"308 x", b"PATCH"),
        ):
            with self.subTest((method, status)):
                await self.get(self.redirecting(status), method=method, body="12345")
                (follower,) = self.followers
                self.assertTrue(follower.startswith(expected + b" /next "), follower)
                self.assertEqual(follower.endswith(b"12345"), expected != b"GET")

    async def test_own_methods(self) -> None:
        """303 makes a GET of every method."""
        if pycurl.version_info()[2] < 0x081000:
            raise unittest.SkipTest("needs libcurl 8.16")
        await self.get(self.redirecting(b"303 See Other"), method="DELETE")
        self.assertTrue(self.followers[0].startswith(b"GET /next "))

    async def test_limit(self) -> None:
        """Only so many are followed."""
        loop = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
        with self.assertRaisesRegex(CurlError, "Maximum .*3") as caught:
            await self.get(loop, max_redirects=3)
        self.assertEqual(caught.exception.errno, pycurl.E_TOO_MANY_REDIRECTS)

    async def test_credentials(self) -> None:
        """Credentials and cookies go to no other origin, but to the same one."""
        other = ScriptedServer(self.redirecting(b""))
        elsewhere = await other.start(self)
        for same in (True, False):
            for kwargs in (
                {"headers": {"Authorization": "secret"}},
                {"headers": {"Cookie": "secret"}},
                {"auth_username": "me", "auth_password": "secret"},
                {"credentials": "me:secret@"},
            ):
                location = "/next" if same else elsewhere + "/next"
                script = self.redirecting(b"302 Found", location.encode())
                other.script = script
                url = await self.serve(script)
                url = url.replace("//", "//" + kwargs.pop("credentials", ""))
                with self.subTest((same, kwargs)):
                    await self.client().fetch(url, **kwargs)
                    (follower,) = self.followers
                    told = b"Authorization" in follower or b"Cookie" in follower
                    self.assertEqual(told, same, follower)


class CallbackTests(CurlTestCase):
    async def test_streaming(self) -> None:
        """A streaming_callback has the body, and the response none."""
        chunks = []
        response = await self.get(OK, streaming_callback=chunks.append)
        self.assertEqual((b"".join(chunks), response.body), (b"hello", b""))

    async def test_pauses(self) -> None:
        """A body larger than the buffer comes whole and in order, a part at a time."""
        self.patch(_CurlStreamingBuffer, "max_buffer_size", 1000)
        body = b"".join(b"%09d\n" % i for i in range(50000))
        chunks = []
        await self.get(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
            streaming_callback=chunks.append,
        )
        self.assertEqual(b"".join(chunks), body)

    async def test_headers(self) -> None:
        """A header_callback has each line of each head as it comes, before the body."""

        def script(connection: Scripted) -> None:
            data, connection.data = connection.data, b""
            connection.reply(OK if b"/next " in data else found)

        found = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 3\r\n\r\nnot"
        seen = []
        response = await self.get(
            script, header_callback=seen.append, streaming_callback=seen.append
        )
        self.assertEqual(
            seen,
            ["HTTP/1.1 302 Found\r\n", "Location: /next\r\n", "Content-Length: 3\r\n", "\r\n"]
            + ["HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n", "\r\n", b"hello"],
        )
        self.assertEqual(response.headers["Content-Length"], "5")

    async def test_errors(self) -> None:
        """An exception in a callback is logged, and the response comes all the same."""

        def fail(data):
            raise ZeroDivisionError

        for name in ("streaming_callback", "header_callback"):
            with self.subTest(name), ExpectLog(app_log, "Exception in callback"):
                self.assertEqual((await self.get(OK, **{name: fail})).code, 200)

    async def test_exception_hook(self) -> None:
        """handle_callback_exception can be overridden."""
        failed = []

        class Client(CurlAsyncHTTPClient):
            def handle_callback_exception(self, callback):
                failed.append((callback, sys.exc_info()[0]))

        def fail(data):
            raise ZeroDivisionError

        client = Client(force_instance=True)
        self.addCleanup(client.close)
        await client.fetch(await self.serve(OK), streaming_callback=fail)
        self.assertEqual(failed, [(fail, ZeroDivisionError)])

    async def test_context(self) -> None:
        """Callbacks see the context variables of whoever sent the request."""
        url = await self.serve(OK)
        client = self.client(max_clients=1)
        seen = []

        def look(data):
            seen.append(VARIABLE.get())

        futures = []
        for value in ("one", "two"):
            token = VARIABLE.set(value)
            futures.append(client.fetch(url, streaming_callback=look, prepare_curl_callback=look))
            VARIABLE.reset(token)
        await asyncio.gather(*futures)
        self.assertEqual(seen, ["one", "one", "two", "two"])

    async def test_fetch_inside(self) -> None:
        """A callback may send requests with the same client."""
        client = self.client(max_clients=1)
        url = await self.serve(OK)
        futures = []

        def again(data):
            if not futures:
                futures.append(client.fetch(url))

        for name in ("streaming_callback", "header_callback", "prepare_curl_callback"):
            futures.clear()
            with self.subTest(name):
                await client.fetch(url, **{name: again})
                self.assertEqual((await futures[0]).body, b"hello")

    async def test_end_inside(self) -> None:
        """A callback may cancel its own request, or close the client."""
        url = await self.serve(OK)
        for name in ("streaming_callback", "header_callback", "prepare_curl_callback"):
            with self.subTest(name):
                client = self.client()
                future = client.fetch(url, **{name: lambda data: client.close()})
                with self.assertRaises(HTTPStreamClosedError):
                    await future
                client = self.client()
                future = client.fetch(url, **{name: lambda data: future.cancel()})
                if not future.done() and name != "prepare_curl_callback":
                    with self.assertRaises(asyncio.CancelledError):
                        await future
                    self.assertEqual((await client.fetch(url)).body, b"hello")

    async def test_prepare(self) -> None:
        """prepare_curl_callback can set options, which end with the request."""
        client = self.client(max_clients=1)
        handles, agents = [], []

        def prepare(curl):
            handles.append(curl)
            if len(handles) == 1:
                curl.setopt(pycurl.REFERER, "http://example.com/")

        def script(connection: Scripted) -> None:
            agents.append(b"Referer" in connection.data)
            connection.data = b""
            connection.reply(OK)

        url = await self.serve(script)
        for _ in range(2):
            await client.fetch(url, prepare_curl_callback=prepare)
        self.assertEqual(agents, [True, False])
        self.assertIsInstance(handles[0], pycurl.Curl)
        self.assertIs(handles[0], handles[1])

    async def test_prepare_fails(self) -> None:
        """An exception in prepare_curl_callback is the request's; the next one is not concerned."""
        client = self.client(max_clients=1)
        url = await self.serve(OK)

        def fail(curl):
            curl.setopt(pycurl.TIMEOUT_MS, 1)
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            await client.fetch(url, prepare_curl_callback=fail)
        self.assertEqual((await client.fetch(url)).body, b"hello")


class ErrorTests(unittest.TestCase):
    skip = SKIP

    def test_attributes(self) -> None:
        """A CurlError is a 599 with libcurl's number, and survives pickling."""
        for error in (CurlError(7, "no"), CurlTimeoutError(28, "slow", "reading")):
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual(str(again), f"HTTP 599: {error.message}")
            self.assertEqual(vars(again), vars(error))


class ImportTests(unittest.TestCase):
    def test_without_pycurl(self) -> None:
        """Without pycurl the module says how to get it."""
        program = "import sys; sys.modules['pycurl'] = None; import txtornado.curl_httpclient"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("NotFoundError: txtornado.curl_httpclient needs pycurl", done.stderr)
        self.assertIn("pip install txtornado[curl]", done.stderr)
