"""The client's side: `websocket_connect` and what it results in."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import time
import warnings
import weakref
from asyncio import Future
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from txtornado import httputil
from txtornado.concurrent import as_future, new_future
from txtornado.escape import utf8
from txtornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from txtornado.httpclient import HTTPError, HTTPRequest
from txtornado.httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError
from txtornado.httpclient._head import request_head
from txtornado.httpclient._request import _RequestProxy
from txtornado.httpclient._target import Target, parse_target
from txtornado.httpclient._tls import ssl_options_of
from txtornado.httputil import HTTPHeaders, RequestStartLine, ResponseStartLine
from txtornado.ioloop import IOLoop
from txtornado.iostream import IOStream, StreamClosedError
from txtornado.log import app_log
from txtornado.netutil import Resolver
from txtornado.stack_context import wrap
from txtornado.tcpclient import TCPClient
from txtornado.websocket._deflate import accept_response, offer
from txtornado.websocket._errors import WebSocketClosedError, WebSocketError
from txtornado.websocket._headers import accept_value, has_token
from txtornado.websocket._prepared import PreparedMessage
from txtornado.websocket._protocol import (
    DEFAULT_MAX_MESSAGE_SIZE,
    Parameters,
    WebSocketProtocol13,
)

__all__ = ["WebSocketClientConnection", "websocket_connect"]

_SCHEMES = {"ws": "http", "wss": "https"}
#: Messages, and bytes of them, that wait for `read_message` before the server has to wait.
_MAX_QUEUED = 64
_MAX_QUEUED_BYTES = 1 << 18
_TURNS_BEFORE_MESSAGES = 4
_MAX_BUFFER_SIZE = 100 * 1024 * 1024

MessageCallback = Callable[[Any], Any]
"""Called with each message, and with None at the end."""


def websocket_connect(
    url: str | HTTPRequest,
    callback: Any = None,
    connect_timeout: Any = None,
    on_message_callback: Any = None,
    compression_options: dict[str, Any] | None = None,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
    subprotocols: list[str] | None = None,
    resolver: Resolver | None = None,
    *,
    io_loop: IOLoop | None = None,
) -> Awaitable[WebSocketClientConnection]:
    """Connect to a WebSocket server (Tornado 3.0).

    ::

        ws = await websocket_connect("wss://example.com/chat")
        await ws.write_message("hello")
        while (message := await ws.read_message()) is not None:
            print(message)

    Args:
        url: ``ws://`` or ``wss://``; or an `HTTPRequest` with such a URL (3.2), which may have
            headers, cookies among them, authentication, TLS settings and so on.
        callback: called with the Future, when it is done.
        connect_timeout: seconds until the connection stands, TLS included; 20 by default.
        on_message_callback: called with each message, and with None at the end, instead of
            `WebSocketClientConnection.read_message` (4.1); the next message waits for it if it is
            a coroutine function.
        compression_options: as returned by `WebSocketHandler.get_compression_options`; None for
            no compression (4.1).
        ping_interval: seconds between pings (4.5); none by default.
        ping_timeout: seconds for their answers (4.5); the interval by default.
        max_message_size: bytes of an incoming message (4.5).
        subprotocols: what to propose (5.1).
        resolver: finds the server's address (6.3).
        io_loop: before Tornado 5.0, there the second argument: the loop to run on.

    Returns:
        A Future of a `WebSocketClientConnection`; cancelling it closes the connection.

    Raises:
        HTTPError: (from the Future) the server refused, or redirected, which is not followed.
        WebSocketError: its answer is not one to a handshake.
        HTTPTimeoutError: ``connect_timeout`` is over.
        OSError: there is no connection to be had.
        ValueError: ``url`` is not a WebSocket's.
        NotImplementedError: the request asks for a proxy.
    """
    if isinstance(callback, IOLoop) or (callback is None and callable(connect_timeout)):
        # Tornado before 5.0: url, io_loop, callback, connect_timeout ...
        io_loop, callback = callback or io_loop, connect_timeout
        connect_timeout, on_message_callback = on_message_callback, None
    request = url
    if not isinstance(request, HTTPRequest):
        request = HTTPRequest(request, connect_timeout=connect_timeout)
    elif connect_timeout is not None:
        raise ValueError("connect_timeout belongs into the HTTPRequest when there is one")
    connection = WebSocketClientConnection(
        request,
        on_message_callback,
        compression_options,
        ping_interval,
        ping_timeout,
        max_message_size,
        subprotocols,
        resolver,
    )
    future = connection.connect_future
    if callback is not None:
        connection.io_loop.add_future(future, callback)
    return future


class WebSocketClientConnection(httputil.HTTPMessageDelegate):
    """A connection to a WebSocket server; made by `websocket_connect`, which see (Tornado 3.0).

    Attributes:
        connect_future: what `websocket_connect` returns.
        protocol: the `WebSocketProtocol13`; None before the handshake.
        headers: those of the server's response.
        close_code: why the server closed the connection, as a number, if it said so.
        close_reason: the same in words.
        code: the status of a response that refused the handshake, None when it succeeded.
        reason: the same in words.
        stream: the connection's stream, once there is one.
        key: our ``Sec-WebSocket-Key``.
        params: limits and options.
    """

    protocol: WebSocketProtocol13 | None = None
    headers: HTTPHeaders
    close_code: int | None = None
    close_reason: str | None = None
    stream: Any = None
    code: int | None = None
    reason: str | None = None

    _connecting: asyncio.Task[None] | None = None
    _connection: HTTP1Connection | None = None
    _problem: BaseException | None = None
    _room: Future[None] | None = None
    _queued = 0
    _over = False
    _announced = False

    def __init__(
        self,
        request: HTTPRequest,
        on_message_callback: MessageCallback | None = None,
        compression_options: dict[str, Any] | None = None,
        ping_interval: float | None = None,
        ping_timeout: float | None = None,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        subprotocols: list[str] | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.io_loop = IOLoop.current()
        self.params = Parameters(ping_interval, ping_timeout, max_message_size, compression_options)
        self.key = base64.b64encode(os.urandom(16)).decode("ascii")
        self.request = _handshake(request, self.key, subprotocols, compression_options)
        self.start_time = self.io_loop.time()
        self.start_wall_time = time.time()
        self.tcp_client = TCPClient(resolver=resolver)
        self.connect_future: Future[WebSocketClientConnection] = new_future()
        self._subprotocols = subprotocols or []
        self._on_message_callback = (
            None if on_message_callback is None else wrap(on_message_callback)
        )
        self._messages: deque[str | bytes] = deque()
        self._readers: deque[Future[Any]] = deque()
        self.connect_future.add_done_callback(_cancelled(weakref.ref(self)))
        self._connecting = self.io_loop.asyncio_loop.create_task(self.run())

    # ------------------------------------------------------------------------ connecting

    async def run(self) -> None:
        """Connect and shake hands; the outcome is `connect_future`'s."""
        try:
            await self._shake_hands()
        except asyncio.CancelledError:
            self._close_stream()
            self.connect_future.cancel()
            raise
        except Exception as error:
            self._close_stream()
            if not self.connect_future.done():
                self.connect_future.set_exception(error)
        finally:
            self._connecting = self._connection = None

    async def _shake_hands(self) -> None:
        target = parse_target(self.request.url)
        timeout = self.request.connect_timeout or None
        try:
            async with asyncio.timeout(timeout):
                self.stream = await self._connect(target)
                await self._exchange(target)
        except TimeoutError as error:
            if error.errno is not None:
                raise  # the system's own, ETIMEDOUT
            raise HTTPTimeoutError(f"Timeout: no WebSocket connection after {timeout} s") from None
        finally:
            self.tcp_client.close()

    async def _connect(self, target: Target) -> IOStream:
        request = self.request
        try:
            return await self.tcp_client.connect(
                target.host,
                target.port,
                af=socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC,
                ssl_options=ssl_options_of(request) if target.scheme == "https" else None,
                max_buffer_size=_MAX_BUFFER_SIZE,
                source_ip=request.network_interface or None,
            )
        except StreamClosedError as error:
            raise error.real_error or HTTPStreamClosedError("Connection closed") from None

    async def _exchange(self, target: Target) -> None:
        stream = self.stream
        connection = self._connection = HTTP1Connection(
            stream, True, HTTP1ConnectionParameters(no_keep_alive=True, max_body_size=1 << 20)
        )
        start_line, headers = request_head(self.request, target)
        connection.write_headers(start_line, headers)
        connection.finish()
        await connection.read_response(self)
        if self._problem is not None:
            raise self._problem
        if self.protocol is None:
            raise stream.error or HTTPStreamClosedError("Connection closed")

    @property
    def parsed(self) -> SplitResult:
        """The parts of the URL; not documented, but programs look here for the host (dask)."""
        parts: SplitResult = urlsplit(self.request.url)
        return parts

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """See `~txtornado.httputil.HTTPMessageDelegate`."""
        assert isinstance(start_line, ResponseStartLine)
        if 100 <= start_line.code < 200 and start_line.code != 101:
            return None
        self.headers = headers
        try:
            if start_line.code != 101:
                self.code, self.reason = start_line.code, start_line.reason
                raise self._refusal(start_line)
            self._begin(headers)
        except Exception as error:
            self._problem = error
            self._close_stream()
        return None

    def _refusal(self, start_line: ResponseStartLine) -> Exception:
        if start_line.code == 200:
            return WebSocketError("the server answered with a page: this is no WebSocket")
        return HTTPError(start_line.code, start_line.reason)

    def _begin(self, headers: HTTPHeaders) -> None:
        """Check the server's answer, and begin."""
        self._check_answer(headers)
        protocol = self.get_websocket_protocol()
        protocol._selected_subprotocol = self._check_subprotocol(headers)
        options = self.params.compression_options
        agreement = accept_response(headers.get("Sec-WebSocket-Extensions", ""), options)
        if agreement is not None and options is not None:
            protocol._engine.use_deflate(agreement, options)
        assert self._connection is not None
        stream: IOStream = self._connection.detach()
        self.protocol = protocol
        protocol._begin(stream, self._announce)

    async def _announce(self) -> None:
        """Give the application a few turns before the first message.

        Its callback may well use the connection, which it awaits, mostly through a few layers.
        """
        if not self.connect_future.done():
            self.connect_future.set_result(self)
        for _ in range(_TURNS_BEFORE_MESSAGES):
            await asyncio.sleep(0)

    def _check_answer(self, headers: HTTPHeaders) -> None:
        if headers.get("Upgrade", "").lower() != "websocket":
            raise WebSocketError("the server's answer lacks 'Upgrade: websocket'")
        if not has_token(headers.get("Connection", ""), "upgrade"):
            raise WebSocketError("the server's answer lacks 'Connection: Upgrade'")
        if headers.get("Sec-WebSocket-Accept") != accept_value(self.key):
            raise WebSocketError("the server's Sec-WebSocket-Accept does not fit our key")

    def _check_subprotocol(self, headers: HTTPHeaders) -> str | None:
        selected = headers.get("Sec-WebSocket-Protocol")
        if selected is not None and selected not in self._subprotocols:
            raise WebSocketError(f"the server chose a subprotocol not proposed: {selected}")
        return selected

    def get_websocket_protocol(self) -> WebSocketProtocol13:
        """The protocol that the connection is to have."""
        return WebSocketProtocol13(self, True, self.params)

    def data_received(self, chunk: bytes) -> None:
        """See `~txtornado.httputil.HTTPMessageDelegate`; the body of a refusal."""

    def finish(self) -> None:
        """See `~txtornado.httputil.HTTPMessageDelegate`."""

    def on_connection_close(self) -> None:
        """The connection ended before the handshake did, or after everything."""

    def _close_stream(self) -> None:
        if self.stream is not None:
            self.stream.close()

    def __del__(self) -> None:
        stream = None if self.protocol is None else self.protocol.stream
        if stream is not None and not stream.closed():
            warnings.warn("Unclosed WebSocketClientConnection", ResourceWarning, stacklevel=2)

    # ---------------------------------------------------------------------------- talking

    def write_message(
        self, message: str | bytes | dict[str, Any] | PreparedMessage, binary: bool = False
    ) -> Future[None]:
        """Send a message; see `WebSocketHandler.write_message`.

        Raises:
            WebSocketClosedError: the connection is closed or closing (since 5.0).
        """
        protocol = self.protocol
        if protocol is None:
            raise WebSocketClosedError("the connection is not open")
        return protocol.write_message(message, binary)

    def read_message(
        self, callback: Callable[[Future[Any]], Any] | None = None
    ) -> Future[str | bytes | None]:
        """The next message; None when the connection is closed, and from then on.

        ``callback`` is called with the Future, when it is done.  (With an ``on_message_callback``
        there is nothing to be read here.)
        """
        future: Future[Any] = self.io_loop.asyncio_loop.create_future()
        if self._messages:
            future.set_result(self._next_message())
        elif self._over:
            future.set_result(None)
        else:
            self._readers.append(future)
        if callback is not None:
            self.io_loop.add_future(future, callback)
        return future

    def _next_message(self) -> str | bytes:
        message = self._messages.popleft()
        self._queued -= len(message)
        if self._room is not None and not self._crowded():
            room, self._room = self._room, None
            if not room.done():
                room.set_result(None)
        return message

    def _crowded(self) -> bool:
        return len(self._messages) >= _MAX_QUEUED or self._queued > _MAX_QUEUED_BYTES

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping with up to 125 bytes (since 5.1).

        Raises:
            ValueError: there are more.
            WebSocketClosedError: the connection is closed or closing.
        """
        if self.protocol is None:
            raise WebSocketClosedError("the connection is not open")
        self.protocol.write_ping(utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection; see `WebSocketHandler.close` (since 3.2).

        Messages that are on their way can still be read.
        """
        if self.protocol is not None:
            self.protocol.close(code, reason)
        elif self._connecting is not None:
            self._connecting.cancel()

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that the server chose (since 5.1)."""
        return None if self.protocol is None else self.protocol.selected_subprotocol

    # ------------------------------------------------------------------ from the protocol

    def on_message(self, message: str | bytes) -> Any:
        """A message came in."""
        if self._on_message_callback is not None:
            return self._on_message_callback(message)
        readers = self._readers
        while readers:
            reader = readers.popleft()
            if not reader.done():
                reader.set_result(message)
                return None
        self._messages.append(message)
        self._queued += len(message)
        if not self._crowded():
            return None
        assert self.protocol is not None
        if self.protocol.server_terminated:
            self._next_message()  # we have closed, and nobody reads
            return None
        self._room = self.io_loop.asyncio_loop.create_future()
        return self._room

    def on_ping(self, data: bytes) -> None:
        """A ping came in, and is answered already."""

    def on_pong(self, data: bytes) -> None:
        """A pong came in."""

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> None:
        """The connection is closed; called by the protocol."""
        self.close_code = close_code
        self.close_reason = close_reason
        self._over = True
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(None)
        try:
            self.on_connection_close()
        finally:
            if self._on_message_callback is not None:
                result = self._on_message_callback(None)
                if result is not None:
                    self.io_loop.add_future(as_future(result), Future.result)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """An ``on_message_callback`` failed."""
        app_log.error("Uncaught exception", exc_info=(typ, value, tb))  # type: ignore[arg-type]


def _cancelled(connection: weakref.ref[Any]) -> Callable[[Future[Any]], None]:
    """A callback that closes ``connection`` when its future is cancelled."""

    def check(future: Future[Any]) -> None:
        it = connection()
        if it is not None and future.cancelled() and it._connecting is not None:
            it._connecting.cancel()

    return check


def _handshake(
    request: HTTPRequest,
    key: str,
    subprotocols: list[str] | None,
    compression_options: Mapping[str, Any] | None,
) -> Any:
    """``request`` as the HTTP request that it is on the wire; the original is left alone.

    Raises:
        ValueError: its URL is not a WebSocket's.
        NotImplementedError: it asks for a proxy.
    """
    if request.proxy_host:
        raise NotImplementedError("websocket_connect does not know how to use a proxy")
    parts = urlsplit(request.url)
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None:
        raise ValueError(f"not the URL of a WebSocket (ws:// or wss://): {request.url}")
    headers = HTTPHeaders(request.headers)
    headers["Upgrade"] = "websocket"
    headers["Connection"] = "Upgrade"
    headers["Sec-WebSocket-Key"] = key
    headers["Sec-WebSocket-Version"] = "13"
    if subprotocols:
        headers["Sec-WebSocket-Protocol"] = ",".join(subprotocols)
    if compression_options is not None:
        headers["Sec-WebSocket-Extensions"] = offer(compression_options)
    ours: Any = _RequestProxy(request, {**HTTPRequest._DEFAULTS, "decompress_response": False})
    ours.url = urlunsplit((scheme, *parts[1:]))
    ours.headers = headers
    ours.follow_redirects = ours.decompress_response = False
    return ours
