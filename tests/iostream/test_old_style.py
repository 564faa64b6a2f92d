"""Tests for the ``callback`` arguments of Tornado before 6.0."""

from __future__ import annotations

import socket
from typing import Any

from tests.iostream.support import StreamTestCase, TLSPair
from txtornado.ioloop import IOLoop
from txtornado.iostream import IOStream, SSLIOStream
from txtornado.testing import ExpectLog


class OldStyleTests(StreamTestCase):
    async def result(self, start: Any) -> Any:
        """What the callback that ``start`` is given gets."""
        future = self.io_loop.asyncio_loop.create_future()
        start(lambda *args: future.set_result(args))
        return await future

    async def test_positions(self) -> None:
        """Callbacks may stand where Tornado 2.3 and 4.5 had them, or be named."""
        stream, _ = self.memory_stream()
        stream.dataReceived(b"a\nb\nc\nd\n12345678abcd")
        read = stream.read_until
        self.assertEqual(await self.result(lambda cb: read(b"\n", cb)), (b"a\n",))
        self.assertEqual(await self.result(lambda cb: read(b"\n", callback=cb)), (b"b\n",))
        self.assertEqual(await self.result(lambda cb: read(b"\n", cb, 5)), (b"c\n",))
        regex = stream.read_until_regex
        self.assertEqual(await self.result(lambda cb: regex(rb"\n", cb)), (b"d\n",))
        take = stream.read_bytes
        self.assertEqual(await self.result(lambda cb: take(2, cb)), (b"12",))
        self.assertEqual(await self.result(lambda cb: take(2, callback=cb)), (b"34",))
        self.assertEqual(await self.result(lambda cb: take(2, cb, None, True)), (b"56",))
        self.assertEqual(await self.result(lambda cb: take(2, None, None, True) and cb()), ())
        target = bytearray(2)
        self.assertEqual(await self.result(lambda cb: stream.read_into(target, cb)), (2,))
        self.assertEqual(await self.result(lambda cb: stream.read_into(target, cb, True)), (2,))

    async def test_streaming_callback(self) -> None:
        """Chunks go to ``streaming_callback`` as they come; the callback gets nothing."""
        reader, writer = await self.pair()
        chunks: list[bytes] = []
        future = self.io_loop.asyncio_loop.create_future()
        reader.read_bytes(10, future.set_result, streaming_callback=chunks.append)
        await writer.write(b"12345")
        await writer.write(b"67890rest")
        self.assertEqual(await future, b"")
        self.assertEqual(b"".join(chunks), b"1234567890")
        chunks.clear()
        future = self.io_loop.asyncio_loop.create_future()
        reader.read_until_close(future.set_result, chunks.append)
        await writer.write(b" and more")
        writer.close()
        self.assertEqual(await future, b"")
        self.assertEqual(b"".join(chunks), b"rest and more")

    async def test_read_until_close(self) -> None:
        """``read_until_close`` gives its callback everything."""
        reader, writer = await self.pair()
        await writer.write(b"everything")
        writer.close()
        self.assertEqual(await self.result(reader.read_until_close), (b"everything",))

    async def test_write_callback_is_replaced(self) -> None:
        """A later write's callback takes the place of one that still waits (2.3)."""
        reader, writer = await self.pair()
        called = []
        writer.write(b"x" * 10_000_000, lambda: called.append("first"))
        future = self.io_loop.asyncio_loop.create_future()
        writer.write(b"y", lambda: (called.append("second"), future.set_result(None)))
        await reader.read_bytes(10_000_001)
        await future
        self.assertEqual(called, ["second"])

    async def test_no_callback_when_closed(self) -> None:
        """A closed stream calls its close callback, and no other."""
        reader, _ = await self.pair()
        called = []
        reader.read_until(b"x", lambda data: called.append(data))
        future = self.io_loop.asyncio_loop.create_future()
        reader.set_close_callback(lambda: future.set_result(None))
        reader.close()
        await future
        self.assertEqual(called, [])

    async def test_failing_callback(self) -> None:
        """An exception in a callback is logged, and the stream goes on."""
        stream, _ = self.memory_stream()
        stream.dataReceived(b"ab")
        with ExpectLog("tornado.application", "Exception in callback"):
            stream.read_bytes(1, lambda data: 1 / 0)
            for _ in range(3):
                await self.result(lambda cb: self.io_loop.add_callback(cb))
        self.assertEqual(await self.result(lambda cb: stream.read_bytes(1, cb)), (b"b",))

    async def test_connect(self) -> None:
        """``connect(address, callback)`` calls back without arguments."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            for arguments in ({}, {"io_loop": self.io_loop}):
                stream = self.closing(IOStream(socket.socket(), **arguments))
                self.assertEqual(await self.result(lambda cb: stream.connect(address, cb)), ())
        stream = IOStream(socket.socket())
        with ExpectLog("tornado.general", "Connect error"):
            future = self.io_loop.asyncio_loop.create_future()
            stream.set_close_callback(lambda: future.set_result(None))
            stream.connect(address, lambda: self.fail("called"))
            await future

    def test_constructor_of_2_3(self) -> None:
        """``IOStream(socket, io_loop, max_buffer_size, read_chunk_size)`` is understood."""
        loop = IOLoop.current()
        stream = IOStream(None, loop, 1000, 100)
        self.assertIs(stream.io_loop, loop)
        self.assertEqual((stream.max_buffer_size, stream.read_chunk_size), (1000, 100))
        stream = IOStream(None, max_buffer_size=1e3, read_chunk_size=100)  # a float, as dask's
        self.assertIsInstance(stream.max_buffer_size, int)
        self.assertEqual((stream.max_buffer_size, stream.read_chunk_size), (1000, 100))
        stream = SSLIOStream(None, io_loop=loop)
        self.assertIs(stream.io_loop, loop)


class OldStyleTLSTests(TLSPair, StreamTestCase):
    async def test_wait_for_handshake(self) -> None:
        """``wait_for_handshake(callback)`` calls back without arguments."""
        server, _ = await self.pair()
        future = self.io_loop.asyncio_loop.create_future()
        server.wait_for_handshake(lambda: future.set_result("done"))
        self.assertEqual(await future, "done")


class DocumentationTests(StreamTestCase):
    async def test_the_example_of_chapter_3_2(self) -> None:
        """The HTTP client of Tornado 2.3's documentation, chapter 3.2, runs as written."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            bodies = []
            done = self.io_loop.asyncio_loop.create_future()

            def send_request() -> None:
                stream.write(b"GET / HTTP/1.0\r\nHost: friendfeed.com\r\n\r\n")
                stream.read_until(b"\r\n\r\n", on_headers)

            def on_headers(data: bytes) -> None:
                headers = {}
                for line in data.split(b"\r\n"):
                    parts = line.split(b":")
                    if len(parts) == 2:
                        headers[parts[0].strip()] = parts[1].strip()
                stream.read_bytes(int(headers[b"Content-Length"]), on_body)

            def on_body(data: bytes) -> None:
                bodies.append(data)
                stream.close()
                done.set_result(None)

            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
            stream = IOStream(s)
            stream.connect(listener.getsockname(), send_request)
            connection, _ = await self.io_loop.run_in_executor(None, listener.accept)
        server = self.closing(IOStream(connection))
        await server.read_until(b"\r\n\r\n")
        await server.write(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nHello")
        await done
        self.assertEqual(bodies, [b"Hello"])
