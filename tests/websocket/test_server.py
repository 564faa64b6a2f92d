"""Tests for `WebSocketHandler`, on connections in memory and with time that stands still."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.websocket.support import Client, Recorder, close, parse, serve
from txtornado import gen
from txtornado.concurrent import as_deferred, new_future
from txtornado.interfaces import IStreamConsumer, IUpgradedConnection
from txtornado.log import app_log, gen_log
from txtornado.testing import ExpectLog
from txtornado.websocket import (
    WebSocketClosedError,
    WebSocketHandler,
    broadcast,
    prepare_message,
)

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


class Echo(Recorder):
    def on_message(self, message: str | bytes) -> Any:
        return self.write_message(message, binary=isinstance(message, bytes))


class HandshakeTests(SynchronousTestCase):
    """The request, and what is answered."""

    def status(self, handler: type = Recorder, settings: Any = None, **headers: str) -> int:
        return Client(serve(self, handler, **(settings or {})), **headers).status

    def test_accepted(self) -> None:
        """A proper request is answered with 101 and the proof that we understood it."""
        client = Client(serve(self))
        self.assertEqual(client.status, 101)
        self.assertEqual(client.headers["upgrade"], "websocket")
        self.assertEqual(client.headers["connection"], "Upgrade")
        self.assertEqual(client.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertNotIn("content-type", client.headers)
        self.assertNotIn("content-length", client.headers)

    def test_refused(self) -> None:
        """What is not a WebSocket request is answered with 400, or 426 for another version."""
        self.assertEqual(self.status(Upgrade=""), 400)
        self.assertEqual(self.status(Upgrade="h2c"), 400)
        self.assertEqual(self.status(Connection="close"), 400)
        self.assertEqual(self.status(Sec_WebSocket_Key=""), 400)
        self.assertEqual(self.status(Sec_WebSocket_Version="12"), 426)
        self.assertEqual(self.status(Sec_WebSocket_Version=""), 426)

    def test_versions(self) -> None:
        """The drafts with the same frames will do; a refusal names what we speak."""
        for version in ("7", "8", "13"):
            self.assertEqual(self.status(Sec_WebSocket_Version=version), 101)
        refused = Client(serve(self), Sec_WebSocket_Version="6")
        self.assertEqual(refused.headers["sec-websocket-version"], "13, 8, 7")

    def test_origins(self) -> None:
        """Pages of other origins are refused with 403, in the header of the drafts, too."""
        self.assertEqual(self.status(Origin="http://localhost"), 101)
        self.assertEqual(self.status(Origin="http://localhost:81"), 403)
        self.assertEqual(self.status(Origin="http://evil.example"), 403)
        self.assertEqual(self.status(Origin="null"), 403)
        drafts = {"Sec_WebSocket_Version": "8", "Sec_WebSocket_Origin": "http://evil.example"}
        self.assertEqual(self.status(**drafts), 403)
        trusted = {"trusted_origins": ["https://app.example"]}
        self.assertEqual(self.status(settings=trusted, Origin="https://app.example"), 101)

    def test_check_origin(self) -> None:
        """An application may allow what it likes, and is asked after its prepare."""

        class Handler(Recorder):
            def prepare(self) -> None:
                self.allowed = "http://friend.example"

            def check_origin(self, origin: str) -> bool:
                return origin == self.allowed

        self.assertEqual(self.status(Handler, Origin="http://friend.example"), 101)
        self.assertEqual(self.status(Handler, Origin="http://evil.example"), 403)

    def test_subprotocols(self) -> None:
        """The handler is asked once which one to take, with all that were proposed."""
        asked = []

        class Handler(Recorder):
            def select_subprotocol(self, subprotocols: list[str]) -> str | None:
                asked.append(subprotocols)
                return subprotocols[-1] if subprotocols else None

        client = Client(serve(self, Handler), Sec_WebSocket_Protocol="one, two")
        self.assertEqual(client.headers["sec-websocket-protocol"], "two")
        self.assertEqual(Recorder.instances[0].selected_subprotocol, "two")
        client = Client(serve(self, Handler))
        self.assertNotIn("sec-websocket-protocol", client.headers)
        self.assertIsNone(Recorder.instances[0].selected_subprotocol)
        self.assertEqual(asked, [["one", "two"], []])

    def test_unwanted_compression(self) -> None:
        """Compression that was offered is not used unless the handler wants it."""
        client = Client(serve(self), Sec_WebSocket_Extensions="permessage-deflate")
        self.assertNotIn("sec-websocket-extensions", client.headers)

    def test_malformed_extensions(self) -> None:
        """A malformed offer is answered with 400."""

        class Handler(Recorder):
            def get_compression_options(self) -> dict[str, Any]:
                return {}

        self.assertEqual(self.status(Handler, Sec_WebSocket_Extensions="a b c"), 400)

    def test_turned_away(self) -> None:
        """A handler may answer the request in prepare, and there is no WebSocket then."""

        class Handler(Recorder):
            def prepare(self) -> None:
                self.set_status(401)
                self.finish("who are you?")

        self.assertEqual(self.status(Handler), 401)
        self.assertEqual(Recorder.instances, [])

    def test_no_more_http(self) -> None:
        """Once the connection is open, methods that write a response are refused."""
        Client(serve(self))
        handler = Recorder.instances[0]
        for method, args in (
            ("write", ("x",)),
            ("redirect", ("/",)),
            ("set_header", ("X", "y")),
            ("set_cookie", ("a", "b")),
            ("set_status", (500,)),
            ("flush", ()),
            ("finish", ()),
        ):
            self.assertRaises(RuntimeError, getattr(handler, method), *args)

    def test_early_message(self) -> None:
        """What a client sends without waiting for the answer is not lost."""
        server = serve(self, Echo)
        wire = server.connect()
        wire.send(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
            b"\x81\x81\0\0\0\0x"
        )
        self.assertEqual(parse(wire.received().partition(b"\r\n\r\n")[2]), [(TEXT, b"x")])

    def test_overridden_get(self) -> None:
        """A handler that overrides get can await the end of the connection there."""
        order = []

        class Handler(Recorder):
            async def get(self, *args: Any, **kwargs: Any) -> None:
                order.append("begin")
                await super().get(*args, **kwargs)
                order.append("end")

            def on_close(self) -> None:
                order.append("on_close")

        client = Client(serve(self, Handler))
        self.assertEqual(order, ["begin"])
        client.wire.close()
        self.assertEqual(order, ["begin", "on_close", "end"])


class MessageTests(SynchronousTestCase):
    """Messages, and the order of things."""

    def test_messages(self) -> None:
        """Text comes as str and binary data as bytes."""
        client = Client(serve(self))
        client.send(TEXT, "\u00e9".encode())
        client.send(BINARY, b"\xff")
        self.assertEqual(Recorder.instances[0].events, ["\u00e9", b"\xff"])

    def test_write_message(self) -> None:
        """Text, bytes, bytearrays and dicts can be sent, as text or as binary data."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        for message in ("t", b"b", bytearray(b"a"), {"k": 1}):
            self.assertTrue(handler.write_message(message).done())
        handler.write_message("t", binary=True)
        self.assertRaises(TypeError, handler.write_message, 5)
        self.assertEqual(
            client.received(),
            [(TEXT, b"t"), (TEXT, b"b"), (TEXT, b"a"), (TEXT, b'{"k": 1}'), (BINARY, b"t")],
        )

    def test_coroutines(self) -> None:
        """Coroutines of any kind are run one at a time, in the order of the messages."""
        gates: list[Any] = []
        order = []

        async def work(message: Any) -> None:
            order.append(f"{message} begins")
            gates.append(new_future())
            await gates[-1]
            order.append(f"{message} ends")

        @gen.coroutine
        def generator(self: Any, message: Any) -> Any:
            yield work(message)

        kinds = {
            "native": lambda self, message: work(message),
            "generator": generator,
            "deferred": lambda self, message: as_deferred(work(message)),
        }
        for name, on_message in kinds.items():
            order.clear()
            server = serve(self, type(name, (Recorder,), {"on_message": on_message}))
            client = Client(server)
            client.send(TEXT, b"1")
            client.send(TEXT, b"2")
            self.assertEqual(order, ["1 begins"], name)
            gates[-1].set_result(None)
            server.settle()
            self.assertEqual(order, ["1 begins", "1 ends", "2 begins"], name)
            gates[-1].set_result(None)
            server.settle()
            self.assertEqual(order[-1], "2 ends", name)

    def test_coroutine_open(self) -> None:
        """No message is handled before open is done."""
        gate: Any = None

        class Handler(Recorder):
            async def open(self) -> None:
                nonlocal gate
                super().open()
                gate = new_future()
                await gate
                self.events.append("opened")

        server = serve(self, Handler)
        client = Client(server)
        client.send(TEXT, b"hello")
        self.assertEqual(Recorder.instances[0].events, [])
        gate.set_result(None)
        server.settle()
        self.assertEqual(Recorder.instances[0].events, ["opened", "hello"])

    def test_task(self) -> None:
        """A coroutine of a handler has a task, from its first step to its last."""
        tasks = []

        class Handler(Recorder):
            async def on_message(self, message: Any) -> None:
                tasks.append(asyncio.current_task())
                async with asyncio.timeout(10):
                    await asyncio.sleep(0)
                tasks.append(asyncio.current_task())

        server = serve(self, Handler)
        Client(server).send(TEXT, b"x")
        server.settle()
        self.assertEqual(len(tasks), 2)
        self.assertIsNotNone(tasks[0])
        self.assertIs(tasks[0], tasks[1])

    def test_awaited_deferreds(self) -> None:
        """A coroutine may await Deferreds, at any time, and has their results and failures."""
        waiting: list[Deferred[Any]] = []

        class Handler(Recorder):
            async def on_message(self, message: Any) -> None:
                for _ in range(2):
                    waiting.append(Deferred())
                    self.events.append(await waiting[-1])
                waiting.append(Deferred())
                try:
                    await waiting[-1]
                except ZeroDivisionError:
                    self.events.append("failed")

        server = serve(self, Handler)
        Client(server).send(TEXT, b"x")
        for number in range(2):
            waiting[-1].callback(number)
            server.settle()
        waiting[-1].errback(ZeroDivisionError())
        server.settle()
        self.assertEqual(Recorder.instances[0].events, [0, 1, "failed"])

    def test_timeout_in_coroutine(self) -> None:
        """asyncio.timeout works in a handler's coroutine, which goes on after it."""

        class Handler(Recorder):
            async def on_message(self, message: Any) -> None:
                try:
                    async with asyncio.timeout(5):
                        await new_future()
                except TimeoutError:
                    self.events.append("timeout")

        server = serve(self, Handler)
        client = Client(server)
        for _ in range(2):
            client.send(TEXT, b"x")
            server.advance(6)
        self.assertEqual(Recorder.instances[0].events, ["timeout", "timeout"])
        self.assertFalse(client.closed)

    def test_cancelled_task(self) -> None:
        """A coroutine whose task is cancelled ends, and the connection with it."""
        tasks = []

        class Handler(Recorder):
            async def on_message(self, message: Any) -> None:
                tasks.append(asyncio.current_task())
                try:
                    await new_future()
                finally:
                    self.events.append("finally")

        server = serve(self, Handler)
        client = Client(server)
        client.send(TEXT, b"x")
        tasks[0].cancel()
        server.settle()
        self.assertEqual(Recorder.instances[0].events[:1], ["finally"])
        self.assertEqual(client.received(), [(CLOSE, close(1001))])

    def test_read_ahead(self) -> None:
        """While a handler is busy only so much is read ahead."""
        gate = None

        class Handler(Recorder):
            async def on_message(self, message: Any) -> None:
                nonlocal gate
                gate = new_future()
                await gate

        server = serve(self, Handler)
        client = Client(server)
        client.send(TEXT, b"x")
        protocol = Recorder.instances[0].ws_connection
        for _ in range(10):
            client.send(BINARY, b"y" * 50_000)
        self.assertLess(protocol._engine.backlog, 200_000)
        gate.set_result(None)
        server.settle()
        self.assertLess(protocol._engine.backlog, 200_000)

    def test_flood(self) -> None:
        """Many messages at once are handled in order, with turns for others between."""
        server = serve(self)
        client = Client(server)
        client.wire.send(b"\x82\x81\0\0\0\0x" * 1000)
        self.assertEqual(Recorder.instances[0].events, [b"x"] * 1000)

    def test_flood_and_gone(self) -> None:
        """What a client sent before it left is handled before on_close."""
        server = serve(self)
        Client(server)
        handler = Recorder.instances[0]
        data = b"\x82\x81\0\0\0\0x" * 1000
        handler.stream.dataReceived(data)
        handler.stream.close()
        server.settle()
        self.assertEqual(handler.events, [b"x"] * 1000 + [("close", None, None)])

    def test_backpressure(self) -> None:
        """write_message gives a Future that waits for a client that does not read."""
        server = serve(self)
        client = Client(server)
        handler = Recorder.instances[0]
        client.wire.stop_reading()
        pending = handler.write_message(b"x" * (4 << 20), binary=True)
        again = handler.write_message("y")
        server.settle()
        self.assertFalse(pending.done() or again.done())
        client.wire.start_reading()
        server.settle()
        self.assertTrue(pending.done() and again.done())

    def test_backpressure_and_gone(self) -> None:
        """That Future fails when the client goes away instead."""
        server = serve(self)
        client = Client(server)
        client.wire.stop_reading()
        pending = Recorder.instances[0].write_message(b"x" * (4 << 20))
        client.wire.close()
        self.assertIsInstance(pending.exception(), WebSocketClosedError)

    def test_errors(self) -> None:
        """An exception is logged and ends the connection with 1011, in whatever method."""

        def fail(self: Any, *args: Any) -> Any:
            raise ZeroDivisionError

        async def fail_later(self: Any, *args: Any) -> Any:
            await asyncio.sleep(0)
            raise ZeroDivisionError

        for name in ("open", "on_message", "on_ping", "on_pong"):
            for method in (fail, fail_later):
                server = serve(self, type("Handler", (Recorder,), {name: method}))
                with ExpectLog(app_log, "Uncaught exception"):
                    client = Client(server)
                    for opcode in (TEXT, PING, PONG):
                        client.send(opcode, b"x")
                    server.settle()
                frames = [frame for frame in client.received() if frame[0] != PONG]
                self.assertEqual(frames, [(CLOSE, close(1011))])
                self.assertTrue(client.closed)

    def test_error_in_on_close(self) -> None:
        """An exception in on_close is logged."""

        class Handler(Recorder):
            def on_close(self) -> None:
                raise ZeroDivisionError

        client = Client(serve(self, Handler))
        with ExpectLog(app_log, "Uncaught exception"):
            client.wire.close()

    def test_async_callback(self) -> None:
        """A callback bound with async_callback closes the connection when it fails."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        self.assertIsNone(handler.async_callback(None))
        self.assertEqual(handler.async_callback(divmod, 7)(2), (3, 1))
        with ExpectLog(app_log, "Uncaught exception"):
            handler.async_callback(lambda x: 1 / x, 0)()
        self.assertEqual(client.received(), [(CLOSE, close(1011))])


class ClosingTests(SynchronousTestCase):
    """Both ways to close, and the others."""

    def test_by_client(self) -> None:
        """A client's close frame is answered, and the handler knows code and reason."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        client.send(CLOSE, close(1001, "bye"))
        self.assertEqual(client.received(), [(CLOSE, close(1001))])
        self.assertTrue(client.closed)
        self.assertEqual(handler.events, [("close", 1001, "bye")])
        self.assertIsNone(handler.ws_connection)

    def test_by_server(self) -> None:
        """A server that closes waits for the client's consent; messages still come in."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        handler.close(4000, "enough")
        self.assertEqual(client.received(), [(CLOSE, close(4000, "enough"))])
        self.assertIsNone(handler.ws_connection)
        self.assertRaises(WebSocketClosedError, handler.write_message, "x")
        self.assertRaises(WebSocketClosedError, handler.ping)
        handler.close()
        client.send(TEXT, b"wait")
        self.assertFalse(client.closed)
        client.send(CLOSE, close(4000))
        self.assertTrue(client.closed)
        self.assertEqual(handler.events, ["wait", ("close", 4000, None)])

    def test_without_code(self) -> None:
        """A close frame may be empty."""
        client = Client(serve(self))
        client.send(CLOSE, b"")
        self.assertEqual(client.received(), [(CLOSE, b"")])
        self.assertEqual(Recorder.instances[0].events, [("close", None, None)])

    def test_no_consent(self) -> None:
        """A client that does not answer a close frame is cut off after five seconds."""
        server = serve(self)
        client = Client(server)
        Recorder.instances[0].close()
        server.advance(4.9)
        self.assertFalse(client.closed)
        server.advance(0.2)
        self.assertTrue(client.closed)
        self.assertEqual(Recorder.instances[0].events, [("close", None, None)])

    def test_gone(self) -> None:
        """A client that goes away without a word ends the connection."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        client.wire.close()
        self.assertEqual(handler.events, [("close", None, None)])
        self.assertRaises(WebSocketClosedError, handler.write_message, "x")

    def test_gone_while_busy(self) -> None:
        """A client's going away is told while a coroutine runs, which can then no more send."""
        failures = []
        gates = []

        class Handler(Recorder):
            async def on_message(self, message: Any) -> None:
                gates.append(new_future())
                await gates[0]
                try:
                    await self.write_message("late")
                except WebSocketClosedError as error:
                    failures.append(error)
                    raise

        server = serve(self, Handler)
        client = Client(server)
        client.send(TEXT, b"x")
        client.wire.close()
        self.assertEqual(Recorder.instances[0].events, [("close", None, None)])
        gates[0].set_result(None)
        server.settle()
        self.assertEqual(len(failures), 1)

    def test_abort(self) -> None:
        """_abort closes at once, and on_close is called."""
        server = serve(self)
        client = Client(server)
        handler = Recorder.instances[0]
        protocol = handler.ws_connection
        protocol._abort()
        self.assertTrue(protocol.client_terminated and protocol.stream.closed())
        server.settle()
        self.assertTrue(client.closed)
        self.assertEqual(handler.events, [("close", None, None)])

    def test_violation(self) -> None:
        """A client that breaks the protocol is told why, and nothing more is taken from it."""
        client = Client(serve(self))
        client.send(0x83, b"")
        client.send(TEXT, b"more")
        self.assertEqual(client.received(), [(CLOSE, close(1002, "unknown opcode"))])
        self.assertEqual(Recorder.instances[0].events, [("close", None, None)])

    def test_forbidden_codes(self) -> None:
        """A forbidden close code is not echoed, but refused."""
        for code in (999, 1005, 1006, 1015, 2000, 65535):
            client = Client(serve(self))
            client.send(CLOSE, close(code))
            self.assertEqual(client.received(), [(CLOSE, close(1002, "forbidden close code"))])

    def test_own_mistakes(self) -> None:
        """close refuses codes that may not be sent and reasons that are too long."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        self.assertRaises(ValueError, handler.close, 1006)
        self.assertRaises(ValueError, handler.close, 1000, "x" * 124)
        self.assertEqual(client.received(), [])
        self.assertIsNotNone(handler.ws_connection)

    def test_too_big(self) -> None:
        """A message beyond websocket_max_message_size ends the connection with 1009."""
        client = Client(serve(self, websocket_max_message_size=10))
        client.send(TEXT, b"x" * 11)
        self.assertEqual(client.received(), [(CLOSE, close(1009, "message too big"))])

    def test_service_stops(self) -> None:
        """A server that ends closes its WebSockets with 1001, and waits for them."""
        server = serve(self)
        client = Client(server)
        with server._running():
            drained = asyncio.ensure_future(
                server.http_server.drain(3), loop=server.io_loop.asyncio_loop
            )
        server.settle()
        self.assertEqual(client.received(), [(CLOSE, close(1001, "going away"))])
        self.assertFalse(drained.done())
        client.send(CLOSE, close(1001))
        server.settle()
        self.assertTrue(drained.done())

    def test_service_stops_anyway(self) -> None:
        """WebSockets whose clients do not answer are cut off when the server's time is over."""
        server = serve(self)
        client = Client(server)
        with server._running():
            drained = asyncio.ensure_future(
                server.http_server.drain(3), loop=server.io_loop.asyncio_loop
            )
        server.advance(3.5)
        self.assertTrue(drained.done() and client.closed)


class PingTests(SynchronousTestCase):
    """Pings, both ways."""

    def test_answered(self) -> None:
        """A ping is answered with its contents, and the handler told."""
        client = Client(serve(self))
        client.send(PING, b"data")
        self.assertEqual(client.received(), [(PONG, b"data")])
        self.assertEqual(Recorder.instances[0].events, [("ping", b"data")])

    def test_ping(self) -> None:
        """A handler may ping, with 125 bytes at most."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        handler.ping("data")
        self.assertEqual(client.received(), [(PING, b"data")])
        self.assertRaises(ValueError, handler.ping, b"x" * 126)
        client.send(PONG, b"data")
        self.assertEqual(handler.events, [("pong", b"data")])

    def test_interval(self) -> None:
        """Pings go out at intervals, as long as they are answered."""
        server = serve(self, websocket_ping_interval=10, websocket_ping_timeout=4)
        client = Client(server)
        server.advance(9)
        self.assertEqual(client.received(), [])
        for _ in range(3):
            server.advance(1.5)
            self.assertEqual(client.received(), [(PING, b"")])
            client.send(PONG, b"")
            server.advance(8.5)
        self.assertFalse(client.closed)

    def test_timeout(self) -> None:
        """A client that does not answer in time is told so, and cut off."""
        server = serve(self, websocket_ping_interval=10, websocket_ping_timeout=4)
        client = Client(server)
        server.advance(13.9)
        self.assertEqual(client.received(), [(PING, b"")])
        server.advance(0.2)
        self.assertEqual(client.received(), [(CLOSE, close(1000, "ping timed out"))])
        server.advance(5)
        self.assertTrue(client.closed)

    def test_default_timeout(self) -> None:
        """The time limit is the interval unless it is set, and no longer than that if it is."""
        for settings in ({}, {"websocket_ping_timeout": 99}):
            server = serve(self, websocket_ping_interval=10, **settings)
            client = Client(server)
            with ExpectLog(gen_log, "The websocket_ping_timeout", required=bool(settings)):
                server.advance(19.9)
            self.assertEqual(client.received(), [(PING, b"")])
            server.advance(0.2)
            self.assertEqual(client.received(), [(CLOSE, close(1000, "ping timed out"))])

    def test_busy(self) -> None:
        """A pong that waits for a busy handler is as good as one that was handled."""

        class Handler(Recorder):
            async def on_message(self, message: Any) -> None:
                await new_future()

        server = serve(self, Handler, websocket_ping_interval=10)
        client = Client(server)
        client.send(TEXT, b"x")
        server.advance(11)
        client.send(PONG, b"")
        server.advance(15)
        self.assertFalse(client.closed)
        self.assertEqual(client.received(), [(PING, b""), (PING, b"")])


class CompressionTests(SynchronousTestCase):
    """What is agreed on is done."""

    class Handler(Echo):
        def get_compression_options(self) -> dict[str, Any]:
            return {"compression_level": 9, "mem_level": 9}

    def connect(self, offer: str) -> Client:
        return Client(serve(self, self.Handler), Sec_WebSocket_Extensions=offer)

    def test_echo(self) -> None:
        """A compressed message is answered with a compressed message."""
        client = self.connect("permessage-deflate")
        self.assertEqual(client.headers["sec-websocket-extensions"], "permessage-deflate")
        hello = bytes.fromhex("f248cdc9c90700")  # RFC 7692, section 7.2.3.1
        client.send(0xC1, hello)
        self.assertEqual(client.received(), [(0xC1, hello)])

    def test_takeover(self) -> None:
        """Contexts are kept or dropped as agreed, by either side."""
        hello, again = bytes.fromhex("f248cdc9c90700"), bytes.fromhex("f200110000")
        client = self.connect("permessage-deflate")
        client.send(0xC1, hello)
        client.send(0xC1, again)
        self.assertEqual([payload for _, payload in client.received()], [hello, again])
        client = self.connect("permessage-deflate; server_no_context_takeover")
        client.send(0xC1, hello)
        client.send(0xC1, again)
        self.assertEqual([payload for _, payload in client.received()], [hello, hello])

    def test_tiny_window(self) -> None:
        """A window smaller than zlib can do is agreed to, and messages go out as they are."""
        client = self.connect("permessage-deflate; server_max_window_bits=8")
        self.assertIn("server_max_window_bits=8", client.headers["sec-websocket-extensions"])
        client.send(0xC1, bytes.fromhex("f248cdc9c90700"))
        self.assertEqual(client.received(), [(TEXT, b"Hello")])


class BroadcastTests(SynchronousTestCase):
    """One message for many."""

    def test_broadcast(self) -> None:
        """Everybody gets the message, but for those who are gone."""
        server = serve(self)
        clients = [Client(server) for _ in range(3)]
        handlers = list(Recorder.instances)
        clients[1].wire.close()
        handlers[2].close()
        clients[2].received()
        self.assertEqual(broadcast(handlers, {"a": 1}), 1)
        self.assertEqual(clients[0].received(), [(TEXT, b'{"a": 1}')])
        self.assertEqual(clients[2].received(), [])

    def test_prepared(self) -> None:
        """A prepared message can be written like any other."""
        client = Client(serve(self))
        self.assertTrue(Recorder.instances[0].write_message(prepare_message(b"b", True)).done())
        self.assertEqual(client.received(), [(BINARY, b"b")])

    def test_compressed(self) -> None:
        """A prepared message is compressed once, and contexts are none the worse for it."""
        server = serve(self, CompressionTests.Handler)
        clients = [Client(server, Sec_WebSocket_Extensions="permessage-deflate") for _ in range(2)]
        hello = bytes.fromhex("f248cdc9c90700")
        clients[0].send(0xC1, hello)
        prepared = prepare_message("Hello")
        self.assertEqual(broadcast(Recorder.instances, prepared), 2)
        self.assertEqual(len(prepared._compressed), 1)
        # Our context began anew: without reference to what was sent before.
        Recorder.instances[0].write_message("Hello")
        self.assertEqual(clients[0].received(), [(0xC1, hello)] * 3)
        self.assertEqual(clients[1].received(), [(0xC1, hello)])


class StateTests(SynchronousTestCase):
    """What applications lean on."""

    def test_arguments(self) -> None:
        """open gets the groups of the route."""
        from txtornado.testing import MemoryServer
        from txtornado.web import Application

        seen = []

        class Handler(WebSocketHandler):
            def open(self, *args: str, **kwargs: str) -> None:
                seen.append((args, kwargs))

        server = MemoryServer(Application([("/(a)/(b)", Handler), ("/(?P<name>c)", Handler)]))
        self.addCleanup(server.close)
        Client(server, "/a/b")
        Client(server, "/c")
        self.assertEqual(seen, [(("a", "b"), {}), ((), {"name": "c"})])

    def test_before_open(self) -> None:
        """Before the handshake there is no connection, and nothing can be sent."""
        problems = []

        class Handler(Recorder):
            def prepare(self) -> None:
                problems.append(self.ws_connection)
                problems.append(self.stream)
                for method in (self.set_nodelay, self.write_message):
                    try:
                        method(True)
                    except (RuntimeError, WebSocketClosedError) as error:
                        problems.append(type(error))

        Client(serve(self, Handler))
        self.assertEqual(problems, [None, None, RuntimeError, WebSocketClosedError])

    def test_without_on_message(self) -> None:
        """A handler has to define on_message."""
        client = Client(serve(self, WebSocketHandler))
        with ExpectLog(app_log, "Uncaught exception"):
            client.send(TEXT, b"x")
        self.assertEqual(client.received(), [(CLOSE, close(1011))])

    def test_interfaces(self) -> None:
        """A connection is what a server adopts and a stream feeds."""
        Client(serve(self))
        for interface in (IUpgradedConnection, IStreamConsumer):
            verifyObject(interface, Recorder.instances[0].ws_connection)

    def test_on_finish(self) -> None:
        """on_finish is called when the handshake is done, before open."""
        order = []

        class Handler(Recorder):
            def on_finish(self) -> None:
                order.append("on_finish")

            def open(self) -> None:
                order.append("open")

        Client(serve(self, Handler))
        self.assertEqual(order, ["on_finish", "open"])
