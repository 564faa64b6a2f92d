"""`IOStream`: streams on sockets, and on transports that Twisted made."""

from __future__ import annotations

import asyncio
import errno
import os
import socket as socket_module
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from twisted.internet.interfaces import ISSLTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol

from txtornado._twisted import SocketTransport
from txtornado.iostream import _old_style
from txtornado.iostream._base import BaseIOStream
from txtornado.iostream._errors import StreamClosedError
from txtornado.iostream._reading import Reading
from txtornado.iostream._state import CHUNK_SIZE
from txtornado.log import gen_log

if TYPE_CHECKING:
    from txtornado.iostream._ssl import SSLIOStream

__all__ = ["IOStream"]


#: Streams that may buffer this much read in large pieces when much comes in.
_ROOMY = 1 << 20


class IOStream(BaseIOStream):
    """A stream on a socket, or on a transport of Twisted's.

    Args:
        socket: a stream socket of any family, connected or not (`connect` does it then); or,
            ours, any ``ITransport``, whose bytes the stream takes from now on; or None for a
            stream that a factory hands to a transport, which calls `makeConnection`.
        *args: those of `BaseIOStream`.
    """

    _socket: socket_module.socket | None = None
    _connect_future: asyncio.Future[Any] | None = None

    def __init__(self, socket: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if socket is None:
            return
        if hasattr(socket, "loseConnection"):
            if hasattr(socket, "protocol"):
                socket.protocol = self
            self.makeConnection(socket)
        else:
            socket.setblocking(False)
            self._socket = socket

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._reads_through_hook = cls.read_from_fd is not Reading.read_from_fd

    @property
    def socket(self) -> Any:
        """The socket; None when the stream is closed, or its transport has no socket."""
        if self._closed:
            return None
        transport = self.transport
        return self._socket if transport is None else getattr(transport, "socket", None)

    @property
    def secure(self) -> bool:
        """True when the bytes travel through TLS; ours."""
        transport = self.transport
        return isinstance(transport, TLSMemoryBIOProtocol) or ISSLTransport.providedBy(transport)

    # -- connecting ---------------------------------------------------------------------

    def connect(
        self: Self,
        address: Any,
        server_hostname: str | None = None,
        callback: Callable[[], Any] | None = None,
    ) -> asyncio.Future[Self]:
        """Connect the socket, which must not be connected yet.

        Writes may follow at once, and wait for the connection.

        Args:
            address: in the form that the socket's family has; a host name in it is looked up
                while everything waits: `txtornado.tcpclient.TCPClient` does better.
            server_hostname: for TLS: the name to ask for (SNI) and to check the certificate
                against.
            callback: Tornado before 6.0, there the second argument: called when connected.

        Returns:
            The stream itself, once it is connected (and the TLS handshake is done).

        Raises:
            StreamClosedError: from the result: it failed; `error` says why.
        """
        if callback is not None or callable(server_hostname):
            if callable(server_hostname):
                server_hostname, callback = callback, server_hostname
            future = self.connect(address, server_hostname)
            future.add_done_callback(self._log_connect_error)
            return _old_style.call_when_done(self, future, callback, with_result=False)
        if self._closed:
            raise StreamClosedError(real_error=self.error)
        if self._socket is None or self.transport is not None:
            raise RuntimeError("connect needs a stream on a socket that is not connected yet")
        future = self._connect_future = self._new_future()
        self._connecting = True
        transport = SocketTransport(
            self._socket, self, reactor=self.io_loop.reactor, connected=False
        )
        self.transport = transport
        try:
            transport.connect(address)
        except OSError as e:
            self.close(exc_info=e)
        return future

    def _log_connect_error(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is not None:
            gen_log.warning("Connect error: %s", self.error)

    def _start(self) -> None:
        sock = self._socket
        if self.transport is not None or sock is None or self._closed:
            return
        try:
            peer = sock.getpeername()
        except OSError as e:
            if e.errno in (errno.ENOTCONN, errno.EINVAL):
                return  # connect() is still to come
            self.close(exc_info=e)
            raise
        self.makeConnection(SocketTransport(sock, self, peer, reactor=self.io_loop.reactor))

    def makeConnection(self, transport: Any) -> None:
        if self._closed:
            transport.loseConnection()
            return
        wanted = not self._paused
        super().makeConnection(transport)
        if not self._direct:
            register = getattr(transport, "registerProducer", None)
            if register is not None:
                register(self, True)
        else:
            self._limit(transport)
        self._established(wanted)

    def _limit(self, transport: Any) -> None:
        """Have the transport read no more at once than there may be."""
        size = self.read_chunk_size
        if size != CHUNK_SIZE or self.max_buffer_size < _ROOMY:
            transport.bufferSize = transport.burst = size

    def _established(self, wanted: bool) -> None:
        """There is a connection: do what was asked for meanwhile."""
        self._connecting = False
        self._announce()
        if wanted and self._paused and not self._closed:
            self.resume_reading()
        if not self._closed:
            self._flush()

    def _announce(self) -> None:
        future = self._connect_future
        if future is not None:
            self._connect_future = None
            if not future.done():
                future.set_result(self)

    def _pending_futures(self) -> list[asyncio.Future[Any] | None]:
        future, self._connect_future = self._connect_future, None
        return [future, *super()._pending_futures()]

    # -- TLS ----------------------------------------------------------------------------

    def start_tls(
        self, server_side: bool, ssl_options: Any = None, server_hostname: str | None = None
    ) -> asyncio.Future[SSLIOStream]:
        """Turn the connection into a TLS connection (STARTTLS; Tornado 4.0).

        The stream must be idle, and is of no use afterwards: the new one takes over, with the
        close callback.  Bytes that came already belong to the handshake.  Cancelling the result
        closes the connection.

        Args:
            server_side: which side of the handshake this is.
            ssl_options: a dict or an `ssl.SSLContext` (see
                `txtornado.netutil.ssl_options_to_context`), or a connection creator of
                Twisted's such as ``CertificateOptions``; by default, contexts of
                `ssl.create_default_context`.
            server_hostname: on the client side: the name to ask for (SNI) and to check the
                certificate against.

        Returns:
            The new stream, once the handshake is done.

        Raises:
            ValueError: something is being read, written or connected.
            StreamClosedError: the stream is closed.
            ssl.SSLError: from the result: the handshake failed.
        """
        from txtornado.iostream._ssl import SSLIOStream

        if self._closed or self._lost:
            raise StreamClosedError(real_error=self.error)
        self._start()
        if (
            self.reading()
            or self.writing()
            or self._connecting
            or self.consumer is not None
            or self.transport is None
        ):
            raise ValueError("start_tls needs an idle stream: await its reads and writes first")
        stream = SSLIOStream(
            None,
            ssl_options=ssl_options,
            server_side=server_side,
            server_hostname=server_hostname,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
            io_loop=self.io_loop,
        )
        return stream._take_over(self)

    def _hand_over(self) -> tuple[Any, bytes]:
        """Give the transport away, with what came and was not read."""
        transport, early = self.transport, self._take_all()
        if self._waiting or not self._direct:
            self._waiting = False
            transport.unregisterProducer()
        self.transport = self._socket = None
        self._closed = self._eof = True
        self._recall()
        return transport, early

    # -- the descriptor -----------------------------------------------------------------

    def fileno(self) -> int:
        sock = self.socket
        try:
            return -1 if sock is None else int(sock.fileno())
        except AttributeError:
            return -1  # the TLS layer is there, its transport is not

    def close_fd(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def get_fd_error(self) -> Exception | None:
        sock = self.socket
        if sock is None:
            return None
        number = sock.getsockopt(socket_module.SOL_SOCKET, socket_module.SO_ERROR)
        return OSError(number, os.strerror(number)) if number else None

    def set_nodelay(self, value: bool) -> None:
        sock = self.socket
        if sock is None or sock.family not in (socket_module.AF_INET, socket_module.AF_INET6):
            return
        try:
            sock.setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1 if value else 0)
        except OSError as e:
            # The peer is gone, which the next read or write will find out.
            if e.errno not in (errno.EINVAL, errno.ECONNRESET, errno.ENOTCONN):
                raise
