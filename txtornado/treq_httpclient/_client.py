"""`TreqAsyncHTTPClient`: its settings and its pool."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet import defer
from twisted.web.client import Agent, HTTPConnectionPool

from txtornado.concurrent import as_future
from txtornado.httpclient import HTTPRequest, RequestTrace
from txtornado.httpclient._exchange import Exchange
from txtornado.httpclient._head import check_request
from txtornado.httpclient._queue import QueuedHTTPClient
from txtornado.httpclient._target import Target
from txtornado.ioloop import IOLoop
from txtornado.netutil import OverrideResolver, Resolver
from txtornado.tcpclient import TCPClient
from txtornado.treq_httpclient._exchange import PooledExchange
from txtornado.treq_httpclient._foreign import ForeignExchange
from txtornado.treq_httpclient._kept import Tally

if TYPE_CHECKING:
    from treq.client import HTTPClient as TreqClient

__all__ = ["TreqAsyncHTTPClient"]

_OF_A_PROXY = ("proxy_host", "proxy_port", "proxy_username", "proxy_password")

#: What only a client that makes its own connections can do.
_OF_THE_CONNECTION = (
    *_OF_A_PROXY,
    "network_interface",
    "ca_certs",
    "client_key",
    "client_cert",
    "ssl_options",
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
    """An HTTP/1.1 client whose connections are kept; the default of `AsyncHTTPClient`; ours.

    Connections are shared by requests that agree in host, port and everything that went into
    making the connection: TLS settings, local address and proxy.

    Attributes:
        pool: the `HTTPConnectionPool`, which may be handed on.
        agent: the ``IAgent`` it was given, if any.
    """

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        hostname_mapping: dict[Any, Any] | None = None,
        resolver: Resolver | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int | None = None,
        max_body_size: int | None = None,
        pool: HTTPConnectionPool | None = None,
        agent: Any = None,
        treq: "TreqClient | None" = None,
        unix_socket: str | None = None,
        trace: RequestTrace | None = None,
        max_buffer_size: int = 104857600,
    ) -> None:
        """Set the client's limits.

        Args:
            max_clients: how many requests may be under way at once.
            hostname_mapping: see `SimpleAsyncHTTPClient`.
            resolver: finds addresses; a new `Resolver` by default.
            defaults: see `AsyncHTTPClient`.
            max_header_size: bytes that a response's head may have, 64 KiB by default.
            max_body_size: bytes that a body may have, before and after decompression;
                ``max_buffer_size`` by default.
            pool: a connection pool to share; it is left open by `close`.
            agent: an ``IAgent`` to send requests with, instead of connections of our own.  Then
                what concerns the connection (TLS, proxies, local addresses) is the agent's.
            treq: a treq client to send requests with, likewise.  It adds what it has (cookies,
                say), and decompresses whether asked to or not.
            unix_socket: path of a socket that all requests go to, whatever host they name.
            trace: is told of the stages of each request.
            max_buffer_size: the other clients' name for ``max_body_size``.

        Raises:
            ValueError: several of ``pool``, ``agent`` and ``treq``, or one of the latter two with
                ``unix_socket``.
        """
        if sum(each is not None for each in (pool, agent, treq)) > 1:
            raise ValueError("a client takes one of pool, agent and treq")
        if unix_socket is not None and (agent is not None or treq is not None):
            raise ValueError("unix_socket is for connections of our own: set it up in the agent")
        super().initialize(max_clients=max_clients, defaults=defaults, trace=trace)
        self.max_header_size = max_header_size or 65536
        self.max_body_size = max_buffer_size if max_body_size is None else max_body_size
        self.agent = agent
        self.given_treq = treq
        self.unix_socket = unix_socket
        self.tally = Tally()
        self._owns_pool = pool is None
        if pool is None:
            pool = HTTPConnectionPool(_Clock(self.io_loop), persistent=True)
            pool.maxPersistentPerHost = max_clients
        self.pool = pool
        self._owns_resolver = resolver is None
        self.resolver = Resolver() if resolver is None else resolver
        if hostname_mapping is not None:
            self.resolver = OverrideResolver(resolver=self.resolver, mapping=hostname_mapping)
        self.tcp_client = TCPClient(resolver=self.resolver)
        self._closing: defer.Deferred[Any] | None = None

    @property
    def treq(self) -> "TreqClient":
        """The treq client it was given, else one on its agent or its pool."""
        if self.given_treq is not None:
            return self.given_treq
        from treq.client import HTTPClient  # takes its time to import

        return HTTPClient(self.agent or Agent(self.io_loop.reactor, pool=self.pool))

    @property
    def open_connections(self) -> int:  # type: ignore[override]
        """How many connections of its own stand."""
        return self.tally.open

    @property
    def idle_connections(self) -> int:  # type: ignore[override]
        """How many of them are kept for requests to come."""
        return self.tally.idle

    def free(self) -> None:
        """See `QueuedHTTPClient`."""
        if self._owns_pool:
            self._closing = self.pool.closeCachedConnections()
        if self._owns_resolver:
            self.resolver.close()
        self.tcp_client.close()

    async def wait_closed(self) -> None:
        """Wait until nothing is under way and the connections are closed, after `close`."""
        await super().wait_closed()
        if self._closing is not None:
            closing, self._closing = self._closing, None
            await as_future(closing)

    def check_request(self, request: HTTPRequest) -> None:
        unsupported: tuple[str, ...] = ()
        if self.agent is not None or self.given_treq is not None:
            unsupported = _OF_THE_CONNECTION
        elif self.unix_socket is not None:
            unsupported = _OF_A_PROXY
        check_request(request, unsupported)
        if request.proxy_auth_mode not in (None, "basic", "digest"):
            raise ValueError(f"unsupported proxy_auth_mode {request.proxy_auth_mode!r}")

    def new_exchange(self, request: HTTPRequest, target: Target) -> Exchange:
        if self.agent is not None or self.given_treq is not None:
            return ForeignExchange(self, request, target)
        return PooledExchange(self, request, target)
