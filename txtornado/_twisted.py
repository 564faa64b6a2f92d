# mypy: allow-untyped-calls
"""What leans on private parts of Twisted, but for TLS, in one place, each with a way around it.

`SocketTransport` is Twisted's own TCP connection with four differences that a stream needs and
that no public method gives: it sends at once when nothing is queued, it reports the errors of the
operating system as they are, it starts paused, and it can be closed with nothing left to do.
Streams also run over stock transports (see ``txtornado.iostream``); they only lose these four.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from errno import EAGAIN, EALREADY, EINPROGRESS, ENOBUFS, EWOULDBLOCK
from typing import Any

from twisted.internet import abstract, error, main, tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.python import log
from twisted.python.failure import Failure

__all__ = [
    "DirectTransport",
    "SocketTransport",
    "close_port",
    "close_port_soon",
    "forget_connection",
    "pooled",
    "return_to_pool",
    "stop_watching_configuration",
    "unparsed_of_channel",
    "unsent_of_transport",
    "use_socket_transport",
]

_TRY_AGAIN = (EAGAIN, EWOULDBLOCK, ENOBUFS)
_CLOSED = error.ConnectionClosed("closed by this side")


def _watch(transport: Any, books: str, method: str, callback: Callable[[], None]) -> bool:
    """Wait on the asyncio loop below an asyncio reactor, in whose books this is entered.

    False when the reactor is of another kind.
    """
    reactor = transport.reactor
    known = getattr(reactor, books, None)
    add = getattr(getattr(reactor, "_asyncioEventloop", None), method, None)
    if add is None or type(known) is not dict or not hasattr(reactor, "_disconnectSelectable"):
        return False
    if transport not in known:
        fd = transport.fileno()
        try:
            add(fd, callback)
        except PermissionError:  # epoll knows nothing of files; the reactor has a way
            return False
        known[transport] = fd
    return True


class DirectTransport(abstract.FileDescriptor):
    """What `SocketTransport` and the transport of descriptor streams have in common."""

    reactor: Any
    producer: Any
    #: Nothing is read before `resumeProducing` is called.
    starts_paused = True
    _busy = False
    _reading = False
    #: True while the asyncio loop hands bytes in: nothing else is running then.
    on_top = False
    #: Why the transport is about to be disconnected.
    failure: BaseException | None = None

    def runs_on(self, loop: Any) -> bool:
        """True when it is this asyncio loop that hands bytes in."""
        return getattr(self.reactor, "_asyncioEventloop", None) is loop

    # -- waiting ------------------------------------------------------------------------

    def startReading(self) -> None:
        self._reading = True
        if not _watch(self, "_readers", "add_reader", self._readable):
            self.reactor.addReader(self)

    def stopReading(self) -> None:
        self._reading = False
        self.reactor.removeReader(self)

    def startWriting(self) -> None:
        if not _watch(self, "_writers", "add_writer", self._writable):
            self.reactor.addWriter(self)

    def _readable(self) -> None:
        self._act(self.doRead, True)

    def _writable(self) -> None:
        self._act(self.doWrite, False)

    def _act(self, method: Callable[[], Any], reading: bool) -> None:
        """What the asyncio reactor does, less the logging context that it sets up each time."""
        try:
            why = method()
        except Exception as e:
            log.err()
            why = e
        if why is not None:
            self.reactor._disconnectSelectable(self, why, reading)

    def close(self) -> None:
        """Close at once; whatever is still queued is dropped."""
        if self.disconnected:
            return
        if self._busy:
            # The reactor is in our doRead or doWrite: it disconnects us when that returns.
            self.failure = _CLOSED
        else:
            self.connectionLost(Failure(_CLOSED))

    def wait_writable(self, producer: Any) -> None:
        """Call ``producer.resumeProducing()`` whenever there is room, until it is unregistered."""
        self.producer = producer
        self.streamingProducer = False
        self.startWriting()

    def unregisterProducer(self) -> None:
        self.producer = None
        if not self.disconnected and (self.connected or not self.queued()):
            if self.queued() or self.disconnecting:
                self.startWriting()
            else:
                self.stopWriting()

    def queued(self) -> bool:
        """True while bytes that were given to ``write`` wait for the descriptor."""
        return bool(self.dataBuffer) or bool(self._tempDataBuffer)

    def doWrite(self) -> Any:
        why = self.failure
        if why is not None:
            return why
        self._busy = True
        try:
            if self.disconnecting or self._writeDisconnecting or self.queued():
                why = abstract.FileDescriptor.doWrite(self)
            elif self.producer is not None and not self.streamingProducer:
                self.producer.resumeProducing()
            else:
                self.stopWriting()
        finally:
            self._busy = False
        return why or self.failure

    def logPrefix(self) -> str:
        return "-"


class SocketTransport(DirectTransport, tcp.Connection):
    """A stream socket of any family, connected or about to be.

    Takes the arguments that a listening port of Twisted passes to its transport class.
    """

    connecting = False
    #: It was closed here, and stays until the peer has read what is left.
    lingers = False
    #: How much is read at once: a message of 64 KiB comes together with its head.
    bufferSize = (1 << 16) + (1 << 10)
    #: The same after a full chunk.
    burst = 1 << 18

    def __init__(
        self,
        skt: socket.socket,
        protocol: Any,
        client: object = None,
        server: object = None,
        sessionno: int = 0,
        reactor: Any = None,
        connected: bool = True,
    ) -> None:
        tcp.Connection.__init__(self, skt, protocol, reactor)
        self.connected = connected
        #: The peer's address, as far as it is known.
        self.client = client

    # -- connecting ---------------------------------------------------------------------

    def connect(self, address: Any) -> None:
        """Begin to connect; ``protocol.makeConnection`` or ``connectionLost`` tells the outcome.

        Raises:
            OSError: it failed already.
        """
        try:
            self.socket.connect(address)
        except OSError as e:
            if e.errno not in (EINPROGRESS, EALREADY) and not (
                e.errno in (EWOULDBLOCK, EAGAIN) and self.socket.family != socket.AF_UNIX
            ):
                raise
        self.client = address
        self.connecting = True
        self.startWriting()

    def _connect_ended(self) -> Any:
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            return OSError(number, os.strerror(number))
        self.connecting = False
        self.connected = True
        self.stopWriting()
        self.protocol.makeConnection(self)
        return self.failure

    # -- reading and writing ------------------------------------------------------------

    def _readable(self) -> None:
        # As in `_act`, for what happens most.
        self.on_top = True
        try:
            why = self.doRead()
        except Exception as e:
            log.err()
            why = e
        finally:
            self.on_top = False
        if why is not None:
            self.reactor._disconnectSelectable(self, why, True)

    def doRead(self) -> Any:
        size, more = self.bufferSize, True
        while True:
            try:
                data = self.socket.recv(size)
            except BlockingIOError:
                return None
            except OSError as e:
                return e
            if not data:
                return main.CONNECTION_DONE
            self._busy = True
            try:
                self.protocol.dataReceived(data)
            finally:
                self._busy = False
            if len(data) < size or self.failure is not None or not self._reading:
                return self.failure
            if not more:
                return None
            size, more = self.burst, False  # there is much: in fewer and larger pieces

    def doWrite(self) -> Any:
        if not self.connecting:
            return DirectTransport.doWrite(self)
        self._busy = True
        try:
            return self._connect_ended()
        finally:
            self._busy = False

    def discard_input(self) -> None:
        """Drop what came and nobody wants: to close with it unread would reset the connection."""
        try:
            self.socket.recv(self.burst)
        except OSError:
            pass

    def writeSomeData(self, data: Any) -> Any:
        try:
            return self.socket.send(data)
        except OSError as e:
            return self.not_sent(e)

    def not_sent(self, error: OSError) -> Any:
        """What `writeSomeData` returns when the system call fails."""
        return 0 if error.errno in _TRY_AGAIN else error

    def write(self, data: bytes) -> None:
        if self.TLS or not self.connected or self.queued():
            tcp.Connection.write(self, data)
            return
        sent = self.writeSomeData(data)
        if sent != len(data):
            self.write_rest(data, sent)

    def write_rest(self, data: bytes, sent: Any) -> None:
        """Queue what ``writeSomeData`` left of ``data``, or see to its error; ``sent`` tells."""
        if isinstance(sent, BaseException):
            # Not from here: our caller may be in the middle of something.
            self.failure = sent
            try:
                self.startWriting()
            except OSError:  # the descriptor is not one any more
                self.reactor.callLater(0, self.connectionLost, Failure(sent))
        else:
            tcp.Connection.write(self, bytes(memoryview(data)[sent:]))

    # -- the end ------------------------------------------------------------------------

    def connectionLost(self, reason: Failure) -> None:
        if self.lingers:
            self.discard_input()
        if self.connecting or reason.check(error.ConnectionLost):
            reason = self._real_reason(reason)
        tcp.Connection.connectionLost(self, reason)

    def _real_reason(self, reason: Failure) -> Failure:
        """Pollers report "gone" without saying why; the socket knows."""
        skt = getattr(self, "socket", None)
        if skt is None or isinstance(reason.value, OSError):
            return reason
        try:
            number = skt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except OSError as e:
            return Failure(e)
        return Failure(OSError(number, os.strerror(number))) if number else reason

    # -- addresses ----------------------------------------------------------------------

    def getHost(self) -> Any:
        return _address(self.socket.family, self.socket.getsockname())

    def getPeer(self) -> Any:
        return _address(self.socket.family, self.socket.getpeername())


def _address(family: int, address: Any) -> Any:
    if family == socket.AF_INET:
        return IPv4Address("TCP", *address)
    if family == socket.AF_INET6:
        return IPv6Address("TCP", *address)
    return UNIXAddress(address or None)


def use_socket_transport(port: Any) -> None:
    """Let what a listening port of Twisted accepts run on `SocketTransport`, if it can be told."""
    if isinstance(port, tcp.Port) and hasattr(port, "transport"):
        port.transport = SocketTransport  # type: ignore[assignment]


def close_port(port: Any) -> None:
    """Close a listening port at once; the file of a UNIX port may be gone already."""
    reason = Failure(main.CONNECTION_DONE)
    try:
        port.connectionLost(reason)
    except FileNotFoundError:
        tcp.Port.connectionLost(port, reason)


def close_port_soon(port: Any) -> None:
    """The same from within one of the port's own calls."""

    def without_file(failure: Failure) -> None:
        failure.trap(FileNotFoundError)
        tcp.Port.connectionLost(port, Failure(main.CONNECTION_DONE))

    deferred = port.stopListening()
    if deferred is not None:
        deferred.addErrback(without_file)


def stop_watching_configuration(resolver: Any) -> None:
    """End the timer with which a resolver of ``twisted.names`` re-reads ``/etc/resolv.conf``."""
    call = getattr(resolver, "_parseCall", None)
    if call is not None and call.active():
        call.cancel()


def pooled(connection: Any) -> Any:
    """The connection that ``twisted.web.client.HTTPConnectionPool.getConnection`` gave.

    Pools that repeat requests themselves wrap it.  Without that wrapper's attribute it is
    returned as it is, and whoever does not know it has to do without.
    """
    return getattr(connection, "_clientProtocol", connection)


def forget_connection(pool: Any, key: Any, connection: Any) -> None:
    """Take a connection that is closed out of a ``twisted.web.client.HTTPConnectionPool``.

    The pool would only notice when it needs one with that key, and never forgets a key: a
    program that visits many hosts would collect them.  Pools without these books are left alone.
    """
    books, timers = getattr(pool, "_connections", None), getattr(pool, "_timeouts", None)
    if type(books) is not dict or type(timers) is not dict:
        return
    kept = books.get(key)
    if kept is None:
        return
    if connection in kept:
        kept.remove(connection)
        timer = timers.pop(connection, None)
        if timer is not None:
            timer.cancel()
    if not kept:
        del books[key]


def return_to_pool(factory: Any) -> Callable[[Any], object] | None:
    """What puts a connection back into the pool whose factory this is.

    ``factory`` is what a pool hands to an endpoint's ``connect``.  None when there is no telling:
    the connection then serves one request.
    """
    callback = getattr(factory, "_quiescentCallback", None)
    return callback if callable(callback) else None


def unparsed_of_channel(channel: Any) -> bytes:
    """What a connection of twisted.web's has read beyond the request that it is busy with."""
    return b"".join(getattr(channel, "_dataBuffer", ()))


def unsent_of_transport(transport: Any) -> bytes:
    """Take back what a stock transport was given to write and has not sent yet.

    A stream that writes to the descriptor itself must send it first.  A transport of another kind
    keeps what it has: a stream writes to it in the ordinary way, and so in order.
    """
    if not isinstance(transport, abstract.FileDescriptor) or getattr(transport, "TLS", False):
        return b""
    pending = bytes(memoryview(transport.dataBuffer)[getattr(transport, "offset", 0) :])
    pending += b"".join(transport._tempDataBuffer)
    transport.dataBuffer = b""
    transport.offset = 0
    transport._tempDataBuffer = []
    transport._tempDataLen = 0
    return pending
