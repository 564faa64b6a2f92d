"""`SimpleAsyncHTTPClient`: its settings."""

from typing import Any

from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._head import check_request
from txtornado.httpclient._queue import QueuedHTTPClient
from txtornado.httpclient._target import Target
from txtornado.httpclient._trace import RequestTrace
from txtornado.netutil import OverrideResolver, Resolver
from txtornado.simple_httpclient._exchange import SimpleExchange
from txtornado.tcpclient import TCPClient

__all__ = ["SimpleAsyncHTTPClient"]

UNSUPPORTED = ("proxy_host", "proxy_port", "proxy_username", "proxy_password", "proxy_auth_mode")


class SimpleAsyncHTTPClient(QueuedHTTPClient):
    """An HTTP/1.1 client on txtornado's own streams.

    Each request has a connection of its own; proxies are not supported.
    """

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        hostname_mapping: dict[Any, Any] | None = None,
        max_buffer_size: int = 104857600,
        resolver: Resolver | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int | None = None,
        max_body_size: int | None = None,
        unix_socket: str | None = None,
        trace: RequestTrace | None = None,
    ) -> None:
        """Set the client's limits.

        Args:
            max_clients: how many requests may be under way at once.  The time that others spend
                in the queue counts in their time limits.
            hostname_mapping: addresses for host names, ``{"example.com": "127.0.0.1"}``, or
                for host and port; see `OverrideResolver`.
            max_buffer_size: bytes that may be read into memory at once, 100 MiB by default.
            resolver: finds addresses; a new `Resolver` by default, closed with the client.
            defaults: see `AsyncHTTPClient`.
            max_header_size: bytes that a response's head may have, 64 KiB by default.
            max_body_size: bytes that a response's body may have, before and after decompression;
                ``max_buffer_size`` by default (since 4.2).
            unix_socket: path of a socket that all requests go to, whatever host they name; ours.
            trace: is told of the stages of each request; ours.
        """
        super().initialize(max_clients=max_clients, defaults=defaults, trace=trace)
        self.unix_socket = unix_socket
        self.max_buffer_size = max_buffer_size
        self.max_header_size = max_header_size
        self.max_body_size = max_buffer_size if max_body_size is None else max_body_size
        self.own_resolver = resolver is None
        self.resolver = Resolver() if resolver is None else resolver
        if hostname_mapping is not None:
            self.resolver = OverrideResolver(resolver=self.resolver, mapping=hostname_mapping)
        self.tcp_client = TCPClient(resolver=self.resolver)

    def free(self) -> None:
        """See `QueuedHTTPClient`."""
        if self.own_resolver:
            self.resolver.close()
        self.tcp_client.close()

    def check_request(self, request: HTTPRequest) -> None:
        check_request(request, unsupported=UNSUPPORTED)

    def new_exchange(self, request: HTTPRequest, target: Target) -> SimpleExchange:
        return SimpleExchange(self, request, target)
