"""`WebSocketHandler`: the server's side of a WebSocket, as a request handler."""

from __future__ import annotations

import functools
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from txtornado.concurrent import done_future, new_future
from txtornado.escape import utf8
from txtornado.web import RequestHandler
from txtornado.web._origin import cross_origin_reason
from txtornado.websocket._draft76 import WebSocketProtocol76
from txtornado.websocket._errors import WebSocketClosedError
from txtornado.websocket._headers import has_token
from txtornado.websocket._prepared import PreparedMessage
from txtornado.websocket._protocol import (
    DEFAULT_MAX_MESSAGE_SIZE,
    Parameters,
    WebSocketProtocol13,
)
from txtornado.websocket._shell import WebSocketProtocol

if TYPE_CHECKING:
    from txtornado.httputil import HTTPServerRequest
    from txtornado.iostream import IOStream
    from txtornado.web import Application

__all__ = ["WebSocketHandler"]

#: Versions 7 and 8 are drafts with the same frames; their origin header has another name.
_VERSIONS = frozenset(("13", "8", "7"))


class WebSocketHandler(RequestHandler):
    """Base class of handlers that talk WebSocket (RFC 6455) instead of answering a request.

    ::

        class Echo(WebSocketHandler):
            def on_message(self, message):
                self.write_message("You said: " + message)

    Route it like any handler.  The request goes through `initialize` and `prepare`, which may
    set headers for the response or turn the client away; then `open` is called, then `on_message`
    for each message, and `on_close` at the end.  Each of the first two may be a coroutine (or
    return a Deferred), and the next message waits until it is done.  Methods that write a
    response raise `RuntimeError` once the connection is open.

    Requests of pages of other origins are refused, see `check_origin`.

    Settings of the application: ``websocket_ping_interval``, ``websocket_ping_timeout`` and
    ``websocket_max_message_size`` (Tornado 4.5), see `ping_interval`, `ping_timeout` and
    `max_message_size`.

    Attributes:
        ws_connection: the `WebSocketProtocol`; None before the handshake and from the close on.
        close_code: why the client closed the connection, as a number, if it said so (4.0).
        close_reason: the same in words (4.0).
        open_args: groups of the route.
        open_kwargs: named groups of the route.
    """

    # (A broadcast finds it sooner than in a dictionary.)
    __slots__ = ("ws_connection",)

    ws_connection: WebSocketProtocol | None
    close_code: int | None = None
    close_reason: str | None = None
    open_args: tuple[Any, ...] = ()
    open_kwargs: dict[str, Any] = {}

    _protocol: WebSocketProtocol | None = None  # outlives ws_connection
    _upgraded = False
    _on_close_called = False
    _closed: Future[None] | None = None

    def __init__(self, application: Application, request: HTTPServerRequest, **kwargs: Any) -> None:
        self.ws_connection = None
        super().__init__(application, request, **kwargs)

    # --- To be overridden -------------------------------------------------------------

    def open(self, *args: str, **kwargs: str) -> Awaitable[None] | None:
        """Override: the connection is open; the arguments are the groups of the route.

        No message is handled before a coroutine (since 5.1) is done.
        """
        return None

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Override: a message came in, text as `str` and binary data as `bytes`.

        The next one waits until a coroutine (since 4.5) is done.
        """
        raise NotImplementedError(f"{type(self).__name__} has no on_message")

    def on_close(self) -> None:
        """Override: the connection is closed, for whatever reason.

        `close_code` and `close_reason` tell what the client said.
        """

    def on_ping(self, data: bytes) -> None:
        """Override: a ping came in, and is answered already (since 5.1)."""

    def on_pong(self, data: bytes) -> None:
        """Override: a pong came in (since 3.1)."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Override to choose one of the subprotocols that the client proposes, or None.

        Called once for each connection, with an empty list if there are none (since 5.1).
        """
        return None

    def check_origin(self, origin: str) -> bool:
        """Override to let pages of other origins connect (since 4.0).

        Browsers let any page open a WebSocket to anywhere, with the user's cookies.  So a
        request that looks cross-origin (by ``Sec-Fetch-Site``, or else because ``Origin`` is not
        our ``Host``) is refused with 403 unless this is true.  By default it asks
        `check_trusted_origin`: the setting ``trusted_origins``.  Called after `prepare`.

        Args:
            origin: the ``Origin`` header.
        """
        return bool(self.check_trusted_origin(origin))

    def get_compression_options(self) -> dict[str, Any] | None:
        """Override to allow compression (since 4.1): return a dict, which may be empty.

        Its keys: ``compression_level`` and ``mem_level`` (since 4.5; zlib's, 6 and 8 by default);
        and ours, what to agree on: ``server_max_window_bits`` and ``client_max_window_bits``
        (8 to 15; a window takes two to the power of that in bytes, and the compressor four times
        as much), ``server_no_context_takeover`` and ``client_no_context_takeover`` (true: each
        message is compressed on its own, and nothing is kept between messages).
        """
        return None

    def allow_draft76(self) -> bool:
        """Override to allow the protocol of 2010, "draft 76" (Tornado 2.0 to 3.2).

        It is not safe with proxies of that time, knows no binary messages, pings or close codes.
        """
        return False

    def get_websocket_scheme(self) -> str:
        """``"ws"`` or ``"wss"``; for draft 76, whose clients want to hear it (Tornado 2.2).

        Override behind a proxy that ends TLS and does not say so.
        """
        return "wss" if self.request.protocol == "https" else "ws"

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """The protocol of the version that the client speaks, None if we do not."""
        headers = self.request.headers
        if headers.get("Sec-WebSocket-Version") in _VERSIONS:
            return WebSocketProtocol13(
                self,
                False,
                Parameters(
                    self.ping_interval,
                    self.ping_timeout,
                    self.max_message_size,
                    self.get_compression_options(),
                ),
            )
        is_old = "Sec-WebSocket-Version" not in headers and "Sec-WebSocket-Key1" in headers
        if is_old and self.allow_draft76():
            return WebSocketProtocol76(self, self.max_message_size)
        return None

    @property
    def ping_interval(self) -> float | None:
        """Seconds between pings; none are sent for 0 and None, the default (since 4.5)."""
        interval: float | None = self.settings.get("websocket_ping_interval")
        return interval

    @property
    def ping_timeout(self) -> float | None:
        """Seconds for the answer to a ping, after which the connection is closed (since 4.5).

        By default, and at most, `ping_interval`; 0 for no limit.
        """
        timeout: float | None = self.settings.get("websocket_ping_timeout")
        return timeout

    @property
    def max_message_size(self) -> int:
        """Bytes of an incoming message, before and after inflating; 10 MiB by default (4.5).

        For a larger one the connection is closed, with code 1009.
        """
        size: int = self.settings.get("websocket_max_message_size", DEFAULT_MAX_MESSAGE_SIZE)
        return size

    # --- Talking ----------------------------------------------------------------------

    def write_message(
        self, message: str | bytes | dict[str, Any] | PreparedMessage, binary: bool = False
    ) -> Future[None]:
        """Send a message.

        Args:
            message: text, bytes, a dict (which goes out as JSON), or what `prepare_message` made.
            binary: send a binary message; else it is text, and bytes must be UTF-8.

        Returns:
            A Future for flow control: it resolves when the transport has taken everything.

        When there are many in one turn of the loop, the first four go out at once and the others
        together when the turn ends, as do all answers to messages that came together.

        Raises:
            WebSocketClosedError: the connection is closed or closing (since 3.2); also from the
                Future.
            StreamBufferFullError: the stream's ``max_write_buffer_size`` would be exceeded.
        """
        connection = self.ws_connection
        if connection is None:
            raise WebSocketClosedError("the connection is closed")
        return connection.write_message(message, binary)  # type: ignore[arg-type]

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping with up to 125 bytes (since 3.1).

        Raises:
            ValueError: there are more.
            WebSocketClosedError: the connection is closed or closing.
        """
        connection = self.ws_connection
        if connection is None or connection.is_closing():
            raise WebSocketClosedError("the connection is closed")
        connection.write_ping(utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection; does nothing when it is closed.

        Args:
            code: why, for the client (RFC 6455, section 7.4; since 4.0).
            reason: the same in words, up to 123 bytes in UTF-8 (since 4.0).

        Raises:
            ValueError: ``code`` is none that may be sent, or ``reason`` is too long.
        """
        connection = self.ws_connection
        if connection is not None:
            connection.close(code, reason)
            self.ws_connection = None

    def set_nodelay(self, value: bool) -> None:
        """Send small messages at once, or let the system gather them (since 3.1).

        See `~txtornado.iostream.BaseIOStream.set_nodelay`.
        """
        if self._protocol is None:
            raise RuntimeError("set_nodelay needs an open connection: call it in open()")
        self._protocol.set_nodelay(value)

    @property
    def selected_subprotocol(self) -> str | None:
        """What `select_subprotocol` returned (since 5.1)."""
        return None if self._protocol is None else self._protocol.selected_subprotocol

    @property
    def stream(self) -> IOStream | None:
        """The connection's stream; None before the handshake."""
        return None if self._protocol is None else self._protocol.stream

    def async_callback(
        self, callback: Callable[..., Any] | None, *args: Any, **kwargs: Any
    ) -> Callable[..., Any] | None:
        """Bind ``callback`` so that its exceptions close this connection (Tornado 1.1 to 3)."""
        if callback is None:
            return None
        bound = functools.partial(callback, *args, **kwargs) if args or kwargs else callback

        def wrapper(*call_args: Any, **call_kwargs: Any) -> Any:
            try:
                return bound(*call_args, **call_kwargs)
            except Exception as error:
                if self._protocol is None:
                    self._handle_request_exception(error)
                else:
                    self._protocol._callback_failed(error)

        return wrapper

    # --- The handshake ----------------------------------------------------------------

    def get(self, *args: Any, **kwargs: Any) -> Future[None]:
        """Answer the handshake.

        Returns:
            Something to await; to a subclass that overrides this, the end of the connection.
        """
        self.open_args = args
        self.open_kwargs = kwargs
        if not self._may_upgrade():
            return done_future()
        protocol = self.get_websocket_protocol()
        if protocol is None:
            self.set_header("Sec-WebSocket-Version", "13, 8, 7")
            self._refuse(426, "")
            return done_future()
        return protocol.accept_connection(self)

    def _may_upgrade(self) -> bool:
        """Check what all versions have in common; False when the request is answered."""
        headers = self.request.headers
        if headers.get("Upgrade", "").lower() != "websocket":
            self._refuse(400, 'This is a WebSocket: "Upgrade: websocket" is needed')
        elif not has_token(headers.get("Connection", ""), "upgrade"):
            self._refuse(400, 'This is a WebSocket: "Connection: Upgrade" is needed')
        elif not self._origin_allowed():
            self._refuse(403, "Cross-origin WebSockets are not allowed here")
        else:
            return True
        return False

    def _origin_allowed(self) -> bool:
        request = self.request
        if "Origin" not in request.headers and "Sec-WebSocket-Origin" in request.headers:
            request.headers["Origin"] = request.headers["Sec-WebSocket-Origin"]
        return cross_origin_reason(request, self.check_origin) is None

    def _refuse(self, status: int, message: str) -> None:
        self.set_status(status)
        if message:
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
        if status == 400:
            self.set_header("Connection", "close")
        self.finish(message)

    def _upgrade(self, protocol: WebSocketProtocol, reason: str | None = None) -> Future[None]:
        """Send the response, which has its headers, and begin with ``protocol``."""
        self.clear_header("Content-Type")
        self.set_status(101, reason)
        self.finish()
        return self._take_over(protocol)

    def _take_over(self, protocol: WebSocketProtocol) -> Future[None]:
        """HTTP is over: from here on the stream is ``protocol``'s."""
        request = self.request
        stream = self.detach()
        if stream is None or stream.closed():
            return done_future()  # the client did not wait
        self._upgraded = True
        self.ws_connection = self._protocol = protocol
        self._transforms = ()
        server = _server_of(request)
        if server is not None:
            server.adopt(protocol)
        protocol._begin(stream, functools.partial(self.open, *self.open_args, **self.open_kwargs))
        if type(self).get is WebSocketHandler.get or self._on_close_called:
            return done_future()
        self._closed = new_future()
        return self._closed

    # --- The end ----------------------------------------------------------------------

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> None:
        """The connection is closed; called by the protocol (since 5.1)."""
        self.close_code = close_code
        self.close_reason = close_reason
        self.on_connection_close()

    def on_connection_close(self) -> None:
        """The client is gone; calls `on_close` if the connection was open."""
        protocol = self._protocol
        self.ws_connection = None
        if protocol is None:
            super().on_connection_close()
            return
        protocol.on_connection_close()
        if self._on_close_called:
            return
        self._on_close_called = True
        server = _server_of(self.request)
        if server is not None:
            server.release(protocol)
        try:
            self.on_close()
        finally:
            if self._closed is not None and not self._closed.done():
                self._closed.set_result(None)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Send an error page; when the connection is open, close it."""
        if not self._upgraded:
            super().send_error(status_code, **kwargs)
        elif self._protocol is not None and not self._protocol.is_closing():
            self._protocol.close(1011)

    # --- What is over with the handshake ----------------------------------------------

    def _http_only(self) -> None:
        if self._upgraded:
            raise RuntimeError(
                "this method writes an HTTP response, and the connection is a WebSocket by now"
            )

    def write(self, chunk: Any) -> None:
        self._http_only()
        super().write(chunk)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        self._http_only()
        super().redirect(url, permanent, status)

    def set_header(self, name: str, value: Any) -> None:
        self._http_only()
        super().set_header(name, value)

    def set_cookie(self, *args: Any, **kwargs: Any) -> None:
        self._http_only()
        super().set_cookie(*args, **kwargs)

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        self._http_only()
        super().set_status(status_code, reason)

    def flush(
        self, include_footers: bool = False, callback: Callable[[], Any] | None = None
    ) -> Future[None]:
        self._http_only()
        return super().flush(include_footers, callback)

    def finish(self, chunk: Any = None) -> Future[None]:
        self._http_only()
        return super().finish(chunk)

    def _flush_overridden(self) -> bool:
        return type(self).flush is not WebSocketHandler.flush


def _server_of(request: HTTPServerRequest) -> Any:
    """The server, if it wants to know of connections that leave HTTP."""
    server = getattr(request.server_connection, "delegate", None)
    return server if hasattr(server, "adopt") else None
