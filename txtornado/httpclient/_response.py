"""What comes back: `HTTPResponse`, or `HTTPClientError`."""

from io import BytesIO
from typing import TYPE_CHECKING

from txtornado.httputil import HTTPHeaders, responses

if TYPE_CHECKING:
    from txtornado.httpclient._request import HTTPRequest

__all__ = ["HTTPClientError", "HTTPError", "HTTPResponse"]


class HTTPClientError(Exception):
    """A request did not succeed.

    Named ``HTTPError`` up to Tornado 5.0; that name remains.

    Attributes:
        code: the status, e.g. 404; 599 when there was no response, e.g. after a timeout.
        message: the reason phrase, or what went wrong.
        response: the `HTTPResponse`, if there is one.  Of a redirect that was not followed,
            ``error.response.headers["Location"]`` says where it led.
    """

    def __init__(
        self, code: int, message: str | None = None, response: "HTTPResponse | None" = None
    ) -> None:
        self.code = code
        self.message = message or responses.get(code, "Unknown")
        self.response = response
        super().__init__(code, message, response)

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"

    # Without the response, whose own repr would show this error.
    __repr__ = __str__


HTTPError = HTTPClientError


class HTTPResponse:
    """A response, as `AsyncHTTPClient.fetch` gives it.

    Attributes:
        request: the `HTTPRequest` it answers.
        code: the status, e.g. 200; 599 in the ``callback=`` interface of Tornado before 6 when
            there was no response.
        reason: the reason phrase of the status line.
        headers: `HTTPHeaders`.
        effective_url: where the resource was in the end, after redirects.
        buffer: an `io.BytesIO` with the body, or None.
        error: the exception, if any: `HTTPClientError` when `code` is not 2xx.
        start_time: when the request left the queue, as of `time.time`; None if it never did.
        request_time: seconds from then to the end.  Of several requests (redirects), the last.
        time_info: seconds that parts of it took: ``queue``, in the client's queue, and what
            else the client measures.
    """

    def __init__(
        self,
        request: "HTTPRequest",
        code: int,
        headers: HTTPHeaders | None = None,
        buffer: BytesIO | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        request_time: float | None = None,
        time_info: dict[str, float] | None = None,
        reason: str | None = None,
        start_time: float | None = None,
    ) -> None:
        # Clients hand in the user's request seen through their defaults.
        self.request: HTTPRequest = getattr(request, "request", request)
        self.code = code
        self.reason = reason or responses.get(code, "Unknown")
        self.headers = HTTPHeaders() if headers is None else headers
        self.buffer = buffer
        self.effective_url = request.url if effective_url is None else effective_url
        self.start_time = start_time
        self.request_time = request_time
        self.time_info = {} if time_info is None else time_info
        self._body: bytes | None = None
        self._error = error
        self._error_is_response_code = error is None and not 200 <= code < 300

    @property
    def body(self) -> bytes:
        """The body, empty when there is none."""
        if self._body is None:
            self._body = b"" if self.buffer is None else self.buffer.getvalue()
        return self._body

    @property
    def error(self) -> BaseException | None:
        """What went wrong, if anything."""
        if self._error is None and self._error_is_response_code:
            # Made when asked for: it refers to the response, and would be garbage in a cycle.
            self._error = HTTPClientError(self.code, message=self.reason, response=self)
        return self._error

    @error.setter
    def error(self, value: BaseException | None) -> None:
        self._error = value
        self._error_is_response_code = False

    def rethrow(self) -> None:
        """Raise `error`, if there is one."""
        if self.error is not None:
            raise self.error

    def __repr__(self) -> str:
        fields = ("code", "reason", "effective_url", "request_time", "time_info", "headers")
        shown = ",".join(f"{name}={getattr(self, name)!r}" for name in fields)
        return f"{type(self).__name__}({shown},error={self.error!r},request={self.request!r})"
