"""One request and its response on a connection of its own."""

import asyncio
import inspect
import socket
from collections.abc import Awaitable
from io import BytesIO
from typing import Any

from txtornado.concurrent import as_future
from txtornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from txtornado.httpclient import HTTPRequest
from txtornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from txtornado.iostream import IOStream, StreamClosedError
from txtornado.netutil import is_valid_ip
from txtornado.simple_httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError
from txtornado.simple_httpclient._head import request_head
from txtornado.simple_httpclient._redirect import is_redirect
from txtornado.simple_httpclient._target import Target
from txtornado.simple_httpclient._tls import ssl_options_of
from txtornado.tcpclient import TCPClient

__all__ = ["Exchange"]


class Exchange(HTTPMessageDelegate):
    """Connects, sends a request and collects the response.

    `connect` and `run` are awaited in turn, and `close` is called in any case.

    Attributes:
        code: the status of the response.
        reason: its reason phrase.
        headers: its headers.
        chunks: its body, unless a ``streaming_callback`` has it.
        follow: whether it is a redirect to be followed, of which no callback hears.
        stage: what is being done, in words for an error message.
        started: when it began, on the loop's clock.
        connected: when the connection stood.
    """

    code: int
    reason: str
    headers: HTTPHeaders

    def __init__(self, request: HTTPRequest, target: Target) -> None:
        self.request = request
        self.target = target
        self.chunks: list[bytes] = []
        self.follow = False
        self.stage = "connecting"
        self.started = self.connected = 0.0
        self._stream: IOStream | None = None
        self._connection: HTTP1Connection | None = None
        self._body_wanted = False
        self._complete = False
        self._producing: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    async def connect(
        self, tcp_client: TCPClient, timeout: float | None, max_buffer_size: int
    ) -> None:
        """Open the connection.

        Raises:
            HTTPTimeoutError: ``timeout``, in seconds, is over.
            OSError: there is no connection to be had.
            ValueError: ``network_interface`` is not an address.
        """
        request, target = self.request, self.target
        source = request.network_interface or None
        if source is not None and not is_valid_ip(source):
            raise ValueError(
                f"Unrecognized IPv4 or IPv6 address for network_interface, got {source!r}"
            )
        try:
            self._stream = await tcp_client.connect(
                target.host,
                target.port,
                af=socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC,
                ssl_options=ssl_options_of(request) if target.scheme == "https" else None,
                max_buffer_size=max_buffer_size,
                source_ip=source,
                timeout=timeout,
            )
        except TimeoutError as error:
            if error.errno is not None:
                raise  # the system's own, ETIMEDOUT
            raise HTTPTimeoutError(str(error) or "Timeout while connecting") from None
        except StreamClosedError as error:
            raise error.real_error or HTTPStreamClosedError("Connection closed") from None
        self._stream.set_nodelay(True)
        self.stage = "sending the request"

    async def run(self, max_header_size: int | None, max_body_size: int | None) -> None:
        """Send the request and take in the whole response.

        Raises:
            HTTPStreamClosedError: the connection was closed before the response was complete, or
                had to be because the response is malformed or too long.
            Exception: what the request's callbacks raised, or why the connection was closed.
        """
        request, stream = self.request, self._stream
        assert stream is not None
        connection = self._connection = HTTP1Connection(
            stream,
            True,
            HTTP1ConnectionParameters(
                no_keep_alive=True,
                max_header_size=max_header_size,
                max_body_size=max_body_size,
                decompress=bool(request.decompress_response),
            ),
        )
        start_line, headers = request_head(request, self.target)
        if request.expect_100_continue:
            _ignore(connection.write_headers(start_line, headers))
            self._body_wanted = True
        elif request.body_producer is None:
            # The whole request goes out at once.
            _ignore(connection.write_headers(start_line, headers, request.body))
            connection.finish()
        else:
            _ignore(connection.write_headers(start_line, headers))
            self._send_body()
        self.stage = "waiting for the response"
        try:
            await connection.read_response(self)
        except StreamClosedError:
            pass  # told apart below
        if not self._complete:
            raise self._error or self._cause(stream)

    @staticmethod
    def _cause(stream: IOStream) -> BaseException:
        # A broken pipe only says that we wrote, or ended TLS, after the server had closed.
        if stream.error is None or isinstance(stream.error, BrokenPipeError):
            return HTTPStreamClosedError("Connection closed")
        return stream.error

    def _send_body(self) -> None:
        """Send the body while the response is waited for, which may well come early."""
        connection, request = self._connection, self.request
        assert connection is not None
        if request.body_producer is None:
            if request.body is not None:
                _ignore(connection.write(request.body))
            connection.finish()
        else:
            self._producing = asyncio.ensure_future(self._produce(connection))

    async def _produce(self, connection: HTTP1Connection) -> None:
        assert self.request.body_producer is not None
        try:
            producing = self.request.body_producer(connection.write)
            if producing is not None:
                await as_future(producing)
            connection.finish()
        except StreamClosedError:
            pass  # perhaps after an early answer, which is there to be read
        except Exception as error:
            self._error = error
            if self._stream is not None:
                self._stream.close()

    def close(self) -> None:
        """Close the connection, if there is one; an exchange that still runs then fails."""
        self._connection = None
        if self._producing is not None:
            self._producing.cancel()
            self._producing = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def body(self) -> BytesIO:
        """The body that was collected."""
        return BytesIO(b"".join(self.chunks))

    # -- HTTPMessageDelegate ----------------------------------------------------------

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, ResponseStartLine)
        if start_line.code == 100 and self._body_wanted:
            self._body_wanted = False
            self._send_body()
            return None
        self.stage = "reading the response"
        self.code = start_line.code
        self.reason = start_line.reason
        self.headers = headers
        request = self.request
        self.follow = bool(
            request.follow_redirects
            and (request.max_redirects or 0) > 0
            and is_redirect(self.code, headers)
        )
        if request.header_callback is not None and not self.follow:
            request.header_callback(f"{start_line.version} {self.code} {self.reason}\r\n")
            for name, value in headers.get_all():
                request.header_callback(f"{name}: {value}\r\n")
            request.header_callback("\r\n")
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self.follow:
            return None
        if self.request.streaming_callback is None:
            self.chunks.append(chunk)
            return None
        outcome: Any = self.request.streaming_callback(chunk)
        return as_future(outcome) if inspect.isawaitable(outcome) else None

    def finish(self) -> None:
        self._complete = True

    def on_connection_close(self) -> None:
        """`run` looks at the stream itself."""


def _ignore(future: "asyncio.Future[None] | None") -> None:
    """Let a failed write be: that the connection is closed shows when it is read from."""
    if future is not None:
        future.add_done_callback(_retrieve)


def _retrieve(future: "asyncio.Future[None]") -> None:
    if not future.cancelled():
        future.exception()
