"""`TreqAsyncHTTPClient`: its settings and its pool."""

from collections.abc import Callable
from typing import Any

import treq.client
from twisted.internet import defer
from twisted.web.client import Agent, HTTPConnectionPool

from txtornado.concurrent import as_future
from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._head import check_request
from txtornado.httpclient._queue import QueuedHTTPClient
from txtornado.httpclient._target import Target
from txtornado.ioloop import IOLoop
from txtornado.netutil import OverrideResolver, Resolver
from txtornado.tcpclient import TCPClient
from txtornado.treq_httpclient._exchange import TreqExchange

__all__ = ["TreqAsyncHTTPClient"]

#: What only a client that makes its own connections can do.
OF_THE_CONNECTION = (
    "network_interface",
    "ca_certs",
    "client_key",
    "client_cert",
    "ssl_options",
    "proxy_host",
    "proxy_port",
    "proxy_username",
    "proxy_password",
    "expect_100_continue",
)


class _Clock:
    """The only part of a reactor that a pool uses, on the loop itself.

    A pool sets and cancels a timer of minutes with every request.  asyncio soon forgets timers
    that are cancelled; Twisted's reactor on asyncio keeps them until the next one goes off.
    """

    def __init__(self, loop: IOLoop) -> None:
        self._loop = loop

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any) -> Any:
        return self._loop.call_later(delay, callable, *args)


class TreqAsyncHTTPClient(QueuedHTTPClient):
    """An HTTP/1.1 client on ``twisted.web.client``, with connections that are kept; ours.

    Connections are shared by requests that agree in host, port and everything that went into
    making the connection: TLS settings, local address and proxy.

    Attributes:
        pool: the `HTTPConnectionPool`, which may be handed on.
    """

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        hostname_mapping: dict[Any, Any] | None = None,
        resolver: Resolver | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int | None = None,
        max_body_size: int = 104857600,
        pool: HTTPConnectionPool | None = None,
        agent: Any = None,
    ) -> None:
        """Set the client's limits.

        Args:
            max_clients: how many requests may be under way at once.
            hostname_mapping: see `SimpleAsyncHTTPClient`.
            resolver: finds addresses; a new `Resolver` by default.
            defaults: see `AsyncHTTPClient`.
            max_header_size: bytes that a response's head may have, 64 KiB by default.
            max_body_size: bytes that a body may have, before and after decompression, 100 MiB
                by default.
            pool: a connection pool to share; it is left open by `close`.
            agent: an `IAgent` to send requests with, instead of connections of our own.  Then
                what concerns the connection (TLS, proxies, local addresses) is the agent's.
        """
        super().initialize(max_clients=max_clients, defaults=defaults)
        self.max_header_size = max_header_size or 65536
        self.max_body_size = max_body_size
        self.agent = agent
        self._owns_pool = pool is None
        if pool is None:
            pool = HTTPConnectionPool(_Clock(self.io_loop), persistent=True)
            pool.maxPersistentPerHost = max_clients
            # Whether a request may be sent again is decided in the exchange.
            pool.retryAutomatically = False
        self.pool = pool
        self._owns_resolver = resolver is None
        self.resolver = Resolver() if resolver is None else resolver
        if hostname_mapping is not None:
            self.resolver = OverrideResolver(resolver=self.resolver, mapping=hostname_mapping)
        self.tcp_client = TCPClient(resolver=self.resolver)
        self._closing: defer.Deferred[Any] | None = None

    @property
    def treq(self) -> treq.client.HTTPClient:
        """A treq client on this client's pool."""
        return treq.client.HTTPClient(Agent(self.io_loop.reactor, pool=self.pool))

    def close(self) -> None:
        """Abort what is under way and close the connections."""
        if self._closed:
            return
        super().close()
        if self._owns_pool:
            self._closing = self.pool.closeCachedConnections()
        if self._owns_resolver:
            self.resolver.close()
        self.tcp_client.close()

    async def wait_closed(self) -> None:
        """Wait for the connections to be closed, after `close`."""
        if self._closing is not None:
            closing, self._closing = self._closing, None
            await as_future(closing)

    def check_request(self, request: HTTPRequest) -> None:
        unsupported = () if self.agent is None else OF_THE_CONNECTION
        check_request(request, unsupported)
        if request.proxy_auth_mode not in (None, "basic"):
            raise ValueError(f"unsupported proxy_auth_mode {request.proxy_auth_mode!r}")

    def new_exchange(self, request: HTTPRequest, target: Target) -> TreqExchange:
        return TreqExchange(self, request, target)
