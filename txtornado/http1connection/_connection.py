"""`HTTP1Connection`: one exchange, as the application sees it.

A server makes a new one for every request, so that whoever keeps the old one cannot write into
somebody else's response.  All the work is its channel's, which it loses when the exchange is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import IO, TYPE_CHECKING, Any

from txtornado.concurrent import Future, new_future, with_callback
from txtornado.http1connection._parameters import DEFAULT_MAX_BODY_SIZE, HTTP1ConnectionParameters
from txtornado.http1connection._states import Event, ProtocolStateError, State
from txtornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from txtornado.iostream import StreamClosedError
from txtornado.stack_context import wrap

if TYPE_CHECKING:
    from txtornado.http1connection._channel import Channel
    from txtornado.http1connection._engine import HTTP1Engine
    from txtornado.iostream import IOStream

__all__ = ["HTTP1Connection"]


class HTTP1Connection(HTTPConnection):
    """One HTTP/1.x exchange, seen by a client or a server.

    Clients make one, write a request and call `read_response`.  Servers get theirs from
    `HTTP1ServerConnection`.

    Args:
        stream: an `~txtornado.iostream.IOStream`.
        is_client: our role.
        params: limits and options.
        context: what the application wants to find in ``context``; its ``str`` names the peer in
            log messages.

    Attributes:
        stream: the stream, None once it was detached.
        no_keep_alive: whether the connection ends with this exchange.

    Since Tornado 4.0.
    """

    #: Class-wide defaults of what few exchanges change.
    no_keep_alive = False
    _channel: Channel | None = None
    _engine: HTTP1Engine | None = None  # of an exchange on its own
    _close_callback: Callable[[], object] | None = None
    _max_body_size: int | None = None
    _body_timeout: float | None = None
    _over = False

    stream: Any

    def __init__(
        self,
        stream: IOStream,
        is_client: bool,
        params: HTTP1ConnectionParameters | None = None,
        context: object | None = None,
    ) -> None:
        if params is None:
            params = HTTP1ConnectionParameters()
        self.stream = stream
        self.is_client = is_client
        self.params = params
        self.context = context
        if params.no_keep_alive:
            self.no_keep_alive = True

    # ------------------------------------------------------------------------ receiving

    def read_response(self, delegate: HTTPMessageDelegate) -> Awaitable[bool]:
        """Read one message (a response, or in a server's role a request) into ``delegate``.

        Returns:
            A Future: True when the message is complete and the stream still open.  Whatever goes
            wrong is logged and makes it False.
        """
        return self._attached().read_message(self, delegate)

    @property
    def received(self) -> int:
        """How many times bytes came in on a client's connection; ours.

        A request on a connection that was kept, to which nothing came in, was perhaps never read.
        """
        return 0 if self._engine is None else self._engine.received

    def set_max_body_size(self, max_body_size: int) -> None:
        """Set the most bytes of this message's body, in place of the parameters' limit.

        To be called before the body is read, in ``headers_received``.
        """
        self._max_body_size = max_body_size

    def set_body_timeout(self, timeout: float) -> None:
        """Set the seconds to wait for this message's body, in place of the parameters' limit.

        To be called before the body is read, in ``headers_received``.
        """
        self._body_timeout = timeout

    def body_limit(self) -> int:
        """The most bytes of this message's body, as things stand; ours."""
        for limit in (self._max_body_size, self.params.max_body_size):
            if limit is not None:
                return limit
        return getattr(self.stream, "max_buffer_size", None) or DEFAULT_MAX_BODY_SIZE

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Set what is called when the connection closes after our peer's message was complete.

        (Until then it is the delegate's ``on_connection_close``.)  For a server: the client went
        away before it had the whole response.
        """
        self._close_callback = None if callback is None else wrap(callback)

    # -------------------------------------------------------------------------- sending

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
        callback: Callable[[], object] | None = None,
    ) -> Future[None]:
        """Send the head of our message, and ``chunk`` of the body with it.

        ``Content-Length``, ``Transfer-Encoding`` and ``Connection`` are added where they are
        needed and missing.  ``callback`` is Tornado 4 and 5's.

        Returns:
            A Future for flow control; it fails with `~txtornado.iostream.StreamClosedError` when
            the connection is closed, without anybody having to look.

        Raises:
            ValueError: line ends within a header.
            txtornado.httputil.HTTPOutputError: ``chunk`` exceeds the Content-Length.
        """
        channel = self._channel or self._attached_or_none()
        if channel is None:
            return self._refused(Event.HEAD)
        future = channel.send_head(self, start_line, headers, chunk)
        return future if callback is None else with_callback(future, callback) or future

    def write(self, chunk: bytes, callback: Callable[[], object] | None = None) -> Future[None]:
        """Send ``chunk`` of the body.

        Without `write_headers` before it, ``chunk`` goes out as it is: an encoded message or a
        part of one, as before Tornado 4.0.  ``callback`` is from then, too.

        Returns:
            See `write_headers`.

        Raises:
            txtornado.httputil.HTTPOutputError: it exceeds the Content-Length.
        """
        channel = self._channel or self._attached_or_none()
        if channel is None:
            return self._refused(Event.DATA)
        future = channel.send_data(self, chunk)
        return future if callback is None else with_callback(future, callback) or future

    def write_file(self, file: IO[bytes], offset: int, count: int) -> Future[None] | None:
        """Send ``count`` bytes of an open file, from ``offset`` on, as the next of the body; ours.

        For messages with a ``Content-Length``, after `write_headers`.  The result must be there
        before more is written.

        Returns:
            The result of `~txtornado.iostream.BaseIOStream.send_file`; or None, and nothing is
            done, if bytes cannot go out as they are: in chunks, say, or in answer to a HEAD.
        """
        channel = self._channel or self._attached_or_none()
        if channel is None:
            return self._refused(Event.DATA)
        return channel.send_file(self, file, offset, count)

    def write_response(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        body: bytes,
    ) -> bool:
        """Send a whole message and finish it: `write_headers`, `write` and `finish` in one; ours.

        Everything goes out at once.  ``Content-Length`` is added when it is missing.

        Returns:
            True when nothing of it waits in the stream (for which there is ``stream.drained()``).

        Raises:
            txtornado.iostream.StreamClosedError: the connection is closed.
            Others: see `write_headers`.
        """
        channel = self._channel or self._attached_or_none()
        if channel is None:
            self._close_callback = None
            self._refused(Event.HEAD)
            raise StreamClosedError
        return channel.send_message(self, start_line, headers, body)

    def write_encoded(self, response: bytes) -> bool:
        """Send a whole encoded response and finish it, if its head needs nothing from us; ours.

        For a server's response that has its ``Content-Length``, and whose connection is to be
        kept.

        Returns:
            False when the exchange wants more than that (the client is an old one, or the
            connection is to be closed, or the request was a HEAD …): nothing was done.
        """
        channel = self._channel
        return channel is not None and channel.send_encoded(self, response)

    def finish(self) -> None:
        """End our message.

        Raises:
            txtornado.httputil.HTTPOutputError: less than the Content-Length was written; the
                connection is closed.
        """
        channel = self._channel or self._attached_or_none()
        if channel is None:
            self._refused(Event.END)
            self._close_callback = None
        else:
            channel.finish(self)

    # ---------------------------------------------------------------------------- the end

    def close(self) -> None:
        """Close the stream at once."""
        if self.stream is not None:
            self.stream.close()

    def detach(self) -> Any:
        """Give the stream away, with all the bytes that were not ours.

        Nothing more is read or written here.  For protocols that begin with an HTTP exchange; to
        be called in ``headers_received`` or later in the exchange.

        Returns:
            The `~txtornado.iostream.IOStream`.

        Raises:
            RuntimeError: the exchange is over.
        """
        stream = self.stream
        channel = self._channel
        if channel is not None:
            channel.detach(self)
        elif self._over:
            raise RuntimeError("a connection can only be detached before its exchange is over")
        self.stream = None
        return stream

    # ------------------------------------------------------------------------- internals

    def _attached(self) -> Channel:
        channel = self._channel
        if channel is None:
            channel = self._attached_or_none()
            if channel is None:
                raise ProtocolStateError(self._role, Event.NEXT, State.CLOSED)
        return channel

    def _attached_or_none(self) -> Channel | None:
        """The channel of an exchange on its own; none when the exchange is over."""
        if self._over or self.stream is None:
            return None
        from txtornado.http1connection._channel import Channel

        self._channel = Channel(self.stream, self.is_client, self.params, self.context)
        self._engine = self._channel.engine
        return self._channel

    def _run_close_callback(self) -> None:
        """The connection was closed, a turn ago; our message may have been finished since."""
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            callback()

    @property
    def _role(self) -> str:
        return "client" if self.is_client else "server"

    def _refused(self, event: Event) -> Future[None]:
        """What comes of writing when there is nowhere to write to."""
        if self.stream is not None and not self.stream.closed():
            raise ProtocolStateError(self._role, event, State.DONE)
        return closed_future(None)


def closed_future(error: BaseException | None) -> Future[None]:
    """A Future that failed because the stream is closed, and that nobody needs to look at."""
    future: Future[None] = new_future()
    if not isinstance(error, StreamClosedError):
        error = StreamClosedError(real_error=error)
    future.set_exception(error)
    future.exception()
    return future
