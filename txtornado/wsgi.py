"""WSGI (PEP 3333), in both directions.

`WSGIContainer` lets a WSGI application (Flask, Django ...) run under
`~txtornado.httpserver.HTTPServer`; `WSGIApplication` makes a WSGI application of handlers, for
``wsgiref``, gunicorn and other servers.  A WSGI call keeps its thread until it is answered: the
first needs threads not to block the loop, the second has each server's thread wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from types import TracebackType
from typing import Any

from txtornado._version import version
from txtornado.concurrent import Future, dummy_executor
from txtornado.escape import url_unescape
from txtornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
    responses,
)
from txtornado.ioloop import IOLoop
from txtornado.iostream import StreamClosedError
from txtornado.log import access_log, app_log, gen_log
from txtornado.web import Application

__all__ = ["HTTPRequest", "WSGIApplication", "WSGIContainer", "to_wsgi_str"]

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
_StartResponse = Callable[..., Callable[[bytes], object]]
_WSGIApplication = Callable[[dict[str, Any], _StartResponse], Iterable[bytes]]

_NO_BODY = (204, 304)
_get_running_loop = asyncio._get_running_loop


def to_wsgi_str(s: bytes) -> str:
    """``s`` as PEP 3333 wants bytes in an environment: each byte a character (latin-1).

    Raises:
        TypeError: ``s`` is not bytes.
    """
    if not isinstance(s, bytes):
        raise TypeError(f"to_wsgi_str takes bytes, not {type(s).__name__}")
    return s.decode("latin-1")


# ------------------------------------------------------------------ WSGI applications here


class WSGIContainer:
    r"""Makes a WSGI application a callback of `~txtornado.httpserver.HTTPServer`.

    It can also be the target of a route of `txtornado.routing`, or the ``fallback`` of
    `txtornado.web.FallbackHandler`::

        def hello(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"Hello\n"]

        container = WSGIContainer(hello, ThreadPoolExecutor(10))
        HTTPServer(container).listen(8888)

    Args:
        wsgi_application: the application.
        executor: where to run it, a ``concurrent.futures.ThreadPoolExecutor`` mostly (Tornado
            6.3).  Without one it runs in the loop's thread, and everything waits for it.

    A response is sent as it is made, no faster than the client takes it.  An exception of the application is logged and becomes a response with status 500, if it
    comes before the headers are sent; otherwise the connection is closed.
    """

    def __init__(
        self, wsgi_application: _WSGIApplication, executor: Executor | None = None
    ) -> None:
        self.wsgi_application = wsgi_application
        self.executor: Executor = dummy_executor if executor is None else executor

    def __call__(self, request: HTTPServerRequest) -> None:
        """Respond to ``request``."""
        IOLoop.current().spawn_callback(self.handle_request, request)

    async def handle_request(self, request: HTTPServerRequest) -> None:
        """Respond to ``request``, and be done when everything is sent."""
        response = _Response(request.method)
        run = partial(IOLoop.current().run_in_executor, self.executor)
        sender = _Sender(request, response)
        chunks: Iterator[bytes] | None = None
        try:
            chunks = await run(response.start, self.wsgi_application, self.environ(request))
            more = True
            while more:
                body, more = await run(response.next_batch, chunks)
                await sender.send(body, more)
        except StreamClosedError:
            pass
        except Exception:
            app_log.error("Uncaught exception of a WSGI application %s", request.uri, exc_info=True)
            sender.fail()
        finally:
            await run(response.close)
        self._log(response.code, request)

    def environ(self: Any, request: HTTPServerRequest | None = None) -> dict[str, Any]:
        """The WSGI environment for ``request``.

        Before Tornado 6.3 this was a static method, and can still be called as one.
        """
        if request is None:
            return _environ(self, False)
        return _environ(request, self.executor is not dummy_executor)

    def _log(self, status_code: int, request: HTTPServerRequest) -> None:
        log = access_log.info
        if status_code >= 500:
            log = access_log.error
        elif status_code >= 400:
            log = access_log.warning
        log(
            "%d %s %s (%s) %.2fms",
            status_code,
            request.method,
            request.uri,
            request.remote_ip,
            1000.0 * request.request_time(),
        )


def _environ(request: HTTPServerRequest, multithread: bool) -> dict[str, Any]:
    name, colon, port = request.host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = request.host, "443" if request.protocol == "https" else "80"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": to_wsgi_str(url_unescape(request.path, encoding=None, plus=False)),
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": request.remote_ip,
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": request.version,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.protocol,
        "wsgi.input": io.BytesIO(request.body or b""),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if request.body and "Content-Length" not in request.headers:
        environ["CONTENT_LENGTH"] = str(len(request.body))
    for header in request.headers:
        if "_" in header:
            continue  # would pass for the header with "-", which a proxy may have checked
        key = header.replace("-", "_").upper()
        separator = "; " if key == "COOKIE" else ","
        value = separator.join(request.headers.get_list(header))
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


class _Response:
    """The application's side of a response; everything here may run in another thread."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.code = 500
        self.reason = "Internal Server Error"
        self.headers = HTTPHeaders()
        self.sent = False
        self._started = False
        self._written: list[bytes] = []
        self._result: Any = None

    def start(self, application: _WSGIApplication, environ: dict[str, Any]) -> Iterator[bytes]:
        """Call the application."""
        self._result = application(environ, self._start_response)
        return iter(self._result)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: _ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        if exc_info is not None:
            if self.sent:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self._started:
            raise AssertionError("start_response was called twice without exc_info")
        self._started = True
        code, _, self.reason = status.partition(" ")
        self.code = int(code)
        self.headers = HTTPHeaders()
        for name, value in headers:
            self.headers.add(name, value)
        return self._written.append

    def next_batch(self, chunks: Iterator[bytes]) -> tuple[bytes, bool]:
        """The next part of the body, and whether there may be more.

        PEP 3333 wants each block to be sent before the next is asked for; a list has them all.
        """
        if isinstance(self._result, (list, tuple)):
            self._written += self._result
            more = False
        else:
            more = self._collect(chunks)
        if not self._started:
            raise AssertionError("the WSGI application did not call start_response")
        body = b"".join(self._written)
        self._written.clear()
        return body, more

    def _collect(self, chunks: Iterator[bytes]) -> bool:
        """Wait for a chunk with something in it; False when there are no more."""
        for chunk in chunks:
            if chunk:
                self._written.append(chunk)
                return True
        return False

    def close(self) -> None:
        """Tell the application that nobody wants more of it."""
        result, self._result = self._result, None
        close = getattr(result, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                app_log.error("Uncaught exception in close() of a WSGI response", exc_info=True)


class _Sender:
    """Our side of a response."""

    def __init__(self, request: HTTPServerRequest, response: _Response) -> None:
        self._connection: Any = request.connection
        self._response = response

    async def send(self, body: bytes, more: bool) -> None:
        """Send a part of the body, after the headers if they are still to go."""
        response = self._response
        connection = self._connection
        if not response.sent:
            response.sent = True
            future = connection.write_headers(*self._head(None if more else body), body)
        elif body:
            future = connection.write(body)
        else:
            future = None
        if not more:
            connection.finish()
        elif future is not None:
            await future

    def _head(self, body: bytes | None) -> tuple[ResponseStartLine, HTTPHeaders]:
        response = self._response
        headers = response.headers
        if response.code not in _NO_BODY:
            if body is not None and "Content-Length" not in headers and response.method != "HEAD":
                headers["Content-Length"] = str(len(body))
            if "Content-Type" not in headers:
                headers["Content-Type"] = "text/html; charset=UTF-8"
        if "Server" not in headers:
            headers["Server"] = f"TornadoServer/{version}"
        return ResponseStartLine("HTTP/1.1", response.code, response.reason), headers

    def fail(self) -> None:
        """Say that the application failed, as far as that is still possible."""
        response = self._response
        connection = self._connection
        response.code, response.reason = 500, responses[500]
        if response.sent:
            connection.close()
            return
        response.sent = True
        body = b"Internal Server Error"
        response.headers = HTTPHeaders({"Content-Type": "text/plain"})
        connection.write_headers(*self._head(body), body)
        connection.finish()


# -------------------------------------------------------------------- handlers elsewhere


class HTTPRequest(HTTPServerRequest):
    """A request made of a WSGI environment (Tornado 0.2 to 3.2).

    It can also be called with the arguments of `~txtornado.httputil.HTTPServerRequest`, of which
    this was an alias later.

    Args:
        environ: as a WSGI server makes it.

    Raises:
        txtornado.httputil.HTTPInputError: for a malformed form, or too long a body.
    """

    def __init__(self, environ: Any = None, *args: Any, **kwargs: Any) -> None:
        if not isinstance(environ, dict):
            if environ is not None:
                args = (environ, *args)
            super().__init__(*args, **kwargs)
            return
        path = _quoted(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        query = environ.get("QUERY_STRING", "")
        super().__init__(
            method=environ["REQUEST_METHOD"],
            uri=f"{path or '/'}?{query}" if query else path or "/",
            version=environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            headers=_headers_of(environ),
            body=_body_of(environ),
            host=environ.get("HTTP_HOST") or _server_of(environ),
            remote_ip=environ.get("REMOTE_ADDR", ""),
            protocol=environ.get("wsgi.url_scheme", "http"),
            **kwargs,
        )
        self._parse_body()


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path.encode("latin-1"), safe="/!$&'()*+,;=:@~-._")


def _headers_of(environ: dict[str, Any]) -> HTTPHeaders:
    headers = HTTPHeaders()
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            headers[key.replace("_", "-")] = environ[key]
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            headers[key[5:].replace("_", "-")] = value
    return headers


def _server_of(environ: dict[str, Any]) -> str:
    name = environ.get("SERVER_NAME") or "127.0.0.1"
    port = environ.get("SERVER_PORT", "80")
    if port == ("443" if environ.get("wsgi.url_scheme") == "https" else "80"):
        return str(name)
    return f"{name}:{port}"


def _body_of(environ: dict[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH")
    if not length:
        return b""
    if not str(length).isdecimal():
        raise HTTPInputError(f"Only integer Content-Length is allowed: {length!r}")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


class WSGIApplication(Application):
    """An `~txtornado.web.Application` that is a WSGI application (Tornado 0.2 to 4.5)::

        application = WSGIApplication([(r"/", MainHandler)])
        wsgiref.simple_server.make_server("", 8888, application).serve_forever()

    The server's thread waits for the whole response.  Coroutines work, though they keep the
    thread until they are done; ``flush``, `~txtornado.web.asynchronous` and WebSockets do not, and
    raise exceptions.  Everything else is as under `~txtornado.httpserver.HTTPServer`.
    """

    def __call__(self, environ: Any, start_response: _StartResponse | None = None) -> Any:
        """Respond, as PEP 3333 says; with a request as the only argument, as its base does."""
        if start_response is None:
            return super().__call__(environ)
        with _loop_of_thread() as loop:
            connection = self._respond(environ, loop)
        start_response(connection.status, connection.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"".join(connection.chunks)]

    def _respond(self, environ: dict[str, Any], loop: IOLoop) -> _WSGIConnection:
        connection = _WSGIConnection()
        try:
            self._handle(HTTPRequest(environ, connection=connection), loop)
        except HTTPInputError as error:
            gen_log.info("Malformed HTTP message from %s: %s", environ.get("REMOTE_ADDR"), error)
            return _error(400)
        except Exception as error:
            app_log.error("Uncaught exception %s", environ.get("PATH_INFO"), exc_info=error)
            return _error(500)
        return connection

    def _handle(self, request: HTTPRequest, loop: IOLoop) -> None:
        connection: Any = request.connection
        tasks = asyncio.all_tasks(loop.asyncio_loop)
        delegate = self.find_handler(request)
        start_line = RequestStartLine(request.method, request.uri, request.version)
        delegate.headers_received(start_line, request.headers)
        if request.body:
            # The request has parsed its body already; a streaming handler gets it here.
            delegate.data_received(request.body)
        delegate.finish()
        if not connection.finished:
            # A coroutine is at work: it has the thread, and its loop, until it is done.
            tasks = asyncio.all_tasks(loop.asyncio_loop) - tasks
            if tasks and _get_running_loop() is None:
                loop.run_sync(lambda: asyncio.wait(tasks))
        if not connection.finished:
            raise RuntimeError(
                f"the handler of {request.uri} has not finished its response, and under a WSGI "
                "server there is nothing to wait for"
            )


_loops = threading.local()


@contextlib.contextmanager
def _loop_of_thread() -> Iterator[IOLoop]:
    """Handlers take for granted that there is a loop in their thread; one of ours, if need be."""
    current = IOLoop.current(instance=False)
    if current is not None:
        yield current
        return
    loop: IOLoop | None = getattr(_loops, "loop", None)
    if loop is None:
        loop = _loops.loop = IOLoop(make_current=False)
    loop.make_current()
    try:
        yield loop
    finally:
        loop.clear_current()


class _WSGIConnection(HTTPConnection):
    """Keeps a response for the WSGI server."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []
        self.finished = False

    def write_headers(
        self, start_line: Any, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        raise RuntimeError("flush() does not work under a WSGI server")

    def write(self, chunk: bytes) -> Future[None]:
        raise RuntimeError("write to the connection does not work under a WSGI server")

    def finish(self) -> None:
        self.finished = True

    def write_response(self, start_line: Any, headers: HTTPHeaders, body: bytes) -> bool:
        """A whole response; see `~txtornado.http1connection.HTTP1Connection.write_response`."""
        self.status = f"{start_line.code} {start_line.reason}"
        self.headers = list(headers.get_all())
        if body:
            self.chunks.append(body)
        self.finished = True
        return True


def _error(code: int) -> _WSGIConnection:
    connection = _WSGIConnection()
    body = responses[code].encode("ascii")
    headers = HTTPHeaders({"Content-Type": "text/plain", "Content-Length": str(len(body))})
    connection.write_response(ResponseStartLine("", code, responses[code]), headers, body)
    return connection
