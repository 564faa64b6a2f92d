"""Tests for messages to many clients and for many messages at once, over real sockets."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.websocket.support import HANDSHAKE, Client, Recorder, frame, parse, serve
from txtornado.httpserver import HTTPServer
from txtornado.iostream import IOStream, StreamBufferFullError
from txtornado.testing import ReactorTestCase, bind_unused_port
from txtornado.web import Application
from txtornado.websocket import WebSocketClosedError, broadcast, prepare_message

TEXT, BINARY, CLOSE, PING = 0x81, 0x82, 0x88, 0x89
MB = 1 << 20


class Wire:
    """In the place of a socket: counts what is sent."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.sent: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)

    def send(self, data: Any) -> int:
        self.sent.append(bytes(data))
        return int(self.sock.send(data))


class ToAll(Recorder):
    """Sends each message to everybody, as often as it says."""

    def on_message(self, message: str | bytes) -> Any:
        for number in range(int(message)):
            for handler in Recorder.instances:
                handler.write_message(f"message {number}")


class Squeezed(Recorder):
    def get_compression_options(self) -> dict[str, Any] | None:
        return {}


class Echo(Recorder):
    def on_message(self, message: str | bytes) -> Any:
        self.write_message(message)


class SocketTestCase(ReactorTestCase):
    """Has a server, and clients by hand."""

    async def setUp(self) -> None:
        Recorder.instances.clear()
        app = Application([("/", Recorder), ("/all", ToAll), ("/echo", Echo)])
        server = HTTPServer(app)
        sock, self.port = bind_unused_port()
        server.add_sockets([sock])

        async def stop() -> None:
            for client in self.clients:
                client.close()
            await server.drain(5)

        self.clients: list[IOStream] = []
        self.addCleanup(stop)

    async def connect(self, path: str = "/") -> tuple[IOStream, Any]:
        """A client's stream, and the handler at the other end."""
        client = IOStream(socket.create_connection(("127.0.0.1", self.port)))
        self.clients.append(client)
        lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
        await client.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        self.assertIn(b" 101 ", await client.read_until(b"\r\n\r\n"))
        handler = Recorder.instances[-1]
        handler.write_message("first")
        await client.read_bytes(7)
        await self.turn()
        return client, handler

    def count(self, handler: Any) -> Wire:
        """From here on what is sent is counted."""
        transport = handler.stream.transport
        wire = transport.socket = Wire(transport.socket)
        if handler._protocol._outlet is not None:
            handler._protocol._outlet = wire
        return wire

    async def turn(self) -> None:
        future = self.io_loop.asyncio_loop.create_future()
        self.io_loop.add_callback(future.set_result, None)
        await future


class TurnTests(SocketTestCase):
    """Several messages in one turn of the loop."""

    async def test_one_each_turn(self) -> None:
        """A message goes out at once when it is the first of its turn."""
        client, handler = await self.connect()
        wire = self.count(handler)
        for number in range(1, 4):
            self.assertTrue(handler.write_message("hello").done())
            self.assertEqual(wire.sent, [b"\x81\x05hello"] * number)
            await self.turn()
        self.assertEqual(await client.read_bytes(21), b"\x81\x05hello" * 3)

    async def test_many_in_a_turn(self) -> None:
        """The first four go out at once, the others together when the turn ends."""
        clients = [await self.connect("/all") for _ in range(3)]
        wires = [self.count(handler) for _, handler in clients]
        frames = [frame(TEXT, b"message %d" % number, None) for number in range(7)]
        await clients[0][0].write(frame(TEXT, b"7"))
        for client, _ in clients:
            self.assertEqual(await client.read_bytes(77), b"".join(frames))
        for wire in wires:
            self.assertEqual(wire.sent, [*frames[:4], b"".join(frames[4:])])

    async def test_other_loops_of_events(self) -> None:
        """The same holds where no message of a client has begun the turn."""
        client, handler = await self.connect()
        wire = self.count(handler)
        for _ in range(2):
            for letter in "abcdef":
                handler.write_message(letter)
            data = await client.read_bytes(18)
            self.assertEqual(parse(data), [(TEXT, letter.encode()) for letter in "abcdef"])
        self.assertEqual(wire.sent, [data[:3], data[3:6], data[6:9], data[9:12], data[12:]] * 2)

    async def test_answers_to_what_came_together(self) -> None:
        """The answers to messages that came together go out together."""
        client, handler = await self.connect("/echo")
        wire = self.count(handler)
        await client.write(b"".join(frame(TEXT, letter) for letter in (b"a", b"b", b"c")))
        self.assertEqual(await client.read_bytes(9), b"\x81\x01a\x81\x01b\x81\x01c")
        await client.write(frame(TEXT, b"d"))
        self.assertEqual(await client.read_bytes(3), b"\x81\x01d")
        self.assertEqual(wire.sent, [b"\x81\x01a\x81\x01b\x81\x01c", b"\x81\x01d"])

    async def test_order(self) -> None:
        """Messages, pings and the end arrive in the order in which they were sent."""
        client, handler = await self.connect()
        handler.write_message("a")
        for _ in range(4):
            handler.write_message("b")
        handler.ping(b"c")
        handler.write_message(b"d", binary=True)
        broadcast([handler], "e")
        handler.close(1000)
        self.assertRaises(WebSocketClosedError, handler.write_message, "f")
        expected = [
            (TEXT, b"a"),
            *[(TEXT, b"b")] * 4,
            (PING, b"c"),
            (BINARY, b"d"),
            (TEXT, b"e"),
            (CLOSE, b"\x03\xe8"),
        ]
        self.assertEqual(parse(await client.read_bytes(8 * 3 + 4)), expected)

    async def test_stream_closed_in_the_turn(self) -> None:
        """What was gathered is sent before the stream is closed."""
        client, handler = await self.connect()
        for letter in "abcdef":
            handler.write_message(letter)
        handler.stream.close()
        data = await client.read_until_close()
        self.assertEqual(parse(data), [(TEXT, letter.encode()) for letter in "abcdef"])

    async def test_sizes(self) -> None:
        """The sizes of all messages are counted, whichever way they went."""
        client, handler = await self.connect()
        for message in ("a" * 10, "b" * 100, "c" * 1000, prepare_message("d" * 100_000)):
            handler.write_message(message)
        broadcast([handler], "e")
        await client.read_bytes(12 + 102 + 1004 + 100_010 + 3)
        protocol = handler.ws_connection
        self.assertEqual(protocol._message_bytes_out, 5 + 10 + 100 + 1000 + 100_000 + 1)
        self.assertEqual(protocol._wire_bytes_out, 7 + 12 + 102 + 1004 + 100_010 + 3)


class SlowClientTests(SocketTestCase):
    async def fill(self, handler: Any) -> list[Any]:
        """Send until the client's buffers are full; the futures."""
        futures = [handler.write_message(b"x" * MB, True)]
        while futures[-1].done():
            futures.append(handler.write_message(b"x" * MB, True))
        return futures

    async def test_backpressure(self) -> None:
        """A Future tells when a slow client has been served, and nothing is lost or disordered."""
        client, handler = await self.connect()
        futures = await self.fill(handler)
        for number in range(3):
            futures.append(handler.write_message(f"message {number}"))
            await self.turn()
        self.assertEqual(broadcast([handler], "the end"), 1)
        self.assertFalse(any(future.done() for future in futures[-3:]))
        for _ in futures[:-3]:
            data = await client.read_bytes(MB + 10)
            self.assertEqual((data[0], data[10:]), (BINARY, b"x" * MB))
        rest = [(TEXT, b"message %d" % number) for number in range(3)] + [(TEXT, b"the end")]
        self.assertEqual(parse(await client.read_bytes(3 * 11 + 9)), rest)
        for future in futures:
            await future
        self.assertTrue(handler.write_message("again").done())
        self.assertEqual(await client.read_bytes(7), b"\x81\x05again")

    async def test_application_writes_to_the_stream(self) -> None:
        """What an application wrote to the stream itself comes before the next message."""
        client, handler = await self.connect()
        written = handler.stream.write(frame(BINARY, b"x" * (16 * MB), None))
        self.assertFalse(written.done())
        handler.write_message("next")
        data = await client.read_bytes(16 * MB + 10 + 6)
        self.assertEqual(data[-6:], b"\x81\x04next")

    async def test_limit(self) -> None:
        """Beyond max_write_buffer_size a message is refused, and a broadcast goes on without it."""
        _, slow = await self.connect()
        client, handler = await self.connect()
        await self.fill(slow)
        slow.stream.max_write_buffer_size = MB
        for message in (b"x" * MB, prepare_message(b"x" * MB)):
            self.assertRaises(StreamBufferFullError, slow.write_message, message, True)
        self.assertEqual(broadcast([slow, handler], b"x" * MB, True), 1)
        self.assertEqual(len(await client.read_bytes(MB + 10)), MB + 10)


class ResetTests(SocketTestCase):
    async def test_client_that_is_gone(self) -> None:
        """Who writes to a client that has reset its connection is told so, and so is the handler."""
        client, handler = await self.connect()
        _, other = await self.connect()
        self.count(handler)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.assertEqual(broadcast([handler, other], "b"), 1)
        self.assertRaises(WebSocketClosedError, handler.write_message, "c")
        while handler.events != [("close", None, None)]:
            await self.turn()
        self.assertIsInstance(handler.stream.error, (BrokenPipeError, ConnectionResetError))


class LatestMessageTests(SynchronousTestCase):
    """A message is framed once for all to whom it is given in turn."""

    def test_everybody_gets_the_same_bytes(self) -> None:
        """One message to several handlers is one frame, and the next one is another."""
        server = serve(self)
        clients = [Client(server) for _ in range(3)]
        for message in ("one", "two", b"two"):
            for handler in Recorder.instances:
                handler.write_message(message)
        for client in clients:
            self.assertEqual(client.received(), [(TEXT, b"one"), (TEXT, b"two"), (TEXT, b"two")])

    def test_text_and_binary(self) -> None:
        """The same bytes as text and as a binary message are different frames."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        message = b"message"
        for binary in (False, True, False):
            handler.write_message(message, binary)
        expected = [(TEXT, message), (BINARY, message), (TEXT, message)]
        self.assertEqual(client.received(), expected)

    def test_what_may_change(self) -> None:
        """Messages that can change between two handlers are framed anew."""
        client = Client(serve(self))
        handler = Recorder.instances[0]
        data, fields = bytearray(b"a"), {"n": 1}
        for _ in range(2):
            handler.write_message(data)
            handler.write_message(fields)
            data += b"b"
            fields["n"] += 1
        expected = [b"a", b'{"n": 1}', b"ab", b'{"n": 2}']
        self.assertEqual(client.received(), [(TEXT, payload) for payload in expected])

    def test_with_compression(self) -> None:
        """Who agreed on compression, or did not, gets a message in his own form."""
        server = serve(self, Squeezed)
        plain = Client(server)
        squeezed = Client(server, Sec_WebSocket_Extensions="permessage-deflate")
        for _ in range(2):
            for handler in Recorder.instances:
                handler.write_message("Hello")
        self.assertEqual(plain.received(), [(TEXT, b"Hello")] * 2)
        first, second = squeezed.received()
        self.assertEqual(first, (0xC1, bytes.fromhex("f248cdc9c90700")))
        self.assertEqual(second, (0xC1, bytes.fromhex("f200110000")))

    def test_refused(self) -> None:
        """What is no message is refused, and what is too much leaves compression as it was."""
        client = Client(serve(self, Squeezed), Sec_WebSocket_Extensions="permessage-deflate")
        handler = Recorder.instances[0]
        self.assertRaises(TypeError, handler.write_message, 42)
        handler.stream.max_write_buffer_size = 100
        self.assertRaises(StreamBufferFullError, handler.write_message, "Hello" * 100)
        handler.write_message("Hello")
        self.assertEqual(client.received(), [(0xC1, bytes.fromhex("f248cdc9c90700"))])
