"""One request and its response on a connection of txtornado's own HTTP/1 engine."""

import asyncio
from collections.abc import Awaitable

from twisted.internet.error import ConnectionClosed

from txtornado.concurrent import as_future
from txtornado.http1connection import HTTP1Connection
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httpclient._exchange import Exchange
from txtornado.httpclient._trace import tell
from txtornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from txtornado.iostream import StreamClosedError

__all__ = ["WireExchange"]


class WireExchange(Exchange, HTTPMessageDelegate):
    """Sends a request over an `HTTP1Connection` and collects the response.

    Implementations define `perform`, which finds a connection and calls `run` with it.
    """

    _connection: HTTP1Connection | None = None
    _producing: asyncio.Future[None] | None = None
    _error: BaseException | None = None
    _body_wanted = False
    _sent = False
    _complete = False

    async def run(
        self, connection: HTTP1Connection, start_line: RequestStartLine, headers: HTTPHeaders
    ) -> bool:
        """Send the request and take in the response.

        Returns:
            Whether both are complete, so that the connection may carry another request.
        """
        request = self.request
        self._connection = connection
        if request.expect_100_continue:
            _ignore(connection.write_headers(start_line, headers))
            self._body_wanted = True
        elif request.body_producer is None:
            # The whole request goes out at once.
            _ignore(connection.write_headers(start_line, headers, request.body))
            self._finish_request(connection)
        else:
            self.stage = "sending"
            _ignore(connection.write_headers(start_line, headers))
            self._send_body()
        if self.stage != "sending":
            self.stage = "waiting"
        try:
            await connection.read_response(self)
        except StreamClosedError:
            pass  # told apart below
        if self._error is not None:
            raise self._error
        if not self._complete:
            raise self._cause(connection)
        return self._sent

    @staticmethod
    def _cause(connection: HTTP1Connection) -> BaseException:
        # A broken pipe only says that we wrote, or ended TLS, after the server had closed.
        error: BaseException | None = connection.stream.error
        if error is None or isinstance(error, (BrokenPipeError, ConnectionClosed)):
            return HTTPStreamClosedError("Connection closed")
        return error

    def _finish_request(self, connection: HTTP1Connection) -> None:
        connection.finish()
        self._sent = True
        if self.trace is not None:
            tell(self.trace, "sent", self.request)

    def _send_body(self) -> None:
        """Send the body while the response is waited for, which may well come early."""
        connection, request = self._connection, self.request
        assert connection is not None
        if request.body_producer is None:
            if request.body is not None:
                _ignore(connection.write(request.body))
            self._finish_request(connection)
        else:
            self._producing = asyncio.ensure_future(self._produce(connection))

    async def _produce(self, connection: HTTP1Connection) -> None:
        assert self.request.body_producer is not None
        try:
            producing = self.request.body_producer(connection.write)
            if producing is not None:
                await as_future(producing)
            self._finish_request(connection)
            if self.stage == "sending":
                self.stage = "waiting"
        except StreamClosedError:
            pass  # perhaps after an early answer, which is there to be read
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        """Fail for a reason of our own, which closes the connection."""
        if self._error is None:
            self._error = error
        if self._connection is not None:
            self._connection.close()

    def close(self) -> None:
        self._connection = None
        if self._producing is not None:
            self._producing.cancel()
            self._producing = None

    # -- HTTPMessageDelegate ----------------------------------------------------------

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, ResponseStartLine)
        if 100 <= start_line.code < 200 and start_line.code != 101:
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
        """`run` looks at the stream itself."""


def _ignore(future: "asyncio.Future[None] | None") -> None:
    """Let a failed write be: that the connection is closed shows when it is read from."""
    if future is not None and not future.done():
        future.add_done_callback(_retrieve)


def _retrieve(future: "asyncio.Future[None]") -> None:
    if not future.cancelled():
        future.exception()
