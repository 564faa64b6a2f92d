"""Sockets, TLS options and name resolution.

Sources: Tornado 2.3's documentation, chapter 3.4; Tornado 6's ``tornado.netutil``.
"""

from typing import TYPE_CHECKING, Any

from txtornado.netutil._resolvers import (
    BlockingResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
    TwistedResolver,
)
from txtornado.netutil._sockets import (
    add_accept_handler,
    bind_sockets,
    bind_unix_socket,
    is_valid_ip,
)
from txtornado.netutil._tls import ssl_options_to_context, ssl_wrap_socket

if TYPE_CHECKING:
    from txtornado.tcpserver import TCPServer

__all__ = [
    "BlockingResolver",
    "DefaultExecutorResolver",
    "DefaultLoopResolver",
    "ExecutorResolver",
    "OverrideResolver",
    "Resolver",
    "TCPServer",
    "ThreadedResolver",
    "TwistedResolver",
    "add_accept_handler",
    "bind_sockets",
    "bind_unix_socket",
    "is_valid_ip",
    "ssl_options_to_context",
    "ssl_wrap_socket",
]


def __getattr__(name: str) -> Any:
    if name == "TCPServer":  # its place in Tornado 2.3
        from txtornado.tcpserver import TCPServer

        return TCPServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
