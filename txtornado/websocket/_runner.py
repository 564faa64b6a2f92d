"""Running many short coroutines one after the other, with one task for all of them.

A task for each message costs more than all the rest of a small message: the task itself, a turn
of the loop before it begins and another before its end is known.  But most coroutines of
handlers end without ever having to wait, so `CoroutineRunner` runs their first step right where
they are called.  The step runs *in* a task all the same (`asyncio.current_task`, `asyncio.timeout`
and whatever else asks for the task find one), a task that stays with the connection: when the
coroutine does have to wait, that task takes it over and sees it through.  Deferreds can be awaited
as everywhere.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import Future, Task
from asyncio.tasks import _enter_task, _leave_task  # asyncio's API for such purposes
from collections.abc import Callable, Generator
from types import coroutine
from typing import Any

from twisted.internet.defer import Deferred

from txtornado.gen.convert import _fired as fired

__all__ = ["CoroutineRunner"]


class CoroutineRunner:
    """Runs coroutines, one at a time, in a task of ``loop``."""

    __slots__ = ("_context", "_coroutine", "_done", "_first", "_loop", "_task", "_wake")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context = contextvars.copy_context()
        self._task: Task[None] | None = None
        self._wake: Future[None] | None = None
        self._coroutine: Any = None
        self._first: Any = None
        self._done: Callable[[BaseException | None, bool], None] | None = None

    def run(self, coro: Any, done: Callable[[BaseException | None, bool], None]) -> bool:
        """Begin with ``coro``.

        Args:
            coro: a coroutine object.
            done: called when it ends later, with what it raised or None, and whether that is
                because its task was cancelled.

        Returns:
            True when it has ended already.

        Raises:
            Exception: what it raised at once.
        """
        task = self._task
        if task is None or task.done():
            task = self._start()
        loop = self._loop
        outer = asyncio.current_task(loop)
        if outer is not None:
            _leave_task(loop, outer)
        _enter_task(loop, task)
        try:
            self._first = self._context.run(coro.send, None)
        except StopIteration:
            return True
        finally:
            _leave_task(loop, task)
            if outer is not None:
                _enter_task(loop, outer)
        self._coroutine, self._done = coro, done
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        return False

    def close(self) -> None:
        """No more coroutines are to come; the one that runs is left alone."""
        task, self._task = self._task, None
        if task is not None and self._coroutine is None:
            task.cancel()

    def _start(self) -> Task[None]:
        task = Task(self._drive(), loop=self._loop, context=self._context)
        # To end a program with open connections is no mistake of the application's.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._task = task
        return task

    async def _drive(self) -> None:
        """The task: see coroutines through that have to wait."""
        task = asyncio.current_task()
        assert task is not None
        ended = False
        while not ended:
            interrupted = False
            if self._coroutine is None:
                self._wake = self._loop.create_future()
                try:
                    await self._wake
                except asyncio.CancelledError:
                    if self._coroutine is None:
                        raise
                    interrupted = True
            ended = await self._finish(task, interrupted) or self._task is not task

    async def _finish(self, task: Task[None], interrupted: bool) -> bool:
        """The rest of the present coroutine; True when the task was cancelled."""
        coro, first, done = self._coroutine, self._first, self._done
        assert done is not None
        error: BaseException | None = None
        try:
            await _rest(coro, first, interrupted)
        except (Exception, asyncio.CancelledError) as e:
            error = e
        self._coroutine = self._first = self._done = self._wake = None
        cancelled = isinstance(error, asyncio.CancelledError) and task.cancelling() > 0
        # Not from here: what follows may well be the next coroutine's first step.
        self._loop.call_soon(done, error, cancelled)
        return cancelled


@coroutine
def _rest(coro: Any, yielded: Any, cancelled: bool) -> Generator[Any, Any, Any]:
    """What is left of ``coro`` after its first step, which yielded ``yielded``."""
    try:
        if cancelled:
            if isinstance(yielded, (Future, Deferred)):
                yielded.cancel()
            yielded = coro.throw(asyncio.CancelledError())
        while True:
            try:
                if isinstance(yielded, Deferred):
                    yield from fired(yielded)
                else:
                    yield yielded
            except GeneratorExit:
                coro.close()
                raise
            except BaseException as error:
                yielded = coro.throw(error)
            else:
                yielded = coro.send(None)
    except StopIteration as stop:
        return stop.value
