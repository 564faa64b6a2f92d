"""An HTTP server: connections come in, requests go to an application.

The server knows nothing of what a request means.  It makes an
`~txtornado.http1connection.HTTP1ServerConnection` of every stream that
`~txtornado.tcpserver.TCPServer` accepts, and offers each request to the application, in either of
two forms: a `~txtornado.httputil.HTTPServerConnectionDelegate` (`txtornado.web.Application` is
one), or a function that takes the whole request, as all were before Tornado 4.0.  What stands
between the two, each in a class of its own: `_CallbackDelegate` gathers a request for a function,
`_ForwardedDelegate` believes a proxy's headers.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from twisted.internet.interfaces import ISSLTransport

from txtornado.concurrent import Future, as_future, new_future
from txtornado.http1connection import HTTP1ConnectionParameters, HTTP1ServerConnection
from txtornado.httputil import HTTPConnection as _ExchangeInterface
from txtornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from txtornado.ioloop import IOLoop
from txtornado.iostream import IOStream, SSLIOStream
from txtornado.netutil import is_valid_ip
from txtornado.tcpserver import TCPServer
from txtornado.util import Configurable

__all__ = ["HTTPConnection", "HTTPRequest", "HTTPServer"]

#: The request under its name of Tornado 0.2 to 3.2.
HTTPRequest = HTTPServerRequest

#: Seconds for which an idle connection is kept.
_IDLE_TIMEOUT = 3600.0
_READ_CHUNK_SIZE = 65536

_Application = HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], Any]


class HTTPServer(TCPServer, Configurable, HTTPServerConnectionDelegate):
    r"""An HTTP/1.x server.

    ``request_callback`` is a `~txtornado.httputil.HTTPServerConnectionDelegate`, usually a
    `txtornado.web.Application`, or a function of one `~txtornado.httputil.HTTPServerRequest`,
    which may be a coroutine function and responds through the request::

        def echo(request):
            message = b"You asked for " + request.uri.encode("latin-1")
            request.connection.write_headers(
                ResponseStartLine("HTTP/1.1", 200, "OK"),
                HTTPHeaders({"Content-Length": str(len(message))}),
                message,
            )
            request.connection.finish()

        HTTPServer(echo).listen(8888)

    (Before Tornado 4.0 with ``request.write``, which takes the encoded response, and
    ``request.finish``; that works, too.)

    Connections are kept for further requests, which HTTP/1.0 clients have to ask for.

    There are as many ways to start it as `~txtornado.tcpserver.TCPServer` has (``listen``,
    ``bind`` and ``start``, ``add_sockets``), and it is an
    `~twisted.internet.interfaces.IProtocolFactory`: ``reactor.listenTCP(8888, server)`` and
    ``endpoint.listen(server)``.

    Args:
        request_callback: the application.
        no_keep_alive: close each connection after one request.
        xheaders: take the client's address from ``X-Real-IP`` or ``X-Forwarded-For`` and the
            protocol from ``X-Scheme`` or ``X-Forwarded-Proto``.  Only behind a proxy that sets
            them: anybody can send them.
        ssl_options: serve TLS; an ``ssl.SSLContext``, or a dictionary of what ``ssl_options_to_context``
            of `txtornado.netutil` takes, with at least ``certfile``.
        protocol: ``"http"`` or ``"https"``, in place of what the connection says; behind a proxy
            that ends TLS and sets no header.
        decompress_request: decode request bodies with ``Content-Encoding: gzip`` or ``deflate``.
        chunk_size: the most bytes of a body handed on at once (default 64 KiB).
        max_header_size: the most bytes of start line and headers (default 64 KiB).
        idle_connection_timeout: seconds for which an idle connection is kept (default 3600).
        body_timeout: seconds for a whole body to come in (default: no limit, though a body of
            which nothing comes for ``idle_connection_timeout`` is given up).
        max_body_size: the most bytes of a body, also when it is decompressed (default:
            ``max_buffer_size``).
        max_buffer_size: the most bytes a stream buffers (default 100 MiB).
        trusted_downstream: addresses of further proxies, to be skipped from the end of
            ``X-Forwarded-For``.
        io_loop: Tornado before 5.0, there the third argument: the loop to run on.

    ``decompress_request`` to ``max_body_size`` and delegates are from Tornado 4.0,
    ``trusted_downstream`` from 4.5.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Everything happens in `initialize`, as for all Configurables.
        pass

    def initialize(
        self,
        request_callback: _Application,
        no_keep_alive: bool = False,
        xheaders: bool = False,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        protocol: str | None = None,
        decompress_request: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        idle_connection_timeout: float | None = None,
        body_timeout: float | None = None,
        max_body_size: int | None = None,
        max_buffer_size: int | None = None,
        trusted_downstream: Iterable[str] | None = None,
        *,
        io_loop: IOLoop | None = None,
    ) -> None:
        """Take the constructor's arguments."""
        if xheaders is None or isinstance(xheaders, IOLoop):
            # Tornado before 5.0 by position: io_loop, xheaders, ssl_options.
            io_loop = xheaders or io_loop
            xheaders, ssl_options, protocol = bool(ssl_options), protocol, None
        self.request_callback = request_callback
        self.xheaders = xheaders
        self.protocol = protocol
        self.conn_params = HTTP1ConnectionParameters(
            decompress=decompress_request,
            chunk_size=chunk_size,
            max_header_size=max_header_size,
            header_timeout=idle_connection_timeout or _IDLE_TIMEOUT,
            max_body_size=max_body_size,
            body_timeout=body_timeout,
            no_keep_alive=no_keep_alive,
        )
        options: dict[str, Any] = {} if io_loop is None else {"io_loop": io_loop}
        TCPServer.__init__(
            self,
            ssl_options=ssl_options,
            max_buffer_size=max_buffer_size,
            # Not less than usual: small chunks are cut from what was read.
            read_chunk_size=max(chunk_size or 0, _READ_CHUNK_SIZE),
            **options,
        )
        self._connections: set[HTTP1ServerConnection] = set()
        self._upgraded: set[Any] = set()
        self._empty: Future[None] | None = None
        self.trusted_downstream = trusted_downstream

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """See `txtornado.util.Configurable`."""
        return HTTPServer

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """See `txtornado.util.Configurable`."""
        return HTTPServer

    # ------------------------------------------------------------------------ connections

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Serve HTTP on ``stream``."""
        context = _HTTPRequestContext(stream, address, self.protocol, self.trusted_downstream)
        connection = HTTP1ServerConnection(stream, self.conn_params, context)
        self._connections.add(connection)
        connection.start_serving(self)

    def start_request(
        self, server_conn: object, request_conn: _ExchangeInterface
    ) -> HTTPMessageDelegate:
        """See `~txtornado.httputil.HTTPServerConnectionDelegate`."""
        application = self.request_callback
        delegate: HTTPMessageDelegate
        if isinstance(application, HTTPServerConnectionDelegate):
            delegate = application.start_request(server_conn, request_conn)
        else:
            delegate = _CallbackDelegate(application, server_conn, request_conn)
        if self.xheaders:
            delegate = _ForwardedDelegate(delegate, request_conn)
        return delegate

    def on_close(self, server_conn: object) -> None:
        """See `~txtornado.httputil.HTTPServerConnectionDelegate`."""
        self._connections.discard(server_conn)
        self._check_empty()
        if isinstance(self.request_callback, HTTPServerConnectionDelegate):
            self.request_callback.on_close(server_conn)

    def adopt(self, connection: Any) -> None:
        """Know of a connection that was detached, for a graceful end; ours.

        Called by whoever took it over, with an `~txtornado.interfaces.IUpgradedConnection`.
        """
        self._upgraded.add(connection)

    def release(self, connection: Any) -> None:
        """Forget what was adopted: it is closed; ours."""
        self._upgraded.discard(connection)
        self._check_empty()

    def _check_empty(self) -> None:
        if self._empty is not None and not self._connections and not self._upgraded:
            self._empty.set_result(None)
            self._empty = None

    async def close_all_connections(self) -> None:
        """Close all connections, whatever they are about, and wait until they are closed.

        For an orderly end: first ``stop``, then this.  WebSockets and other detached streams are
        left alone.
        """
        while self._connections:
            connection = next(iter(self._connections))
            await connection.close()
            self._connections.discard(connection)

    def drain(self, timeout: float | None = None) -> Coroutine[Any, Any, None]:
        """End in good order; ours.

        From now on no connections are accepted.  Those without a request under way are closed at
        once, the others when the request is answered (with ``Connection: close`` where the
        response has not begun yet).  WebSockets, and whatever else was made known with `adopt`, are
        told to close; other detached streams are left alone.

        Args:
            timeout: seconds after which what is left is cut off; None for never.

        Returns:
            a coroutine that waits until all connections are closed.
        """
        self.stop()
        for connection in list(self._connections):
            connection.drain()
        for upgraded in list(self._upgraded):
            upgraded.shut_down()
        return self._drained(timeout)

    async def _drained(self, timeout: float | None) -> None:
        if self._connections or self._upgraded:
            if self._empty is None:
                self._empty = new_future()
            await asyncio.wait([self._empty], timeout=timeout)
        await self.close_all_connections()
        for upgraded in list(self._upgraded):
            upgraded.abort()


class _CallbackDelegate(HTTPMessageDelegate):
    """Gathers a request and gives it to a function."""

    def __init__(
        self,
        callback: Callable[[HTTPServerRequest], Any],
        server_conn: object,
        request_conn: _ExchangeInterface,
    ) -> None:
        self._callback = callback
        self._server_conn = server_conn
        self._connection: _ExchangeInterface | None = request_conn
        self._request: HTTPServerRequest | None = None
        self._chunks: list[bytes] = []

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self._request = HTTPServerRequest(
            connection=self._connection,
            start_line=start_line,
            headers=headers,
            server_connection=self._server_conn,
        )

    def data_received(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def finish(self) -> None:
        request = self._request
        assert request is not None
        request.body = b"".join(self._chunks)
        request._parse_body()
        self._forget()
        result = self._callback(request)
        if result is not None and inspect.isawaitable(result):
            IOLoop.current().add_future(as_future(result), lambda future: future.result())

    def on_connection_close(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._connection = self._request = None
        self._chunks = []


class _ForwardedDelegate(HTTPMessageDelegate):
    """Believes what a proxy says of the client, for the time of one request."""

    def __init__(self, delegate: HTTPMessageDelegate, request_conn: Any) -> None:
        self._delegate = delegate
        self._context = request_conn.context

    def headers_received(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
    ) -> Any:
        self._context._apply_xheaders(headers)
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Any:
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        try:
            self._delegate.finish()
        finally:
            self._context._unapply_xheaders()

    def on_connection_close(self) -> None:
        try:
            self._delegate.on_connection_close()
        finally:
            self._context._unapply_xheaders()


class _HTTPRequestContext:
    """What a connection tells of the client; requests have it as ``connection.context``.

    Attributes:
        address: as the socket tells it.
        address_family: one of `socket`'s, None where there is no IP address.
        remote_ip: the client's address, ``"0.0.0.0"`` when it has none, such as on a UNIX socket.
        protocol: ``"http"`` or ``"https"``.
        trusted_downstream: addresses of proxies.
    """

    trusted_downstream: frozenset[str] = frozenset()

    def __init__(
        self,
        stream: IOStream,
        address: Any,
        protocol: str | None,
        trusted_downstream: Iterable[str] | None = None,
    ) -> None:
        self.address = address
        self.remote_ip: str
        sock = getattr(stream, "socket", None)
        self.address_family = getattr(sock, "family", None)
        if sock is None and isinstance(address, tuple):  # a transport that is no socket
            self.address_family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
        if self._has_ip():
            self.remote_ip = address[0]
        else:
            self.remote_ip = "0.0.0.0"
        self.protocol = protocol or ("https" if _is_encrypted(stream) else "http")
        self._orig_remote_ip = self.remote_ip
        self._orig_protocol = self.protocol
        if trusted_downstream:
            self.trusted_downstream = frozenset(trusted_downstream)

    def _has_ip(self) -> bool:
        return bool(self.address_family in (socket.AF_INET, socket.AF_INET6) and self.address)

    def __str__(self) -> str:
        if self._has_ip():
            return self.remote_ip
        if isinstance(self.address, bytes):
            return self.address.decode("utf-8", "replace")
        return str(self.address)

    def _apply_xheaders(self, headers: HTTPHeaders) -> None:
        """Take address and protocol from what a proxy has set."""
        address = headers.get("X-Real-Ip") or self._forwarded_for(headers)
        if address is not None and is_valid_ip(address):
            self.remote_ip = address
        scheme = headers.get("X-Scheme") or headers.get("X-Forwarded-Proto")
        if scheme is not None:
            # With several proxies the last one is the nearest to us.
            scheme = scheme.rpartition(",")[2].strip()
            if scheme in ("http", "https"):
                self.protocol = scheme

    def _forwarded_for(self, headers: HTTPHeaders) -> str | None:
        """The last hop that is not one of our own proxies."""
        header = headers.get("X-Forwarded-For")
        if header is None:
            return None
        hops = [hop.strip() for hop in header.split(",")]
        for hop in reversed(hops):
            if hop not in self.trusted_downstream:
                return hop
        return hops[0]

    def _unapply_xheaders(self) -> None:
        """Go back to what the connection itself tells: the next request may be another client's."""
        self.remote_ip = self._orig_remote_ip
        self.protocol = self._orig_protocol


def _is_encrypted(stream: IOStream) -> bool:
    return isinstance(stream, SSLIOStream) or ISSLTransport.providedBy(
        getattr(stream, "transport", None)
    )


class HTTPConnection:
    """Serves HTTP on one stream with a callback application, without a server (Tornado 2.3).

    Args:
        stream: an `~txtornado.iostream.IOStream`.
        address: the peer's, as the socket tells it.
        request_callback: gets each request.
        no_keep_alive: serve one request only.
        xheaders: see `HTTPServer`.

    Attributes:
        xheaders: as above.
        stream, address, request_callback, no_keep_alive: the arguments.
    """

    def __init__(
        self,
        stream: IOStream,
        address: Any,
        request_callback: Callable[[HTTPServerRequest], Any],
        no_keep_alive: bool = False,
        xheaders: bool = False,
    ) -> None:
        self.stream = stream
        self.address = address
        self.request_callback = request_callback
        self.no_keep_alive = no_keep_alive
        self.xheaders = xheaders
        self._exchange: Any = None
        params = HTTP1ConnectionParameters(
            no_keep_alive=no_keep_alive, header_timeout=_IDLE_TIMEOUT
        )
        context = _HTTPRequestContext(stream, address, None)
        HTTP1ServerConnection(stream, params, context).start_serving(_SingleServer(self))

    def write(self, chunk: bytes, callback: Callable[[], object] | None = None) -> Any:
        """Send bytes of the encoded response to the present request.

        Raises:
            RuntimeError: there is none.
        """
        return self._present().write(chunk, callback)

    def finish(self) -> None:
        """End the response to the present request.

        Raises:
            RuntimeError: there is none.
        """
        self._present().finish()

    def _present(self) -> Any:
        if self._exchange is None:
            raise RuntimeError("the connection has no request to respond to")
        return self._exchange


class _SingleServer(HTTPServerConnectionDelegate):
    """Gives the requests of one `HTTPConnection` to its callback."""

    def __init__(self, owner: HTTPConnection) -> None:
        self._owner = owner

    def start_request(
        self, server_conn: object, request_conn: _ExchangeInterface
    ) -> HTTPMessageDelegate:
        owner = self._owner
        owner._exchange = request_conn
        delegate: HTTPMessageDelegate = _CallbackDelegate(
            owner.request_callback, server_conn, request_conn
        )
        if owner.xheaders:
            delegate = _ForwardedDelegate(delegate, request_conn)
        return delegate

    def on_close(self, server_conn: object) -> None:
        self._owner._exchange = None
