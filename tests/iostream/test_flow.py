"""Tests for writes, flow and the end, over real sockets, pipes and TLS."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any

from tests.iostream.support import (
    Consumer,
    PipePair,
    StreamTestCase,
    TLSPair,
    UnixPair,
)
from txtornado.iostream import IOStream, PipeIOStream, StreamBufferFullError, StreamClosedError

MB = 1 << 20


class FlowTests(StreamTestCase):
    async def test_round_trip(self) -> None:
        """What is written is read, in all forms that bytes have."""
        reader, writer = await self.pair()
        await writer.write(b"bytes ")
        await writer.write(bytearray(b"bytearray "))
        await writer.write(memoryview(b"xmemoryviewx")[1:-1])
        await writer.write(memoryview(bytes(80)).cast("L"))
        await writer.write(b"")
        self.assertEqual(await reader.read_bytes(106), b"bytes bytearray memoryview" + bytes(80))

    async def test_text_is_refused(self) -> None:
        """Text has no encoding here, and is refused; so are other things."""
        _, writer = await self.pair()
        for wrong in ("text", 42, None, [b"x"]):
            self.assertRaises(TypeError, writer.write, wrong)

    async def test_slow_reader(self) -> None:
        """A fast writer is held back by a reader that takes its time, and nothing is lost."""
        reader, writer = await self.pair(max_buffer_size=MB)
        data = os.urandom(MB)
        futures = [writer.write(data) for _ in range(16)]
        self.assertFalse(futures[-1].done())
        for _ in range(16):
            self.assertEqual(await reader.read_bytes(MB // 2), data[: MB // 2])
            self.assertEqual(await reader.read_bytes(MB // 2), data[MB // 2 :])
            held = 0 if reader._input is None else len(reader._input)
            self.assertLessEqual(held, MB)
        for future in futures:
            await future
        self.assertFalse(writer.writing())

    async def test_write_futures_in_order(self) -> None:
        """Each write is done when its own bytes are gone, in the order of the writes."""
        reader, writer = await self.pair()
        order = []
        for i in range(20):
            writer.write(b"x" * MB).add_done_callback(lambda _, i=i: order.append(i))
        await reader.read_bytes(20 * MB)
        await writer.drained()
        await writer.write(b"")
        self.assertEqual(order, sorted(order))

    async def test_max_write_buffer_size(self) -> None:
        """A write beyond ``max_write_buffer_size`` is refused, and changes nothing."""
        reader, writer = await self.pair(max_write_buffer_size=20 * MB)
        future = writer.write(b"x" * (16 * MB))
        self.assertFalse(future.done())
        self.assertRaises(StreamBufferFullError, writer.write, b"x" * (16 * MB))
        self.assertEqual(len(await reader.read_bytes(16 * MB)), 16 * MB)
        await future
        await writer.write(b"more")
        self.assertEqual(await reader.read_bytes(4), b"more")

    async def test_data_before_the_end_is_delivered(self) -> None:
        """What came before the peer closed can be read after it, then reads fail."""
        reader, writer = await self.pair()
        closed = []
        reader.set_close_callback(lambda: closed.append(True))
        await writer.write(b"first|second|rest")
        self.assertEqual(await reader.read_until(b"|"), b"first|")
        writer.close()
        self.assertEqual(await reader.read_until(b"|"), b"second|")
        self.assertEqual(closed, [])
        self.assertEqual(await reader.read_until_close(), b"rest")
        self.assertRaises(StreamClosedError, reader.read_bytes, 1)
        self.assertEqual(await reader.read_until_close(), b"")
        await self.turns()
        self.assertEqual(closed, [True])

    async def turns(self, count: int = 5) -> None:
        for _ in range(count):
            future = self.io_loop.asyncio_loop.create_future()
            self.io_loop.add_callback(future.set_result, None)
            await future

    async def test_pending_read_fails_at_the_end(self) -> None:
        """A read that the peer's end makes impossible fails; the close callback comes later."""
        reader, writer = await self.pair()
        events = []
        reader.set_close_callback(lambda: events.append("closed"))
        future = reader.read_until(b"never")
        future.add_done_callback(lambda _: events.append("read"))
        await writer.write(b"something")
        writer.close()
        with self.assertRaises(StreamClosedError) as caught:
            await future
        self.assertIsNone(caught.exception.real_error)
        await self.turns()
        self.assertEqual(events, ["read", "closed"])

    async def test_close_tells_everybody(self) -> None:
        """Closing here fails what is pending, with the error that was given, once."""
        reader, writer = await self.pair()
        read, write = reader.read_bytes(1), writer.write(b"x" * (32 * MB))
        boom = ValueError("boom")
        reader.close(exc_info=boom)
        writer.close(exc_info=(type(boom), boom, None))
        for future, stream in ((read, reader), (write, writer)):
            with self.assertRaises(StreamClosedError) as caught:
                await future
            self.assertIs(caught.exception.real_error, boom)
            self.assertIs(stream.error, boom)
            self.assertTrue(stream.closed())

    async def test_close_with_current_exception(self) -> None:
        """``close(exc_info=True)`` takes the exception that is being handled."""
        reader, _ = await self.pair()
        try:
            raise KeyError("k")
        except KeyError:
            reader.close(exc_info=True)
        self.assertIsInstance(reader.error, KeyError)

    async def test_read_until_close_with_error(self) -> None:
        """An error that ends the stream is not taken for a complete answer."""
        reader, writer = await self.pair()
        future = reader.read_until_close()
        await writer.write(b"half")
        reader.close(exc_info=OSError("boom"))
        with self.assertRaises(StreamClosedError):
            await future

    async def test_large_write_is_released(self) -> None:
        """After the write, and after closing, the caller may resize what it wrote."""
        reader, writer = await self.pair()
        data = bytearray(b"x" * 10_000)
        await writer.write(data)
        data.append(1)
        data = bytearray(32 * MB)
        future = writer.write(data)
        self.assertFalse(future.done())
        writer.close()
        data.append(1)
        with self.assertRaises(StreamClosedError):
            await future

    async def test_write_to_who_is_gone(self) -> None:
        """Writing to a peer that closed ends the stream and the write."""
        reader, writer = await self.pair()
        reader.close()
        with self.assertRaises(StreamClosedError):
            while True:
                await writer.write(b"x" * MB)
        self.assertTrue(writer.closed())
        self.assertRaises(StreamClosedError, writer.write, b"x")

    async def test_close_callback_of_a_closed_stream(self) -> None:
        """Set too late, the close callback runs all the same."""
        reader, _ = await self.pair()
        reader.close()
        called = []
        reader.set_close_callback(lambda: called.append(1))
        await self.turns()
        self.assertEqual(called, [1])


class UnixFlowTests(UnixPair, FlowTests):
    """The same over UNIX sockets."""


class TLSFlowTests(TLSPair, FlowTests):
    """The same over TLS."""


class PipeFlowTests(PipePair, FlowTests):
    """The same over pipes."""


class SocketTests(StreamTestCase):
    async def test_reset(self) -> None:
        """A peer that resets the connection is no surprise: reads fail with the reason."""
        reader, writer = await self.pair()
        future = reader.read_bytes(1)
        linger = struct.pack("ii", 1, 0)
        writer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.socket.close()
        writer.close()
        with self.assertRaises(StreamClosedError) as caught:
            await future
        self.assertIsInstance(caught.exception.real_error, ConnectionResetError)
        self.assertEqual(reader.error.errno, errno.ECONNRESET)

    async def test_half_closed_peer_gets_its_answer(self) -> None:
        """A client that shuts its sending side down after the request is answered."""
        server, client = await self.pair()
        await client.write(b"question\n")
        client.socket.shutdown(socket.SHUT_WR)
        question = await server.read_until(b"\n")
        await server.write(b"answer to " + question)
        server.close()
        self.assertEqual(await client.read_until_close(), b"answer to question\n")

    async def test_nothing_is_read_unasked(self) -> None:
        """Before the first read the bytes stay in the socket, for whoever takes it."""
        server, client = await self.pair()
        await client.write(b"for the socket")
        await self.io_loop.asyncio_loop.create_task(_turn())
        server.socket.setblocking(True)
        self.assertEqual(server.socket.recv(100), b"for the socket")

    async def test_connection_refused(self) -> None:
        """A connection that nobody answers fails with the system's reason."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
        stream = IOStream(socket.socket())
        closed = self.io_loop.asyncio_loop.create_future()
        stream.set_close_callback(lambda: closed.set_result(None))
        with self.assertRaises(StreamClosedError) as caught:
            await stream.connect(address)
        self.assertIsInstance(caught.exception.real_error, ConnectionRefusedError)
        self.assertIsInstance(stream.error, ConnectionRefusedError)
        await closed

    async def test_connect_that_fails_at_once(self) -> None:
        """An address that makes no sense fails the result, and closes the stream."""
        stream = IOStream(socket.socket(socket.AF_UNIX))
        with self.assertRaises(StreamClosedError) as caught:
            await stream.connect("/nonexistent/socket")
        self.assertIsInstance(caught.exception.real_error, FileNotFoundError)
        self.assertTrue(stream.closed())

    async def test_connect_only_once(self) -> None:
        """A stream that is connected, or has no socket, cannot connect."""
        server, _ = await self.pair()
        server.read_bytes(1)
        self.assertRaises(RuntimeError, server.connect, ("127.0.0.1", 1))
        self.assertRaises(RuntimeError, IOStream().connect, ("127.0.0.1", 1))
        server.close()
        self.assertRaises(StreamClosedError, server.connect, ("127.0.0.1", 1))

    async def test_write_while_connecting(self) -> None:
        """Writes and reads before the connection is there wait for it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            stream = self.closing(IOStream(socket.socket()))
            connected = stream.connect(listener.getsockname())
            written = stream.write(b"early")
            read = stream.read_bytes(4)
            self.assertFalse(written.done())
            self.assertIs(await connected, stream)
            await written
            accepted, _ = listener.accept()
        other = self.closing(IOStream(accepted))
        self.assertEqual(await other.read_bytes(5), b"early")
        await other.write(b"back")
        self.assertEqual(await read, b"back")

    async def test_close_while_connecting(self) -> None:
        """Closing an unfinished connection fails what waits for it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            stream = IOStream(socket.socket())
            connected = stream.connect(listener.getsockname())
            written = stream.write(b"never")
            stream.close()
            for future in (connected, written):
                with self.assertRaises(StreamClosedError):
                    await future
        self.assertIsNone(stream.socket)
        self.assertEqual(stream.fileno(), -1)

    async def test_socket_and_descriptor(self) -> None:
        """``socket`` is the real one, ``fileno`` its number; closing gives both back."""
        server, client = await self.pair()
        fd = server.fileno()
        self.assertEqual(server.socket.fileno(), fd)
        self.assertIsNone(server.get_fd_error())
        server.set_nodelay(True)
        self.assertTrue(server.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        server.set_nodelay(False)
        self.assertFalse(server.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        server.read_bytes(1)
        server.close()
        self.assertRaises(OSError, os.fstat, fd)
        server.set_nodelay(True)  # no complaint

    async def test_consumer_closes_in_its_callback(self) -> None:
        """A stream may be closed from within the call that brings it bytes."""
        server, client = await self.pair()
        consumer = Consumer()
        server.set_consumer(consumer)
        consumer.data_received = lambda data: server.close()
        server.set_consumer(consumer)
        fd = server.fileno()
        await client.write(b"bye")
        self.assertEqual(await client.read_until_close(), b"")
        self.assertRaises(OSError, os.fstat, fd)


class PipelineTests(StreamTestCase):
    """Answers to requests that came together go out together."""

    async def pair_with_batch(self) -> tuple[Any, Any, list[bytes]]:
        """A server that has three lines in its buffer, and what it sends."""
        server, client = await self.pair()
        await client.write(b"one\ntwo\nthree\n")
        self.assertEqual(await server.read_until(b"\n"), b"one\n")
        sent: list[bytes] = []
        transport = server.transport
        send = transport.writeSomeData

        def record(data: bytes) -> int:
            sent.append(bytes(data))
            return send(data)

        transport.writeSomeData = record
        return server, client, sent

    async def test_one_send(self) -> None:
        """Answers to requests that came together wait for the end of the turn, and each other."""
        server, client, sent = await self.pair_with_batch()
        self.assertTrue(server.write(b"1\n").done())
        self.assertEqual(sent, [])
        await server.read_until(b"\n")
        await server.write(b"2\n")
        await server.read_until(b"\n")
        await server.write(b"3\n")
        self.assertEqual(sent, [])
        await server.drained()
        self.assertEqual(sent, [b"1\n2\n3\n"])
        self.assertFalse(server.writing())
        self.assertEqual(await client.read_bytes(6), b"1\n2\n3\n")

    async def test_not_for_long(self) -> None:
        """An answer does not wait beyond the turn of the loop, come what may."""
        server, client, sent = await self.pair_with_batch()
        server.write(b"1\n")
        self.assertTrue(server.writing())
        await server.drained()
        self.assertEqual(await client.read_bytes(2), b"1\n")
        self.assertEqual(sent, [b"1\n"])

    async def test_not_much(self) -> None:
        """Large answers do not wait, and keep their place."""
        server, client, sent = await self.pair_with_batch()
        server.write(b"1\n")
        server.write(b"x" * 100_000)
        self.assertEqual(b"".join(sent)[:2], b"1\n")
        self.assertEqual(len(await client.read_bytes(100_002)), 100_002)

    async def test_closing_sends_them(self) -> None:
        """Closing right after the answer does not lose it."""
        server, client, sent = await self.pair_with_batch()
        server.write(b"1\n")
        server.close()
        self.assertEqual(await client.read_until_close(), b"1\n")

    async def test_send_keeps_the_order(self) -> None:
        """``send`` comes after what was gathered."""
        server, client, sent = await self.pair_with_batch()
        server.write(b"1\n")
        self.assertTrue(server.send(b"2\n"))
        self.assertEqual(sent, [b"1\n2\n"])
        self.assertEqual(await client.read_bytes(4), b"1\n2\n")


async def _turn() -> None:
    pass


class PipeTests(StreamTestCase):
    async def test_reader_gone(self) -> None:
        """Writing into a pipe that nobody reads ends with the system's reason."""
        r, w = os.pipe()
        writer = self.closing(PipeIOStream(w))
        os.close(r)
        with self.assertRaises(StreamClosedError) as caught:
            await writer.write(b"x")
        self.assertIsInstance(caught.exception.real_error, BrokenPipeError)

    async def test_descriptor_is_closed(self) -> None:
        """Closing the stream closes its descriptor, used or not."""
        for use in (False, True):
            r, w = os.pipe()
            reader = PipeIOStream(r)
            if use:
                reader.read_bytes(1)
            reader.close()
            self.assertRaises(OSError, os.fstat, r)
            os.close(w)
