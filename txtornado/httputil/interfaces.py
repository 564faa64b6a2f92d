"""The three seams between a server, its connections and an application.

They are Tornado 4.0's abstract classes: applications subclass them, and find each other
through ``isinstance``, so that they are classes and not ``zope.interface`` ones.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txtornado.concurrent import Future
    from txtornado.httputil.headers import HTTPHeaders
    from txtornado.httputil.startline import RequestStartLine, ResponseStartLine

__all__ = ["HTTPConnection", "HTTPMessageDelegate", "HTTPServerConnectionDelegate"]


class HTTPServerConnectionDelegate:
    """Takes the requests of a server's connections.  Since Tornado 4.0."""

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Return the delegate for a request that is about to be read.

        Args:
            server_conn: stands for the connection and is the same for all its requests.
            request_conn: takes the response to this one request.
        """
        raise NotImplementedError(f"{type(self).__name__} must define start_request")

    def on_close(self, server_conn: object) -> None:
        """``server_conn``, given to `start_request` earlier, is closed."""


class HTTPMessageDelegate:
    """Takes one message: a request in a server, a response in a client.

    The calls come in the order of the methods here; `finish` and `on_connection_close`
    exclude each other.  Since Tornado 4.0.
    """

    # The response's start line makes room for clients; servers get RequestStartLine.
    def headers_received(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
    ) -> Awaitable[None] | None:
        """The head of the message came in.

        When an awaitable is returned, the body is not read before it is done.
        """

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """A part of the body came in.

        When an awaitable is returned, nothing more is read before it is done.
        """

    def finish(self) -> None:
        """The message is complete."""

    def on_connection_close(self) -> None:
        """The connection closed before the message was complete."""


class HTTPConnection:
    """Takes one message from the application.  Since Tornado 4.0."""

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Future[None]:
        """Send the head of the message, together with ``chunk`` of the body, if given.

        The ``version`` of ``start_line`` does not count.  The Future is for flow control.
        """
        raise NotImplementedError(f"{type(self).__name__} must define write_headers")

    def write(self, chunk: bytes) -> Future[None]:
        """Send ``chunk`` of the body.  The Future is for flow control."""
        raise NotImplementedError(f"{type(self).__name__} must define write")

    def finish(self) -> None:
        """Everything has been written."""
        raise NotImplementedError(f"{type(self).__name__} must define finish")
