"""From the HTTP server to a handler: `HandlerDelegate` takes one request's message."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any

from txtornado import httputil
from txtornado.concurrent import as_future
from txtornado.iostream import StreamClosedError
from txtornado.log import app_log
from txtornado.web import _execution
from txtornado.web._handler import RequestHandler
from txtornado.web._rendering import reset_loaders
from txtornado.web._static import StaticFileHandler

if TYPE_CHECKING:
    from txtornado.web._application import Application

__all__ = ["ApplicationDelegate", "HandlerDelegate"]

_our_execute = RequestHandler._execute


class HandlerDelegate(httputil.HTTPMessageDelegate):
    """Collects a request's body and runs a handler with it.

    A handler with `stream_request_body` runs from the headers on, and gets the body in
    pieces.
    """

    handler: RequestHandler | None = None
    #: What came of the body.
    chunks: list[bytes] | None = None
    _body_error: str | None = None

    def __init__(
        self,
        application: Application,
        request: httputil.HTTPServerRequest,
        handler_class: type[RequestHandler],
        handler_kwargs: dict[str, Any] | None,
        path_args: Iterable[Any] | None,
        path_kwargs: dict[str, Any] | None,
    ) -> None:
        self.application = application
        self.connection = request.connection
        self.request = request
        self.handler_class = handler_class
        self.handler_kwargs = handler_kwargs
        self.path_args = tuple(path_args or ())
        self.path_kwargs = path_kwargs or {}
        self.stream_request_body = handler_class._stream_request_body

    def headers_received(self, start_line: Any, headers: Any) -> Awaitable[None] | None:
        return self.execute() if self.stream_request_body else None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if not self.stream_request_body:
            if self.chunks is None:
                self.chunks = [chunk]
            else:
                self.chunks.append(chunk)
            return None
        handler = self.handler
        if handler is None or handler._finished:
            return None
        return _execution.take_data(handler, chunk)

    def finish(self) -> None:
        if self.stream_request_body:
            if self.handler is not None:
                _execution.body_complete(self.handler)
            return
        if self.chunks is not None:
            self._take_body(self.chunks)
        self.execute()

    def _take_body(self, chunks: list[bytes]) -> None:
        request = self.request
        request._take_body(chunks)
        self.chunks = None
        try:
            request._parse_body()
        except httputil.HTTPInputError as error:
            self._body_error = str(error)

    def on_connection_close(self) -> None:
        self.chunks = None
        if self.handler is not None:
            try:
                self.handler.on_connection_close()
            finally:
                _execution.body_complete(self.handler, StreamClosedError())

    def execute(self) -> Awaitable[None] | None:
        """Make the handler and run it; what is returned holds the body back till it is done."""
        application, request = self.application, self.request
        settings = application.settings
        if "compiled_template_cache" in settings and not settings["compiled_template_cache"]:
            reset_loaders(RequestHandler, application)
        if "static_hash_cache" in settings and not settings["static_hash_cache"]:
            StaticFileHandler.reset()
        try:
            if self.handler_kwargs:
                handler = self.handler_class(application, request, **self.handler_kwargs)
            else:
                handler = self.handler_class(application, request)
        except Exception as error:
            self.handler = handler = RequestHandler(application, request)
            _execution.report(handler, error)
            return None
        self.handler = handler
        if self._body_error is not None:
            handler._body_error = self._body_error
        transforms: list[Any] = []
        if application.transforms:
            transforms = [transform(request) for transform in application.transforms]
        if type(handler)._execute is not _our_execute:
            self._execute_overridden(handler, transforms)
        else:
            rest = _execution.start(handler, transforms, self.path_args, self.path_kwargs)
            if rest is not None:
                _execution.as_task(rest)
        return handler._prepared

    def _execute_overridden(self, handler: RequestHandler, transforms: list[Any]) -> None:
        """Run the application's own ``_execute``, whatever kind of function it is."""
        try:
            result: Any = handler._execute(transforms, *self.path_args, **self.path_kwargs)
            if result is not None:
                as_future(result).add_done_callback(_log_failure)
        except Exception as error:
            _execution.report(handler, error)


class ApplicationDelegate(HandlerDelegate):
    """An application's delegate for a request of which nothing is known yet.

    Mostly the path alone tells the handler, and this becomes its delegate; otherwise everything
    goes to the delegate that routing finds.
    """

    def __init__(
        self,
        application: Application,
        server_conn: object,
        request_conn: httputil.HTTPConnection,
    ) -> None:
        self.application = application
        self.connection = request_conn
        self._server_conn = server_conn

    def headers_received(self, start_line: Any, headers: Any) -> Awaitable[None] | None:
        self.request = request = httputil.HTTPServerRequest.received(
            start_line, headers, self.connection, self._server_conn
        )
        route = self.application._route(request.path)
        if route is None:
            return self._hand_over().headers_received(start_line, headers)
        rule, self.path_args, self.path_kwargs = route
        self.handler_class = handler_class = rule.target
        self.handler_kwargs = rule.target_kwargs
        self.stream_request_body = streams = handler_class._stream_request_body
        return self.execute() if streams else None

    def _hand_over(self) -> httputil.HTTPMessageDelegate:
        """Leave the rest of the message to whoever routing finds."""
        delegate: httputil.HTTPMessageDelegate = self.application.find_handler(self.request)
        self.data_received = delegate.data_received  # type: ignore[method-assign]
        self.finish = delegate.finish  # type: ignore[method-assign]
        self.on_connection_close = delegate.on_connection_close  # type: ignore[method-assign]
        return delegate


def _log_failure(future: Any) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        app_log.error("Exception in _execute", exc_info=error)
