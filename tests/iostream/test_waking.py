"""Tests for waking a reader without a detour through the loop."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from tests.iostream.support import StreamTestCase, TLSPair
from txtornado.iostream import StreamClosedError
from txtornado.iostream._waking import wake

_variable: contextvars.ContextVar[str] = contextvars.ContextVar("_variable", default="outside")


class WakeTests(StreamTestCase):
    def future(self) -> asyncio.Future[Any]:
        return self.io_loop.asyncio_loop.create_future()

    async def on_top(self, function: Any, *args: Any) -> None:
        """Call it where no task runs."""
        done = self.future()

        def call() -> None:
            try:
                function(*args)
            except BaseException as e:
                done.set_exception(e)
            else:
                done.set_result(None)

        self.io_loop.asyncio_loop.call_soon(call)
        await done

    async def test_task_goes_on_at_once(self) -> None:
        """A task that waits has done its step when `wake` returns, in its own context."""
        future, steps = self.future(), []

        async def waiting() -> None:
            _variable.set("inside")
            steps.append(await future)
            steps.append(_variable.get())

        task = self.io_loop.asyncio_loop.create_task(waiting())
        await self.on_top(lambda: None)

        def resolve() -> None:
            wake(future, "result")
            self.assertEqual(steps, ["result", "inside"])
            self.assertEqual(_variable.get(), "outside")

        await self.on_top(resolve)
        await task

    async def test_error_stays_with_the_task(self) -> None:
        """What the task raises is the task's, and not the problem of who woke it."""
        future = self.future()

        async def failing() -> None:
            await future
            raise KeyError("k")

        task = self.io_loop.asyncio_loop.create_task(failing())
        await self.on_top(lambda: None)
        await self.on_top(wake, future, None)
        with self.assertRaises(KeyError):
            await task

    async def test_others_are_told_in_the_next_turn(self) -> None:
        """Callbacks, and tasks that do not wait alone, come in the order that asyncio has."""
        future, steps = self.future(), []

        async def waiting(name: str) -> None:
            await future
            steps.append(name)

        loop = self.io_loop.asyncio_loop
        tasks = [loop.create_task(waiting(name)) for name in ("first", "second")]
        await self.on_top(lambda: None)
        future.add_done_callback(lambda _: steps.append("callback"))

        def resolve() -> None:
            wake(future, None)
            self.assertEqual(steps, [])

        await self.on_top(resolve)
        await asyncio.gather(*tasks)
        self.assertEqual(steps, ["first", "second", "callback"])

    async def test_nobody_waits_yet(self) -> None:
        """A Future that nobody awaits is just resolved."""
        future = self.future()
        wake(future, 1)
        self.assertEqual(await future, 1)

    async def test_stranger(self) -> None:
        """A Future without asyncio's inner parts is just resolved."""

        class Stranger:
            def set_result(self, result: Any) -> None:
                self.result = result

        stranger: Any = Stranger()
        wake(stranger, 5)
        self.assertEqual(stranger.result, 5)


class ReaderTests(StreamTestCase):
    async def test_closing_and_reading_on(self) -> None:
        """A reader may read, write and close as he likes when he is woken."""
        server, client = await self.pair()

        async def serve() -> list[bytes]:
            lines = []
            while (line := await server.read_until(b"\n")) != b"end\n":
                lines.append(line)
                await server.write(line.upper())
            server.close()
            return lines

        task = self.io_loop.asyncio_loop.create_task(serve())
        for line in (b"one\n", b"two\nthree\n", b"four\n"):
            await client.write(line)
            self.assertEqual(await client.read_bytes(len(line)), line.upper())
        await client.write(b"five\nend\nrest")
        self.assertEqual(await client.read_until_close(), b"FIVE\n")
        self.assertEqual(await task, [b"one\n", b"two\n", b"three\n", b"four\n", b"five\n"])
        self.assertTrue(server.closed())

    async def test_cancelled_reader(self) -> None:
        """A reader who is cancelled leaves the bytes to the next one."""
        server, client = await self.pair()

        async def read() -> bytes:
            return await server.read_until(b"\n")

        loop = self.io_loop.asyncio_loop
        first = loop.create_task(read())
        await client.write(b"half")
        first.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await first
        await client.write(b" and half\n")
        self.assertEqual(await loop.create_task(read()), b"half and half\n")

    async def test_streams_that_talk_to_each_other(self) -> None:
        """Two coroutines that wake each other through a connection come to an end."""
        server, client = await self.pair()

        async def count(stream: Any, start: bytes | None) -> int:
            if start is not None:
                await stream.write(start)
            try:
                while True:
                    number = int(await stream.read_until(b"\n"))
                    if number == 1000:
                        stream.close()
                        return number
                    await stream.write(b"%d\n" % (number + 1))
            except StreamClosedError:
                return -1

        results = await asyncio.gather(count(server, None), count(client, b"1\n"))
        self.assertEqual(sorted(results), [-1, 1000])


class TLSReaderTests(TLSPair, ReaderTests):
    pass
