"""Running a handler: checks, ``prepare``, the method, the end.

A handler that waits for nothing runs to its end inside `start`, in plain function calls.
The first thing that has to be waited for ends `start` with a coroutine for the rest, which
the caller runs as a task; no other Future or task is made.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from txtornado.concurrent import as_future, new_future
from txtornado.gen.convert import start_coroutine
from txtornado.iostream import StreamClosedError
from txtornado.log import app_log
from txtornado.web import _origin
from txtornado.web._arguments import decode_group
from txtornado.web._errors import HTTPError

if TYPE_CHECKING:
    from txtornado.web._handler import RequestHandler

__all__ = ["Rest", "as_task", "start"]

# `RequestHandler.finish`, put here by its module, which imports this one.
_finish: Any = None

Rest = Coroutine[Any, Any, None]

_METHODS = {
    name.upper(): name for name in ("get", "head", "post", "delete", "patch", "put", "options")
}


def start(
    handler: RequestHandler, transforms: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Rest | None:
    """Run ``handler`` as far as it goes at once; return what remains, or None at the end.

    Exceptions never leave: they have become responses.
    """
    handler._transforms = transforms
    try:
        if args or kwargs or handler.request.method != "GET" or handler._body_error is not None:
            _check(handler, args, kwargs)
        else:
            handler.path_args = []
            handler.path_kwargs = {}
            if "GET" not in handler.SUPPORTED_METHODS:
                raise HTTPError(405)
        waiting = handler.prepare()
        if handler._stream_request_body:
            return _stream(handler, waiting)
        if waiting is not None:
            return _after_prepare(handler, _awaitable(handler, "prepare", waiting))
        if handler._finished:
            return None
        waiting = _call_method(handler)
        if waiting is not None:
            return _after_method(handler, waiting)
        if not handler._finished:
            if not handler._auto_finish:
                _watch_connection(handler)
            elif type(handler).finish is _finish:
                handler._end()
            else:
                handler.finish()
    except (Exception, asyncio.CancelledError) as error:
        report(handler, error)
    return None


def as_task(rest: Rest) -> Future[None]:
    """Run ``rest`` on the current loop; Deferreds can be awaited in it."""
    return start_coroutine(rest)


def report(handler: RequestHandler, error: BaseException) -> None:
    """Turn ``error`` into a response; whatever fails at that is logged."""
    try:
        handler._handle_request_exception(error)
    except Exception:
        app_log.error("Exception in exception handler", exc_info=True)


def _check(handler: RequestHandler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Decode the groups of the route and turn away what must not reach the handler."""
    method = handler.request.method
    if method not in handler.SUPPORTED_METHODS:
        raise HTTPError(405)
    if handler._body_error is not None:
        raise HTTPError(400, "Invalid body: %s", handler._body_error)
    decode = handler.decode_argument
    handler.path_args = [decode_group(decode, arg, None) for arg in args] if args else []
    handler.path_kwargs = (
        {name: decode_group(decode, arg, name) for name, arg in kwargs.items()} if kwargs else {}
    )
    if method == "GET":
        return
    settings = handler.application.settings
    if settings.get("cross_origin_protection") and _origin.is_unsafe(method):
        handler._cross_origin_protection()
    if settings.get("xsrf_cookies") and _origin.is_unsafe(method):
        handler.check_xsrf_cookie()


def _call_method(handler: RequestHandler) -> Any:
    """Call ``get``, ``post`` …; return what is to be waited for, or None."""
    method = handler.request.method or ""
    name = _METHODS.get(method) or method.lower()
    if handler.path_kwargs or handler.path_args:
        result = getattr(handler, name)(*handler.path_args, **handler.path_kwargs)
    else:
        result = getattr(handler, name)()
    return None if result is None else _awaitable(handler, name, result)


def _awaitable(handler: RequestHandler, name: str, result: Any) -> Any:
    """Check that ``result`` can be waited for; None when there is no need to wait."""
    if isinstance(result, Future):
        if result.done() and not result.cancelled() and result.exception() is None:
            return None
        return result
    if asyncio.iscoroutine(result):
        return result
    try:
        return as_future(result)
    except Exception as error:
        raise TypeError(
            f"{type(handler).__name__}.{name}() returned {type(result).__name__}, "
            "which cannot be awaited; write the response with self.write()"
        ) from error


async def _after_prepare(handler: RequestHandler, waiting: Any) -> None:
    try:
        if waiting is not None:
            await waiting
        if handler._finished:
            return
        await _method(handler)
    except (Exception, asyncio.CancelledError) as error:
        _fail(handler, error)


async def _after_method(handler: RequestHandler, waiting: Any) -> None:
    _watch_connection(handler)
    try:
        await waiting
        if handler._auto_finish and not handler._finished:
            handler.finish()
    except (Exception, asyncio.CancelledError) as error:
        _fail(handler, error)


async def _method(handler: RequestHandler) -> None:
    _watch_connection(handler)
    waiting = _call_method(handler)
    if waiting is not None:
        await waiting
    if handler._auto_finish and not handler._finished:
        handler.finish()


def _fail(handler: RequestHandler, error: BaseException) -> None:
    if not isinstance(error, asyncio.CancelledError):
        report(handler, error)
        return
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        # Something the handler awaited was cancelled, which is an error like any other.
        report(handler, error)
        return
    if not handler._finished:
        handler.send_error(500)
    raise error


def _watch_connection(handler: RequestHandler) -> None:
    """Have `RequestHandler.on_connection_close` called from now on.

    Only requests that stay open need it, so it is not done before.
    """
    if handler._finished:
        return
    connection: Any = handler.request.connection
    watch = getattr(connection, "set_close_callback", None)
    if watch is not None and getattr(connection, "_close_callback", None) is None:
        watch(handler.on_connection_close)


# --- Streamed request bodies ---------------------------------------------------------


def _stream(handler: RequestHandler, waiting: Any) -> Rest | None:
    """Go on after ``prepare`` of a handler that takes its body in pieces."""
    if waiting is not None:
        waiting = _awaitable(handler, "prepare", waiting)
    if waiting is None and handler._finished:
        return None
    handler._body_received = new_future()
    if waiting is not None:
        handler._prepared = new_future()
    return _streaming(handler, waiting)


async def _streaming(handler: RequestHandler, waiting: Any) -> None:
    try:
        try:
            if waiting is not None:
                await waiting
        finally:
            if handler._prepared is not None and not handler._prepared.done():
                handler._prepared.set_result(None)
        if handler._finished or handler._body_received is None:
            return
        try:
            await handler._body_received
        except StreamClosedError:
            return
        await _method(handler)
    except (Exception, asyncio.CancelledError) as error:
        _fail(handler, error)


def take_data(handler: RequestHandler, chunk: bytes) -> Future[None] | None:
    """Hand a piece of the body over; an exception ends the request as one of a method does."""
    try:
        waiting = handler.data_received(chunk)
    except Exception as error:
        report(handler, error)
        return None
    if waiting is not None:
        waiting = _awaitable(handler, "data_received", waiting)
    return None if waiting is None else as_task(_taking_data(handler, waiting))


async def _taking_data(handler: RequestHandler, waiting: Any) -> None:
    try:
        await waiting
    except (Exception, asyncio.CancelledError) as error:
        _fail(handler, error)


def body_complete(handler: RequestHandler, error: BaseException | None = None) -> None:
    """Tell a handler with a streamed body that the body has ended, or broken off."""
    future = handler._body_received
    if future is None or future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()
