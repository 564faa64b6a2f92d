"""Tests for `websocket_connect`, over real sockets, against our server and against bytes by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from tests.websocket.support import close, end, frame
from txtornado.httpclient import HTTPError, HTTPRequest
from txtornado.httpserver import HTTPServer
from txtornado.log import app_log, gen_log
from txtornado.netutil import OverrideResolver, Resolver
from txtornado.simple_httpclient import HTTPTimeoutError
from txtornado.testing import ExpectLog, ReactorTestCase, bind_unused_port
from txtornado.testing._certificate import certificate_files
from txtornado.web import Application, RequestHandler
from txtornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    WebSocketHandler,
    websocket_connect,
)
from txtornado.websocket._headers import accept_value


class Echo(WebSocketHandler):
    def get_compression_options(self) -> dict[str, Any] | None:
        return {} if self.get_argument("compress", None) else None

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "two" if "two" in subprotocols else None

    def open(self) -> None:
        if self.get_argument("greet", None):
            self.write_message("welcome")

    def on_message(self, message: str | bytes) -> Any:
        if message == "close":
            self.close(4001, "as you wish")
            return None
        if message == "headers":
            return self.write_message(dict(self.request.headers))
        return self.write_message(message, binary=isinstance(message, bytes))

    def on_ping(self, data: bytes) -> None:
        self.write_message(b"pinged: " + data)


class Page(RequestHandler):
    def get(self) -> None:
        self.write("a page")


class Elsewhere(RequestHandler):
    def get(self) -> None:
        self.redirect("/")


class ClientTestCase(ReactorTestCase):
    """Has a server, whose URL is `url`."""

    async def setUp(self) -> None:
        app = Application([("/", Echo), ("/page", Page), ("/elsewhere", Elsewhere)])
        self.server = HTTPServer(app)
        self.url, self.port = self.listen(self.server)

    def listen(self, server: HTTPServer, scheme: str = "ws") -> tuple[str, int]:
        sock, port = bind_unused_port()
        server.add_sockets([sock])

        async def stop() -> None:
            await server.drain(5)

        self.addCleanup(stop)
        return f"{scheme}://127.0.0.1:{port}/", port

    async def connect(self, path: str = "", **options: Any) -> WebSocketClientConnection:
        connection = await websocket_connect(self.url + path, **options)
        self.addCleanup(end, connection)
        return connection


class TalkTests(ClientTestCase):
    """An open connection."""

    async def test_echo(self) -> None:
        """Text and bytes come back as they were, large ones, too."""
        ws = await self.connect()
        for message in ("", "t\u00e9xt", b"\xff", "x" * 200, b"y" * 100_000):
            await ws.write_message(message, binary=isinstance(message, bytes))
            self.assertEqual(await ws.read_message(), message)

    async def test_first_message(self) -> None:
        """A message that comes with the server's answer is not lost, nor too early."""
        ws = await asyncio.wait_for(self.connect("?greet=1"), 30)
        self.assertEqual(await ws.read_message(), "welcome")

        async def echo(message: Any) -> None:
            if message is not None:
                messages.append(message)
                await later.write_message("close")

        messages: list[Any] = []
        later = await self.connect("?greet=1", on_message_callback=echo)
        while later.close_code is None:
            await asyncio.sleep(0)
        self.assertEqual(messages, ["welcome"])

    async def test_compression(self) -> None:
        """Compressed messages take less on the wire, with each option."""
        for options in (
            {},
            {"client_no_context_takeover": True},
            {"server_max_window_bits": 9, "compression_level": 1},
        ):
            ws = await self.connect("?compress=1", compression_options=options)
            await ws.write_message("x" * 1000)
            self.assertEqual(await ws.read_message(), "x" * 1000)
            self.assertLess(ws.protocol._wire_bytes_in, 100)
            self.assertLess(ws.protocol._wire_bytes_out, 100)

    async def test_callback(self) -> None:
        """With on_message_callback messages come there, and None at the end."""
        seen = []
        ended = asyncio.Event()

        def on_message(message: Any) -> None:
            seen.append(message)
            if message is None:
                ended.set()

        ws = await self.connect(on_message_callback=on_message)
        await ws.write_message("a")
        await ws.write_message("close")
        await ended.wait()
        self.assertEqual(seen, ["a", None])

    async def test_callback_fails(self) -> None:
        """An exception in the callback is logged and closes the connection."""
        ended = asyncio.Event()

        def on_message(message: Any) -> None:
            if message is None:
                ended.set()
            else:
                raise ZeroDivisionError

        with ExpectLog(app_log, "Uncaught exception"):
            ws = await self.connect("?greet=1", on_message_callback=on_message)
            await ended.wait()
        self.assertRaises(WebSocketClosedError, ws.write_message, "x")

    async def test_read_callback(self) -> None:
        """read_message takes a callback, for the Future."""
        ws = await self.connect("?greet=1")
        called: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        ws.read_message(callback=called.set_result)
        self.assertEqual((await called).result(), "welcome")

    async def test_connect_callback(self) -> None:
        """websocket_connect takes a callback, where Tornado 3 had it, too."""
        loop = asyncio.get_running_loop()
        for arguments in ({"callback": None}, {}):
            called: asyncio.Future[Any] = loop.create_future()
            if arguments:
                websocket_connect(self.url, callback=called.set_result)
            else:
                websocket_connect(self.url, self.io_loop, called.set_result)
            await end((await called).result())

    async def test_waiting_readers(self) -> None:
        """Several readers get a message each, in order; a cancelled one takes none."""
        ws = await self.connect()
        first, second, third = (ws.read_message() for _ in range(3))
        second.cancel()
        for message in "ab":
            await ws.write_message(message)
        self.assertEqual([await first, await third], ["a", "b"])

    async def test_flow(self) -> None:
        """Who reads nothing does not get everything into memory, and then all in order."""
        ws = await self.connect()
        for number in range(2000):
            ws.write_message(str(number))
        ws.ping()  # the server answers this after all of them
        while ws._room is None:
            await asyncio.sleep(0)
        self.assertLessEqual(len(ws._messages), 64)
        got = [await ws.read_message() for _ in range(2000)]
        self.assertEqual(got, [str(number) for number in range(2000)])

    async def test_ping(self) -> None:
        """A client can ping, with 125 bytes at most."""
        ws = await self.connect()
        ws.ping(b"x")
        self.assertEqual(await ws.read_message(), "pinged: x")
        self.assertRaises(ValueError, ws.ping, b"x" * 126)

    async def test_closed_by_server(self) -> None:
        """The server's reason is known; reading gives None, and goes on giving it."""
        ws = await self.connect()
        await ws.write_message("close")
        for _ in range(2):
            self.assertIsNone(await ws.read_message())
        self.assertEqual((ws.close_code, ws.close_reason), (4001, "as you wish"))
        self.assertRaises(WebSocketClosedError, ws.write_message, "x")
        self.assertRaises(WebSocketClosedError, ws.ping)

    async def test_closed_by_client(self) -> None:
        """A client may close, and read what was on its way."""
        ws = await self.connect()
        await ws.write_message("last")
        ws.close(1000, "bye")
        self.assertEqual(await ws.read_message(), "last")
        self.assertIsNone(await ws.read_message())
        self.assertEqual(ws.close_code, 1000)

    async def test_read_after_the_end(self) -> None:
        """What the server sent before it closed can all be read, however late."""
        ws = await self.connect()
        for number in range(500):
            ws.write_message(str(number))
        ws.write_message("close")
        while ws._room is None:
            await asyncio.sleep(0)
        got = [await ws.read_message() for _ in range(501)]
        self.assertEqual(got, [*map(str, range(500)), None])


class RequestTests(ClientTestCase):
    """What is asked for, and how."""

    async def headers(self, request: HTTPRequest, **options: Any) -> Any:
        import json

        ws = await websocket_connect(request, **options)
        self.addCleanup(end, ws)
        await ws.write_message("headers")
        return json.loads(await ws.read_message())

    async def test_headers(self) -> None:
        """A request's headers go along, credentials of its URL as well; it is left as it was."""
        request = HTTPRequest(
            f"ws://user:secret@127.0.0.1:{self.port}/", headers={"Cookie": "a=b", "X-Own": "1"}
        )
        headers = await self.headers(request)
        self.assertEqual(headers["Cookie"], "a=b")
        self.assertEqual(headers["X-Own"], "1")
        self.assertEqual(headers["Authorization"], "Basic dXNlcjpzZWNyZXQ=")
        self.assertEqual(headers["Host"], f"127.0.0.1:{self.port}")
        self.assertEqual(dict(request.headers), {"Cookie": "a=b", "X-Own": "1"})
        self.assertTrue(request.url.startswith("ws:"))

    async def test_subprotocols(self) -> None:
        """The server's choice is known."""
        ws = await self.connect(subprotocols=["one", "two"])
        self.assertEqual(ws.selected_subprotocol, "two")
        self.assertIsNone((await self.connect()).selected_subprotocol)

    async def test_resolver(self) -> None:
        """A resolver of one's own finds the server, and is not closed."""
        resolver = OverrideResolver(resolver=Resolver(), mapping={"chat.example": "127.0.0.1"})
        self.addCleanup(resolver.close)
        for _ in range(2):
            ws = await websocket_connect(f"ws://chat.example:{self.port}/", resolver=resolver)
            await end(ws)

    async def test_refused(self) -> None:
        """A refusal is an HTTPError with its code, a redirect among them."""
        for path, code in (("missing", 404), ("elsewhere", 302)):
            with self.assertRaises(HTTPError) as caught:
                await self.connect(path)
            self.assertEqual(caught.exception.code, code)

    async def test_code(self) -> None:
        """A connection has no status: that is a refusal's."""
        self.assertIsNone((await self.connect()).code)

    async def test_parsed(self) -> None:
        """The parts of the URL are told."""
        self.assertEqual((await self.connect()).parsed.port, self.port)

    async def test_page(self) -> None:
        """A page is no WebSocket."""
        with self.assertRaises(WebSocketError):
            await self.connect("page")

    async def test_bad_url(self) -> None:
        """Only ws and wss will do."""
        for url in ("http://example.com/", "example.com", "ws:///path"):
            with self.assertRaises(ValueError):
                await websocket_connect(url)

    async def test_proxy(self) -> None:
        """A request for a proxy is refused, for it would not be used."""
        with self.assertRaises(NotImplementedError):
            await websocket_connect(HTTPRequest(self.url, proxy_host="proxy", proxy_port=1))

    async def test_two_timeouts(self) -> None:
        """A time limit beside a request that has its own is a mistake."""
        with self.assertRaises(ValueError):
            websocket_connect(HTTPRequest(self.url), connect_timeout=3)

    async def test_nobody_there(self) -> None:
        """Without a server there is an OSError."""
        sock, port = bind_unused_port()
        sock.close()
        with self.assertRaises(OSError):
            await websocket_connect(f"ws://127.0.0.1:{port}/")

    async def test_tls(self) -> None:
        """wss is TLS, with the certificate checked unless the request says otherwise."""
        cert, key = certificate_files()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key)
        url, _ = self.listen(HTTPServer(Application([("/", Echo)]), ssl_options=context), "wss")
        ws = await websocket_connect(HTTPRequest(url, validate_cert=False))
        await ws.write_message("secret")
        self.assertEqual(await ws.read_message(), "secret")
        await end(ws)
        self.assertIsNone(await ws.read_message())
        with ExpectLog(gen_log, "SSL Error"), self.assertRaises(ssl.SSLError):
            await websocket_connect(url)


class AnswerTests(ReactorTestCase):
    timeout = 10
    """Answers by hand, of servers that are not as they should be."""

    async def setUp(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.addCleanup(self.listener.close)
        self.url = "ws://127.0.0.1:%d/" % self.listener.getsockname()[1]

    async def answer(self, template: str, rest: bytes = b"") -> socket.socket:
        """Take one connection and answer its request; ``{accept}`` stands for the proof."""
        loop = asyncio.get_running_loop()
        sock, _ = await loop.sock_accept(self.listener)
        self.addCleanup(sock.close)
        request = b""
        while b"\r\n\r\n" not in request:
            request += await loop.sock_recv(sock, 4096)
        lines = request.decode().lower().split("\r\n")
        name = "sec-websocket-key: "
        (index,) = (i for i, line in enumerate(lines) if line.startswith(name))
        key = request.decode().split("\r\n")[index][len(name) :]
        text = template.replace("{accept}", accept_value(key))
        await loop.sock_sendall(sock, text.replace("\n", "\r\n").encode() + rest)
        return sock

    GOOD = (
        "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n"
        "Sec-WebSocket-Accept: {accept}\n\n"
    )

    async def refused(self, template: str, error: type[Exception] = WebSocketError) -> None:
        connecting = websocket_connect(self.url)
        await self.answer(template)
        with self.assertRaises(error):
            await connecting

    async def test_bad_answers(self) -> None:
        """Each header is checked, and nothing taken that was not offered."""
        extra = "\nSec-WebSocket-Accept"
        for template in (
            self.GOOD.replace("{accept}", "wrong"),
            self.GOOD.replace("Upgrade: websocket", "Upgrade: h2c"),
            self.GOOD.replace("Connection: Upgrade", "Connection: close"),
            self.GOOD.replace(extra, "\nSec-WebSocket-Protocol: other" + extra),
            self.GOOD.replace(extra, "\nSec-WebSocket-Extensions: permessage-deflate" + extra),
        ):
            await self.refused(template)

    async def test_no_answer(self) -> None:
        """A server that hangs up without an answer is an error."""
        connecting = websocket_connect(self.url)
        (await self.answer("")).close()
        with self.assertRaises(HTTPError):
            await connecting

    async def test_timeout(self) -> None:
        """connect_timeout covers the wait for the answer."""
        with self.assertRaises(HTTPTimeoutError):
            await websocket_connect(self.url, connect_timeout=0.01)

    async def test_cancelled(self) -> None:
        """Cancelling the Future closes the connection."""
        connecting = websocket_connect(self.url)
        sock, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        self.addCleanup(sock.close)
        connecting.cancel()
        with contextlib.suppress(ConnectionResetError):
            while await asyncio.get_running_loop().sock_recv(sock, 4096):
                pass

    async def test_bytes_at_once(self) -> None:
        """Messages that come in the same packet as the answer, and the end, are all read."""
        connecting = websocket_connect(self.url)
        wire = frame(0x81, b"one", None) + frame(0x82, b"two", None)
        await self.answer(self.GOOD, wire + frame(0x88, close(1001, "so"), None))
        ws = await connecting
        self.assertEqual([await ws.read_message() for _ in range(3)], ["one", b"two", None])
        self.assertEqual((ws.close_code, ws.close_reason), (1001, "so"))
        ws.stream.close()

    async def test_bytes_after_the_end(self) -> None:
        """What a server sends after its close frame is dropped, and its end noticed all the same."""
        connecting = websocket_connect(self.url)
        sock = await self.answer(self.GOOD, frame(0x88, close(1000), None))
        ws = await connecting
        self.assertIsNone(await ws.read_message())
        await asyncio.get_running_loop().sock_sendall(sock, b"\0" * 1_000_000)
        sock.close()
        while not ws.stream.closed():
            await asyncio.sleep(0)
        self.assertLess(ws.protocol._engine.backlog, 100_000)

    async def test_masked_server(self) -> None:
        """A server that masks is told off."""
        connecting = websocket_connect(self.url)
        sock = await self.answer(self.GOOD, frame(0x81, b"x"))
        ws = await connecting
        self.assertIsNone(await ws.read_message())
        data = await asyncio.get_running_loop().sock_recv(sock, 100)
        self.assertEqual(data[0], 0x88)
        self.assertTrue(data[1] & 0x80)

    async def test_ping_timeout(self) -> None:
        """A server that does not answer pings is left."""
        connecting = websocket_connect(self.url, ping_interval=0.02)
        await self.answer(self.GOOD)
        ws = await connecting
        while not ws.protocol.is_closing():
            await asyncio.sleep(0.01)
        ws.stream.close()
        self.assertIsNone(await ws.read_message())
