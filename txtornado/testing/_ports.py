"""Ports on the local host that no one else holds."""

import socket

__all__ = ["bind_unused_port", "get_unused_port"]

BACKLOG = 128


def bind_unused_port(
    reuse_port: bool = False, address: str = "127.0.0.1"
) -> tuple[socket.socket, int]:
    """A listening, non-blocking TCP socket on a free port of ``address``, and that port.

    The caller owns the socket: hand it to ``server.add_socket`` or close it.

    Args:
        reuse_port: set ``SO_REUSEPORT``, so that others may bind the port as well.
        address: a numeric address or a host name; ``127.0.0.1`` by default, ``"::1"`` for
            IPv6 (Tornado 6.2 on).

    Raises:
        OSError: the address is not one of this machine's.
    """
    family, kind, protocol, _, sockaddr = socket.getaddrinfo(
        address, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(sockaddr)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock, sock.getsockname()[1]


def get_unused_port() -> int:
    """A port number that was free a moment ago (Tornado 2.3).

    Someone else may take it before you do; `bind_unused_port` has no such gap.
    """
    sock, port = bind_unused_port()
    sock.close()
    return port
