"""Tests for the ``read_*`` methods: pull mode, in memory."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.iostream.support import Consumer, StreamTestCase
from txtornado.iostream import (
    StreamBufferFullError,
    StreamClosedError,
    UnsatisfiableReadError,
)
from txtornado.testing import ExpectLog

_CRLF = b"\r\n"


class ReadTests(StreamTestCase):
    def test_buffered_reads_resolve_at_once(self) -> None:
        """A read that the buffer can satisfy is done without a turn of the loop."""
        stream, _ = self.memory_stream()
        stream.dataReceived(b"one\ntwo\nthree 12345678")
        self.assertEqual(stream.read_until(b"\n").result(), b"one\n")
        self.assertEqual(stream.read_until_regex(rb"w.\n").result(), b"two\n")
        self.assertEqual(stream.read_bytes(6).result(), b"three ")
        target = bytearray(3)
        self.assertEqual(stream.read_into(target).result(), 3)
        self.assertEqual(target, b"123")
        self.assertEqual(stream.read_bytes(100, partial=True).result(), b"45678")

    def test_reads_in_pieces(self) -> None:
        """A delimiter may come in pieces, with what follows it."""
        stream, _ = self.memory_stream()
        future = stream.read_until(b"\r\n\r\n")
        for piece in (b"head", b"er\r", b"\n", b"\r", b"\nbody"):
            self.assertFalse(future.done())
            stream.dataReceived(piece)
        self.assertEqual(future.result(), b"header\r\n\r\n")
        self.assertEqual(stream.read_bytes(4).result(), b"body")

    def test_first_of_two_delimiters(self) -> None:
        """A chunk with two messages gives them one after the other."""
        stream, _ = self.memory_stream()
        future = stream.read_until(b"\n")
        stream.dataReceived(b"a\nb\n")
        self.assertEqual(future.result(), b"a\n")
        self.assertEqual(stream.read_until(b"\n").result(), b"b\n")

    def test_overlapping_delimiter(self) -> None:
        """The first occurrence counts even where the delimiter overlaps itself."""
        stream, _ = self.memory_stream()
        future = stream.read_until(b"aa")
        stream.dataReceived(b"aaa")
        self.assertEqual(future.result(), b"aa")
        self.assertEqual(stream.read_bytes(1).result(), b"a")

    def test_regex_may_be_compiled(self) -> None:
        """``read_until_regex`` takes a compiled pattern as well."""
        stream, _ = self.memory_stream()
        future = stream.read_until_regex(re.compile(rb"\d+!"))
        stream.dataReceived(b"abc12")
        stream.dataReceived(b"3!rest")
        self.assertEqual(future.result(), b"abc123!")

    def test_read_nothing(self) -> None:
        """Reads of no bytes succeed at once, also with nothing there."""
        stream, _ = self.memory_stream()
        self.assertEqual(stream.read_bytes(0).result(), b"")
        self.assertEqual(stream.read_bytes(0, partial=True).result(), b"")
        self.assertEqual(stream.read_into(bytearray()).result(), 0)

    def test_read_into_in_steps(self) -> None:
        """``read_into`` fills the buffer as bytes come, and may be content with some."""
        stream, _ = self.memory_stream()
        target = bytearray(6)
        future = stream.read_into(target)
        stream.dataReceived(b"abc")
        self.assertEqual(bytes(target), b"abc\0\0\0")
        self.assertFalse(future.done())
        stream.dataReceived(b"defgh")
        self.assertEqual((future.result(), bytes(target)), (6, b"abcdef"))
        self.assertEqual(stream.read_into(target, partial=True).result(), 2)
        target.append(0)  # nothing holds on to it

    def test_one_read_at_a_time(self) -> None:
        """A second read while one is pending is refused, and the first goes on."""
        stream, _ = self.memory_stream()
        future = stream.read_bytes(2)
        self.assertTrue(stream.reading())
        self.assertRaises(AssertionError, stream.read_until, b"x")
        stream.dataReceived(b"ab")
        self.assertEqual(future.result(), b"ab")
        self.assertFalse(stream.reading())

    def test_cancelled_read_loses_nothing(self) -> None:
        """What comes after a read was given up belongs to the next one."""
        stream, _ = self.memory_stream()
        future = stream.read_until(b"\n")
        stream.dataReceived(b"li")
        future.cancel()
        stream.dataReceived(b"ne\n")
        self.assertEqual(stream.read_until(b"\n").result(), b"line\n")

    async def test_read_with_time_limit(self) -> None:
        """``asyncio.wait_for`` can limit a read, and the stream stays usable."""
        stream, _ = self.memory_stream()
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(stream.read_until(b"\n"), 0)
        stream.dataReceived(b"late\n")
        self.assertEqual(await stream.read_until(b"\n"), b"late\n")

    def test_bad_arguments(self) -> None:
        """Arguments of wrong types and values are refused, and the stream stays usable."""
        stream, _ = self.memory_stream()
        self.assertRaises(TypeError, stream.read_until, "text")
        self.assertRaises(ValueError, stream.read_until, b"")
        self.assertRaises(TypeError, stream.read_bytes, 1.5)
        self.assertRaises(ValueError, stream.read_bytes, -1)
        self.assertRaises(TypeError, stream.read_into, b"read only")
        self.assertRaises(re.error, stream.read_until_regex, b"(")
        stream.dataReceived(b"x")
        self.assertEqual(stream.read_bytes(1).result(), b"x")

    def test_large_read_until_is_not_quadratic(self) -> None:
        """The delimiter is not looked for again in what was searched already."""
        stream, _ = self.memory_stream()
        future = stream.read_until(b"\r\n")
        for number in range(1, 1001):
            stream.dataReceived(b"x" * 1000)
            self.assertEqual(stream._read.seen, number * 1000 - 1)
        stream.dataReceived(b"\r\n")
        self.assertEqual(len(future.result()), 1_000_002)


class ManyLinesTests(StreamTestCase):
    """Lines that came at once, each of which is there when it is asked for."""

    def lines(self, data: bytes, **options: Any) -> Any:
        stream, _ = self.memory_stream(**options)
        stream.dataReceived(data)
        self.assertEqual(self.line(stream), b"0\r\n")  # from now on it is the same delimiter
        return stream

    @staticmethod
    def line(stream: Any, **options: Any) -> bytes:
        return stream.read_until(_CRLF, **options).result()

    def test_futures(self) -> None:
        """Each result is a Future of asyncio's, of its own, on the stream's loop."""
        stream = self.lines(b"0\r\n1\r\n2\r\n3\r\n")
        futures = [stream.read_until(_CRLF) for _ in range(3)]
        self.assertEqual([future.result() for future in futures], [b"1\r\n", b"2\r\n", b"3\r\n"])
        for future in futures:
            self.assertIsInstance(future, asyncio.Future)
            self.assertIs(future.get_loop(), self.io_loop.asyncio_loop)

    def test_rest_of_a_line(self) -> None:
        """The line that did not come whole waits for its rest, byte by byte."""
        stream = self.lines(b"0\r\n1\r\n2")
        self.assertEqual(self.line(stream), b"1\r\n")
        future = stream.read_until(_CRLF)
        for byte in (b"\r", b"x", b"\r", b"\n"):
            self.assertFalse(future.done())
            stream.dataReceived(byte)
        self.assertEqual(future.result(), b"2\rx\r\n")

    def test_in_many_chunks(self) -> None:
        """Lines that were gathered from many chunks are bytes like all others."""
        stream = self.lines(b"0\r\n1234567890\r\n")
        for chunk in (b"1\r", b"\n2\r\n", b"3\r\n"):
            stream.dataReceived(chunk)
        lines = [self.line(stream) for _ in range(4)]
        self.assertEqual(lines, [b"1234567890\r\n", b"1\r\n", b"2\r\n", b"3\r\n"])
        self.assertEqual({type(line) for line in lines}, {bytes})

    def test_max_bytes(self) -> None:
        """A line that is just short enough is read, one that is longer closes the stream."""
        stream = self.lines(b"0\r\n1234\r\n12345\r\n1\r\n")
        self.assertEqual(self.line(stream, max_bytes=6), b"1234\r\n")
        with ExpectLog("tornado.general", "Unsatisfiable read", level=20):
            future = stream.read_until(_CRLF, max_bytes=6)
        self.assertIsInstance(future.exception().real_error, UnsatisfiableReadError)

    def test_pending_read_comes_first(self) -> None:
        """A line is not taken from under a read that waits for more."""
        stream = self.lines(b"0\r\n1\r\n2\r\n")
        future = stream.read_bytes(9)
        self.assertRaises(AssertionError, stream.read_until, _CRLF)
        stream.dataReceived(b"3\r\n")
        self.assertEqual(future.result(), b"1\r\n2\r\n3\r\n")

    def test_cancelled_read(self) -> None:
        """A read that was given up does not stand in the way of the lines."""
        stream = self.lines(b"0\r\n1\r\n2\r\n")
        stream.read_bytes(9).cancel()
        self.assertEqual([self.line(stream) for _ in range(2)], [b"1\r\n", b"2\r\n"])

    def test_consumer(self) -> None:
        """While there is a consumer, lines that were put back are not to be read."""
        stream = self.lines(b"0\r\n")
        stream.set_consumer(Consumer())
        stream.unread(b"1\r\n2\r\n")
        self.assertRaises(RuntimeError, stream.read_until, _CRLF)
        stream.set_consumer(None)
        self.assertEqual([self.line(stream) for _ in range(2)], [b"1\r\n", b"2\r\n"])

    async def test_end_of_the_stream(self) -> None:
        """All lines can be read after the end, then comes the close callback, then an error."""
        steps = []
        stream = self.lines(b"0\r\n1\r\n2\r\n3\r\n")
        stream.set_close_callback(lambda: steps.append(b"closed"))
        stream.connectionLost(Failure(ConnectionDone()))
        for _ in range(3):
            await asyncio.sleep(0)
            steps.append(await stream.read_until(_CRLF))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.assertEqual(steps, [b"1\r\n", b"2\r\n", b"3\r\n", b"closed"])
        self.assertRaises(StreamClosedError, stream.read_until, _CRLF)

    def test_read_into_takes_what_is_there(self) -> None:
        """A buffer that is filled in part leaves nothing behind for the next one."""
        stream = self.lines(b"0\r\n1\r\n")
        future = stream.read_into(bytearray(5))
        future.cancel()
        stream.dataReceived(b"2\r\n3\r\n")
        self.assertEqual(self.line(stream), b"2\r\n")


class LimitTests(StreamTestCase):
    def test_max_bytes(self) -> None:
        """A delimiter that ends within ``max_bytes`` is found, one that does not closes."""
        stream, _ = self.memory_stream()
        future = stream.read_until(b"def", max_bytes=6)
        stream.dataReceived(b"abcdef")
        self.assertEqual(future.result(), b"abcdef")
        with ExpectLog("tornado.general", "Unsatisfiable read", level=20):
            future = stream.read_until(b"def", max_bytes=5)
            stream.dataReceived(b"abcdef")
        error = future.exception()
        self.assertIsInstance(error, StreamClosedError)
        self.assertIsInstance(error.real_error, UnsatisfiableReadError)
        self.assertTrue(stream.closed())

    def test_max_bytes_without_delimiter(self) -> None:
        """The stream is closed as soon as the limit is passed, with or without regex."""
        for method in ("read_until", "read_until_regex"):
            stream, _ = self.memory_stream()
            with ExpectLog("tornado.general", "Unsatisfiable read", level=20):
                future = getattr(stream, method)(b"q", max_bytes=4)
                stream.dataReceived(b"1234")
                self.assertFalse(future.done())
                stream.dataReceived(b"5")
            self.assertIsInstance(future.exception(), StreamClosedError)

    def test_max_bytes_in_the_buffer(self) -> None:
        """The limit holds for buffered bytes too, and is told by the result, not at once."""
        stream, _ = self.memory_stream()
        stream.dataReceived(b"123456")
        with ExpectLog("tornado.general", "Unsatisfiable read", level=20):
            future = stream.read_until(b"x", max_bytes=5)
        self.assertIsInstance(future.exception(), StreamClosedError)

    def test_buffer_full(self) -> None:
        """A read that needs more than ``max_buffer_size`` fails with the reason."""
        stream, _ = self.memory_stream(max_buffer_size=1000)
        future = stream.read_until(b"never")
        with (
            ExpectLog("tornado.general", "Reached maximum read buffer size"),
            ExpectLog("tornado.general", "error on read"),
        ):
            for _ in range(3):
                stream.dataReceived(b"x" * 500)
        self.assertIsInstance(future.exception().real_error, StreamBufferFullError)

    def test_reads_ahead_only_so_far(self) -> None:
        """Unread bytes pause the transport; a read that needs more resumes it."""
        stream, transport = self.memory_stream(read_chunk_size=100)
        stream.dataReceived(b"x" * 99)
        self.assertEqual(transport.producerState, "producing")
        stream.dataReceived(b"x" * 10)
        self.assertEqual(transport.producerState, "paused")
        self.assertEqual(len(stream.read_bytes(50).result()), 50)
        self.assertEqual(transport.producerState, "paused")
        future = stream.read_bytes(60)
        self.assertEqual(transport.producerState, "producing")
        stream.dataReceived(b"y")
        self.assertEqual(future.result(), b"x" * 59 + b"y")
