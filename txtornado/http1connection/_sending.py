"""What goes out through a channel: the work of `HTTP1Connection`'s writing methods.

Everything is sent in the call that asks for it, unless there are many parts of a body in one turn, of
which the later ones go out together.  A response that is not as long as it says closes
the stream: the client cannot find the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

from txtornado.concurrent import Future, done_future
from txtornado.http1connection._connection import HTTP1Connection, closed_future
from txtornado.http1connection._engine import HTTP1Engine
from txtornado.http1connection._parameters import HTTP1ConnectionParameters
from txtornado.http1connection._states import Event, ProtocolStateError, State
from txtornado.http1connection._timers import BodyTimer
from txtornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPOutputError,
    RequestStartLine,
    ResponseStartLine,
)
from txtornado.iostream import StreamClosedError

__all__ = ["Sending"]

_BODY, _DONE = State.BODY, State.DONE


class Sending:
    """The half of a `Channel` that sends, and what both halves know."""

    _body_timer: BodyTimer | None = None
    _read_future: Future[bool] | None = None
    _exchange: HTTP1Connection | None = None
    _delegate: HTTPMessageDelegate | None = None
    _reading = False  # the delegate has got a head and waits for the rest
    _pumping = False
    _blocked = False
    _undrained = False  # the stream has bytes of ours that it could not send
    _paused = False  # the stream was told to stop reading
    _ended = False  # closed or detached: nothing more is to happen
    _closing = False  # it is we who close the stream
    _deaf = False  # what comes in is not read any more
    _linger_timer: BodyTimer | None = None

    def __init__(
        self,
        stream: Any,
        is_client: bool,
        params: HTTP1ConnectionParameters,
        context: object | None,
    ) -> None:
        self.stream = stream
        self.params = params
        self.context = context
        self._backlog = params.chunk_size
        self.engine = HTTP1Engine(
            is_client,
            max_header_size=params.max_header_size,
            chunk_size=params.chunk_size,
            keep_alive=not params.no_keep_alive,
        )

    def _pump(self) -> None:
        raise NotImplementedError

    def _exchange_over(self) -> None:
        raise NotImplementedError

    def _close_early(self) -> None:
        raise NotImplementedError

    def send_head(
        self,
        exchange: HTTP1Connection,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None,
    ) -> Future[None]:
        """The work of `HTTP1Connection.write_headers`."""
        self._claim(exchange)
        data = self.engine.send_head(start_line, headers)
        if chunk:
            try:
                data += self.engine.send_data(chunk)
            except HTTPOutputError:
                self.stream.close()
                raise
        return self._transmit(data)

    def send_data(self, exchange: HTTP1Connection, chunk: bytes) -> Future[None]:
        """The work of `HTTP1Connection.write`."""
        self._claim(exchange)
        try:
            data = self.engine.send_data(chunk)
        except HTTPOutputError:
            self.stream.close()
            raise
        return self._transmit(data, self.stream.send_part)

    def send_file(
        self, exchange: HTTP1Connection, file: IO[bytes], offset: int, count: int
    ) -> Future[None] | None:
        """The work of `HTTP1Connection.write_file`."""
        self._claim(exchange)
        if not self.engine.send_elsewhere(count):
            return None
        return self.stream.send_file(file, offset, count)  # type: ignore[no-any-return]

    def send_message(
        self,
        exchange: HTTP1Connection,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        body: bytes,
    ) -> bool:
        """The work of `HTTP1Connection.write_response`."""
        if self._exchange is not exchange:
            self._claim(exchange)
        try:
            data = self.engine.send_message(start_line, headers, body)
        except HTTPOutputError:
            self.stream.close()
            raise
        sent: bool = self.stream.send(data)
        if not sent:
            self._undrained = True
        if not self._pumping:
            self._after_finish()
        return sent

    def send_encoded(self, exchange: HTTP1Connection, data: bytes) -> bool:
        """The work of `HTTP1Connection.write_encoded`."""
        if self._exchange is not exchange or not self.engine.send_encoded():
            return False
        try:
            if not self.stream.send(data):
                self._undrained = True
        except StreamClosedError:
            return True
        if not self._pumping:
            self._after_finish()
        return True

    def finish(self, exchange: HTTP1Connection) -> None:
        """The work of `HTTP1Connection.finish`."""
        self._claim(exchange)
        try:
            data = self.engine.finish()
        except HTTPOutputError:
            if self.stream.closed():
                return
            self.stream.close()
            raise
        if data:
            self._transmit(data)
        if not self._pumping and not self._ended:
            self._after_finish()

    def _claim(self, exchange: HTTP1Connection) -> None:
        """Only the present exchange may write."""
        if self._exchange is exchange:
            return
        if self._exchange is not None:
            raise ProtocolStateError(self.engine.role, Event.HEAD, State.DONE)
        self._exchange = exchange
        if exchange.no_keep_alive:
            self.engine.keep_alive = False

    def _transmit(self, data: bytes, send: Callable[[bytes], bool] | None = None) -> Future[None]:
        if not data:
            return done_future()
        stream = self.stream
        try:
            if (send or stream.send)(data):
                return done_future()
            self._undrained = True
            return stream.drained()  # type: ignore[no-any-return]
        except StreamClosedError as error:
            return closed_future(error)

    def _after_finish(self) -> None:
        """Our message ended, outside of the loop."""
        engine = self.engine
        if engine.receiving is _DONE:
            if self._read_future is None:
                self._exchange_over()
                if not self._blocked:
                    self._pump()
        elif not engine.is_client and engine.receiving is _BODY:
            self._close_early()
