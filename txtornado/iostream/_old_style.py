"""The ``callback`` and ``streaming_callback`` arguments of Tornado before 6.0.

Each function here puts the arguments of the older generations in order and turns "call me back"
into what the methods of today return.  As documented then, a callback is not called when the
stream is closed: that is what the close callback is for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from txtornado import stack_context
from txtornado.iostream._errors import StreamClosedError

__all__ = ["call_when_done", "read", "read_bytes", "read_into", "read_until_close", "write"]

Callback = Callable[..., Any]


def call_when_done(
    stream: Any, future: asyncio.Future[Any], callback: Callback | None, with_result: bool = True
) -> asyncio.Future[Any]:
    """Call ``callback`` on the stream's loop with the result, unless the stream closes before."""
    if callback is None:
        return future
    wrapped = stack_context.wrap(callback)

    def done(future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            arguments = (future.result(),) if with_result else ()
            stream.io_loop.add_callback(wrapped, *arguments)
        elif not isinstance(error, StreamClosedError):
            stream.io_loop.add_callback(_raise, error)

    future.add_done_callback(done)
    return future


def _raise(error: BaseException) -> None:
    raise error


def read(
    stream: Any,
    method: Callable[..., Any],
    arguments: tuple[Any, ...],
    max_bytes: Any,
    callback: Any,
) -> Awaitable[Any]:
    if callable(max_bytes):
        max_bytes, callback = callback, max_bytes
    return call_when_done(stream, method(*arguments, max_bytes), callback)


def read_bytes(
    stream: Any, size: int, partial: Any, callback: Any, streaming_callback: Any
) -> Awaitable[bytes]:
    if not isinstance(partial, int):
        # Tornado before 6.0: num_bytes, callback, streaming_callback, partial
        first, partial = partial, False
        if isinstance(streaming_callback, bool):
            partial, streaming_callback = streaming_callback, callback
        elif callback is not None:
            streaming_callback = callback
        callback = first
    if streaming_callback is not None:
        future = _spawn(stream, _stream_bytes(stream, size, streaming_callback))
    else:
        future = stream.read_bytes(size, bool(partial))
    return call_when_done(stream, future, callback)


def read_into(stream: Any, buf: Any, partial: Any, callback: Any) -> Awaitable[int]:
    if not isinstance(partial, int):
        partial, callback = bool(callback), partial
    return call_when_done(stream, stream.read_into(buf, partial), callback)


def read_until_close(stream: Any, callback: Any, streaming_callback: Any) -> Awaitable[bytes]:
    if streaming_callback is not None:
        future = _spawn(stream, _stream_until_close(stream, streaming_callback))
    else:
        future = stream.read_until_close()
    return call_when_done(stream, future, callback)


def write(stream: Any, data: Any, callback: Callback) -> asyncio.Future[None]:
    future: asyncio.Future[None] = stream.write(data)
    state = stream.__dict__
    state["_write_callback"] = callback

    def latest() -> Any:
        if state.get("_write_callback") is callback:
            del state["_write_callback"]
            return callback()
        return None

    return call_when_done(stream, future, latest, with_result=False)


def _spawn(stream: Any, coroutine: Any) -> asyncio.Future[bytes]:
    task: asyncio.Future[bytes] = stream.io_loop.asyncio_loop.create_task(coroutine)
    task.add_done_callback(lambda task: None if task.cancelled() else task.exception())
    return task


async def _stream_bytes(stream: Any, size: int, streaming_callback: Callback) -> bytes:
    streaming_callback = stack_context.wrap(streaming_callback)
    while size > 0:
        chunk = await stream.read_bytes(min(size, stream.read_chunk_size), partial=True)
        size -= len(chunk)
        streaming_callback(chunk)
    return b""


async def _stream_until_close(stream: Any, streaming_callback: Callback) -> bytes:
    streaming_callback = stack_context.wrap(streaming_callback)
    while True:
        try:
            chunk = await stream.read_bytes(stream.read_chunk_size, partial=True)
        except StreamClosedError:
            return b""
        streaming_callback(chunk)
