"""Listening sockets."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from typing import Any

from txtornado.ioloop import IOLoop
from txtornado.log import gen_log

__all__ = ["add_accept_handler", "bind_sockets", "bind_unix_socket", "is_valid_ip"]

_BACKLOG = 128
#: How many pairs of ports are tried when one port for several families is asked for.
_SAME_PORT_TRIES = 10
#: Seconds without accepting when the process or the system is out of descriptors or memory.
_EXHAUSTED_PAUSE = 0.5
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: Errors of one connection that was gone before it was accepted (accept(2), "Error handling").
_STILLBORN = frozenset(
    getattr(errno, name)
    for name in (
        "ECONNABORTED",
        "EPROTO",
        "ENETDOWN",
        "ENOPROTOOPT",
        "EHOSTDOWN",
        "ENONET",
        "EHOSTUNREACH",
        "EOPNOTSUPP",
        "ENETUNREACH",
        "EPERM",
    )
    if hasattr(errno, name)
)


def bind_sockets(
    port: int,
    address: str | None = None,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    backlog: int = _BACKLOG,
    flags: int | None = None,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Listening sockets for a port, one for each address that there is (Tornado 2.0).

    Args:
        port: 0 lets the system choose one, the same for all addresses.
        address: an IP address; a host name, which stands for all of its addresses; None or ""
            for every interface.
        family: ``AF_INET`` or ``AF_INET6``, when only one of them is wanted.
        backlog: how many connections wait to be accepted, as for `socket.socket.listen`.
        flags: AI_* flags for `socket.getaddrinfo`; default ``AI_PASSIVE``.
        reuse_port: let several processes listen on the port (SO_REUSEPORT; Tornado 4.4).

    Raises:
        ValueError: ``reuse_port`` is not to be had on this platform.
        OSError: nothing can be bound.
    """
    if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("the platform doesn't support SO_REUSEPORT")
    if not socket.has_ipv6 and family == socket.AF_UNSPEC:
        family = socket.AF_INET
    found = socket.getaddrinfo(
        address or None,
        port,
        family,
        socket.SOCK_STREAM,
        0,
        socket.AI_PASSIVE if flags is None else flags,
    )
    targets = _distinct(found, address)
    tries = _SAME_PORT_TRIES if port == 0 and len(targets) > 1 else 1
    for left in range(tries, 0, -1):
        try:
            return _bind_all(targets, backlog, reuse_port)
        except OSError as e:
            # The port that the first family was given is taken in the second.
            if e.errno != errno.EADDRINUSE or left == 1:
                raise
    raise AssertionError("not reached")


_Target = tuple[int, int, int, tuple[Any, ...]]


def _distinct(found: list[Any], address: str | None) -> list[_Target]:
    targets: dict[_Target, None] = {}
    for family, kind, proto, _, sockaddr in sorted(found, key=lambda info: info[:2]):
        if sys.platform == "darwin" and address == "localhost" and "%" in str(sockaddr[0]):
            continue  # link-local addresses cannot be bound without their interface
        targets[family, kind, proto, sockaddr] = None
    return list(targets)


def _bind_all(targets: list[_Target], backlog: int, reuse_port: bool) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    unavailable: OSError | None = None
    chosen = 0
    try:
        for family, kind, proto, sockaddr in targets:
            if chosen and sockaddr[1] == 0:
                sockaddr = (sockaddr[0], chosen, *sockaddr[2:])
            try:
                sock = _bind_one(family, kind, proto, sockaddr, reuse_port)
            except OSError as e:
                # A kernel without IPv6, or a name that has addresses of other machines.
                if e.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
                unavailable = e
                continue
            sockets.append(sock)
            chosen = sock.getsockname()[1]
            sock.listen(backlog)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    if not sockets and unavailable is not None:
        raise unavailable
    return sockets


def _bind_one(
    family: int, kind: int, proto: int, sockaddr: tuple[Any, ...], reuse_port: bool
) -> socket.socket:
    sock = socket.socket(family, kind, proto)
    try:
        if os.name != "nt":  # there it would let another process take the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def bind_unix_socket(file: str, mode: int = 0o600, backlog: int = _BACKLOG) -> socket.socket:
    """A listening UNIX socket (Tornado 2.0).

    A socket that is there under the name is replaced.

    Args:
        file: the path; on Linux, one that begins with NUL is in the abstract name space.
        mode: the permissions of the file.
        backlog: as for `bind_sockets`.

    Raises:
        ValueError: there is a file of another kind.
    """
    abstract = file.startswith("\0")
    if not abstract:
        try:
            there = os.stat(file)
        except FileNotFoundError:
            pass
        else:
            if not stat.S_ISSOCK(there.st_mode):
                raise ValueError(f"File {file} exists and is not a socket")
            os.remove(file)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(file)
        if not abstract:
            os.chmod(file, mode)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


class _Acceptor:
    """Accepts on a socket until it is told to stop."""

    def __init__(
        self, loop: IOLoop, sock: socket.socket, callback: Callable[[socket.socket, Any], Any]
    ) -> None:
        self.loop = loop
        self.sock = sock
        self.callback = callback
        self.stopped = False
        loop.add_handler(sock, self.accept, IOLoop.READ)

    def accept(self, sock: socket.socket, events: int) -> None:
        # Not for ever: others want their turn.
        for _ in range(_BACKLOG):
            if self.stopped:
                return
            try:
                connection, address = sock.accept()
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno in _STILLBORN:
                    continue
                if e.errno in _EXHAUSTED:
                    self.pause(e)
                    return
                raise
            self.callback(connection, address)

    def pause(self, error: OSError) -> None:
        """The socket stays readable: waiting for it would only spin."""
        gen_log.error("Cannot accept connections for now: %s", error)
        self.loop.remove_handler(self.sock)
        self.loop.call_later(_EXHAUSTED_PAUSE, self.resume)

    def resume(self) -> None:
        if not self.stopped and self.sock.fileno() != -1:
            self.loop.add_handler(self.sock, self.accept, IOLoop.READ)

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            self.loop.remove_handler(self.sock)


def add_accept_handler(
    sock: socket.socket,
    callback: Callable[[socket.socket, Any], None],
    io_loop: IOLoop | None = None,
) -> Callable[[], None]:
    """Call ``callback(connection, address)`` for each connection to a listening socket.

    When descriptors run out, accepting pauses and goes on by itself.

    Args:
        sock: a socket such as those from `bind_sockets`.
        callback: gets a socket and the peer's address.
        io_loop: Tornado before 5.0: the loop to run on.

    Returns:
        A function that ends it, leaving the socket open (Tornado 5.0).
    """
    sock.setblocking(False)
    return _Acceptor(io_loop or IOLoop.current(), sock, callback).stop


def is_valid_ip(ip: str) -> bool:
    """True for a well-formed IPv4 or IPv6 address, as the platform understands it."""
    if not ip or "\x00" in ip:
        return False
    try:
        found = socket.getaddrinfo(
            ip, 0, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST
        )
    except socket.gaierror as e:
        if e.args[0] == socket.EAI_NONAME:
            return False
        raise
    except UnicodeError:  # too long, or empty between dots
        return False
    return bool(found)
