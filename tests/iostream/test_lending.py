"""Tests for streams that gather small pieces, and lend their sockets."""

from __future__ import annotations

import errno
from typing import Any

from tests.iostream.support import StreamTestCase, TLSPair, server_context
from txtornado.iostream import StreamBufferFullError, StreamClosedError, _lending
from txtornado.iostream._turn import Turn

MB = 1 << 20


class Borrower:
    _outlet: Any = None


class LendingTestCase(StreamTestCase):
    async def started(self, **options: Any) -> tuple[Any, Any]:
        """A reader and a writer that have begun to talk."""
        reader, writer = await self.pair(**options)
        await writer.write(b".")
        await reader.read_bytes(1)
        return reader, writer


class LendingTests(LendingTestCase):
    async def lent(self, **options: Any) -> tuple[Any, Any, Borrower]:
        reader, writer = await self.started(**options)
        borrower = Borrower()
        self.assertTrue(writer.lend(borrower))
        return reader, writer, borrower

    async def test_what_is_lent(self) -> None:
        """The outlet is the stream's own socket, and stays lent while everything is taken."""
        reader, writer, borrower = await self.lent()
        self.assertIs(borrower._outlet, writer.socket)
        borrower._outlet.send(b"one ")
        writer.send(b"two ")
        await writer.write(b"three")
        self.assertEqual(await reader.read_bytes(13), b"one two three")
        self.assertIs(borrower._outlet, writer.socket)

    async def test_queue(self) -> None:
        """The loan ends when something is queued; what was not sent comes first then."""
        reader, writer, borrower = await self.lent()
        data = bytes(range(256)) * (64 * 1024)
        taken = borrower._outlet.send(data)
        self.assertLess(taken, len(data))
        self.assertFalse(writer.unsent(data, taken))
        self.assertIsNone(borrower._outlet)
        self.assertFalse(writer.lend(borrower))
        self.assertFalse(writer.send(b"next"))
        self.assertEqual(await reader.read_bytes(len(data) + 4), data + b"next")
        await writer.drained()
        self.assertTrue(writer.lend(borrower))

    async def test_write_ends_it_too(self) -> None:
        """The loan ends no matter which way it is that something is queued."""
        reader, writer, borrower = await self.lent()
        written = writer.write(b"x" * (16 * MB))
        self.assertFalse(written.done())
        self.assertIsNone(borrower._outlet)
        await reader.read_bytes(16 * MB)
        await written

    async def test_socket_that_takes_nothing(self) -> None:
        """An error that only says "later" queues everything."""
        reader, writer, borrower = await self.lent()
        self.assertFalse(writer.unsent(b"data", BlockingIOError(errno.EAGAIN, "later")))
        self.assertIsNone(borrower._outlet)
        self.assertEqual(await reader.read_bytes(4), b"data")

    async def test_error(self) -> None:
        """Another error closes the stream, which remembers it, and ends the loan."""
        _, writer, borrower = await self.lent()
        error = ConnectionResetError(errno.ECONNRESET, "reset")
        failed = self.assertRaises(StreamClosedError, writer.unsent, b"data", error)
        self.assertIs(failed.real_error, error)
        self.assertTrue(writer.closed())
        self.assertIsNone(borrower._outlet)
        self.assertFalse(writer.lend(borrower))

    async def test_the_end(self) -> None:
        """The loan ends when the stream is closed, by either side, and when it goes over to TLS."""
        for ending in ("close", "peer", "tls"):
            reader, writer, borrower = await self.lent()
            if ending == "close":
                writer.close()
            elif ending == "peer":
                reader.close()
                with self.assertRaises(StreamClosedError):
                    await writer.read_bytes(1)
            else:
                handshake = writer.start_tls(True, server_context())
                handshake.cancel()
            self.assertIsNone(borrower._outlet, ending)

    async def test_limit(self) -> None:
        """A stream with a limit lends nothing, and tells whether there is room."""
        _, writer = await self.started(max_write_buffer_size=MB)
        self.assertFalse(writer.lend(Borrower()))
        writer.check_room(MB)
        self.assertRaises(StreamBufferFullError, writer.check_room, MB + 1)

    async def test_other_transports(self) -> None:
        """What is no plain socket is not lent."""
        stream, transport = self.memory_stream()
        self.assertFalse(stream.lend(Borrower()))
        self.assertTrue(stream.gather(b"data"))
        self.assertEqual(transport.value(), b"data")


class GatherTests(LendingTestCase):
    async def test_one_turn(self) -> None:
        """What is gathered goes out when the turn ends, and not before."""
        reader, writer = await self.started()
        sizes: list[int] = []
        send = writer.transport.writeSomeData
        self.patch(
            writer.transport, "writeSomeData", lambda data: sizes.append(len(data)) or send(data)
        )
        for _ in range(5):
            self.assertTrue(writer.gather(b"12"))
        self.assertEqual(sizes, [])
        Turn.of(self.io_loop.asyncio_loop).end()
        self.assertEqual(await reader.read_bytes(10), b"12" * 5)
        self.assertEqual(sizes, [10])

    async def test_order(self) -> None:
        """What is written in another way goes after what was gathered."""
        reader, writer = await self.started()
        writer.gather(b"a")
        self.assertTrue(writer.send(b"b"))
        writer.gather(b"c")
        await writer.write(b"d")
        writer.gather(b"e")
        writer.close()
        self.assertEqual(await reader.read_until_close(), b"abcde")

    async def test_large_pieces(self) -> None:
        """A piece that is not small goes the ordinary way."""
        reader, writer = await self.started()
        writer.gather(b"a")
        self.assertFalse(writer.gather(b"b" * (16 * MB)))
        self.assertFalse(writer.gather(b"c"))
        self.assertEqual(await reader.read_bytes(16 * MB + 2), b"a" + b"b" * (16 * MB) + b"c")

    async def test_closed(self) -> None:
        """Nothing is gathered for a stream that is closed."""
        _, writer = await self.pair()
        writer.close()
        self.assertRaises(StreamClosedError, writer.gather, b"data")


class TLSLendingTests(TLSPair, StreamTestCase):
    async def test_tls(self) -> None:
        """The socket below TLS is not lent, and pieces are gathered all the same."""
        reader, writer = await self.pair()
        borrower = Borrower()
        self.assertFalse(writer.lend(borrower))
        self.assertIsNone(borrower._outlet)
        for piece in (b"a", b"b", b"c"):
            self.assertTrue(writer.gather(piece))
        self.assertEqual(await reader.read_bytes(3), b"abc")


class PartsTests(LendingTestCase):
    async def sends(self) -> tuple[Any, Any, list[int]]:
        """A reader, a writer, and the sizes of what that one's transport is given."""
        reader, writer = await self.started()
        sizes: list[int] = []
        send = writer.transport.writeSomeData

        def note(data: Any) -> Any:
            sizes.append(len(data))
            return send(data)

        self.patch(writer.transport, "writeSomeData", note)
        self.now = 0.0
        self.patch(_lending, "monotonic", lambda: self.now)
        return reader, writer, sizes

    async def turn(self) -> None:
        future = self.io_loop.asyncio_loop.create_future()
        self.io_loop.add_callback(future.set_result, None)
        await future

    async def test_many_parts(self) -> None:
        """Three parts of a turn go out at once, those that follow together at its end."""
        reader, writer, sizes = await self.sends()
        for _ in range(10):
            self.assertTrue(writer.send_part(b"x" * 100))
        self.assertEqual(sizes, [100] * 3)
        await self.turn()
        self.assertEqual(sizes, [100] * 3 + [700])
        self.assertTrue(writer.send_part(b"x" * 100))
        self.assertEqual(sizes, [100] * 3 + [700, 100])
        self.assertEqual(await reader.read_bytes(1100), b"x" * 1100)

    async def test_pause(self) -> None:
        """A part that comes a while after the last is on its way at once, with what waits."""
        reader, writer, sizes = await self.sends()
        for _ in range(6):
            writer.send_part(b"x" * 100)
        for _ in range(3):
            self.now += 1
            writer.send_part(b"y" * 100)
        self.assertEqual(sizes, [100] * 3 + [400, 100, 100])
        self.assertFalse(writer.writing())
        self.assertEqual(await reader.read_bytes(900), b"x" * 600 + b"y" * 300)

    async def test_the_last_one(self) -> None:
        """Whoever has written his last sends it along with what waits."""
        reader, writer, sizes = await self.sends()
        for _ in range(6):
            writer.send_part(b"x" * 100)
        writer.send(b"end")
        self.assertEqual(sizes, [100] * 3 + [303])
        self.assertEqual(await reader.read_bytes(603), b"x" * 600 + b"end")

    async def test_closing(self) -> None:
        """Closing the stream sends what waits; a closed one takes nothing."""
        reader, writer, _ = await self.sends()
        for _ in range(6):
            writer.send_part(b"x" * 100)
        writer.close()
        self.assertEqual(await reader.read_until_close(), b"x" * 600)
        for _ in range(6):
            self.assertRaises(StreamClosedError, writer.send_part, b"more")
