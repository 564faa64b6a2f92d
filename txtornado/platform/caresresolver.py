"""`CaresResolver`: names resolved by the c-ares library, through ``pycares`` (4 or 5).

c-ares asks DNS servers itself and needs no threads; it knows the hosts file, but not everything
that the system's own resolver is configured for.  Select it with
``Resolver.configure("txtornado.platform.caresresolver.CaresResolver")``.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pycares

from txtornado.ioloop import IOLoop
from txtornado.netutil import Resolver
from txtornado.netutil._resolvers import is_address, parse_address, takes_callback

__all__ = ["CaresResolver"]

_MAJOR = int(pycares.__version__.split(".")[0])
#: Seconds between looks at c-ares's own time limits.
_TICK = 1.0


class CaresResolver(Resolver):
    """Resolves with c-ares (Tornado 3.0), on the loop that is current when it is made."""

    channel: Any
    io_loop: IOLoop
    #: Descriptors of c-ares that the loop watches.
    fds: dict[int, int]

    def initialize(self, io_loop: IOLoop | None = None) -> None:
        self.io_loop = io_loop or IOLoop.current()
        self.fds = {}
        self._pending: set[asyncio.Future[Any]] = set()
        self._timer: Any = None
        self.channel = pycares.Channel(sock_state_cb=self._socket_state)

    # -- c-ares's descriptors and time limits -------------------------------------------

    def _socket_state(self, fd: int, readable: bool, writable: bool) -> None:
        events = (IOLoop.READ if readable else 0) | (IOLoop.WRITE if writable else 0)
        known = self.fds.pop(fd, None)
        if not events:
            if known is not None:
                self.io_loop.remove_handler(fd)
            return
        self.fds[fd] = events
        if known is None:
            self.io_loop.add_handler(fd, self._ready, events)
        else:
            self.io_loop.update_handler(fd, events)

    def _ready(self, fd: int, events: int) -> None:
        none = pycares.ARES_SOCKET_BAD
        self.channel.process_fd(
            fd if events & IOLoop.READ else none, fd if events & IOLoop.WRITE else none
        )

    def _tick(self) -> None:
        """c-ares notices that a server does not answer only when it is called."""
        self._timer = None
        self.channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
        self._watch_time()

    def _watch_time(self) -> None:
        if self._pending and self._timer is None:
            self._timer = self.io_loop.call_later(_TICK, self._tick)

    # -- resolving ----------------------------------------------------------------------

    @takes_callback
    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        if is_address(host, port):
            return parse_address(host, port, family)
        future: asyncio.Future[Any] = self.io_loop.asyncio_loop.create_future()
        self._pending.add(future)

        def answered(result: Any, error: int | None) -> None:
            # c-ares may call from a thread of its own.
            self.io_loop.add_callback(self._answered, future, result, error)

        arguments: dict[str, Any] = {"family": family, "type": socket.SOCK_STREAM}
        if _MAJOR >= 5:
            self.channel.getaddrinfo(host, port, callback=answered, **arguments)
        else:
            self.channel.getaddrinfo(host, port, answered, **arguments)
        self._watch_time()
        result, error = await future
        if error is not None:
            text = pycares.errno.strerror(error)
            if isinstance(text, bytes):
                text = text.decode()
            raise OSError(f"C-Ares returned error {error}: {text} while resolving {host}")
        return [_address(node) for node in result.nodes]

    def _answered(self, future: asyncio.Future[Any], result: Any, error: int | None) -> None:
        self._pending.discard(future)
        if not future.done():
            future.set_result((result, error))

    def close(self) -> None:
        if self._timer is not None:
            self.io_loop.remove_timeout(self._timer)
            self._timer = None
        for fd in list(self.fds):
            self.io_loop.remove_handler(fd)
        self.fds.clear()
        if hasattr(self.channel, "close"):
            self.channel.close()
        else:
            self.channel.cancel()


def _address(node: Any) -> tuple[int, Any]:
    host, *rest = node.addr
    if isinstance(host, bytes):
        host = host.decode("ascii")
    if node.family == socket.AF_INET6:
        port, *more = rest
        return node.family, (host, port, *(more or (0, 0)))
    return node.family, (host, rest[0])
