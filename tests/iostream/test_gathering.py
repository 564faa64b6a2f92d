"""Tests for small writes that are gathered and go out together."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from tests.iostream.support import PipePair, StreamTestCase, TLSPair
from txtornado.iostream import StreamClosedError

KB = 1 << 10


class Sends:
    """Counts what goes to a transport, which can be made to fail or to take nothing."""

    def __init__(self, case: Any, transport: Any) -> None:
        self.sizes: list[int] = []
        self.answer: Any = None
        self.send = transport.writeSomeData
        case.patch(transport, "writeSomeData", self)

    def __call__(self, data: Any) -> Any:
        if self.answer is not None:
            return self.answer
        self.sizes.append(len(data))
        return self.send(data)


class TLSGatheringTests(TLSPair, StreamTestCase):
    async def turn(self) -> None:
        future = self.io_loop.asyncio_loop.create_future()
        self.io_loop.add_callback(future.set_result, None)
        await future

    async def test_small_writes_go_together(self) -> None:
        """The first write of a turn goes out at once, the others together at its end."""
        reader, writer = await self.pair()
        sends = Sends(self, writer.transport)
        for _ in range(10):
            self.assertTrue(writer.write(b"x" * 100).done())
        self.assertEqual(sends.sizes, [100])
        await self.turn()
        self.assertEqual(sends.sizes, [100, 900])
        self.assertEqual(await reader.read_bytes(1000), b"x" * 1000)

    async def test_at_most_112_kib(self) -> None:
        """Whoever writes on and on in one turn is sent in pieces of 112 KiB."""
        reader, writer = await self.pair()
        sends = Sends(self, writer.transport)
        for _ in range(29):
            writer.write(b"x" * (8 * KB))
        self.assertEqual(sends.sizes, [8 * KB, 112 * KB])
        self.assertEqual(len(await reader.read_bytes(29 * 8 * KB)), 29 * 8 * KB)
        self.assertEqual(sends.sizes, [8 * KB, 112 * KB, 112 * KB])

    async def test_question_and_answer(self) -> None:
        """Who reads between his writes has each of them sent at once."""
        reader, writer = await self.pair()
        sends = Sends(self, writer.transport)
        for number in range(1, 4):
            writer.write(b"question")
            self.assertEqual(len(sends.sizes), number)
            answer = writer.read_until(b"!")
            await reader.read_bytes(8)
            await reader.write(b"answer!")
            await answer

    async def test_what_is_written_may_change_afterwards(self) -> None:
        """A write that is done has its own copy of the bytes."""
        reader, writer = await self.pair()
        data = bytearray(b"a" * (4 * KB))
        for letter in b"abc":
            data[:] = bytes([letter]) * len(data)
            self.assertTrue(writer.write(data).done())
            self.assertTrue(writer.write(memoryview(data)).done())
        del data[:]  # nobody holds on to it
        received = await reader.read_bytes(24 * KB)
        self.assertEqual(received, b"a" * (8 * KB) + b"b" * (8 * KB) + b"c" * (8 * KB))

    async def test_text_is_refused(self) -> None:
        """A wrong type is refused whether it would have been gathered or not."""
        _, writer = await self.pair()
        writer.write(b"first")
        for wrong in ("text", [b"x"]):
            self.assertRaises(TypeError, writer.write, wrong)

    async def test_drained(self) -> None:
        """Gathered bytes count as waiting until they are sent."""
        reader, writer = await self.pair()
        writer.write(b"first ")
        writer.write(b"second ")
        self.assertTrue(writer.writing())
        drained = writer.drained()
        self.assertFalse(drained.done())
        await drained
        self.assertFalse(writer.writing())
        self.assertEqual(await reader.read_bytes(13), b"first second ")

    async def test_order(self) -> None:
        """``send``, large writes and empty ones come after what was gathered before them."""
        reader, writer = await self.pair()
        large = os.urandom(200 * KB)
        writer.write(b"one ")
        writer.write(b"two ")
        writer.send(b"three ")
        writer.write(b"four ")
        writer.write(large)
        await writer.write(b"")
        writer.write(b" five")
        self.assertEqual(await reader.read_bytes(19), b"one two three four ")
        self.assertEqual(await reader.read_bytes(len(large)), large)
        self.assertEqual(await reader.read_bytes(5), b" five")

    async def test_limit_is_for_slow_peers(self) -> None:
        """``max_write_buffer_size`` is not about bytes that we held back ourselves."""
        reader, writer = await self.pair(max_write_buffer_size=10 * KB)
        for _ in range(20):
            writer.write(b"x" * (4 * KB))
        self.assertEqual(len(await reader.read_bytes(80 * KB)), 80 * KB)

    async def test_error_shows(self) -> None:
        """An error that gathered bytes meet closes the stream, with it as the reason."""
        _, writer = await self.pair()
        closed = self.io_loop.asyncio_loop.create_future()
        writer.set_close_callback(lambda: closed.set_result(None))
        writer.write(b"first")
        error = BrokenPipeError("gone")
        Sends(self, writer.transport).answer = error
        writer.write(b"second")
        await closed
        self.assertIs(writer.error, error)
        with self.assertRaises(StreamClosedError) as caught:
            writer.write(b"third")
        self.assertIs(caught.exception.real_error, error)

    async def test_error_shows_in_a_write(self) -> None:
        """When a later write meets the error, it is that one which fails."""
        _, writer = await self.pair()
        writer.write(b"first")
        for _ in range(4):
            writer.write(b"x" * (60 * KB))
        error = BrokenPipeError("gone")
        Sends(self, writer.transport).answer = error
        with self.assertRaises(StreamClosedError) as caught:
            await writer.write(b"x" * (60 * KB))
        self.assertIs(caught.exception.real_error, error)

    async def test_closing_sends_them(self) -> None:
        """What was gathered is sent when the stream is closed in the same turn."""
        reader, writer = await self.pair()
        for _ in range(10):
            writer.write(b"x" * 100)
        writer.close()
        self.assertEqual(await reader.read_until_close(), b"x" * 1000)

    async def test_closing_delivers_them_to_a_slow_peer(self) -> None:
        """What a write took is delivered although the transport was full at the close."""
        reader, writer = await self.pair()
        reader.pause_reading()
        done = 0
        while True:
            future = writer.write(b"x" * (7 * KB))
            if not future.done():
                break
            done += 7 * KB
        writer.close()
        received = await reader.read_until_close()
        self.assertGreaterEqual(len(received), done)
        with self.assertRaises(StreamClosedError):
            await future


class BulkTests(StreamTestCase):
    async def connected(self) -> Any:
        reader, writer = await self.pair()
        writer.set_close_callback(lambda: None)  # which needs a transport
        return reader, writer

    async def test_bulk(self) -> None:
        """After 64 KiB in one go, what follows goes out in pieces of 112 KiB."""
        reader, writer = await self.connected()
        sends = Sends(self, writer.transport)
        for _ in range(8 + 2 * 14 + 1):
            self.assertTrue(writer.write(b"x" * (8 * KB)).done())
        self.assertEqual(sends.sizes, [8 * KB] * 8 + [112 * KB] * 2)
        self.assertEqual(len(await reader.read_bytes(37 * 8 * KB)), 37 * 8 * KB)
        self.assertEqual(sends.sizes[10:], [8 * KB])

    async def test_a_large_write_that_waits(self) -> None:
        """What waits of a large write is offered to the transport in one piece, not copied."""
        reader, writer = await self.connected()
        sends = Sends(self, writer.transport)
        sends.answer = 0
        data = os.urandom(1 << 20)
        written = writer.write(data)
        sends.answer = None
        self.assertEqual(await reader.read_bytes(1 << 20), data)
        await written
        self.assertEqual(sends.sizes[0], 1 << 20)

    async def test_a_few_writes(self) -> None:
        """As long as it is not much, each write goes out at once."""
        _, writer = await self.connected()
        sends = Sends(self, writer.transport)
        for _ in range(60):
            writer.write(b"x" * KB)
        self.assertEqual(sends.sizes, [KB] * 60)
        self.assertFalse(writer.writing())

    async def test_reading_ends_a_burst(self) -> None:
        """Who reads between his writes is never kept waiting."""
        reader, writer = await self.connected()
        sends = Sends(self, writer.transport)
        for _ in range(4):
            await writer.write(b"x" * (40 * KB))
            answer = writer.read_bytes(1)
            await reader.read_bytes(40 * KB)
            await reader.write(b"!")
            await answer
        self.assertEqual(sends.sizes, [40 * KB] * 4)

    async def test_closing_sends_what_is_left(self) -> None:
        """A stream that is closed in the middle of a burst has sent all that it took."""
        reader, writer = await self.connected()
        for _ in range(25):
            writer.write(b"x" * (8 * KB))
        writer.close()
        self.assertEqual(len(await reader.read_until_close()), 25 * 8 * KB)


class PipelineTests(StreamTestCase):
    """Answers to many questions that came at once."""

    async def asked(self, count: int, **options: Any) -> Any:
        """Two streams, the second of which has so many questions in its buffer."""
        reader, writer = await self.pair(**options)
        await reader.write(b"question " * (count + 1))
        self.assertEqual(await writer.read_until(b" "), b"question ")
        return reader, writer, Sends(self, writer.transport)

    async def test_answers_go_together(self) -> None:
        """The answers go out in one piece, when the turn ends in which the last one was given."""
        reader, writer, sends = await self.asked(10)
        for number in range(10):
            self.assertTrue(writer.write(b"answer%d " % number).done())
            self.assertEqual(sends.sizes, [])
            await writer.read_until(b" ")
        self.assertTrue(writer.write(b"answer!").done())
        self.assertEqual(sends.sizes, [])
        await writer.drained()
        self.assertEqual(sends.sizes, [87])
        self.assertFalse(writer.writing())
        expected = b"".join(b"answer%d " % number for number in range(10)) + b"answer!"
        self.assertEqual(await reader.read_bytes(87), expected)

    async def test_all_kinds_of_bytes(self) -> None:
        """What is gathered may have any form, and change afterwards; text is refused."""
        reader, writer, sends = await self.asked(10)
        changing = bytearray(b"two ")
        await writer.write(b"one ")
        await writer.write(changing)
        await writer.write(memoryview(changing))
        changing[:] = b"xxxx"
        await writer.write(memoryview(bytes(8)).cast("L"))
        await writer.write(memoryview(b"t_w_o_")[::2])
        for wrong in ("text", 5, None, [b"x"]):
            self.assertRaises(TypeError, writer.write, wrong)
        await writer.write(b"")
        self.assertEqual(sends.sizes, [])
        await writer.drained()
        self.assertEqual(await reader.read_bytes(23), b"one two two " + bytes(8) + b"two")

    async def test_large_answers_are_in_order(self) -> None:
        """A large answer follows those that were gathered before it."""
        reader, writer, _ = await self.asked(3)
        large = os.urandom(300 * KB)
        writer.write(b"one ")
        writer.write(large)
        writer.write(b" three")
        self.assertEqual(await reader.read_bytes(4 + len(large) + 6), b"one " + large + b" three")

    async def test_empty_answers(self) -> None:
        """Answers of no bytes are done at once, wherever they come, and nothing is sent for them."""
        reader, writer, sends = await self.asked(3)
        self.assertTrue(writer.write(b"").done())
        await self.turn()
        self.assertEqual(sends.sizes, [])
        for answer in (b"", b"one ", b"", b"two"):
            self.assertTrue(writer.write(answer).done())
        await writer.drained()
        self.assertEqual(sends.sizes, [7])
        self.assertEqual(await reader.read_bytes(7), b"one two")

    async def test_answers_while_a_file_is_sent(self) -> None:
        """What is gathered while a file goes out comes after the file."""
        with open(self.mktemp(), "w+b") as file:
            file.write(b"f" * (300 * KB))
            file.flush()
            reader, writer, _ = await self.asked(3)
            writer.write(b"before ")
            sent = writer.send_file(file)
            while not writer._transfer and not sent.done():
                await asyncio.sleep(0)
            for _ in range(3):
                writer.write(b" after")
            self.assertEqual(
                await reader.read_bytes(7 + 300 * KB + 18),
                b"before " + b"f" * (300 * KB) + b" after" * 3,
            )
            await sent

    async def test_sent_in_part(self) -> None:
        """What the transport does not take of gathered answers waits for it, and is not lost."""
        reader, writer, sends = await self.asked(3)
        writer.write(b"a" * KB)
        writer.write(b"b" * KB)
        whole, sends.send = sends.send, lambda data: whole(bytes(data[:100]))
        drained = writer.drained()
        await self.turn()
        sends.send = whole
        await drained
        self.assertFalse(writer.writing())
        self.assertEqual(await reader.read_bytes(2 * KB), b"a" * KB + b"b" * KB)

    async def test_nothing_is_gathered_for_a_slow_peer(self) -> None:
        """When the transport takes no more, a write is not done before its bytes are gone."""
        reader, writer, sends = await self.asked(3)
        self.assertTrue(writer.write(b"first ").done())
        sends.answer = 0
        second = writer.write(b"x" * (100 * KB))
        third = writer.write(b"third")
        self.assertFalse(second.done() or third.done())
        sends.answer = None
        self.assertEqual(
            await reader.read_bytes(6 + 100 * KB + 5), b"first " + b"x" * (100 * KB) + b"third"
        )
        await third

    async def test_error_shows(self) -> None:
        """An error that gathered answers meet closes the stream, with it as the reason."""
        _, writer, sends = await self.asked(3)
        writer.write(b"answer")
        sends.answer = error = BrokenPipeError("gone")
        with self.assertRaises(StreamClosedError) as caught:
            await writer.drained()
        self.assertIs(caught.exception.real_error, error)
        with self.assertRaises(StreamClosedError) as caught:
            writer.write(b"answer")
        self.assertIs(caught.exception.real_error, error)

    async def test_limit(self) -> None:
        """``max_write_buffer_size`` counts what the peer is slow to take, not what we gather."""
        reader, writer, _ = await self.asked(3, max_write_buffer_size=10 * KB)
        for _ in range(20):
            writer.write(b"x" * (4 * KB))
        self.assertEqual(len(await reader.read_bytes(80 * KB)), 80 * KB)

    async def turn(self) -> None:
        future = self.io_loop.asyncio_loop.create_future()
        self.io_loop.add_callback(future.set_result, None)
        await future


class TLSPipelineTests(TLSPair, PipelineTests):
    pass


class PipelineClosingTests(StreamTestCase):
    async def test_closing_delivers_to_a_slow_peer(self) -> None:
        """Gathered answers are delivered although the transport was full at the close."""
        reader, writer = await self.pair()
        reader.pause_reading()
        await reader.write(b"question question ")
        await writer.read_until(b" ")
        sends = Sends(self, writer.transport)
        writer.write(b"a" * KB)
        sends.answer = 0
        self.assertEqual(sends.sizes, [])
        self.io_loop.asyncio_loop.call_soon(setattr, sends, "answer", None)
        writer.close()
        self.assertEqual(await reader.read_until_close(), b"a" * KB)
        self.assertEqual(sends.sizes, [KB])


class PipeClosingTests(PipePair, StreamTestCase):
    async def test_closing_drops_what_waits(self) -> None:
        """A write that is not done when the stream is closed fails, and frees the pipe."""
        reader, writer = await self.pair()
        future = writer.write(b"x" * (1 << 20))
        writer.close()
        with self.assertRaises(StreamClosedError):
            await future
        self.assertLess(len(await reader.read_until_close()), 1 << 20)
