"""What libcurl reports, as exceptions."""

import logging
from typing import Any

import pycurl

from txtornado.httpclient import HTTPClientError, HTTPRequest
from txtornado.httpclient._errors import HTTPTimeoutError

__all__ = ["CurlError", "CurlTimeoutError", "curl_error", "curl_log"]

#: What this client has to say; documented under this name.
curl_log = logging.getLogger("tornado.curl_httpclient")


class CurlError(HTTPClientError):
    """There was no response; libcurl's number and message say why.

    Attributes:
        errno: libcurl's number, one of the ``E_`` constants of `pycurl`.
    """

    def __init__(self, errno: int, message: str) -> None:
        HTTPClientError.__init__(self, 599, message)
        self.errno = errno

    # Not that of `HTTPTimeoutError`, which leaves the number out.
    __str__ = HTTPClientError.__str__

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.errno, self.message)


class CurlTimeoutError(CurlError, HTTPTimeoutError):
    """A time limit was over; the message says which, and what was being done; ours."""

    def __init__(self, errno: int, message: str, stage: str = "connecting") -> None:
        CurlError.__init__(self, errno, message)
        self.stage = stage

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.errno, self.message, self.stage)


def curl_error(
    curl: Any, request: HTTPRequest, errno: int, message: str, answered: bool
) -> CurlError:
    """The exception for a transfer that ``curl`` ended with ``errno``.

    Args:
        curl: the handle, as it was left.
        request: with the client's defaults.
        errno: libcurl's number.
        message: libcurl's message.
        answered: whether a head had begun to come in.
    """
    message = message or curl.errstr() or f"libcurl error {errno}"
    if errno != pycurl.E_OPERATION_TIMEDOUT:
        return CurlError(errno, message)
    stage, doing = _stage(curl, request, answered)
    limit, elapsed = request.request_timeout, curl.getinfo(pycurl.TOTAL_TIME)
    # Both timers are libcurl's; which one it was only the clock tells.
    if stage == "connecting" and (not limit or elapsed < limit - 0.001):
        limit = request.connect_timeout
    message = f"Timeout during request: {doing} after {limit or elapsed:g} s ({message})"
    return CurlTimeoutError(errno, message, stage)


def _stage(curl: Any, request: HTTPRequest, answered: bool) -> tuple[str, str]:
    """How far it came: as `HTTPTimeoutError` names it, and in words."""
    # Times of what has not happened may be set when libcurl gives up: sizes are not.
    if answered:
        return "reading", "reading the response"
    if curl.getinfo(pycurl.REQUEST_SIZE):
        if request.body and curl.getinfo(pycurl.SIZE_UPLOAD) < len(request.body):
            return "sending", "sending the request"
        return "waiting", "waiting for the response"
    if curl.getinfo(pycurl.NAMELOOKUP_TIME):
        return "connecting", "connecting"
    return "connecting", "looking up the host"
