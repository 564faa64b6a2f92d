"""`TCPClient`: connects streams by host name, over IPv6 or IPv4, whichever answers first.

Source: Tornado 6's ``tornado.tcpclient``; RFC 8305 ("Happy Eyeballs").
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import numbers
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from twisted.internet.protocol import ClientFactory

from txtornado.concurrent import as_future
from txtornado.ioloop import IOLoop
from txtornado.iostream import IOStream
from txtornado.netutil import Resolver
from txtornado.netutil._resolvers import takes_callback
from txtornado.util import TimeoutError

__all__ = ["TCPClient"]

#: Seconds before the second family is tried beside the first.
_INITIAL_CONNECT_TIMEOUT = 0.3

_Address = tuple[int, Any]
_Connect = Callable[[Any, Any], "tuple[Any, asyncio.Future[Any]]"]


class _Connector:
    """Tries addresses until one answers.

    The addresses of the first one's family are tried one after the other; so are, in
    parallel, those of the other families, which start when the first attempt fails or takes
    long.

    Args:
        addrinfo: pairs of family and address.
        connect: called with each pair: returns a stream and the future of its connection, or
            raises.
    """

    def __init__(self, addrinfo: list[_Address], connect: _Connect) -> None:
        self.io_loop = IOLoop.current()
        self.connect = connect
        self.future: asyncio.Future[tuple[int, Any, Any]] = (
            self.io_loop.asyncio_loop.create_future()
        )
        primary, secondary = self.split(addrinfo)
        self.primary = iter(primary)
        self.secondary: Iterator[_Address] | None = iter(secondary) if secondary else None
        #: All streams that were tried, but for the one that was delivered.
        self.streams: set[Any] = set()
        self.last_error: BaseException | None = None
        self.attempts: dict[Any, Any] = {}
        self._timers: list[Any] = []
        self._deadline: Any = None
        self._starting = 0

    @staticmethod
    def split(addrinfo: list[_Address]) -> tuple[list[_Address], list[_Address]]:
        """The addresses of the first one's family, and the others."""
        first = addrinfo[0][0]
        primary = [pair for pair in addrinfo if pair[0] == first]
        return primary, [pair for pair in addrinfo if pair[0] != first]

    def start(
        self,
        timeout: float = _INITIAL_CONNECT_TIMEOUT,
        connect_timeout: float | datetime.timedelta | None = None,
    ) -> asyncio.Future[tuple[int, Any, Any]]:
        """Begin; the result is family, address and stream.

        Args:
            timeout: seconds before the second family is tried.
            connect_timeout: when to give up, in the forms of `IOLoop.add_timeout`.
        """
        self.future.add_done_callback(self._settled)
        if self.secondary is not None:
            self._timers.append(self.io_loop.call_later(timeout, self.on_timeout))
        if connect_timeout is not None:
            self._timers.append(self.io_loop.add_timeout(connect_timeout, self.on_connect_timeout))
        self.try_next(self.primary)
        return self.future

    def try_next(self, addresses: Iterator[_Address]) -> None:
        """Try the next address of a family; when there is none, that family has failed."""
        self._starting += 1
        try:
            for family, address in addresses:
                try:
                    stream, future = self.connect(family, address)
                except OSError as e:
                    self.last_error = e
                    self.on_timeout()
                    if self.future.done():
                        return
                    continue
                self.streams.add(stream)
                self.attempts[stream] = address
                future.add_done_callback(
                    functools.partial(self._tried, addresses, family, address, stream)
                )
                return
        finally:
            self._starting -= 1
        self._fail_if_over()

    def _fail_if_over(self) -> None:
        if not self.attempts and not self._starting and not self.future.done():
            if self.secondary is not None:
                self.on_timeout()
                return
            self.future.set_exception(self.last_error or OSError("connection failed"))

    def _tried(
        self,
        addresses: Iterator[_Address],
        family: int,
        address: Any,
        stream: Any,
        future: asyncio.Future[Any],
    ) -> None:
        self.attempts.pop(stream, None)
        error = _error_of(future)
        if error is None:
            if self.future.done():
                future.result().close()
                return
            self.streams.discard(stream)
            self.future.set_result((family, address, future.result()))
            self.close_streams()
            return
        stream.close()
        if self.future.done():
            return
        self.last_error = error
        self.on_timeout()
        self.try_next(addresses)

    def on_timeout(self) -> None:
        """The first family takes long: try the second as well."""
        secondary, self.secondary = self.secondary, None
        if secondary is not None and not self.future.done():
            self.try_next(secondary)

    def on_connect_timeout(self) -> None:
        """Everything takes too long: give up."""
        if not self.future.done():
            trying = ", ".join(sorted(map(_format_addr, self.attempts.values())))
            self.future.set_exception(TimeoutError(f"Timeout while connecting to {trying}"))
        self.close_streams()

    def close_streams(self) -> None:
        for stream in self.streams:
            stream.close()

    def _settled(self, future: asyncio.Future[Any]) -> None:
        for timer in self._timers:
            self.io_loop.remove_timeout(timer)
        self._timers.clear()
        if future.cancelled():
            self.close_streams()


def _error_of(future: asyncio.Future[Any]) -> BaseException | None:
    if future.cancelled():
        return OSError("the connection attempt was cancelled")
    return future.exception()


def _format_addr(address: Any) -> str:
    """An address for people: ``host:port``, ``[host]:port``, or a path."""
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if len(address) > 2 else f"{host}:{port}"
    return str(address)


class TCPClient:
    """Opens connections (Tornado 3.2).

    Args:
        resolver: resolves host names; by default one of the configured kind, closed with
            this object.
        io_loop: Tornado before 5.0; the current loop is used.
    """

    def __init__(self, resolver: Resolver | None = None, io_loop: IOLoop | None = None) -> None:
        self._own_resolver = resolver is None
        self.resolver: Resolver = Resolver() if resolver is None else resolver

    def close(self) -> None:
        """Free what the client holds; connections stay."""
        if self._own_resolver:
            self.resolver.close()

    @takes_callback
    async def connect(
        self,
        host: str,
        port: int,
        af: socket.AddressFamily = socket.AF_UNSPEC,
        ssl_options: dict[str, Any] | ssl.SSLContext | Any | None = None,
        max_buffer_size: int | None = None,
        source_ip: str | None = None,
        source_port: int | None = None,
        timeout: float | datetime.timedelta | None = None,
    ) -> IOStream:
        """Connect to a host.

        Args:
            host: a name or an address.
            port: the port.
            af: ``AF_INET`` or ``AF_INET6``, when only one of them is wanted.
            ssl_options: speak TLS: see `IOStream.start_tls`; the certificate is checked for
                ``host``.
            max_buffer_size: for the stream.
            source_ip: the local address to connect from (Tornado 4.5).
            source_port: the local port to connect from (Tornado 4.5).
            timeout: seconds, or a timedelta, for everything together (Tornado 5.0).

        Returns:
            An `IOStream`, or with ``ssl_options`` an `SSLIOStream` whose handshake is done.

        Raises:
            TimeoutError: with a message that says what took so long (Tornado 6.6).
            OSError: it is not possible; StreamClosedError is one of them.
            ssl.SSLError: the TLS handshake failed.
        """
        loop = IOLoop.current()
        deadline = _deadline(loop, timeout)
        addresses = await _within(
            loop,
            deadline,
            as_future(self.resolver.resolve(host, port, af)),
            f"Timeout while resolving {host}",
        )
        connector = _Connector(
            addresses,
            functools.partial(
                self._create_stream, max_buffer_size, source_ip=source_ip, source_port=source_port
            ),
        )
        connecting = connector.start(connect_timeout=deadline)
        try:
            _, address, stream = await connecting
        except asyncio.CancelledError:
            if not connecting.cancelled() and connecting.exception() is None:
                connecting.result()[2].close()  # it stood already, just then
            raise
        if ssl_options is None:
            return stream  # type: ignore[no-any-return]
        return await self._secure(loop, deadline, stream, ssl_options, host, _format_addr(address))

    async def connect_endpoint(
        self,
        endpoint: Any,
        ssl_options: dict[str, Any] | ssl.SSLContext | Any | None = None,
        server_hostname: str | None = None,
        max_buffer_size: int | None = None,
        timeout: float | datetime.timedelta | None = None,
    ) -> IOStream:
        """Connect through any ``IStreamClientEndpoint`` of Twisted's; ours.

        Args:
            endpoint: say one from ``clientFromString``; build it with the loop's ``reactor``.
            ssl_options: speak TLS above it.
            server_hostname: what the certificate is checked for.
            max_buffer_size: for the stream.
            timeout: seconds, or a timedelta, for everything together.
        """
        loop = IOLoop.current()
        deadline = _deadline(loop, timeout)
        factory = _StreamFactory(max_buffer_size, loop)
        stream = await _within(
            loop,
            deadline,
            as_future(endpoint.connect(factory)),
            f"Timeout while connecting to {endpoint}",
        )
        if ssl_options is None:
            return stream  # type: ignore[no-any-return]
        return await self._secure(
            loop, deadline, stream, ssl_options, server_hostname, str(endpoint)
        )

    async def _secure(
        self,
        loop: IOLoop,
        deadline: float | None,
        stream: IOStream,
        ssl_options: Any,
        hostname: str | None,
        name: str,
    ) -> IOStream:
        handshake = stream.start_tls(False, ssl_options=ssl_options, server_hostname=hostname)
        try:
            return await _within(  # type: ignore[no-any-return]
                loop, deadline, handshake, f"Timeout during TLS handshake with {name}"
            )
        except asyncio.CancelledError:
            if not handshake.cancelled() and _error_of(handshake) is None:
                handshake.result().close()  # it was done already, just then
            raise

    def _create_stream(
        self,
        max_buffer_size: int | None,
        af: int,
        addr: Any,
        source_ip: str | None = None,
        source_port: int | None = None,
    ) -> tuple[IOStream, asyncio.Future[IOStream]]:
        sock = socket.socket(af)
        try:
            if source_ip is not None or source_port is not None:
                anywhere = "::" if af == socket.AF_INET6 else "0.0.0.0"
                sock.bind((source_ip or anywhere, source_port or 0))
            stream = IOStream(sock, max_buffer_size=max_buffer_size)
        except BaseException:
            sock.close()
            raise
        return stream, stream.connect(addr)


class _StreamFactory(ClientFactory):
    noisy = False

    def __init__(self, max_buffer_size: int | None, loop: IOLoop) -> None:
        self.max_buffer_size = max_buffer_size
        self.loop = loop

    def buildProtocol(self, addr: Any) -> Any:
        return IOStream(None, max_buffer_size=self.max_buffer_size, io_loop=self.loop)


def _deadline(loop: IOLoop, timeout: float | datetime.timedelta | None) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, datetime.timedelta):
        return loop.time() + timeout.total_seconds()
    if isinstance(timeout, numbers.Real):
        return loop.time() + float(timeout)
    raise TypeError(f"timeout is a number of seconds or a timedelta, not {timeout!r}")


async def _within(
    loop: IOLoop, deadline: float | None, awaitable: Awaitable[Any], message: str
) -> Any:
    """Wait, but not beyond the deadline; whoever is waited for is cancelled then."""
    if deadline is None:
        return await awaitable
    future = asyncio.ensure_future(awaitable)
    try:
        async with asyncio.timeout(max(0.0, deadline - loop.time())):
            return await future
    except builtin_timeout as e:
        if future.done() and not future.cancelled():
            raise
        raise TimeoutError(message) from e


builtin_timeout = asyncio.TimeoutError
