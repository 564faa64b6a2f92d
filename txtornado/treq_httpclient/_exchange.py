"""One request and its response on a connection of the pool."""

import functools
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from txtornado._twisted import forget_connection, pooled
from txtornado.concurrent import Future, as_future, new_future
from txtornado.http1connection import HTTP1ConnectionParameters
from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._connect import open_stream, start_tls
from txtornado.httpclient._digest import find_challenge
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httpclient._head import request_head
from txtornado.httpclient._target import Target
from txtornado.httpclient._tls import ssl_options_of
from txtornado.httpclient._trace import tell
from txtornado.httpclient._wire import WireExchange
from txtornado.httputil import HTTPHeaders, RequestStartLine, ResponseStartLine
from txtornado.iostream import IOStream, StreamClosedError
from txtornado.treq_httpclient._kept import KeptConnection, KeptEndpoint
from txtornado.treq_httpclient._proxy import (
    ProxyRefusedError,
    answer,
    first_try,
    has_proxy,
    open_tunnel,
)

if TYPE_CHECKING:
    from txtornado.treq_httpclient._client import TreqAsyncHTTPClient

__all__ = ["PooledExchange"]

# RFC 9110, section 9.2.2.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


class PooledExchange(WireExchange):
    """Sends a request over a connection of the client's pool and collects the response.

    Args:
        client: for its pool and its limits.
        request: with the client's defaults.
        target: where its URL leads.
    """

    _kept: KeptConnection | None = None
    _over = False

    def __init__(self, client: "TreqAsyncHTTPClient", request: HTTPRequest, target: Target) -> None:
        super().__init__(request, target, client.trace)
        self._client = client
        self._proxied = has_proxy(request, target)
        self._forwarded = self._proxied and target.scheme == "http"
        self._proxy_challenge: dict[str, str] | None = None
        self._proxy_answered = False

    async def perform(self) -> None:
        start_line, headers = request_head(
            self.request, self.target, bool(self._client.pool.persistent), self._forwarded
        )
        if self._forwarded:
            credentials = first_try(self.request)
            if credentials is not None:
                headers["Proxy-Authorization"] = credentials
        await self._attempt(start_line, headers)
        if self._proxy_challenge is not None:
            headers["Proxy-Authorization"] = answer(
                self.request, self._proxy_challenge, start_line.method, start_line.path
            )
            self._again()
            await self._attempt(start_line, headers)

    async def _attempt(self, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        """Send the request, and once more if it met a connection that had just been given up."""
        while True:
            kept = await self._take()
            before = kept.connection.received
            try:
                if await self.run(kept.connection, start_line, headers):
                    self._kept = None
                    kept.release()
                return
            except (HTTPStreamClosedError, ConnectionError):
                if not self._may_retry(kept, before):
                    raise
            self._again()

    def _may_retry(self, kept: KeptConnection, before: int) -> bool:
        return (
            kept.used
            and kept.connection.received == before
            and self._error is None
            and self.request.method in IDEMPOTENT
            and self.request.body_producer is None
        )

    def _again(self) -> None:
        """Forget how far this came."""
        self._drop()
        self._sent = self._complete = self._body_wanted = False
        self._proxy_challenge = None
        self.chunks.clear()
        self.follow = False
        self.stage = "connecting"

    # -- the connection -----------------------------------------------------------------

    async def _take(self) -> KeptConnection:
        """A connection, from the pool or a new one."""
        client = self._client
        wanted = client.pool.getConnection(self._key(), KeptEndpoint(self._open))
        try:
            kept: Any = pooled(await wanted if wanted.called else await as_future(wanted))
        except StreamClosedError as error:
            raise error.real_error or HTTPStreamClosedError("Connection closed") from None
        kept.take()
        self._kept = kept
        kept.parameters.decompress = bool(self.request.decompress_response)
        self.connected = client.io_loop.asyncio_loop.time()
        if self.trace is not None:
            tell(self.trace, "connected", self.request, kept.used)
        self.stage = "waiting"
        return kept  # type: ignore[no-any-return]

    def _key(self) -> tuple[Any, ...]:
        """What requests must agree in to share a connection."""
        request, target, client = self.request, self.target, self._client
        key: tuple[Any, ...] = (
            # Whoever else uses the pool has other protocols on its connections, and other limits.
            "txtornado",
            client.max_header_size,
            client.max_body_size,
            client.unix_socket,
            request.network_interface,
            request.allow_ipv6,
            target.scheme,
        )
        if self._proxied:
            key += (request.proxy_host, request.proxy_port)
            key += (request.proxy_username, request.proxy_password)
        if not self._forwarded:
            key += (target.host, target.port)
        if target.scheme == "https":
            options = ssl_options_of(request)
            # The context itself: as long as it is in a key, no other has its id.
            key += (options if isinstance(options, ssl.SSLContext) else _frozen(options),)
        return key

    async def _open(self, put_back: Callable[[Any], object] | None) -> KeptConnection:
        client = self._client
        stream = await self._open_stream()
        parameters = HTTP1ConnectionParameters(
            max_header_size=client.max_header_size, max_body_size=client.max_body_size
        )
        if not client.pool.persistent:
            put_back = None
        # Held here already: whoever cancels us may come between this and `_take`.
        forget = functools.partial(forget_connection, client.pool, self._key())
        kept = self._kept = KeptConnection(stream, parameters, client.tally, put_back, forget)
        if self._over:
            self._drop()
        return kept

    async def _open_stream(self) -> IOStream:
        secure = self.target.scheme == "https"
        if not self._proxied:
            return await self._connect(self.target.host, self.target.port, secure)
        if not secure:
            return await self._connect_to_proxy()
        host = f"[{self.target.host}]" if ":" in self.target.host else self.target.host
        authority = f"{host}:{self.target.port}"
        stream = await self._connect_to_proxy()
        try:
            await open_tunnel(stream, authority, first_try(self.request))
        except ProxyRefusedError as error:
            if error.challenge is None or self.request.proxy_auth_mode != "digest":
                raise
            credentials = answer(self.request, error.challenge, "CONNECT", authority)
            stream = await self._connect_to_proxy()
            await open_tunnel(stream, authority, credentials)
        try:
            return await start_tls(stream, ssl_options_of(self.request), self.target.host)
        except StreamClosedError as error:
            raise error.real_error or HTTPStreamClosedError("Connection closed") from None

    async def _connect_to_proxy(self) -> IOStream:
        request = self.request
        assert request.proxy_host is not None and request.proxy_port is not None
        return await self._connect(request.proxy_host, request.proxy_port, False)

    async def _connect(self, host: str, port: int, secure: bool) -> IOStream:
        client = self._client
        if self.trace is not None:
            tell(self.trace, "connecting", self.request, host, port)
        return await open_stream(
            client.tcp_client, self.request, host, port, secure, unix_socket=client.unix_socket
        )

    def _drop(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def close(self) -> None:
        super().close()
        self._over = True
        self._drop()

    # -- HTTPMessageDelegate ----------------------------------------------------------

    # What the request's callbacks raise is what fetch() raises.

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        try:
            if self._forwarded and start_line[1] == 407 and self._is_challenged(headers):
                return None
            return super().headers_received(start_line, headers)
        except Exception as error:
            self._give_up(error)
            return None

    def _is_challenged(self, headers: HTTPHeaders) -> bool:
        """Whether the proxy wants to be asked again with a digest."""
        if self._proxy_answered or self.request.proxy_auth_mode != "digest":
            return False
        self._proxy_challenge = find_challenge(headers, "Proxy-Authenticate")
        self._proxy_answered = self.follow = self._proxy_challenge is not None
        return self._proxy_answered

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._error is not None:
            return None
        try:
            wait = super().data_received(chunk)
        except Exception as error:
            self._give_up(error)
            return None
        if wait is None:
            return None
        passed: Future[None] = new_future()
        as_future(wait).add_done_callback(lambda future: self._waited(future, passed))
        return passed

    def _waited(self, future: Future[None], passed: Future[None]) -> None:
        if future.cancelled():
            self._give_up(HTTPStreamClosedError("The streaming_callback was cancelled"))
        elif (error := future.exception()) is not None:
            self._give_up(error)
        if not passed.done():
            passed.set_result(None)


def _frozen(options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in options.items()))
