"""The older forms of calls."""

from __future__ import annotations

import asyncio
from typing import Any

from txtornado.auth import AuthError
from txtornado.auth._callbacks import answer, callback_at, redirecting
from txtornado.httpclient import HTTPClientError
from txtornado.locks import Event
from txtornado.stack_context import ExceptionStackContext
from txtornado.testing import ReactorTestCase


@callback_at(2)
def method(
    self: Any, first: Any, second: Any = None, third: Any = None, callback: Any = None
) -> Any:
    return first, second, third, callback


async def failing(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


class PlaceTests(ReactorTestCase):
    def test_place(self) -> None:
        """A function in the callback's old place is the callback; what follows moves up."""
        self.assertEqual(method(self, 1, print, 2, 3), (1, 2, 3, print))
        self.assertEqual(method(self, 1, print, second=2), (1, 2, None, print))
        self.assertEqual(method(self, 1, 2, 3), (1, 2, 3, None))
        self.assertEqual(method(self, 1, 2, callback=print), (1, 2, None, print))
        self.assertEqual(method(self, 1, None, print), (1, None, print, None))


class AnswerTests(ReactorTestCase):
    async def called_with(self, error: Exception | None, result: Any = None) -> list[Any]:
        done, got = Event(), []

        async def work() -> Any:
            if error is not None:
                raise error
            return result

        def callback(found: Any) -> None:
            got.append(found)
            done.set()

        future = answer(work(), callback)
        await done.wait()
        if error is None:
            self.assertEqual(await future, result)
        else:
            with self.assertRaises(type(error)):
                await future
        return got

    async def test_result(self) -> None:
        """The callback gets the result, always as one argument; the Future has it, too."""
        self.assertEqual(await self.called_with(None, {"name": "ann"}), [{"name": "ann"}])
        self.assertEqual(await self.called_with(None), [None])

    async def test_failure(self) -> None:
        """Failed logins and requests are None for the callback, and a warning."""
        for error in (AuthError("why"), HTTPClientError(404), OSError("gone")):
            with self.assertLogs("tornado.general", "WARNING") as logs:
                self.assertEqual(await self.called_with(error), [None])
            self.assertIn(str(error), logs.output[0])

    async def test_bug(self) -> None:
        """Other errors go where the caller's stack context takes them."""
        taken, done = [], Event()

        def take(typ: Any, value: Any, tb: Any) -> bool:
            taken.append(value)
            done.set()
            return True

        error = KeyError("bug")
        with ExceptionStackContext(take):
            answer(failing(error), self.fail).add_done_callback(lambda future: future.exception())
        await done.wait()
        self.assertEqual(taken, [error])


class RedirectTests(ReactorTestCase):
    async def test_unwatched(self) -> None:
        """An error that nobody waits for is raised in the stack context of the call."""
        taken, done = [], Event()

        def take(typ: Any, value: Any, tb: Any) -> bool:
            taken.append(value)
            done.set()
            return True

        error = AuthError("why")
        with ExceptionStackContext(take):
            redirecting(failing(error))
        await done.wait()
        self.assertEqual(taken, [error])

    async def test_watched(self) -> None:
        """An error that somebody waits for is his alone."""

        def take(typ: Any, value: Any, tb: Any) -> bool:
            raise AssertionError("taken twice")

        with ExceptionStackContext(take):
            future = redirecting(failing(AuthError("why")))
        with self.assertRaises(AuthError):
            await future

    async def test_callback(self) -> None:
        """A callback is called without arguments when the redirect is made."""
        done = Event()
        await redirecting(asyncio.sleep(0), done.set)
        await done.wait()

    async def test_cancelled(self) -> None:
        """Who cancels the Future cancels the work."""
        ended = Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        future = redirecting(work())
        await asyncio.sleep(0)
        future.cancel()
        await ended.wait()
        self.assertTrue(future.cancelled())
