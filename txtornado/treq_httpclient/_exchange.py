"""One request and its response on Twisted's HTTP client."""

import base64
import ssl
from typing import TYPE_CHECKING, Any
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from twisted.internet import defer
from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    ProxyAgent,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgentEndpointFactory
from zope.interface import implementer

from txtornado.concurrent import as_future
from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._connect import open_stream
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httpclient._exchange import Exchange
from txtornado.httpclient._head import request_head
from txtornado.httpclient._target import Target
from txtornado.httpclient._tls import ssl_options_of
from txtornado.httputil import HTTPHeaders, encode_username_password
from txtornado.iostream import IOStream
from txtornado.log import gen_log
from txtornado.treq_httpclient._bodies import RequestBody, ResponseBody
from txtornado.treq_httpclient._transport import HeadScanner, StreamEndpoint, StreamTransport

if TYPE_CHECKING:
    from txtornado.treq_httpclient._client import TreqAsyncHTTPClient

__all__ = ["TreqExchange"]

# RFC 9110, section 9.2.2.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_MAX_PROXY_REPLY = 16384
_BROKEN = (
    ResponseFailed,
    ResponseNeverReceived,
    RequestTransmissionFailed,
    RequestGenerationFailed,
)


class TreqExchange(Exchange):
    """Sends a request through the pool, or the client's agent, and collects the response.

    Args:
        client: for its pool and its limits.
        request: with the client's defaults.
        target: where its URL leads.
    """

    def __init__(self, client: "TreqAsyncHTTPClient", request: HTTPRequest, target: Target) -> None:
        super().__init__(request, target)
        self._client = client
        self._body: RequestBody | None = None
        self._transport: StreamTransport | None = None
        self._scanner: HeadScanner | None = None
        self._fresh = False
        # NO_PROXY of the environment goes for proxies that a request names, as with curl.
        self._proxied = bool(request.proxy_host) and not proxy_bypass_environment(target.host)

    async def perform(self) -> None:
        headers = request_head(self.request, self.target, keep_alive=True)[1]
        if self._proxied and self.target.scheme == "http":
            authorization = self._proxy_authorization()
            if authorization is not None:
                headers["Proxy-Authorization"] = authorization
        while True:
            try:
                response = await self._send(headers)
                break
            except _BROKEN as error:
                if self._may_retry():
                    continue
                raise self._reason(error) from None
        await self._receive(response)

    # -- the request --------------------------------------------------------------------

    async def _send(self, headers: HTTPHeaders) -> Any:
        client = self._client
        self._body = self._request_body(headers)
        agent = client.agent
        url = f"{self.target.scheme}://{self.target.authority}{self.target.path}"
        if agent is None:
            agent = self._agent()
        self._fresh = False
        self._scanner = HeadScanner(self.target.authority, client.max_header_size, self._interim)
        return await as_future(
            agent.request(
                self.request.method.encode("ascii"),
                url.encode("ascii"),
                Headers(
                    {
                        name: [value.encode("latin-1") for value in headers.get_list(name)]
                        for name in headers
                        if name not in ("Content-Length", "Transfer-Encoding")
                    }
                ),
                self._body,
            )
        )

    def _request_body(self, headers: HTTPHeaders) -> RequestBody | None:
        request = self.request
        body = request.body if request.body is not None else request.body_producer
        if body is None:
            return None
        length = headers.get("Content-Length")
        return RequestBody(
            body, None if length is None else int(length), request.expect_100_continue
        )

    def _agent(self) -> Any:
        client = self._client
        reactor = client.io_loop.reactor
        pool = _SharedBy(client.pool, self._connection_key(), self)
        endpoint = StreamEndpoint(self._open)
        if self._proxied and self.target.scheme == "http":
            return ProxyAgent(endpoint, reactor, pool)
        return Agent.usingEndpointFactory(reactor, _Always(endpoint), pool)

    def _connection_key(self) -> tuple[Any, ...]:
        """What requests must agree in, beside host and port, to share a connection."""
        request = self.request
        key: tuple[Any, ...] = (request.network_interface, request.allow_ipv6)
        if self._proxied:
            key += (request.proxy_host, request.proxy_port, request.proxy_username)
            key += (request.proxy_password,)
        if self.target.scheme == "https":
            options = ssl_options_of(request)
            # The context itself: as long as it is in a key, no other has its id.
            key += (options if isinstance(options, ssl.SSLContext) else _frozen(options),)
        return key

    def _interim(self, code: int) -> None:
        if code == 100 and self._body is not None:
            self._body.proceed()

    def took(self, transport: Any) -> None:
        """The request goes over this connection; called by the pool."""
        client = self._client
        self.connected = client.io_loop.asyncio_loop.time()
        self.stage = "waiting for the response"
        if isinstance(transport, StreamTransport):
            self._transport = transport
            transport.scanner = self._scanner
        else:
            # Somebody else's connection: nobody sees an interim response there.
            self._scanner = None
            self._interim(100)

    def _may_retry(self) -> bool:
        """Whether the request went over a kept connection that the server had just given up."""
        return (
            self._transport is not None
            and not self._fresh
            and self._scanner is not None
            and not self._scanner.began
            and self.request.method in IDEMPOTENT
            and self.request.body_producer is None
        )

    # -- the connection -----------------------------------------------------------------

    async def _open(self) -> IOStream:
        self._fresh = True
        client, request, target = self._client, self.request, self.target
        secure = target.scheme == "https"
        if not self._proxied:
            return await open_stream(client.tcp_client, request, target.host, target.port, secure)
        if not request.proxy_host or not request.proxy_port:
            raise ValueError("proxy_host needs a proxy_port")
        stream = await open_stream(
            client.tcp_client, request, request.proxy_host, request.proxy_port, False
        )
        return await self._tunnel(stream) if secure else stream

    async def _tunnel(self, stream: IOStream) -> IOStream:
        """Have the proxy connect ``stream`` to the target (RFC 9110, section 9.3.6)."""
        self.stage = "waiting for the proxy"
        target = self.target
        host = f"[{target.host}]" if ":" in target.host else target.host
        lines = [f"CONNECT {host}:{target.port} HTTP/1.1", f"Host: {host}:{target.port}"]
        authorization = self._proxy_authorization()
        if authorization is not None:
            lines.append(f"Proxy-Authorization: {authorization}")
        try:
            await stream.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
            reply = await stream.read_until(b"\r\n\r\n", _MAX_PROXY_REPLY)
            status = reply.split(b"\r\n", 1)[0].decode("latin-1")
            if status.split(" ")[1:2] != ["200"]:
                raise HTTPStreamClosedError(f"The proxy refused to connect: {status}")
            return await stream.start_tls(False, ssl_options_of(self.request), target.host)
        except BaseException:
            stream.close()
            raise

    def _proxy_authorization(self) -> str | None:
        request = self.request
        if not request.proxy_username:
            return None
        credentials = encode_username_password(request.proxy_username, request.proxy_password or "")
        return "Basic " + base64.b64encode(credentials).decode("ascii")

    # -- the response -------------------------------------------------------------------

    async def _receive(self, response: Any) -> None:
        client, request = self._client, self.request
        version = "HTTP/%d.%d" % response.version[1:]
        headers = self._response_headers(response)
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
                raise body._refused("Content-Length too long")
        except BaseException:
            body.done.addErrback(lambda failure: None)
            response.deliverBody(body)
            body.abort()
            raise
        response.deliverBody(body)
        await as_future(body.done)

    def _response_headers(self, response: Any) -> HTTPHeaders:
        if self._scanner is not None and self._scanner.headers is not None:
            return self._scanner.headers
        headers = HTTPHeaders()
        for name, values in response.headers.getAllRawHeaders():
            for value in values:
                headers.add(name.decode("latin-1"), value.decode("latin-1").strip())
        if response.length is not UNKNOWN_LENGTH and "Content-Length" not in headers:
            headers["Content-Length"] = str(response.length)
        return headers

    def _malformed(self, error: object) -> HTTPStreamClosedError:
        gen_log.info("Malformed HTTP message from %s: %s", self.target.authority, error)
        if self._transport is not None:
            self._transport.abortConnection()
        return HTTPStreamClosedError("Connection closed")

    def _reason(self, error: Any) -> BaseException:
        """What an error of Twisted's, which wraps others, comes down to."""
        if self._body is not None and self._body.error is not None:
            return self._body.error
        transport_error = None if self._transport is None else self._transport.error
        if transport_error is not None and not isinstance(transport_error, BrokenPipeError):
            return transport_error
        for reason in getattr(error, "reasons", ()):
            value = reason.value if isinstance(reason, Failure) else reason
            if isinstance(value, _BROKEN):
                return self._reason(value)
            if not isinstance(value, (ConnectionClosed, ConnectionDone, defer.CancelledError)):
                return self._malformed(value)
        return HTTPStreamClosedError("Connection closed")

    def close(self) -> None:
        self._scanner = None  # which refers to us
        if self._body is not None:
            self._body.stopProducing()
            self._body = None
        if self._transport is not None:
            self._transport.scanner = None
            self._transport = None


class _SharedBy:
    """A pool whose connections are shared only by those with the same key.

    It also tells the exchange which connection it got.
    """

    def __init__(self, pool: Any, key: tuple[Any, ...], exchange: TreqExchange) -> None:
        self._pool = pool
        self._key = key
        self._exchange = exchange

    @property
    def persistent(self) -> bool:
        return bool(self._pool.persistent)

    def getConnection(self, key: Any, endpoint: Any) -> defer.Deferred[Any]:
        if isinstance(key, tuple) and key[:1] == ("http-proxy",):
            key = key[:1]  # the second is the endpoint, which is a new one each time
        d: defer.Deferred[Any] = self._pool.getConnection((*key, *self._key), endpoint)
        return d.addCallback(self._got)

    def _got(self, protocol: Any) -> Any:
        self._exchange.took(getattr(protocol, "transport", None))
        return protocol


@implementer(IAgentEndpointFactory)
class _Always:
    """Has one endpoint for every URI."""

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: Any) -> Any:
        return self._endpoint


def _frozen(options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in options.items()))
