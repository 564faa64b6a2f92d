# mypy: allow-untyped-calls
"""What leans on private parts of Twisted's TLS, and the way around it.

`TLSTransport` is Twisted's own TLS protocol, which most of the time is not asked: see `_Records`.
"""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet import main
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from txtornado._twisted import SocketTransport

__all__ = ["TLSTransport"]

#: The most that one TLS record carries (RFC 8446, section 5.1).
_RECORD = 16384
#: How much is encrypted before it is sent: many records, for each time wakes the peer, but few
#: enough that a quick peer has not read all that came before and sleeps.
_TLS_PIECE = 7 * _RECORD
#: How much is encrypted at most before it is others' turn.
_TLS_SHARE = 1 << 21


class TLSTransport(TLSMemoryBIOProtocol):
    """Twisted's TLS state machine, with a shorter way through once the handshake is done.

    Over a `DirectTransport`, with connections of ``txtornado.iostream.tls``, application data
    takes the way of `_Records`; everything else, and every other kind of connection, is Twisted's
    business as ever.
    """

    transport: Any
    direct = False

    def makeConnection(self, transport: Any) -> None:
        TLSMemoryBIOProtocol.makeConnection(self, transport)

    def begin_direct(self) -> bool:
        """Take the short way from now on; False when it does not lead anywhere."""
        connection: Any = getattr(self, "_tlsConnection", None)
        needed = ("_appSendBuffer", "_lostTLSConnection", "_handshakeDone", "_flushSendBIO")
        self.direct = (
            hasattr(connection, "ssl_object")
            and isinstance(self.transport, SocketTransport)
            and all(hasattr(self, name) for name in needed)
        )
        if self.direct:
            records = _Records(self, connection)
            self.dataReceived = records.received  # type: ignore[method-assign]
            self.writeSomeData = records.send
        return self.direct

    def wait_writable(self, producer: Any) -> None:
        self.transport.wait_writable(producer)

    def startWriting(self) -> None:
        self.transport.startWriting()

    def unregisterProducer(self) -> None:
        if self.direct:
            self.transport.unregisterProducer()
        else:
            TLSMemoryBIOProtocol.unregisterProducer(self)


class _Records:
    """The short way through TLS: record after record, and in one piece to the other side.

    An object of its own, for those of Twisted's hand on every attribute that they do not have,
    which makes CPython look up slowly those that they do have.
    """

    __slots__ = ("incoming", "object", "outgoing", "tls", "transport")

    def __init__(self, tls: Any, connection: Any) -> None:
        self.tls = tls
        self.transport: Any = tls.transport
        self.object: Any = connection.ssl_object
        self.incoming = connection.incoming
        self.outgoing = connection.outgoing

    def received(self, data: bytes) -> None:
        """Decrypt what came, and hand it on."""
        tls = self.tls
        if tls._appSendBuffer or tls._lostTLSConnection or tls._aborted:
            TLSMemoryBIOProtocol.dataReceived(tls, data)
            return
        incoming = self.incoming
        incoming.write(data)
        try:
            data = self.object.read(_RECORD)
        except ssl.SSLError as e:
            self.stopped(e)
        else:
            if data and not incoming.pending:  # one record and no more, as most often
                tls.wrappedProtocol.dataReceived(data)
            else:
                self.hand_on(data)
        if self.outgoing.pending:
            tls._flushSendBIO()

    def hand_on(self, data: bytes) -> None:
        """Decrypt what follows ``data``, too, and hand it on in larger pieces."""
        tls, incoming, read = self.tls, self.incoming, self.object.read
        chunks = [data]
        why: ssl.SSLError | None = None
        while why is None:
            try:
                while data and incoming.pending and len(chunks) < 16:
                    data = read(_RECORD)
                    chunks.append(data)
                if not data:
                    why = ssl.SSLZeroReturnError()
                elif not incoming.pending:
                    why = ssl.SSLWantReadError()
            except ssl.SSLError as e:
                why = e
            decrypted = b"".join(chunks)
            chunks = []
            if decrypted:
                tls.wrappedProtocol.dataReceived(decrypted)
            if tls._lostTLSConnection or tls._aborted:
                return
        self.stopped(why)

    def stopped(self, why: ssl.SSLError) -> None:
        """There is nothing more to decrypt, now or ever."""
        tls = self.tls
        if isinstance(why, ssl.SSLZeroReturnError):
            # close_notify; whether our own still reaches the peer is no matter
            tls._reason = Failure(main.CONNECTION_DONE)
            tls._shutdownTLS()
            tls._tlsShutdownFinished(None)
        elif not isinstance(why, ssl.SSLWantReadError):
            tls._tlsShutdownFinished(Failure(tls._tlsConnection.translated(why)))

    def send(self, data: Any) -> Any:
        """Encrypt and send, unless the transport below has not kept up; how much of ``data``."""
        transport, tls = self.transport, self.tls
        if transport.failure is not None:
            return transport.failure
        if transport.dataBuffer or transport._tempDataBuffer or tls._appSendBuffer:
            return 0
        if tls._lostTLSConnection or tls.disconnecting:
            return main.CONNECTION_LOST
        try:
            if len(data) <= _RECORD and isinstance(data, (bytes, bytearray)):
                try:
                    taken = self.object.write(data)
                except ssl.SSLWantReadError:
                    return self.write_later(data)
                record = self.outgoing.read()
                sent = transport.writeSomeData(record)
                if sent != len(record):
                    transport.write_rest(record, sent)
            else:
                with memoryview(data) as view, view.cast("B") as octets:
                    taken = self.encrypt(octets)
        except ssl.SSLError as e:
            tls._tlsShutdownFinished(Failure(tls._tlsConnection.translated(e)))
            return e
        return taken if transport.failure is None else transport.failure

    def encrypt(self, octets: memoryview) -> int:
        """Encrypt and send piece by piece, as long as the transport keeps up."""
        write, outgoing, transport = self.object.write, self.outgoing, self.transport
        taken, size = 0, min(octets.nbytes, _TLS_SHARE)
        while taken < size and not transport.queued() and transport.failure is None:
            end = min(size, taken + _TLS_PIECE)
            while taken < end:
                with octets[taken:end] as piece:
                    try:
                        taken += write(piece)
                    except ssl.SSLWantReadError:
                        return taken + self.write_later(octets[taken:])
            transport.write(outgoing.read())
        return taken

    def write_later(self, data: Any) -> int:
        """A renegotiation is under way: Twisted's state machine writes it when that is over."""
        if self.outgoing.pending:
            self.tls._flushSendBIO()
        self.tls._bufferedWrite(bytes(data))
        return len(data)
