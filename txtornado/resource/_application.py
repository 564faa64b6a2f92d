"""An application as a resource of twisted.web.

twisted.web's request stands where the HTTP/1 engine stands in our own server: `_Exchange` is the
`~txtornado.httputil.HTTPConnection` that handlers write to, and hands everything on to it.  Status
101 is the exception: there the exchange writes to the transport itself, and then takes it over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from txtornado._twisted import unparsed_of_channel, unsent_of_transport
from txtornado.concurrent import Future, done_future, new_future
from txtornado.httpserver import HTTPServer, _HTTPRequestContext
from txtornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    RequestStartLine,
)
from txtornado.ioloop import IOLoop
from txtornado.iostream import IOStream, StreamClosedError
from txtornado.log import app_log, gen_log

__all__ = ["ApplicationResource"]

_CHUNK = 65536


@implementer(IResource)
class ApplicationResource:
    """A leaf of a tree of resources, below which an application answers.

    Args:
        application: whatever `~txtornado.httpserver.HTTPServer` takes: an
            `~txtornado.web.Application`, a router, a function of a request.
        strip_prefix: let the application see paths without the resource's own place in the
            tree.  By default it sees the whole path, so that the links it makes are right.
        xheaders: believe a proxy's headers, as for `HTTPServer`.

    Attributes:
        http_server: an `~txtornado.httpserver.HTTPServer` that listens nowhere; its ``drain`` closes
            WebSockets in good order.

    twisted.web takes in the whole request before it asks a resource; a handler with
    `~txtornado.web.stream_request_body` gets it then, still in pieces.  WebSockets need HTTP/1.1.
    """

    isLeaf = True

    def __init__(
        self, application: Any, *, strip_prefix: bool = False, xheaders: bool = False
    ) -> None:
        self.http_server = HTTPServer(application, xheaders=xheaders)
        self.strip_prefix = strip_prefix

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """See `twisted.web.resource.IResource`: there is nothing below but the application."""
        return self

    def putChild(self, path: bytes, child: Any) -> None:
        """See `twisted.web.resource.IResource`.

        Raises:
            TypeError: always; what is below is the application's business.
        """
        raise TypeError("an ApplicationResource has no children: add a route to its application")

    def render(self, request: Any) -> Any:
        """See `twisted.web.resource.IResource`."""
        IOLoop.current()  # the handlers ask for it; under a foreign reactor it is made here
        uri = _stripped(request) if self.strip_prefix else request.uri
        exchange = _Exchange(request, self.http_server)
        exchange.begin(uri.decode("latin-1"))
        return NOT_DONE_YET


def _stripped(request: Any) -> bytes:
    """The target, less the path up to the resource."""
    uri: bytes = request.uri
    path, mark, query = uri.partition(b"?")
    rest = path.split(b"/")[1 + len(request.prepath) :]
    return b"/" + b"/".join(rest) + mark + query


class _Connection:
    """Stands for the server's side of a connection."""

    def __init__(self, server: HTTPServer) -> None:
        #: Who wants to know of WebSockets.
        self.delegate = server


@implementer(IPushProducer)
class _Exchange(HTTPConnection):
    """One request and its response.

    Attributes:
        context: what is known of the client.
        stream: always None; there is one after `detach`, which returns it.
    """

    stream = None
    no_keep_alive = False

    def __init__(self, request: Any, server: HTTPServer) -> None:
        self._request = request
        self._server = server
        address = request.getClientAddress()
        host = getattr(address, "host", None)
        self.context = _HTTPRequestContext(
            object(),  # type: ignore[arg-type]
            getattr(address, "name", None) if host is None else (host, address.port),
            "https" if request.isSecure() else "http",
        )
        if host is not None:
            self.context.remote_ip = self.context._orig_remote_ip = host
        self._close_callback: Callable[[], None] | None = None
        self._delegate: Any = None
        #: Set while the client does not take what is sent.
        self._blocked: Future[None] | None = None
        self._producing = False
        self._closed = False
        self._upgraded = False
        self._over = False
        request.notifyFinish().addErrback(self._client_gone)

    # -- the request --------------------------------------------------------------------

    def begin(self, uri: str) -> None:
        """Hand the request to the application."""
        self._advance(self._steps(uri))

    def _steps(self, uri: str) -> Iterator[Awaitable[Any] | None]:
        request = self._request
        version = request.clientproto.decode("latin-1")
        start_line = RequestStartLine(
            request.method.decode("latin-1"),
            uri,
            version if version.startswith("HTTP/1.") else "HTTP/1.1",
        )
        headers = HTTPHeaders()
        for name, values in request.requestHeaders.getAllRawHeaders():
            for value in values:
                headers.add(name.decode("latin-1"), value.decode("latin-1"))
        self._delegate = delegate = self._server.start_request(_Connection(self._server), self)
        yield delegate.headers_received(start_line, headers)
        while chunk := request.content.read(_CHUNK):
            yield delegate.data_received(chunk)
        self._delegate = None
        yield delegate.finish()  # type: ignore[func-returns-value]

    def _advance(self, steps: Iterator[Awaitable[Any] | None]) -> None:
        """Take the steps; wait in a task from the first one that wants it."""
        try:
            for waiting in steps:
                if waiting is not None:
                    task = asyncio.ensure_future(self._wait(waiting, steps))
                    task.add_done_callback(_report)
                    return
                if self._closed or self._over:
                    return
        except HTTPInputError as error:
            gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
            self._refuse(400)
        except Exception:
            app_log.error("Uncaught exception %r", self._request, exc_info=True)
            self._refuse(500)

    async def _wait(self, waiting: Awaitable[Any], steps: Iterator[Awaitable[Any] | None]) -> None:
        await waiting
        if not self._closed and not self._over:
            self._advance(steps)

    def _refuse(self, status: int) -> None:
        request = self._request
        if self._over or self._closed:
            return
        if request.startedWriting:
            request.loseConnection()
            return
        self._over = True
        request.setResponseCode(status)
        request.setHeader(b"Content-Length", b"0")
        request.finish()

    # -- the response -------------------------------------------------------------------

    def write_headers(
        self, start_line: Any, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        """See `~txtornado.httputil.HTTPConnection`."""
        self._check_open()
        if start_line.code == 101:
            return self._write_upgrade(start_line, headers)
        if not self._producing:
            self._producing = True
            self._request.registerProducer(self, True)
        self._write_head(start_line, headers)
        self._request.write(chunk or b"")
        return self._flow()

    def _write_head(self, start_line: Any, headers: HTTPHeaders) -> None:
        request = self._request
        request.setResponseCode(start_line.code, start_line.reason.encode("latin-1"))
        request.defaultContentType = None
        values: dict[str, list[bytes]] = {}
        for name, value in headers.get_all():
            values.setdefault(name, []).append(value.encode("latin-1"))
        for name, lines in values.items():
            request.responseHeaders.setRawHeaders(name.encode("latin-1"), lines)

    def _write_upgrade(self, start_line: Any, headers: HTTPHeaders) -> Future[None]:
        lines = [f"HTTP/1.1 {start_line.code} {start_line.reason}"]
        lines += [f"{name}: {value}" for name, value in headers.get_all()]
        self._upgraded = True
        self._request.transport.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return done_future()

    def write(self, chunk: bytes) -> Future[None]:
        """See `~txtornado.httputil.HTTPConnection`."""
        self._check_open()
        self._request.write(chunk)
        return self._flow()

    def write_response(self, start_line: Any, headers: HTTPHeaders, body: bytes) -> bool:
        """A whole response; see `~txtornado.http1connection.HTTP1Connection.write_response`."""
        self._check_open()
        if start_line.code == 101:
            self._write_upgrade(start_line, headers)
            return True
        self._write_head(start_line, headers)
        if body:
            self._request.write(body)
        self.finish()
        return True

    def finish(self) -> None:
        """See `~txtornado.httputil.HTTPConnection`."""
        if self._closed or self._over or self._upgraded:
            return
        self._over = True
        self._close_callback = None
        self._stop_producing()
        self._request.finish()

    def close(self) -> None:
        """Cut the connection."""
        if not self._closed and not self._over:
            self._request.loseConnection()

    def _check_open(self) -> None:
        if self._closed:
            raise StreamClosedError()

    # -- flow control -------------------------------------------------------------------

    def _flow(self) -> Future[None]:
        return done_future() if self._blocked is None else self._blocked

    def pauseProducing(self) -> None:
        """See `twisted.internet.interfaces.IPushProducer`: the client does not keep up."""
        if self._blocked is None:
            self._blocked = new_future()

    def resumeProducing(self) -> None:
        """See `twisted.internet.interfaces.IPushProducer`."""
        blocked, self._blocked = self._blocked, None
        if blocked is not None and not blocked.done():
            blocked.set_result(None)

    def stopProducing(self) -> None:
        """See `twisted.internet.interfaces.IProducer`; `_client_gone` is what counts."""

    def _stop_producing(self) -> None:
        if self._producing:
            self._producing = False
            self._request.unregisterProducer()
            self.resumeProducing()

    # -- the end ------------------------------------------------------------------------

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Have ``callback`` called if the client goes before the response is complete."""
        self._close_callback = callback
        if self._closed and callback is not None:
            IOLoop.current().add_callback(callback)

    def _client_gone(self, reason: Failure) -> None:
        self._closed = True
        blocked, self._blocked = self._blocked, None
        if blocked is not None and not blocked.done():
            blocked.set_exception(StreamClosedError(real_error=reason.value))
            blocked.exception()  # nobody has to look at it
        delegate, self._delegate = self._delegate, None
        if delegate is not None:
            delegate.on_connection_close()
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            callback()

    def detach(self) -> IOStream:
        """Take the connection away from twisted.web.

        Raises:
            RuntimeError: it is no HTTP/1.1 connection, or the response is over.
        """
        channel = self._request.channel
        # What a Site makes is a shell around the channel; the request knows the channel itself.
        if not isinstance(channel, http.HTTPChannel) or self._over:
            raise RuntimeError("only an HTTP/1.1 connection can be detached, before its response")
        self._upgraded = self._over = True
        self._close_callback = None
        return _take_over(channel)


def _take_over(channel: http.HTTPChannel) -> IOStream:
    """A stream that has the channel's transport."""
    transport: Any = channel.transport
    channel.setTimeout(None)
    transport.unregisterProducer()
    stream = IOStream()
    # Nothing in twisted.web's public interface gives a connection away.  Whatever wraps the
    # channel, and whatever carries it, calls these two.
    replaced: Any = channel
    replaced.dataReceived = lambda data: stream.dataReceived(data)  # which the stream replaces
    replaced.connectionLost = stream.connectionLost
    unsent = unsent_of_transport(transport)
    stream.makeConnection(transport)
    if unsent:
        stream.send(unsent)
    stream.unread(unparsed_of_channel(channel))
    return stream


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        app_log.error("Uncaught exception in a request", exc_info=task.exception())
