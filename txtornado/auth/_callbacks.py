"""The ``callback=`` forms of Tornado before 6, over coroutines.

`answer` runs a coroutine and serves its callback, if there is one.  Up to Tornado 5 a callback
of a login got the user, or None when the login failed, with the reason in the log.

`callback_at` finds the callback where it stood among the arguments.

`redirecting` is for coroutines that end a request by themselves.  Handlers of Tornado 2 did not
wait for them (``self.authorize_redirect()`` under ``@asynchronous``), and an error must end the
request all the same.
"""

from __future__ import annotations

import functools
from asyncio import Future
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from txtornado.auth._errors import AuthError
from txtornado.concurrent import as_future, current_loop, with_callback
from txtornado.httpclient import HTTPClientError
from txtornado.log import gen_log
from txtornado.stack_context import active_chain, wrap

__all__ = ["Callback", "answer", "callback_at", "redirecting"]

_T = TypeVar("_T")
_P = ParamSpec("_P")
Callback = Callable[..., Any]


def callback_at(position: int) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Decorator: let a method take its ``callback`` in the place it had before Tornado 6.

    Args:
        position: that place among the arguments, where 0 is ``self``.  A function there is the
            callback, and what follows it moves up.
    """

    def decorate(method: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(method)
        def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            if len(args) > position and callable(args[position]):
                old: Any = method
                rest = args[:position] + args[position + 1 :]
                result: _T = old(*rest, **{**kwargs, "callback": args[position]})
                return result
            return method(*args, **kwargs)

        return wrapper

    return decorate


def answer(work: Coroutine[Any, Any, _T], callback: Callback | None = None) -> Future[_T]:
    """Run ``work``; call ``callback`` with its result, or with None after a failed login."""
    future: Future[_T] = as_future(work)
    if callback is not None:
        with_callback(as_future(_result_or_none(future)), functools.partial(_pass_on, callback))
    return future


def _pass_on(callback: Callback, result: Any = None) -> Any:
    return callback(result)


async def _result_or_none(future: Future[_T]) -> _T | None:
    try:
        return await future
    except (AuthError, HTTPClientError, OSError) as error:
        gen_log.warning("Login or request failed: %s", error)
        return None


class _WatchedFuture(Future[_T]):
    """A Future that knows whether anybody waits for it."""

    is_watched = False

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        self.is_watched = True
        super().add_done_callback(*args, **kwargs)


def redirecting(work: Coroutine[Any, Any, None], callback: Callback | None = None) -> Future[None]:
    """Run ``work``, which ends the request.

    When nobody waits for the Future, an error is raised in the stack context of this call.
    """
    future: _WatchedFuture[None] = _WatchedFuture(loop=current_loop())
    unwatched = wrap(_raise) if active_chain() else None
    task = as_future(work)
    Future.add_done_callback(future, functools.partial(_cancel_with, task))
    task.add_done_callback(functools.partial(_hand_on, future, unwatched))
    if callback is not None:
        with_callback(future, callback)
    return future


def _cancel_with(task: Future[None], future: Future[None]) -> None:
    if future.cancelled():
        task.cancel()


def _raise(error: BaseException) -> None:
    raise error


def _hand_on(
    future: _WatchedFuture[None],
    unwatched: Callable[[BaseException], None] | None,
    task: Future[None],
) -> None:
    if task.cancelled():
        future.cancel()
        return
    error = task.exception()
    if future.done():  # cancelled, though the task went on
        return
    if error is None:
        future.set_result(None)
    elif unwatched is not None and not future.is_watched:
        future.set_result(None)
        unwatched(error)
    else:
        future.set_exception(error)
