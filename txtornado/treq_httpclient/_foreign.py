"""One request and its response through somebody else's agent or treq client."""

from typing import TYPE_CHECKING, Any

from twisted.internet import defer
from twisted.internet.error import ConnectionClosed
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH

from txtornado.concurrent import as_future
from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httpclient._exchange import Exchange
from txtornado.httpclient._head import request_head
from txtornado.httpclient._target import Target
from txtornado.httputil import HTTPHeaders
from txtornado.log import gen_log
from txtornado.treq_httpclient._bodies import RequestBody, ResponseBody

if TYPE_CHECKING:
    from txtornado.treq_httpclient._client import TreqAsyncHTTPClient

__all__ = ["ForeignExchange"]

_BROKEN = (
    ResponseFailed,
    ResponseNeverReceived,
    RequestTransmissionFailed,
    RequestGenerationFailed,
)
# What a treq client adds itself.
_OF_TREQ = ("Accept-Encoding",)
_OF_THE_BODY = ("Content-Length", "Transfer-Encoding")


class ForeignExchange(Exchange):
    """Sends a request with the client's agent or treq client and collects the response.

    Which connection it goes over, and when that stands, only they know.

    Args:
        client: for its limits, and what to send with.
        request: with the client's defaults.
        target: where its URL leads.
    """

    def __init__(self, client: "TreqAsyncHTTPClient", request: HTTPRequest, target: Target) -> None:
        super().__init__(request, target, client.trace)
        self._client = client
        self._body: RequestBody | None = None

    async def perform(self) -> None:
        headers = request_head(self.request, self.target, keep_alive=True)[1]
        self._body = self._request_body(headers)
        self.connected = self.started
        self.stage = "waiting"
        try:
            response = await as_future(self._send(headers))
        except _BROKEN as error:
            raise self._reason(error) from None
        await self._receive(response)

    def _send(self, headers: HTTPHeaders) -> Any:
        client, request = self._client, self.request
        treq = client.given_treq
        left_out = _OF_THE_BODY if treq is None else _OF_THE_BODY + _OF_TREQ
        raw = Headers(
            {
                name: [value.encode("latin-1") for value in headers.get_list(name)]
                for name in headers
                if name not in left_out
            }
        )
        if treq is None:
            method, url = request.method.encode("ascii"), self.target.url.encode("ascii")
            return client.agent.request(method, url, raw, self._body)
        return treq.request(
            request.method,
            self.target.url,
            headers=raw,
            data=self._body,
            allow_redirects=False,
            unbuffered=True,
            reactor=client.io_loop.reactor,
        )

    def _request_body(self, headers: HTTPHeaders) -> RequestBody | None:
        request = self.request
        body = request.body if request.body is not None else request.body_producer
        if body is None:
            return None
        length = headers.get("Content-Length")
        return RequestBody(body, None if length is None else int(length))

    async def _receive(self, response: Any) -> None:
        client, request = self._client, self.request
        version = "HTTP/%d.%d" % response.version[1:]
        headers = _headers_of(response)
        compressed = bool(
            request.decompress_response and headers.get("Content-Encoding", "").lower() == "gzip"
        )
        if compressed:
            headers["X-Consumed-Content-Encoding"] = headers.pop("Content-Encoding")
        body = ResponseBody(self, compressed and request.method != "HEAD", client.max_body_size)
        try:
            reason = response.phrase.decode("latin-1")
            self.head_received(version, response.code, reason, headers)
            if response.length is not UNKNOWN_LENGTH and response.length > client.max_body_size:
                raise body.refused("Content-Length too long")
        except BaseException:
            body.done.addErrback(lambda failure: None)
            response.deliverBody(body)
            body.abort()
            raise
        response.deliverBody(body)
        await as_future(body.done)

    def _reason(self, error: Any) -> BaseException:
        """What an error of Twisted's, which wraps others, comes down to."""
        if self._body is not None and self._body.error is not None:
            return self._body.error
        for reason in getattr(error, "reasons", ()):
            value = reason.value if isinstance(reason, Failure) else reason
            if isinstance(value, _BROKEN):
                return self._reason(value)
            if not isinstance(value, (ConnectionClosed, defer.CancelledError)):
                gen_log.info("Malformed HTTP message from %s: %s", self.target.authority, value)
                break
        return HTTPStreamClosedError("Connection closed")

    def close(self) -> None:
        if self._body is not None:
            self._body.stopProducing()
            self._body = None


def _headers_of(response: Any) -> HTTPHeaders:
    headers = HTTPHeaders()
    for name, values in response.headers.getAllRawHeaders():
        for value in values:
            headers.add(name.decode("latin-1"), value.decode("latin-1").strip())
    if response.length is not UNKNOWN_LENGTH and "Content-Length" not in headers:
        headers["Content-Length"] = str(response.length)
    return headers
