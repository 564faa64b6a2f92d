"""Tests for native coroutines, which `txtornado.gen` turns into tasks."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

from twisted.internet import defer

from txtornado import gen, stack_context
from txtornado.testing import ReactorTestCase


class Boom(Exception):
    """What the tests raise."""


class NativeTests(ReactorTestCase):
    """Native coroutines that are yielded, with Deferreds below, and their end before time."""

    async def test_await_deferred(self) -> None:
        """A native coroutine that a coroutine yields can await Deferreds, however deep."""

        async def deep(deferred: Any) -> Any:
            return await deferred

        async def native() -> Any:
            later: defer.Deferred[int] = defer.Deferred()
            self.io_loop.add_callback(later.callback, 2)
            first = await deep(defer.succeed(1))
            second = await deep(later)
            try:
                await deep(defer.fail(Boom()))
            except Boom:
                return first, second

        @gen.coroutine
        def work() -> Any:
            return (yield native())

        self.assertEqual(await work(), (1, 2))

    async def cancel_while_awaiting(self, deferred: defer.Deferred[None]) -> None:
        async def native(deferred: defer.Deferred[None]) -> None:
            await deferred

        task = gen.convert_yielded(native(deferred))
        await asyncio.sleep(0)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)  # until now the loop itself holds the error, and by it all the rest

    async def test_cancel(self) -> None:
        """Cancelling it cancels the Deferred that it awaits, which is no news for the log."""
        seen: list[Any] = []
        await self.cancel_while_awaiting(defer.Deferred(seen.append))
        self.assertIsInstance(seen.pop(), defer.Deferred)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_error_of_cancelled(self) -> None:
        """What else the Deferred fails with when it is cancelled is logged: nobody is told."""

        def cancel(deferred: defer.Deferred[None]) -> None:
            deferred.errback(Boom())

        await self.cancel_while_awaiting(defer.Deferred(cancel))
        gc.collect()
        (logged,) = self.flushLoggedErrors()
        logged.trap(Boom)

    async def check_cancelled_at_once(self) -> None:
        ran: list[bool] = []

        async def native() -> None:
            ran.append(True)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            task = gen.convert_yielded(native())
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            del task
            await asyncio.sleep(0)
            gc.collect()
        self.assertEqual([str(warning.message) for warning in caught], [])
        self.assertEqual(ran, [])

    async def test_cancelled_at_once(self) -> None:
        """One whose task is cancelled at once never begins, and Python does not complain of it."""
        await self.check_cancelled_at_once()

    async def test_cancelled_at_once_in_context(self) -> None:
        """So it is in a stack context."""

        class Context:
            def __enter__(self) -> None: ...

            def __exit__(self, *args: Any) -> None: ...

        with stack_context.StackContext(Context):
            await self.check_cancelled_at_once()
