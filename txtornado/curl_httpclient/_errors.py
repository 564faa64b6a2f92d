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


def curl_error(curl: Any, request: HTTPRequest, errno: int, message: str) -> CurlError:
    """The exception for a transfer that ``curl`` ended with ``errno``."""
    message = message or pycurl_message(curl) or f"libcurl error {errno}"
    if errno != pycurl.E_OPERATION_TIMEDOUT:
        return CurlError(errno, message)
    stage, connecting = _stage(curl)
    limit, elapsed = request.request_timeout, curl.getinfo(pycurl.TOTAL_TIME)
    # Both timers are libcurl's; which one it was only the clock tells.
    if connecting and (not limit or elapsed < limit - 0.001):
        limit = request.connect_timeout
    return CurlTimeoutError(
        errno, f"Timeout during request: {stage} after {limit or elapsed:g} s ({message})"
    )


def pycurl_message(curl: Any) -> str:
    """What libcurl wrote into the handle's error buffer."""
    return str(curl.errstr())


def _stage(curl: Any) -> tuple[str, bool]:
    """What was being done, and whether that belongs to connecting."""
    getinfo = curl.getinfo
    if not getinfo(pycurl.NAMELOOKUP_TIME):
        return "looking up the host", True
    if not getinfo(pycurl.PRETRANSFER_TIME):
        return "connecting", True
    if not getinfo(pycurl.STARTTRANSFER_TIME):
        return "waiting for the response", False
    return "reading the response", False
