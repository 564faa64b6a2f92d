"""TLS of the standard library's `ssl` module inside Twisted's TLS state machine.

``twisted.protocols.tls`` asks its connection creator for objects of pyOpenSSL.  `TLSConnection`
is such an object as far as it goes, around `ssl.SSLObject` and two `ssl.MemoryBIO`, so that the
contexts that applications configure with `ssl` are the ones that are used, and certificates look
as `ssl` documents them.
"""

from __future__ import annotations

import ssl
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from zope.interface import implementer

__all__ = ["ContextConnectionCreator", "TLSConnection", "TLSError"]


class TLSError(SSL.Error):
    """An `ssl.SSLError`, which is its ``__cause__``, for code that expects pyOpenSSL's."""


def _translated(error: ssl.SSLError) -> TLSError:
    # A text of our own: Twisted would replace errors that begin with "unexpected eof".
    translated = TLSError([("SSL routines", "", f"TLS failed: {error}")])
    translated.__cause__ = error
    return translated


class TLSConnection:
    """What ``TLSMemoryBIOProtocol`` uses of ``OpenSSL.SSL.Connection``.

    Raises pyOpenSSL's exceptions; the `ssl.SSLError` behind them is their ``__cause__``.

    Attributes:
        ssl_object: the `ssl.SSLObject`.
        incoming: what came from the peer.
        outgoing: what goes to the peer.
    """

    __slots__ = ("_app_data", "incoming", "outgoing", "ssl_object")

    #: pyOpenSSL's form of an `ssl.SSLError`.
    translated = staticmethod(_translated)

    def __init__(
        self, context: ssl.SSLContext, server_side: bool, server_hostname: str | None = None
    ) -> None:
        if context.check_hostname and not server_side and not server_hostname:
            # `ssl` itself asks this of sockets, and not of memory BIOs.
            raise ValueError("check_hostname requires server_hostname")
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._app_data: Any = None

    def do_handshake(self) -> None:
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            raise SSL.WantReadError() from None
        except ssl.SSLError as e:
            raise _translated(e) from e

    def recv(self, size: int) -> bytes:
        try:
            data = self.ssl_object.read(size)
        except ssl.SSLWantReadError:
            raise SSL.WantReadError() from None
        except ssl.SSLZeroReturnError:
            raise SSL.ZeroReturnError() from None
        except ssl.SSLError as e:
            raise _translated(e) from e
        if not data:
            raise SSL.ZeroReturnError()
        return data

    def send(self, data: bytes) -> int:
        try:
            return self.ssl_object.write(data)
        except ssl.SSLWantReadError:
            raise SSL.WantReadError() from None
        except ssl.SSLError as e:
            raise _translated(e) from e

    def shutdown(self) -> bool:
        """Send ``close_notify``; True when the peer's has come too."""
        try:
            self.ssl_object.unwrap()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as e:
            raise _translated(e) from e
        return True

    def bio_read(self, size: int) -> bytes:
        data = self.outgoing.read(size)
        if not data:
            raise SSL.WantReadError()
        return data

    def bio_write(self, data: bytes) -> int:
        return self.incoming.write(data)

    def bio_shutdown(self) -> None:
        self.incoming.write_eof()

    def get_alpn_proto_negotiated(self) -> bytes:
        return (self.ssl_object.selected_alpn_protocol() or "").encode("ascii")

    def get_peer_certificate(self) -> Any:
        """The peer's certificate as pyOpenSSL's X509 object, or None."""
        from OpenSSL import crypto

        try:
            der = self.ssl_object.getpeercert(True)
        except ValueError:  # before the handshake
            return None
        return None if der is None else crypto.load_certificate(crypto.FILETYPE_ASN1, der)

    def get_app_data(self) -> Any:
        return self._app_data

    def set_app_data(self, data: Any) -> None:
        self._app_data = data

    def set_accept_state(self) -> None:
        """Nothing to do: the constructor was told the side."""

    def set_connect_state(self) -> None:
        """Nothing to do: the constructor was told the side."""


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class ContextConnectionCreator:
    """Lets an `ssl.SSLContext` serve wherever Twisted takes TLS options.

    For example ``TLSMemoryBIOFactory(ContextConnectionCreator(context), False, factory)``.
    """

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None = None) -> None:
        self.context = context
        self.server_hostname = server_hostname

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        return TLSConnection(self.context, True)

    def clientConnectionForTLS(self, protocol: Any) -> Any:
        return TLSConnection(self.context, False, self.server_hostname)
