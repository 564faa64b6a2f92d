"""`TCPServer`: a server for any protocol that is written with streams.

It listens by itself (`TCPServer.listen`), with one process or several, and it is a Twisted
``IProtocolFactory``, which every endpoint of Twisted's can carry::

    serverFromString(reactor, "unix:/run/echo.sock").listen(EchoServer())

Sources: Tornado 2.3's documentation, chapter 3.4; Tornado 6's ``tornado.tcpserver``.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Awaitable, Iterable
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IProtocolFactory, ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from txtornado import gen
from txtornado._twisted import close_port, close_port_soon, use_socket_transport
from txtornado.ioloop import IOLoop
from txtornado.iostream import IOStream, SSLIOStream
from txtornado.iostream._ssl import tls_factory
from txtornado.log import app_log
from txtornado.netutil import add_accept_handler, bind_sockets

__all__ = ["TCPServer"]

_BACKLOG = 128


@implementer(IProtocolFactory)
class TCPServer:
    """Accepts connections and hands each to `handle_stream`, which subclasses implement.

    Args:
        ssl_options: serve TLS: an `ssl.SSLContext`; a dict as for
            `txtornado.netutil.ssl_options_to_context`, with ``certfile`` at least; or, ours,
            ``CertificateOptions`` of Twisted's.
        max_buffer_size: for the streams (Tornado 3.1).
        read_chunk_size: for the streams (Tornado 4.0).
        io_loop: Tornado before 5.0, there the first argument: the loop to run on.

    Raises:
        KeyError: the dict has no ``certfile``.
        ValueError: one of its files does not exist.
    """

    #: Twisted: say nothing when a port opens or closes.
    noisy = False
    #: Twisted: how many ports use this factory.
    numPorts = 0

    io_loop: IOLoop | None
    _listeners: dict[int, _Listener]
    _pending: list[socket.socket]
    _started = False
    _stopped = False
    _accepting = 0
    _tls: Any = None

    def __init__(
        self,
        ssl_options: dict[str, Any] | ssl.SSLContext | Any | None = None,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        io_loop: IOLoop | None = None,
    ) -> None:
        if isinstance(ssl_options, IOLoop):
            io_loop, ssl_options = ssl_options, None
        if isinstance(max_buffer_size, (dict, ssl.SSLContext)):  # io_loop, ssl_options
            ssl_options, max_buffer_size = max_buffer_size, None
        if isinstance(ssl_options, dict):
            _check_files(ssl_options)
        self.io_loop = io_loop
        self.ssl_options = ssl_options
        self.max_buffer_size = max_buffer_size
        self.read_chunk_size = read_chunk_size
        self._listeners = {}
        self._pending = []

    # -- listening ----------------------------------------------------------------------

    def listen(
        self,
        port: int,
        address: str | None = None,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = _BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Accept connections from now on; may be called again for more ports.

        The arguments are those of `txtornado.netutil.bind_sockets`; since Tornado 6.2 all.
        """
        self.add_sockets(bind_sockets(port, address, family, backlog, flags, reuse_port))

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on listening sockets, which the server owns from now on."""
        loop = self.io_loop or IOLoop.current()
        self._stopped = False
        for sock in sockets:
            self._listeners[sock.fileno()] = _Listener(self, loop, sock)

    def add_socket(self, socket: socket.socket) -> None:
        """`add_sockets` for one."""
        self.add_sockets([socket])

    def bind(
        self,
        port: int,
        address: str | None = None,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = _BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Open a port, on which `start` accepts; may be called again for more ports.

        The arguments are those of `txtornado.netutil.bind_sockets`.
        """
        sockets = bind_sockets(port, address, family, backlog, flags, reuse_port)
        if self._started:
            self.add_sockets(sockets)
        else:
            self._pending.extend(sockets)

    def start(self, num_processes: int | None = 1, max_restarts: int | None = None) -> None:
        """Accept on the ports that were bound, in one or several processes.

        Args:
            num_processes: 1 for this process; more fork as many children; None or 0 as many
                as there are cores.  No loop may exist before the fork.
            max_restarts: for `txtornado.process.fork_processes` (Tornado 6.0).

        Raises:
            RuntimeError: it was started already.
        """
        if self._started:
            raise RuntimeError("the server was started already")
        self._started = True
        if num_processes != 1:
            from txtornado.process import fork_processes

            fork_processes(num_processes, max_restarts)
        pending, self._pending = self._pending, []
        self.add_sockets(pending)

    def stop(self) -> None:
        """Accept no more, and close the listening sockets; connections go on."""
        self._stopped = True
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener.close(in_accept=self._accepting > 0)
        pending, self._pending = self._pending, []
        for sock in pending:
            sock.close()

    @property
    def _sockets(self) -> dict[int, socket.socket]:
        """The listening sockets, by descriptor.

        Tornado documents no other way to the port that the system chose, and programs read this.
        """
        return {fd: listener.sock for fd, listener in self._listeners.items()}

    # -- connections --------------------------------------------------------------------

    def handle_stream(self, stream: IOStream, address: Any) -> Awaitable[None] | None:
        """Serve a new connection; to be implemented.

        Args:
            stream: the connection; an `SSLIOStream` with TLS, whose handshake may be under
                way (`SSLIOStream.wait_for_handshake`).
            address: the peer's, in the form that its family has.

        Returns:
            None, or an awaitable, whose exception is logged (Tornado 4.2).
        """
        raise NotImplementedError

    def _connected(self, transport: Any, address: Any, loop: IOLoop) -> IOStream | None:
        """A connection is there: build its stream, and hand it on."""
        secure = isinstance(transport, TLSMemoryBIOProtocol) or ISSLTransport.providedBy(transport)
        options: dict[str, Any] = {
            "max_buffer_size": self.max_buffer_size,
            "read_chunk_size": self.read_chunk_size,
            "io_loop": loop,
        }
        stream: IOStream
        if self.ssl_options is not None and not secure:
            stream = SSLIOStream(None, ssl_options=self.ssl_options, server_side=True, **options)
            stream._setup.factory = self._factory_for_tls(loop)
        elif secure and isinstance(transport, TLSMemoryBIOProtocol):
            stream = SSLIOStream(None, server_side=True, **options)
        else:
            stream = IOStream(None, **options)
        return stream

    def _factory_for_tls(self, loop: IOLoop) -> Any:
        if self._tls is None:
            self._tls = tls_factory(self.ssl_options, True, None, loop.reactor)
        return self._tls

    def _serve(self, stream: IOStream, address: Any, loop: IOLoop) -> None:
        self._accepting += 1
        try:
            result = self.handle_stream(stream, address)
            if result is not None:
                loop.add_future(gen.convert_yielded(result), lambda future: future.result())
        except Exception:
            app_log.error("Error in connection callback", exc_info=True)
            stream.close()
        finally:
            self._accepting -= 1

    # -- Twisted's IProtocolFactory -----------------------------------------------------

    def buildProtocol(self, addr: Any) -> Any:
        """A protocol for a connection that Twisted accepted; None when the server is stopped."""
        if self._stopped:
            return None
        return _Accepted(self, _plain(addr), self.io_loop or IOLoop.current())

    def doStart(self) -> None:
        """A port opens; called by Twisted."""
        if self.numPorts == 0:
            self._stopped = False
            self.startFactory()
        self.numPorts += 1

    def doStop(self) -> None:
        """A port closed; called by Twisted."""
        if self.numPorts > 0:
            self.numPorts -= 1
            if self.numPorts == 0:
                self.stopFactory()

    def startFactory(self) -> None:
        """Twisted: called when the first port opens; for overriding."""

    def stopFactory(self) -> None:
        """Twisted: called when the last port is closed; for overriding."""

    def logPrefix(self) -> str:
        """Twisted: the name in logs."""
        return type(self).__name__


class _Accepted(Protocol):
    """Stands in until the transport is known, which decides the kind of the stream."""

    def __init__(self, server: TCPServer, address: Any, loop: IOLoop) -> None:
        self.server = server
        self.address = address
        self.loop = loop

    def makeConnection(self, transport: Any) -> None:
        server, loop = self.server, self.loop
        stream = server._connected(transport, self.address, loop)
        if stream is None:
            transport.loseConnection()
            return
        for name in ("wrappedProtocol", "protocol"):
            if getattr(transport, name, None) is self:
                setattr(transport, name, stream)
                break
        else:
            self.__dict__["dataReceived"] = stream.dataReceived
            self.__dict__["connectionLost"] = stream.connectionLost
        stream.makeConnection(transport)
        if not stream.closed():
            server._serve(stream, self.address, loop)


class _Listener:
    """A listening socket, and what accepts on it."""

    def __init__(self, server: TCPServer, loop: IOLoop, sock: socket.socket) -> None:
        self.sock = sock
        self.port: Any = None
        sock.setblocking(False)
        reactor = loop.reactor
        try:
            self.port = reactor.adoptStreamPort(sock.fileno(), sock.family, server)
        except (AttributeError, error.UnsupportedAddressFamily):
            # A reactor without IReactorSocket.
            self.remove = add_accept_handler(
                sock, lambda connection, address: _accept(server, loop, connection, address), loop
            )
        else:
            use_socket_transport(self.port)

    def close(self, in_accept: bool) -> None:
        port = self.port
        if port is None:
            self.remove()
        elif not getattr(port, "connected", True):
            pass  # its loop was closed before it
        elif in_accept or not hasattr(port, "connectionLost"):
            close_port_soon(port)
        else:
            # At once: the loop may have made its last turn.
            port.stopReading()
            close_port(port)
        self.sock.close()


def _accept(server: TCPServer, loop: IOLoop, connection: socket.socket, address: Any) -> None:
    from txtornado._twisted import SocketTransport

    accepted = _Accepted(server, address, loop)
    accepted.makeConnection(SocketTransport(connection, accepted, reactor=loop.reactor))


def _plain(addr: Any) -> Any:
    """A Twisted address in the form of the `socket` module's."""
    if isinstance(addr, IPv4Address):
        return addr.host, addr.port
    if isinstance(addr, IPv6Address):
        return addr.host, addr.port, addr.flowInfo, addr.scopeID
    name = getattr(addr, "name", None)
    return os.fsdecode(name) if name else ""


def _check_files(ssl_options: dict[str, Any]) -> None:
    if "certfile" not in ssl_options:
        raise KeyError('missing key "certfile" in ssl_options')
    for key in ("certfile", "keyfile"):
        name = ssl_options.get(key)
        if name is not None and not os.path.exists(name):
            raise ValueError(f'{key} "{name}" does not exist')
