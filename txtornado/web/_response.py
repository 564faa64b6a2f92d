"""Sending a response: the headers that only the whole body decides, flushing, finishing.

The common case is `_send_whole`: nothing was flushed, so the length is known and status
line, headers and body leave together, through `HTTP1Connection.write_response` where the
connection has it and through the documented `HTTPConnection` methods where not.
"""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, Any

from txtornado.concurrent import done_future, new_future
from txtornado.iostream import StreamClosedError
from txtornado.web._conditional import content_etag
from txtornado.web._headers import plain_response, start_line

if TYPE_CHECKING:
    from txtornado.web._handler import RequestHandler

__all__ = [
    "allows_body",
    "complete_headers",
    "finish_response",
    "flush",
    "recognise",
    "send_plain",
]

# Methods of `RequestHandler`, put here by its module, which imports this one.
_flush: Any = None
_compute_etag: Any = None
_set_etag_header: Any = None
_check_etag_header: Any = None


def recognise(handler_class: type[RequestHandler]) -> None:
    """Know the methods of ``handler_class`` for those that nobody has overridden."""
    global _flush, _compute_etag, _set_etag_header, _check_etag_header
    _flush = handler_class.flush
    _compute_etag = handler_class.compute_etag
    _set_etag_header = handler_class.set_etag_header
    _check_etag_header = handler_class.check_etag_header


def complete_headers(handler: RequestHandler) -> None:
    """Add what follows from the finished body: etag, 304, length.

    Raises:
        RuntimeError: there is a body, and the status allows none.
    """
    status = handler._status_code
    if (
        status == 200
        and handler.request.method in ("GET", "HEAD")
        and not handler._conditions_checked
    ):
        hooks = type(handler)
        if hooks.set_etag_header is _set_etag_header and hooks.compute_etag is _compute_etag:
            handler._headers["Etag"] = content_etag(handler._write_buffer)
        else:
            handler.set_etag_header()
        if handler.check_etag_header():
            handler._write_buffer = []
            handler.set_status(304)
            status = 304
    if not allows_body(status):
        if handler._write_buffer:
            raise RuntimeError(f"Cannot send body with status code HTTP{status}")
        handler._clear_representation_headers()
        return
    headers = handler._headers
    if "Content-Length" not in headers:
        buffer = handler._write_buffer
        size = len(buffer[0]) if len(buffer) == 1 else sum(map(len, buffer))
        headers["Content-Length"] = str(size)


def allows_body(status_code: int) -> bool:
    """Whether responses of this status have a body (RFC 9110 section 6.4.1)."""
    return not (status_code in (204, 304) or 100 <= status_code < 200)


def send_plain(handler: RequestHandler) -> bool:
    """Send a response whose headers nobody has looked at, if it is as plain as can be.

    A successful one, of which neither the application nor the connection wants anything out of
    the ordinary, goes out without its headers being made.  In every other case nothing is done.
    """
    request = handler.request
    method = request.method
    hooks = type(handler)
    if (
        method == "HEAD"
        or handler._status_code != 200
        or handler._reason != "OK"
        or handler._transforms
        or hooks.flush is not _flush
    ):
        return False
    wants_etag = method == "GET" and not handler._conditions_checked
    if wants_etag and (
        hooks.compute_etag is not _compute_etag
        or hooks.set_etag_header is not _set_etag_header
        or hooks.check_etag_header is not _check_etag_header
        or "If-None-Match" in request.headers
    ):
        return False
    connection: Any = request.connection
    try:
        write_encoded = connection.write_encoded
    except AttributeError:
        return False
    buffer = handler._write_buffer
    body = buffer[0] if len(buffer) == 1 else b"".join(buffer)
    etag, response = plain_response(
        body, wants_etag, handler._plain_type, handler._plain_more, handler._new_cookies
    )
    if not write_encoded(response):
        return False
    handler._headers_written = True
    handler._write_buffer = []
    handler._sent_plain = (etag, len(body))
    return True


def plain_sent(handler: RequestHandler) -> Future[None]:
    """The Future for a response that `send_plain` has sent."""
    stream: Any = handler.request.connection.stream  # type: ignore[union-attr]
    if stream is not None and stream.writing():
        drained: Future[None] = stream.drained()
        return drained
    return done_future()


def finish_response(handler: RequestHandler) -> Future[None]:
    """Send what is left and end the response.

    The Future fails with `StreamClosedError` when the client is gone; nobody needs to
    look at it.
    """
    request = handler.request
    try:
        if handler._headers_written or handler._flush_overridden():
            future = handler.flush(include_footers=True)
            request.connection.finish()  # type: ignore[union-attr]
            return done_future() if future is None else future
        return _send_whole(handler)
    except StreamClosedError as error:
        return failed_future(error)


def flush(handler: RequestHandler, finishing: bool) -> Future[None]:
    """Send what was written so far, with the headers if they are still to go."""
    chunk = _take_body(handler)
    connection: Any = handler.request.connection
    try:
        if not handler._headers_written:
            headers, chunk = _start(handler, chunk, finishing)
            line = start_line(handler._status_code, handler._reason)
            future = connection.write_headers(line, headers, chunk)
        else:
            for transform in handler._transforms:
                chunk = transform.transform_chunk(chunk, finishing)
            if handler.request.method == "HEAD":
                return done_future()
            future = connection.write(chunk)
    except StreamClosedError as error:
        return failed_future(error)
    return done_future() if future is None else future


def failed_future(error: BaseException) -> Future[None]:
    """A Future that failed with ``error``, about which nobody has to be told."""
    future: Future[None] = new_future()
    future.set_exception(error)
    future.exception()
    return future


def _take_body(handler: RequestHandler) -> bytes:
    buffer = handler._write_buffer
    handler._write_buffer = []
    return buffer[0] if len(buffer) == 1 else b"".join(buffer)


def _start(handler: RequestHandler, chunk: bytes, finishing: bool) -> tuple[Any, bytes]:
    """Run the first chunk and the headers through the transforms, and add the cookies."""
    handler._headers_written = True
    headers = handler._headers
    for transform in handler._transforms:
        handler._status_code, headers, chunk = transform.transform_first_chunk(
            handler._status_code, headers, chunk, finishing
        )
    handler._headers = headers
    if handler._new_cookies is not None:
        for cookie in handler._new_cookies.values():
            headers.add("Set-Cookie", cookie)
    return headers, b"" if handler.request.method == "HEAD" else chunk


def _send_whole(handler: RequestHandler) -> Future[None]:
    headers, body = _start(handler, _take_body(handler), True)
    connection: Any = handler.request.connection
    line = start_line(handler._status_code, handler._reason)
    try:
        write_response = connection.write_response
    except AttributeError:
        future = connection.write_headers(line, headers, body)
        connection.finish()
        return done_future() if future is None else future
    if write_response(line, headers, body) is False:
        drained: Future[None] = connection.stream.drained()
        return drained
    return done_future()
