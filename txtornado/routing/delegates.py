"""Delegates that carry a message to where a router sends it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from txtornado.concurrent import as_future
from txtornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from txtornado.ioloop import IOLoop
from txtornado.log import app_log

if TYPE_CHECKING:
    from txtornado.routing.routers import Router

__all__ = ["CallableDelegate", "NotFoundDelegate", "RoutingDelegate"]


class RoutingDelegate(HTTPMessageDelegate):
    """Asks a router for the request's delegate once the head is there; hands all on to it."""

    def __init__(self, router: Router, server_conn: object, request_conn: HTTPConnection) -> None:
        self.router = router
        self.server_conn = server_conn
        self.request_conn = request_conn
        self.delegate: HTTPMessageDelegate | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        request = HTTPServerRequest.received(
            start_line,  # type: ignore[arg-type]  # a server's are requests
            headers,
            self.request_conn,
            self.server_conn,
        )
        delegate = self.router.find_handler(request)
        if delegate is None:
            app_log.debug("No delegate for %s %s", request.method, request.uri)
            delegate = NotFoundDelegate(self.request_conn)
        self.delegate = delegate
        return delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        assert self.delegate is not None
        return self.delegate.data_received(chunk)

    def finish(self) -> None:
        # Let go of it: the connection keeps us, and it keeps the connection.
        delegate, self.delegate = self.delegate, None
        assert delegate is not None
        delegate.finish()

    def on_connection_close(self) -> None:
        # It may close before the head is complete.
        delegate, self.delegate = self.delegate, None
        if delegate is not None:
            delegate.on_connection_close()


class NotFoundDelegate(HTTPMessageDelegate):
    """Answers 404 with an empty body."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection

    def finish(self) -> None:
        self.connection.write_headers(
            ResponseStartLine("HTTP/1.1", 404, "Not Found"), HTTPHeaders({"Content-Length": "0"})
        )
        self.connection.finish()


class CallableDelegate(HTTPMessageDelegate):
    """Collects a request and calls a function with it: Tornado 2.3's way to take requests.

    When the function returns an awaitable, what that fails with is logged by the loop.

    Args:
        callback: called with the request when its body is complete and parsed.
        request: the request, when its head is there already.
        connection: for a request to be made from the head.
        server_connection: likewise.
    """

    def __init__(
        self,
        callback: Callable[[HTTPServerRequest], Any],
        request: HTTPServerRequest | None = None,
        connection: HTTPConnection | None = None,
        server_connection: object | None = None,
    ) -> None:
        self.callback = callback
        self.request = request
        self.connection = connection
        self.server_connection = server_connection
        self._chunks: list[bytes] = []

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, RequestStartLine)
        if self.request is None:
            self.request = HTTPServerRequest(
                connection=self.connection,
                server_connection=self.server_connection,
                start_line=start_line,
                headers=headers,
            )
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._chunks.append(chunk)
        return None

    def finish(self) -> None:
        request = self.request
        assert request is not None
        request.body = b"".join(self._chunks)
        self._forget()
        request._parse_body()
        result = self.callback(request)
        if result is not None and inspect.isawaitable(result):
            IOLoop.current().add_future(as_future(result), lambda future: future.result())

    def on_connection_close(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.request = self.connection = None
        self._chunks.clear()
