"""Watching requests: `RequestTrace`, and how it is told."""

from typing import TYPE_CHECKING, Any

from txtornado.log import app_log

if TYPE_CHECKING:
    from txtornado.httpclient._request import HTTPRequest
    from txtornado.httpclient._response import HTTPResponse
    from txtornado.httputil import HTTPHeaders

__all__ = ["RequestTrace", "tell"]


class RequestTrace:
    """Is told of each stage of a client's requests; ours.

    Subclass it, define what is of interest and hand an instance to a client as ``trace``.  Each
    redirect and each answer to a challenge has stages of its own between `queued` and `done`,
    which come once.  What a method raises is logged, and the request goes on.
    """

    def queued(self, request: "HTTPRequest") -> None:
        """``request`` came in; it may have to wait for its turn."""

    def connecting(self, request: "HTTPRequest", host: str, port: int) -> None:
        """A new connection is opened for it (to the proxy, if there is one)."""

    def connected(self, request: "HTTPRequest", reused: bool) -> None:
        """It has a connection; ``reused`` says whether that was kept from earlier requests."""

    def sent(self, request: "HTTPRequest") -> None:
        """Head and body are handed to the system to be sent."""

    def head(self, request: "HTTPRequest", code: int, headers: "HTTPHeaders") -> None:
        """The head of the response is there."""

    def body(self, request: "HTTPRequest", size: int) -> None:
        """``size`` bytes of the body are there, after decompression."""

    def done(self, request: "HTTPRequest", response: "HTTPResponse") -> None:
        """It is over; ``response.error`` says what failed, if anything."""


def tell(trace: RequestTrace, stage: str, request: Any, *details: Any) -> None:
    """Tell ``trace`` of a stage; callers check first whether there is one."""
    try:
        getattr(trace, stage)(getattr(request, "request", request), *details)
    except Exception:
        app_log.exception("Exception in %s.%s", type(trace).__name__, stage)
