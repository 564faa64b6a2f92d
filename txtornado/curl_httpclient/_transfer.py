"""One request on its way through libcurl, and the response that comes of it."""

import contextvars
import functools
import re
import time
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pycurl

from txtornado.curl_httpclient._errors import CurlError, curl_error, curl_log
from txtornado.curl_httpclient._setup import check, set_up
from txtornado.curl_httpclient._streaming import _CurlStreamingBuffer
from txtornado.httpclient import HTTPRequest, HTTPResponse
from txtornado.httputil import HTTPHeaders, HTTPInputError

if TYPE_CHECKING:
    from txtornado.curl_httpclient._client import CurlAsyncHTTPClient

__all__ = ["Transfer"]

_STATUS_LINE = re.compile(rb"HTTP/[\d.]+ \d{3} ?([^\r\n]*)")

#: What a response's ``time_info`` has of libcurl, in seconds from the beginning.
_TIMES = (
    ("namelookup", pycurl.NAMELOOKUP_TIME),
    ("connect", pycurl.CONNECT_TIME),
    ("appconnect", pycurl.APPCONNECT_TIME),
    ("pretransfer", pycurl.PRETRANSFER_TIME),
    ("starttransfer", pycurl.STARTTRANSFER_TIME),
    ("total", pycurl.TOTAL_TIME),
    ("redirect", pycurl.REDIRECT_TIME),
)


class Transfer:
    """A request from `fetch` to its response.

    Attributes:
        curl: the handle, from its turn to its end.
    """

    __slots__ = (
        "_callback",
        "_chunks",
        "_client",
        "_context",
        "_created",
        "_lines",
        "_request",
        "_size",
        "_start_time",
        "_started",
        "_stream",
        "_too_large",
        "curl",
    )

    def __init__(
        self,
        client: "CurlAsyncHTTPClient",
        request: HTTPRequest,
        callback: Callable[[HTTPResponse], None],
    ) -> None:
        self._client = client
        self._request = request
        self._callback: Callable[[HTTPResponse], None] | None = callback
        self._context = contextvars.copy_context()
        self._created = client._clock()
        self._started: float | None = None
        self._start_time: float | None = None
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._too_large = False
        self._stream: _CurlStreamingBuffer | None = None
        self.curl: Any = None

    def start(self, curl: Any) -> None:
        """Set ``curl`` up for the request.

        Raises:
            Exception: the request makes no sense, or ``prepare_curl_callback`` failed.
        """
        request = self._request
        self.curl = curl
        self._started = self._client._clock()
        self._start_time = time.time()
        check(request)
        set_up(curl, request)
        self._collect(curl, request)
        if request.prepare_curl_callback is not None:
            self._context.run(request.prepare_curl_callback, curl)

    def _collect(self, curl: Any, request: HTTPRequest) -> None:
        write = self._write
        take_line: Callable[[bytes], object] = self._lines.append
        if request.streaming_callback is not None or request.header_callback is not None:
            self._stream = self._context.run(
                _CurlStreamingBuffer, self._client, curl, request.streaming_callback
            )
            if request.streaming_callback is not None:
                write = self._stream.write
            if request.header_callback is not None:
                take_line = functools.partial(self._report_line, request.header_callback)
        curl.setopt(pycurl.HEADERFUNCTION, take_line)
        curl.setopt(pycurl.WRITEFUNCTION, write)

    def _report_line(self, callback: Callable[[str], None], line: bytes) -> None:
        self._lines.append(line)
        if self._stream is not None:
            self._stream.put_header(callback, line)

    def _write(self, chunk: bytes) -> int:
        size = len(chunk)
        self._size += size
        if self._size > self._client.max_body_size:
            self._too_large = True
            self._chunks.clear()
            return 0  # fewer than were given: libcurl gives up
        self._chunks.append(chunk)
        return size

    def abort(self, error: BaseException | None = None) -> None:
        """End the request, wherever it stands."""
        self._client._abort(self, error)

    # -- the end ------------------------------------------------------------------------

    def flush(self) -> None:
        """Give the callbacks the rest."""
        if self._stream is not None:
            self._stream.flush()

    def outcome(self, failure: tuple[int, str] | None) -> HTTPResponse:
        """The response, after libcurl has done with it.

        Args:
            failure: libcurl's number and message, or None.
        """
        if failure is not None:
            return self.failed(self._error(*failure))
        curl = self.curl
        reason, headers = self._head()
        assert self._started is not None
        time_info = {"queue": self._started - self._created}
        getinfo = curl.getinfo
        for name, key in _TIMES:
            time_info[name] = getinfo(key)
        redirected = getinfo(pycurl.REDIRECT_COUNT)
        return HTTPResponse(
            self._request,
            getinfo(pycurl.RESPONSE_CODE),
            reason=reason,
            headers=headers,
            buffer=BytesIO(b"".join(self._chunks)),
            effective_url=getinfo(pycurl.EFFECTIVE_URL) if redirected else self._request.url,
            request_time=self._client._clock() - self._started,
            start_time=self._start_time,
            time_info=time_info,
        )

    def failed(self, error: BaseException) -> HTTPResponse:
        """The response 599, for ``error``."""
        began = self._created if self._started is None else self._started
        return HTTPResponse(
            self._request,
            599,
            error=error,
            request_time=self._client._clock() - began,
            start_time=self._start_time,
        )

    def finish(self, response: HTTPResponse) -> None:
        """Answer, unless that was done; the handle is another's from now on."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        callback, self._callback, self.curl = self._callback, None, None
        if callback is not None:
            callback(response)

    def _error(self, errno: int, message: str) -> CurlError:
        if self._too_large or (self._stream is not None and self._stream.body_too_large):
            limit = self._client.max_body_size
            message = f"The body has more than max_body_size, {limit} bytes ({message})"
        return curl_error(self.curl, self._request, errno, message, bool(self._lines))

    def _head(self) -> tuple[str | None, HTTPHeaders]:
        """Reason and headers of the last response: there may have been redirects before it."""
        lines = self._lines
        start = len(lines) - 1
        while start >= 0 and not lines[start].startswith(b"HTTP/"):
            start -= 1
        headers = HTTPHeaders()
        if start < 0:
            return None, headers
        match = _STATUS_LINE.match(lines[start])
        reason = match[1].decode("latin-1") if match else None
        for line in _unfolded(lines, start + 1):
            name, _, value = line.decode("latin-1").partition(":")
            try:
                headers.add(name.strip(), value.strip(" \t"))
            except HTTPInputError:
                curl_log.info("Ignoring a malformed header line: %.100r", line)
        return reason, headers


def _unfolded(lines: list[bytes], start: int) -> list[bytes]:
    """The header lines from ``start`` to the empty one, without their ends.

    Lines that go on with the one before (RFC 9112, section 5.2) are joined to it.  What comes
    after the empty line are trailers, which are nobody's headers.
    """
    whole: list[bytes] = []
    for index in range(start, len(lines)):
        line = lines[index].rstrip(b"\r\n")
        if not line:
            break
        if whole and line[0] in b" \t":
            whole[-1] += b" " + line.strip(b" \t")
        else:
            whole.append(line)
    return whole
