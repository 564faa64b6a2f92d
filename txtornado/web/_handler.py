"""`RequestHandler`: the face of everything a handler can do.

The class holds the documented methods and the state of one request, with `Identity`
(cookies, user, tokens) and `Pages` (templates); what they do is told in the modules that
the sections name. State that most requests never touch has its default on the class and
is made on first use.
"""

from __future__ import annotations

import functools
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from txtornado import httputil
from txtornado.concurrent import done_future, with_callback
from txtornado.escape import json_encode, utf8
from txtornado.log import app_log, gen_log
from txtornado.web import _errors, _execution, _response
from txtornado.web._arguments import REQUIRED, Required, decode, last_value, values
from txtornado.web._conditional import content_etag, etag_matches
from txtornado.web._errors import Finish, HTTPError
from txtornado.web._headers import (
    HeaderValue,
    LazyHeaders,
    clear_representation_headers,
    convert_value,
)
from txtornado.web._identity import Identity
from txtornado.web._pages import Pages

if TYPE_CHECKING:
    from txtornado.iostream import IOStream
    from txtornado.web._application import Application
    from txtornado.web._transforms import OutputTransform

__all__ = ["RequestHandler"]

_JSON = "application/json; charset=UTF-8"

_LISTS = (
    "write() only accepts bytes, unicode, and dict objects. Lists not accepted for security "
    "reasons; see http://www.tornadoweb.org/en/stable/web.html#tornado.web.RequestHandler.write"
)


class RequestHandler(Identity, Pages):
    """Base class of request handlers: one instance serves one request.

    Subclasses define methods named after HTTP methods, which may be plain functions,
    coroutines of either kind, `inlineCallbacks`, return a Deferred, or be `asynchronous`.
    Tornado 0.2; the methods say when they came if later than 2.3.
    """

    SUPPORTED_METHODS: tuple[str, ...] = (
        "GET",
        "HEAD",
        "POST",
        "DELETE",
        "PATCH",
        "PUT",
        "OPTIONS",
    )

    _stream_request_body = False
    _finished = False
    _auto_finish = True
    _headers_written = False
    #: Whether the etag was set and compared before the end of the response.
    _conditions_checked = False
    _transforms: Iterable[OutputTransform] = ()
    _body_error: str | None = None
    _body_received: Future[None] | None = None
    _prepared: Future[None] | None = None

    _headers = LazyHeaders()
    _made_headers: httputil.HTTPHeaders | None
    #: Etag and length of a response that was sent without making `_headers`.
    _sent_plain: tuple[str | None, int] | None = None
    #: The content type of what was written, as long as `_headers` are not made.
    _plain_type: str | None = None
    #: Lines of further headers, likewise.
    _plain_more = ""
    _write_buffer: list[bytes]
    _status_code: int
    _reason: str
    path_args: list[Any]
    path_kwargs: dict[str, Any]

    def __init__(
        self, application: Application, request: httputil.HTTPServerRequest, **kwargs: Any
    ) -> None:
        self.application = application
        self.request = request
        self.clear()
        if kwargs:
            self.initialize(**kwargs)
        else:
            self.initialize()

    def initialize(self, **kwargs: Any) -> None:
        """Override to take the keyword arguments of the route; may not produce output."""
        if kwargs:
            raise TypeError(
                f"{type(self).__name__}.initialize() got unexpected arguments: {', '.join(kwargs)}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the application."""
        return self.application.settings

    # --- Life cycle ------------------------------------------------------------------

    def _unimplemented_method(self, *args: Any, **kwargs: Any) -> Any:
        raise HTTPError(405)

    head = _unimplemented_method
    get = _unimplemented_method
    post = _unimplemented_method
    delete = _unimplemented_method
    patch = _unimplemented_method
    put = _unimplemented_method
    options = _unimplemented_method

    def prepare(self) -> Awaitable[None] | None:
        """Override: called before ``get``, ``post`` …; may be a coroutine (since 3.1).

        If it finishes the request, the method is not called.
        """
        return None

    def on_finish(self) -> None:
        """Override to clean up after the response was sent."""

    def on_connection_close(self) -> None:
        """Override: the client went away while the request was being handled."""

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Override in handlers with `stream_request_body` (since 4.0); may be a coroutine."""
        raise NotImplementedError

    def _execute(
        self, transforms: list[OutputTransform], *args: Any, **kwargs: Any
    ) -> Future[None]:
        """Run the handler; the Future resolves when it is through.

        Applications override this to wrap the whole of a request.
        """
        rest = _execution.start(self, transforms, args, kwargs)
        return done_future() if rest is None else _execution.as_task(rest)

    # --- Arguments (_arguments) ------------------------------------------------------

    def get_argument(
        self, name: str, default: Any | Required = REQUIRED, strip: bool = True
    ) -> Any:
        """The last value of an argument of the query or the body, as text.

        Raises:
            MissingArgumentError: it is missing and there is no ``default``.
        """
        return last_value(self.get_arguments(name, strip), name, default)

    def get_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All values of an argument of the query and the body; empty if there are none."""
        decode_argument = (
            None if type(self).decode_argument is _our_decode else self.decode_argument
        )
        request = self.request
        known = type(request) is httputil.HTTPServerRequest
        source = request.all_arguments() if known else request.arguments
        return values(source, name, strip, decode_argument)

    def get_query_argument(
        self, name: str, default: Any | Required = REQUIRED, strip: bool = True
    ) -> Any:
        """As `get_argument`, for the query only (since 3.2)."""
        return last_value(self.get_query_arguments(name, strip), name, default)

    def get_query_arguments(self, name: str, strip: bool = True) -> list[str]:
        """As `get_arguments`, for the query only (since 3.2)."""
        return values(self.request.query_arguments, name, strip, self.decode_argument)

    def get_body_argument(
        self, name: str, default: Any | Required = REQUIRED, strip: bool = True
    ) -> Any:
        """As `get_argument`, for the body only (since 3.2)."""
        return last_value(self.get_body_arguments(name, strip), name, default)

    def get_body_arguments(self, name: str, strip: bool = True) -> list[str]:
        """As `get_arguments`, for the body only (since 3.2)."""
        return values(self.request.body_arguments, name, strip, self.decode_argument)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Override to decode arguments, and groups of the route, otherwise than as UTF-8."""
        return decode(value, name)

    # --- Headers and status (_headers) -----------------------------------------------

    def clear(self) -> None:
        """Forget all headers and output of this response."""
        self._made_headers = None
        self._plain_type = None
        if self._plain_more:
            self._plain_more = ""
        self.set_default_headers()
        self._write_buffer = []
        self._status_code = 200
        self._reason = "OK"

    def set_default_headers(self) -> None:
        """Override to set headers that error pages keep, such as ``Server``."""

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Set the status, and its phrase if it is not the standard one (since 3.0).

        A phrase that may not stand in a status line becomes ``Unknown``.
        """
        self._status_code = status_code
        if reason is None:
            self._reason = _errors.standard_reason(status_code)
        else:
            self._reason = _errors.clean_reason(reason)

    def get_status(self) -> int:
        """The status code of the response."""
        return self._status_code

    def set_header(self, name: str, value: HeaderValue) -> None:
        """Set a header, replacing earlier values. Raises as `_headers.convert_value`."""
        self._headers[name] = convert_value(value)

    def add_header(self, name: str, value: HeaderValue) -> None:
        """Add a header beside those of the same name."""
        self._headers.add(name, convert_value(value))

    def clear_header(self, name: str) -> None:
        """Remove a header, if it is set."""
        if name in self._headers:
            del self._headers[name]

    def _clear_representation_headers(self) -> None:
        clear_representation_headers(self._headers)

    # --- Output (_response) ----------------------------------------------------------

    def write(self, chunk: str | bytes | dict[Any, Any]) -> None:
        """Add to the output; a dict goes out as JSON, with the content type set.

        Raises:
            TypeError: another type; lists too, since old browsers let other sites read them.
            RuntimeError: the response is finished.
        """
        if self._finished:
            raise RuntimeError("Cannot write() after finish()")
        if isinstance(chunk, str):
            self._write_buffer.append(chunk.encode("utf-8"))
        elif isinstance(chunk, bytes):
            self._write_buffer.append(chunk)
        elif isinstance(chunk, dict):
            self._write_buffer.append(utf8(json_encode(chunk)))
            if self._made_headers is not None or type(self).set_header is not _our_set_header:
                self.set_header("Content-Type", _JSON)
            else:
                self._plain_type = _JSON
        else:
            plain = "write() only accepts bytes, unicode, and dict objects"
            raise TypeError(_LISTS if isinstance(chunk, list) else plain)

    def flush(
        self, include_footers: bool = False, callback: Callable[[], Any] | None = None
    ) -> Future[None]:
        """Send the output so far; the Future resolves when the socket has taken it.

        ``callback`` (Tornado 2.1 to 5.1) is called then.
        """
        future = _response.flush(self, include_footers)
        if callback is not None:
            with_callback(future, callback)
        return future

    def _flush_overridden(self) -> bool:
        return type(self).flush is not RequestHandler.flush

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        """End the response, after writing ``chunk`` if given.

        The Future (since 5.1) resolves when all is sent, or fails if the client is gone.
        """
        return self._end(chunk) or _response.plain_sent(self)

    def _end(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None] | None:
        """The work of `finish`; None after the commonest of responses, which needs no Future."""
        if self._finished:
            raise RuntimeError("finish() called twice")
        if chunk is not None:
            self.write(chunk)
        future = None
        if self._headers_written:
            future = _response.finish_response(self)
        elif self._made_headers is not None or not _response.send_plain(self):
            _response.complete_headers(self)
            future = _response.finish_response(self)
        self._log()
        self._finished = True
        self.on_finish()
        if self._ui is not None:
            self._break_cycles()
        return future

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """End the request with a redirect: 302, 301 if ``permanent``, or ``status``."""
        if self._headers_written or self._finished:
            raise Exception("Cannot redirect after headers have been written")
        if status is None:
            status = 301 if permanent else 302
        elif not (isinstance(status, int) and 300 <= status <= 399):
            raise ValueError(f"redirect status must be an integer from 300 to 399, not {status!r}")
        self.set_status(status)
        self.set_header("Location", utf8(url))
        self.finish()

    def detach(self) -> IOStream:
        """Take the connection's stream over from HTTP (since 5.1)."""
        self._finished = True
        stream: IOStream = self.request.connection.detach()  # type: ignore[union-attr]
        return stream

    # --- Errors (_errors) ------------------------------------------------------------

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Discard what was written and send an error page; ``kwargs`` go to `write_error`.

        After `flush` it is too late for that, and the response is just ended.
        """
        if self._headers_written:
            gen_log.error("Cannot send error response after headers written")
            self._end_partial_response()
            return
        self.clear()
        self.set_status(status_code, _errors.reason_for(kwargs))
        try:
            self.write_error(status_code, **kwargs)
        except Exception:
            app_log.error("Uncaught exception in write_error", exc_info=True)
        if not self._finished:
            self.finish()

    def _end_partial_response(self) -> None:
        if self._finished:
            return
        try:
            self.finish()
        except Exception:
            gen_log.error("Failed to flush partial response", exc_info=True)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Override to make error pages; ``kwargs`` has ``exc_info`` after an exception.

        A method ``get_error_html(status_code, **kwargs)`` (Tornado 2.0) is used if defined.
        """
        if (get_error_html := getattr(self, "get_error_html", None)) is not None:
            self.finish(_errors.call_error_html(get_error_html, status_code, kwargs))
        elif "exc_info" in kwargs and self.settings.get("serve_traceback"):
            self.set_header("Content-Type", "text/plain")
            self.finish(_errors.traceback_page(kwargs["exc_info"]))
        elif _response.allows_body(status_code):
            self.finish(_errors.error_page(status_code, self._reason))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Override to log exceptions of handlers otherwise (since 3.1).

        By default an `HTTPError` with a message is a warning, everything else an error
        with its traceback.
        """
        if not isinstance(value, HTTPError):
            summary = self._request_summary()
            app_log.error(
                "Uncaught exception %s\n%r",
                summary,
                self.request,
                exc_info=(typ, value, tb),  # type: ignore[arg-type]
            )
        elif message := value.get_message():
            gen_log.warning("%d %s: %s", value.status_code, self._request_summary(), message)

    def _handle_request_exception(self, e: BaseException) -> None:
        if isinstance(e, Finish):
            if not self._finished:
                self.finish(*e.args)
            return
        exc_info = (type(e), e, e.__traceback__)
        try:
            self.log_exception(*exc_info)
        except Exception:
            app_log.error("Error in exception logger", exc_info=True)
        if self._finished:
            return  # it was logged, and that is all there is left to do
        status = e.status_code if isinstance(e, HTTPError) else 500
        self.send_error(status, exc_info=exc_info)

    def _request_summary(self) -> str:
        request = self.request
        return f"{request.method} {request.uri} ({request.remote_ip})"

    def _log(self) -> None:
        self.application.log_request(self)

    # --- Conditional requests (_conditional) -----------------------------------------

    def compute_etag(self) -> str | None:
        """Override to make another etag than a hash of the output, or None for none."""
        return content_etag(self._write_buffer)

    def set_etag_header(self) -> None:
        """Set ``Etag`` from `compute_etag`; called when a request is finished."""
        etag = self.compute_etag()
        if etag is not None:
            self.set_header("Etag", etag)

    def check_etag_header(self) -> bool:
        """Whether ``If-None-Match`` names our ``Etag``, so that a 304 is due."""
        wanted = self.request.headers.get("If-None-Match")
        if not wanted:
            return False
        return etag_matches(self._headers.get("Etag", ""), wanted)

    # --- The application -------------------------------------------------------------

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """The versioned URL of a file under ``static_path``; not for untrusted paths."""
        self.require_setting("static_path", "static_url")
        from txtornado.web._static import StaticFileHandler  # a subclass of ours

        handler_class = self.settings.get("static_handler_class", StaticFileHandler)
        url: str = handler_class.make_static_url(self.settings, path, **kwargs)
        if include_host is None:
            include_host = getattr(self, "include_host", False)
        return f"{self.request.protocol}://{self.request.host}{url}" if include_host else url

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """Raise an exception if the setting ``name``, which ``feature`` needs, is missing."""
        if not self.application.settings.get(name):
            raise Exception(
                f"You must define the {name!r} setting in your application to use {feature}"
            )

    def reverse_url(self, name: str, *args: Any) -> str:
        """`Application.reverse_url`."""
        return self.application.reverse_url(name, *args)

    def async_callback(
        self, callback: Callable[..., Any] | None, *args: Any, **kwargs: Any
    ) -> Callable[..., Any] | None:
        """Bind ``callback`` so that its exceptions end this request (Tornado 0.2 to 3)."""
        if callback is None:
            return None
        bound = functools.partial(callback, *args, **kwargs) if args or kwargs else callback

        def wrapper(*call_args: Any, **call_kwargs: Any) -> Any:
            try:
                return bound(*call_args, **call_kwargs)
            except Exception as error:
                _execution.report(self, error)

        return wrapper


_response.recognise(RequestHandler)
_execution._finish = RequestHandler.finish
_our_set_header = RequestHandler.set_header
_our_decode = RequestHandler.decode_argument
