"""Tests for files that are sent through streams."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import IO, Any

from tests.iostream.support import StreamTestCase, TLSPair, UnixPair
from txtornado.iostream import StreamClosedError

#: More than a socket takes in one go.
SIZE = 12 << 20


def refuse(*args: Any) -> Any:
    raise OSError(errno.EINVAL, "not for this file")


class SendFileTests(StreamTestCase):
    def file(self, content: bytes) -> IO[bytes]:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(content)
        file = open(path, "rb")  # noqa: SIM115
        self.addCleanup(file.close)
        return file

    async def test_whole_file(self) -> None:
        """A file arrives as it is, between what is written before and after it."""
        reader, writer = await self.pair()
        content = os.urandom(SIZE)
        writer.write(b"before ")
        sending = writer.send_file(self.file(content))
        received = await reader.read_bytes(7 + SIZE)
        await sending
        self.assertEqual(received, b"before " + content)
        self.assertFalse(writer.writing())
        await writer.write(b"after")
        self.assertEqual(await reader.read_bytes(5), b"after")

    async def test_part(self) -> None:
        """Offset and count say which part; the position of the file plays no part."""
        reader, writer = await self.pair()
        file = self.file(b"0123456789")
        file.read(9)
        await writer.send_file(file, 2, 5)
        await writer.send_file(file, 8)
        await writer.send_file(file, 3, 0)
        self.assertEqual(await reader.read_bytes(7), b"2345689")
        self.assertEqual(file.tell(), 9)

    async def test_not_in_memory(self) -> None:
        """What has to come from the disk is sent by another thread."""
        self.patch(os, "preadv", refuse)
        reader, writer = await self.pair()
        content = os.urandom(SIZE)
        sending = writer.send_file(self.file(content))
        self.assertEqual(await reader.read_bytes(SIZE), content)
        await sending

    async def test_system_cannot(self) -> None:
        """Where the system has no way to send a file it is read and written."""
        self.patch(os, "sendfile", refuse)
        reader, writer = await self.pair()
        content = os.urandom(SIZE)
        sending = writer.send_file(self.file(content), 1)
        self.assertEqual(await reader.read_bytes(SIZE - 1), content[1:])
        await sending
        await writer.write(b"!")
        self.assertEqual(await reader.read_bytes(1), b"!")

    async def test_progress(self) -> None:
        """A peer that does not read is told from one that is slow."""
        reader, writer = await self.pair()
        reader.pause_reading()
        sending = writer.send_file(self.file(bytes(SIZE)))
        await writer.io_loop.run_in_executor(None, os.getpid)
        while not writer.writing():
            await asyncio.sleep(0)
        before = writer.write_progress()
        await reader.read_bytes(SIZE // 2)
        while writer.write_progress() == before:
            await asyncio.sleep(0)
        self.assertFalse(sending.done())
        await reader.read_bytes(SIZE - SIZE // 2)
        await sending
        self.assertEqual(writer.write_progress(), SIZE)

    async def test_too_short(self) -> None:
        """A file with fewer bytes than were promised ends the stream."""
        reader, writer = await self.pair()
        with self.assertRaisesRegex(EOFError, "ended 3 bytes before"):
            await writer.send_file(self.file(b"12345"), 0, 8)
        self.assertIsInstance(writer.error, EOFError)
        self.assertEqual(await reader.read_until_close(), b"12345")

    async def test_no_part_of_a_file(self) -> None:
        """Negative numbers are refused, and the stream is as it was."""
        reader, writer = await self.pair()
        file = self.file(b"12345")
        for offset, count in ((-1, 2), (0, -1), (6, None)):
            with self.assertRaisesRegex(ValueError, "no part of a file"):
                await writer.send_file(file, offset, count)
        await writer.write(b"fine")
        self.assertEqual(await reader.read_bytes(4), b"fine")

    async def test_peer_leaves(self) -> None:
        """A peer that goes away in the middle is a closed stream, and no descriptor is left."""
        reader, writer = await self.pair()
        file = self.file(bytes(4 * SIZE))
        reader.pause_reading()
        before = len(os.listdir("/dev/fd"))
        sending = writer.send_file(file)
        while not writer.write_progress():
            await asyncio.sleep(0)
        reader.close()
        with self.assertRaises(StreamClosedError):
            await sending
        self.assertTrue(writer.closed())
        self.assertLess(len(os.listdir("/dev/fd")), before)

    async def test_closed_meanwhile(self) -> None:
        """Closing the stream ends it, and drops what was to come after the file."""
        reader, writer = await self.pair()
        reader.pause_reading()
        sending = writer.send_file(self.file(bytes(4 * SIZE)))
        while not writer.write_progress():
            await asyncio.sleep(0)
        after = writer.write(b"after")
        writer.close()
        for future in (sending, after):
            with self.assertRaises(StreamClosedError):
                await future

    async def test_cancelled(self) -> None:
        """Who gives it up in the middle has closed the stream: the peer waits for the rest."""
        self.patch(os, "preadv", refuse)
        reader, writer = await self.pair()
        reader.pause_reading()
        sending = writer.send_file(self.file(bytes(4 * SIZE)))
        while not writer.write_progress():
            await asyncio.sleep(0)
        sending.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await sending
        self.assertTrue(writer.closed())

    async def test_closed_stream(self) -> None:
        """A stream that is closed sends nothing."""
        _, writer = await self.pair()
        writer.close()
        with self.assertRaises(StreamClosedError):
            await writer.send_file(self.file(b"12345"))


class UnixSendFileTests(UnixPair, SendFileTests):
    pass


class TLSSendFileTests(TLSPair, StreamTestCase):
    file = SendFileTests.file
    test_whole_file = SendFileTests.test_whole_file
    test_part = SendFileTests.test_part
    test_too_short = SendFileTests.test_too_short
    test_no_part_of_a_file = SendFileTests.test_no_part_of_a_file
    test_closed_stream = SendFileTests.test_closed_stream
