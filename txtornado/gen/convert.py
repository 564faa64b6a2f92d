"""From anything that a coroutine may yield to the Future it waits for.

`convert_yielded` is the registry.  Native coroutines become asyncio tasks, driven through a thin
shell of ours for two reasons: so that they can ``await`` a Deferred anywhere below, which an
asyncio task would refuse, and so that the stack contexts they were started under are entered
around each of their steps.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import sys
from asyncio import Future
from collections.abc import Awaitable, Callable, Coroutine, Generator
from inspect import isawaitable
from types import coroutine as awaitable_generator
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txtornado.concurrent import current_loop, future_of_concurrent, future_of_deferred, new_future
from txtornado.gen.errors import BadYieldError
from txtornado.stack_context import active_chain, run_inside

__all__ = ["RunnerYieldable", "convert_yielded", "moment", "start_coroutine"]

_T = TypeVar("_T")

#: Until Python 3.12 asyncio had it that a generator may be a coroutine.
_TASKS_TAKE_GENERATORS = sys.version_info < (3, 12)


class _Moment:
    """What `moment` is: nothing to wait for, but the loop gets a turn."""

    def done(self) -> bool:
        return True

    def result(self) -> None:
        return None

    def exception(self) -> None:
        return None

    def cancelled(self) -> bool:
        return False

    def add_done_callback(self, callback: Callable[[Any], Any], *, context: Any = None) -> None:
        current_loop().call_soon(callback, self, context=context)

    def __await__(self) -> Generator[None, None, None]:
        yield

    def __repr__(self) -> str:
        return "<txtornado.gen.moment>"


moment = _Moment()
"""Yield it to let the loop run once before the coroutine goes on (Tornado 4.0).

``yield None`` is the same since Tornado 4.5.  In native coroutines: ``await asyncio.sleep(0)``.
"""


class RunnerYieldable:
    """A yieldable that has to know which coroutine yields it (the `YieldPoint` of Tornado 2)."""

    def future_in(self, runner: Any) -> Future[Any]:
        """The Future that ``runner`` is to wait for."""
        raise NotImplementedError


@functools.singledispatch
def convert_yielded(yielded: Any) -> Any:
    """A Future (or `moment`) for an object that was yielded (Tornado 4.1).

    Teach it a type of your own with ``@convert_yielded.register(YourType)``: the function gets
    the object and returns a Future.  Deferreds are known without further ado.

    Raises:
        BadYieldError: there is nothing to wait for.
    """
    if yielded is None or yielded is moment:
        return moment
    if isawaitable(yielded):
        return _start_awaitable(yielded)
    raise BadYieldError(f"yielded unknown object {yielded!r}")


@convert_yielded.register
def _(yielded: Future) -> Future[Any]:  # type: ignore[type-arg]
    return yielded


@convert_yielded.register
def _(yielded: concurrent.futures.Future) -> Future[Any]:  # type: ignore[type-arg]
    return future_of_concurrent(yielded)


@convert_yielded.register
def _(yielded: Deferred) -> Future[Any]:  # type: ignore[type-arg]
    return future_of_deferred(yielded)


def moment_future() -> Future[None]:
    """`moment` as a real Future, for who needs one."""
    future: Future[None] = new_future()
    future.get_loop().call_soon(_resolve, future)
    return future


def _resolve(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


# Native coroutines


def _start_awaitable(awaitable: Awaitable[Any]) -> Future[Any]:
    if asyncio.isfuture(awaitable):
        return awaitable  # one that is no asyncio.Future, but behaves like it
    return start_coroutine(awaitable if asyncio.iscoroutine(awaitable) else _wait_for(awaitable))


def start_coroutine(coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """An asyncio task for ``coroutine``, in which Deferreds can be awaited as well.

    It runs in the stack contexts of this call.
    """
    chain = active_chain()
    driver: Any = _drive_inside(chain, coroutine) if chain else _drive(coroutine)
    driver.send(None)
    driver.__qualname__ = getattr(coroutine, "__qualname__", driver.__qualname__)
    if not _TASKS_TAKE_GENERATORS:
        driver = _wait_for(driver)
    task: asyncio.Task[_T] = current_loop().create_task(driver)
    return task


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


@awaitable_generator
def _drive(coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Pass everything between a coroutine and its task, but turn Deferreds into Futures.

    To be sent a first None by hand, before the task begins: a generator that was never begun
    could not tell the coroutine that the task was cancelled by then.
    """
    send = coroutine.send
    error = yield from _cancelled_early(coroutine)
    while True:
        try:
            if error is None:
                yielded = send(None)
            else:
                try:
                    yielded = coroutine.throw(error)
                finally:
                    error = None
        except StopIteration as stop:
            return stop.value
        try:
            # An isinstance of Deferred, an abstract base class, is slow.
            if yielded.__class__ is not Future and isinstance(yielded, Deferred):
                yield from _fired(yielded)
            else:
                yield yielded
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as thrown:
            error = without_head(thrown)


@awaitable_generator
def _drive_inside(
    chain: tuple[Any, ...], coroutine: Coroutine[Any, Any, Any]
) -> Generator[Any, Any, Any]:
    """`_drive`, with the contexts of ``chain`` entered anew around each step."""
    error = yield from _cancelled_early(coroutine)
    while True:
        outcome = _Outcome()
        try:
            run_inside(chain, outcome.step, coroutine, error)
        finally:
            error = None
        if outcome.finished:
            return outcome.get()
        yielded = outcome.get()
        try:
            if isinstance(yielded, Deferred):
                yield from _fired(yielded)
            else:
                yield yielded
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as thrown:
            error = without_head(thrown)


def _cancelled_early(
    coroutine: Coroutine[Any, Any, Any],
) -> Generator[None, None, BaseException | None]:
    """Wait for the task's first step; what was thrown instead of it."""
    try:
        yield
    except GeneratorExit:
        coroutine.close()
        raise
    except BaseException as thrown:
        return without_head(thrown)
    return None


def without_head(error: BaseException) -> BaseException:
    """``error`` without the frame that caught it, which is of no interest to its reader."""
    trace = error.__traceback__
    error.__traceback__ = None if trace is None else trace.tb_next
    return error


class _Outcome:
    """Takes the outcome of a step out of the stack contexts, which must not see it pass by."""

    __slots__ = ("error", "finished", "value")

    def __init__(self) -> None:
        self.finished = False
        self.value: Any = None
        self.error: BaseException | None = None

    def step(self, coroutine: Coroutine[Any, Any, Any], error: BaseException | None) -> None:
        try:
            self.value = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            self.finished = True
            self.value = stop.value
        except BaseException as failure:
            self.finished = True
            self.error = failure

    def get(self) -> Any:
        if self.error is None:
            return self.value
        try:
            raise self.error
        finally:
            self.error = None


def _fired(deferred: Deferred[Any]) -> Generator[Any, None, None]:
    """Wait until ``deferred`` has a result, which is left to who awaits it."""
    tick = new_future()

    def fire(result: Any) -> Any:
        _resolve(tick)
        return result

    deferred.addBoth(fire)
    try:
        yield from tick
    except asyncio.CancelledError:
        deferred.cancel()
        deferred.addErrback(_but_cancellation)
        raise


def _but_cancellation(failure: Failure) -> Failure | None:
    """For the log: whoever waited has been told that it was cancelled."""
    return None if failure.check(CancelledError) else failure
