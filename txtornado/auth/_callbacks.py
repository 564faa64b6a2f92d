"""The ``callback=`` forms of Tornado before 6, over coroutines.

`answer` runs a coroutine and serves its callback, if there is one.  Up to Tornado 5 a callback
of a login got the user, or None when the login failed, with the reason in the log.

`redirecting` is for coroutines that end a request by themselves.  Handlers of Tornado 2 did not
wait for them (``self.authorize_redirect()`` under ``@asynchronous``), and an error must end the
request all the same.
"""

from __future__ import annotations

import functools
from asyncio import Future
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from txtornado.auth._errors import AuthError
from txtornado.concurrent import as_future, current_loop, with_callback
from txtornado.httpclient import HTTPClientError
from txtornado.log import gen_log
from txtornado.stack_context import active_chain, wrap

__all__ = ["Callback", "answer", "redirecting", "split_callback", "unpack_request"]

_T = TypeVar("_T")
Callback = Callable[..., Any]


def split_callback(first: Any, callback: Callback | None) -> tuple[Any, Callback | None]:
    """Tell an old-style callback apart from what stands in its place today.

    Returns:
        What ``first`` is today (None when it was the callback), and the callback.
    """
    if callback is None and callable(first):
        return None, first
    return first, callback


def unpack_request(
    first: Any, post_args: Any, old: tuple[Any, ...], callback: Callback | None
) -> tuple[Any, Any, Callback | None]:
    """Sort the arguments of a request method.

    Today's are ``(access_token, post_args)``, those up to Tornado 5 ``(callback, access_token,
    post_args)``.

    Returns:
        ``access_token``, ``post_args`` and the callback.
    """
    if callback is None and callable(first):
        return post_args, old[0] if old else None, first
    return first, post_args, callback


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
    task.add_done_callback(functools.partial(_hand_on, future, unwatched))
    if callback is not None:
        with_callback(future, callback)
    return future


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
    if future.done():
        return
    if error is None:
        future.set_result(None)
    elif unwatched is not None and not future.is_watched:
        future.set_result(None)
        unwatched(error)
    else:
        future.set_exception(error)
