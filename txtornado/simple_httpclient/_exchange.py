"""One request and its response on a connection of its own."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from txtornado.concurrent import as_future
from txtornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._connect import open_stream
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httpclient._exchange import Exchange
from txtornado.httpclient._head import request_head
from txtornado.httpclient._target import Target
from txtornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from txtornado.iostream import IOStream, StreamClosedError

if TYPE_CHECKING:
    from txtornado.simple_httpclient._client import SimpleAsyncHTTPClient

__all__ = ["SimpleExchange"]


class SimpleExchange(Exchange, HTTPMessageDelegate):
    """Connects, sends a request and collects the response.

    Args:
        client: for its connections and its limits.
        request: with the client's defaults.
        target: where its URL leads.
    """

    def __init__(
        self, client: "SimpleAsyncHTTPClient", request: HTTPRequest, target: Target
    ) -> None:
        super().__init__(request, target)
        self._client = client
        self._stream: IOStream | None = None
        self._connection: HTTP1Connection | None = None
        self._body_wanted = False
        self._complete = False
        self._producing: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    async def perform(self) -> None:
        client, target = self._client, self.target
        self._stream = await open_stream(
            client.tcp_client,
            self.request,
            target.host,
            target.port,
            target.scheme == "https",
            client.max_buffer_size,
        )
        self.connected = client.io_loop.asyncio_loop.time()
        self.stage = "sending the request"
        await self._run(self._stream)

    async def _run(self, stream: IOStream) -> None:
        request = self.request
        connection = self._connection = HTTP1Connection(
            stream,
            True,
            HTTP1ConnectionParameters(
                no_keep_alive=True,
                max_header_size=self._client.max_header_size,
                max_body_size=self._client.max_body_size,
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
        self._connection = None
        if self._producing is not None:
            self._producing.cancel()
            self._producing = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # -- HTTPMessageDelegate ----------------------------------------------------------

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, ResponseStartLine)
        if start_line.code == 100 and self._body_wanted:
            self._body_wanted = False
            self._send_body()
            return None
        self.head_received(start_line.version, start_line.code, start_line.reason, headers)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self.body_received(chunk)

    def finish(self) -> None:
        self._complete = True

    def on_connection_close(self) -> None:
        """`perform` looks at the stream itself."""


def _ignore(future: "asyncio.Future[None] | None") -> None:
    """Let a failed write be: that the connection is closed shows when it is read from."""
    if future is not None:
        future.add_done_callback(_retrieve)


def _retrieve(future: "asyncio.Future[None]") -> None:
    if not future.cancelled():
        future.exception()
