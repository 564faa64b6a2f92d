"""Waiting for several things at once, for the first of them, or for a limited time."""

from __future__ import annotations

import asyncio
import functools
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from txtornado.concurrent import (
    as_future,
    cancel_work,
    chain_future,
    current_loop,
    future_add_done_callback,
    is_future,
    new_future,
)
from txtornado.gen.convert import convert_yielded, moment, without_head
from txtornado.log import app_log

__all__ = [
    "Multi",
    "WaitIterator",
    "maybe_future",
    "multi",
    "multi_future",
    "sleep",
    "with_timeout",
]

_Quiet = type[BaseException] | tuple[type[BaseException], ...]


def multi(
    children: Iterable[Any] | Mapping[Any, Any], quiet_exceptions: _Quiet = ()
) -> Future[Any]:
    """Wait for all of ``children``; a coroutine that yields a list or dict does this.

    Args:
        children: a list, or a dict, of anything that a coroutine may yield.
        quiet_exceptions: exception types that are not logged when they come in addition.

    Returns:
        A Future of the list of results, in order, or of the dict of them.  It is done when all
        children are.  When some failed it has the exception of the first of them, and the
        others are logged.
    """
    return multi_future(children, quiet_exceptions)


def multi_future(
    children: Iterable[Any] | Mapping[Any, Any], quiet_exceptions: _Quiet = ()
) -> Future[Any]:
    """The same as `multi` (Tornado 4.0)."""
    if isinstance(children, dict):
        keys, children = list(children), children.values()
    else:
        keys = None
    gathering = _Gathering(keys, [convert_yielded(child) for child in children], quiet_exceptions)
    result = gathering.result
    gathering.start()
    return result


Multi = multi

convert_yielded.register(list, multi_future)
convert_yielded.register(dict, multi_future)


class _Gathering:
    """Counts down the children of a `multi`."""

    __slots__ = ("children", "keys", "pending", "quiet", "result")

    def __init__(self, keys: list[Any] | None, children: list[Any], quiet: _Quiet) -> None:
        self.keys = keys
        self.children = children
        self.quiet = quiet
        self.pending = 0
        self.result: Future[Any] = new_future()

    def start(self) -> None:
        pending = {child for child in self.children if not child.done()}
        self.pending = len(pending)
        if not pending:
            self._collect()
            return
        self.result._work = self  # type: ignore[attr-defined]  # lives as long as the result
        for child in pending:
            child.add_done_callback(self._count)

    def cancel(self) -> None:
        """Cancel the children that are not done."""
        for child in self.children:
            if not child.done():
                cancel_work(child)

    def _count(self, child: Any) -> None:
        self.pending -= 1
        if self.pending == 0:
            self._collect()

    def _collect(self) -> None:
        result, children = self.result, self.children
        del self.result, self.children
        values = []
        for child in children:
            try:
                values.append(child.result())
            except (Exception, asyncio.CancelledError) as error:
                without_head(error)  # this frame leads to the result, a reference cycle
                if not result.done():
                    result.set_exception(error)
                elif not isinstance(error, (asyncio.CancelledError, self.quiet)):
                    app_log.error("Multiple exceptions in yield list", exc_info=error)
        if not result.done():
            keys = self.keys
            result.set_result(values if keys is None else dict(zip(keys, values, strict=True)))


def maybe_future(x: Any) -> Any:
    """``x`` when that is a Future, else a Future whose result is ``x`` (deprecated in 4.3)."""
    if is_future(x):
        return x
    future = new_future()
    future.set_result(x)
    return future


class _Sleep(Future[None]):
    """Takes its timer along when it is cancelled, so that no delayed call is left behind."""

    timer: asyncio.TimerHandle

    def cancel(self, msg: Any | None = None) -> bool:
        if not self.done():
            self.timer.cancel()
        return super().cancel(msg)


def sleep(duration: float) -> Future[None]:
    """A Future that is resolved after ``duration`` seconds (Tornado 4.1).

    With 0, or less, that is the loop's next turn.
    """
    if duration > 0:
        slept = _Sleep(loop=current_loop())
        slept.timer = slept.get_loop().call_later(duration, _wake, slept)
        return slept
    future: Future[None] = new_future()
    future.get_loop().call_soon(_resolve, future)
    return future


def _resolve(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _wake(future: _Sleep) -> None:
    del future.timer  # which refers to the future
    _resolve(future)


def with_timeout(
    timeout: float | timedelta,
    future: Any,
    quiet_exceptions: _Quiet = (),
    *,
    message: str | Callable[[], str] | None = None,
) -> Future[Any]:
    """Wait for ``future`` until ``timeout`` at most (Tornado 4.0).

    Args:
        timeout: a deadline on the clock of `IOLoop.time`, or a `datetime.timedelta` from now.
        future: anything a coroutine may yield.  It is not cancelled by the timeout.
        quiet_exceptions: exception types that are not logged when ``future`` fails
            after the timeout; cancellation never is.
        message: text of the `TimeoutError`, or a function that makes it (Tornado 6.6).

    Returns:
        A Future with the outcome of ``future``, or with a `TimeoutError`.
    """
    source: Future[Any] = as_future(future)
    if source.done():
        return source
    from txtornado.ioloop import IOLoop

    loop = IOLoop.current()
    result = new_future()
    handle = loop.add_timeout(
        timeout, functools.partial(_time_out, result, source, quiet_exceptions, message)
    )
    result.add_done_callback(lambda _: loop.remove_timeout(handle))
    chain_future(source, result)
    return result


def _time_out(
    result: Future[Any],
    source: Future[Any],
    quiet: _Quiet,
    message: str | Callable[[], str] | None,
) -> None:
    if result.done():
        return
    if message is None:
        message = "Timeout"
    elif callable(message):
        message = message()
    result.set_exception(TimeoutError(message))
    future_add_done_callback(source, functools.partial(_log_late_failure, quiet))


def _log_late_failure(quiet: _Quiet, source: Future[Any]) -> None:
    if source.cancelled():
        return
    error = source.exception()
    if error is not None and not isinstance(error, quiet):
        app_log.error("Error in Future %r after timeout", source, exc_info=error)


class WaitIterator:
    """Hands out results in the order in which they come (Tornado 4.1).

    ``WaitIterator(a, b)`` or ``WaitIterator(first=a, second=b)`` of anything that may be yielded::

        waiting = gen.WaitIterator(a, b)
        while not waiting.done():
            result = await waiting.next()   # or: async for result in waiting

    Attributes:
        current_index: position or keyword of the input whose result was handed out last.
        current_future: the Future of that input.

    Raises:
        ValueError: both positional and keyword arguments were given.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError("WaitIterator takes positional or keyword arguments, not both")
        self.current_index: int | str | None = None
        self.current_future: Future[Any] | None = None
        self._finished: deque[tuple[int | str, Any]] = deque()
        self._outstanding = len(args) + len(kwargs)
        self._next: Future[Any] | None = None
        inputs: Iterable[tuple[int | str, Any]] = kwargs.items() if kwargs else enumerate(args)
        for index, child in inputs:
            future = convert_yielded(child)
            if future is moment:
                future = as_future(moment)
            future_add_done_callback(future, functools.partial(self._on_done, index))

    def done(self) -> bool:
        """Whether all results have been handed out."""
        if self._outstanding:
            return False
        self.current_index = self.current_future = None
        return True

    def next(self) -> Future[Any]:
        """A Future of the next result; ``current_index`` and ``current_future`` go with it.

        While the last one is not done it is returned again.

        Raises:
            RuntimeError: all results have been handed out.
        """
        if not self._outstanding:
            raise RuntimeError("WaitIterator.next() called although done() is true")
        if self._next is None or self._next.done():
            self._next = new_future()
            if self._finished:
                self._hand_out(self._next)
        return self._next

    def __aiter__(self) -> WaitIterator:
        return self

    def __anext__(self) -> Future[Any]:
        if self.done():
            raise StopAsyncIteration
        return self.next()

    def _on_done(self, index: int | str, future: Any) -> None:
        self._finished.append((index, future))
        if self._next is not None and not self._next.done():
            self._hand_out(self._next)

    def _hand_out(self, target: Future[Any]) -> None:
        self.current_index, self.current_future = self._finished.popleft()
        self._outstanding -= 1
        chain_future(self.current_future, target)
