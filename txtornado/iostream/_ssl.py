# mypy: allow-untyped-calls
"""`SSLIOStream`: streams over TLS."""

from __future__ import annotations

import asyncio
import functools
import socket as socket_module
import ssl
from collections.abc import Callable
from typing import Any, Self

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from txtornado._twisted import DirectTransport, SocketTransport
from txtornado._twisted_tls import TLSTransport
from txtornado.iostream import _old_style
from txtornado.iostream._errors import cause_of, is_reset
from txtornado.iostream._info import TLSSocket
from txtornado.iostream._socket import IOStream
from txtornado.iostream._state import seen
from txtornado.iostream.tls import ContextConnectionCreator
from txtornado.log import gen_log

__all__ = ["SSLIOStream", "tls_factory"]


@functools.cache
def _default_context(server_side: bool) -> ssl.SSLContext:
    return ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH if server_side else ssl.Purpose.SERVER_AUTH
    )


def tls_factory(
    ssl_options: Any, server_side: bool, server_hostname: str | None, reactor: Any
) -> TLSMemoryBIOFactory:
    """Twisted's TLS factory for options of any kind."""
    from txtornado.netutil import ssl_options_to_context

    if ssl_options is None:
        ssl_options = _default_context(server_side)
    elif isinstance(ssl_options, dict):
        ssl_options = ssl_options_to_context(ssl_options, server_side=server_side)
    if isinstance(ssl_options, ssl.SSLContext):
        ssl_options = ContextConnectionCreator(ssl_options, server_hostname)
    factory = TLSMemoryBIOFactory(ssl_options, not server_side, Factory(), reactor)
    factory.protocol = TLSTransport
    return factory


class _Setup:
    """What a stream needs for the handshake, and hardly ever afterwards.

    In an object of its own, for CPython 3.11 keeps only so many attributes of an object in the
    place where they are quick to find.
    """

    __slots__ = ("factory", "fd", "future", "hostname", "options", "server_side", "timer")

    def __init__(self, options: Any, server_side: bool, hostname: str | None) -> None:
        self.options = options
        self.server_side = server_side
        self.hostname = hostname
        self.factory: TLSMemoryBIOFactory | None = None
        self.fd = -1
        self.timer: Any = None
        self.future: asyncio.Future[Any] | None = None


@implementer(IHandshakeListener)
class SSLIOStream(IOStream):
    """A stream over TLS.

    Args:
        socket: a socket that is not connected yet; or a connected one, as it is or wrapped
            with ``ssl.SSLContext.wrap_socket(..., do_handshake_on_connect=False)``; or, ours,
            a transport that speaks TLS already.
        *args: those of `BaseIOStream`.
        ssl_options: a dict or an `ssl.SSLContext` (see
            `txtornado.netutil.ssl_options_to_context`), or, ours, a connection creator of
            Twisted's such as ``CertificateOptions``.  By default certificates are checked.
        server_side: for sockets that were not wrapped: which side this is; ours.
        server_hostname: what the server's certificate is checked against; ours, others give
            it to `connect`.
    """

    #: Seconds that a handshake may take; None: any time.
    handshake_timeout: float | None = 60.0

    _setup: _Setup
    _handshaken = False
    _gather_after = 1

    def __init__(
        self,
        socket: Any = None,
        *args: Any,
        ssl_options: Any = None,
        server_side: bool = False,
        server_hostname: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._setup = _Setup(ssl_options, server_side, server_hostname)
        if isinstance(socket, ssl.SSLSocket):
            socket = self._unwrapped(socket)
        super().__init__(socket, *args, **kwargs)
        if self._socket is not None:
            self._start()

    def _unwrapped(self, wrapped: ssl.SSLSocket) -> Any:
        if wrapped.version() is not None:
            raise ValueError(
                "the TLS handshake is done already: wrap the socket with "
                "do_handshake_on_connect=False and let SSLIOStream do it"
            )
        self._setup = _Setup(wrapped.context, bool(wrapped.server_side), wrapped.server_hostname)
        family, kind, proto = wrapped.family, wrapped.type, wrapped.proto
        return socket_module.socket(family, kind, proto, wrapped.detach())

    @property
    def socket(self) -> Any:
        """The socket with the methods of `ssl.SSLSocket` that tell about the connection."""
        if self._closed:
            return None
        tls = self.transport
        if not isinstance(tls, TLSMemoryBIOProtocol):
            return super().socket
        return TLSSocket(getattr(tls.transport, "socket", None), tls.getHandle())

    @property
    def secure(self) -> bool:
        return True

    def get_ssl_certificate(self, binary_form: bool = False) -> Any:
        """The peer's certificate: `ssl.SSLSocket.getpeercert`; None when there is none; ours."""
        sock = self.socket
        return None if sock is None else sock.getpeercert(binary_form)

    # -- the beginning ------------------------------------------------------------------

    def connect(
        self: Self,
        address: Any,
        server_hostname: str | None = None,
        callback: Callable[[], Any] | None = None,
    ) -> asyncio.Future[Self]:
        if server_hostname is not None and not callable(server_hostname):
            self._setup.hostname = server_hostname
        return super().connect(address, server_hostname, callback)

    connect.__doc__ = IOStream.connect.__doc__

    def wait_for_handshake(
        self: Self, callback: Callable[[], Any] | None = None
    ) -> asyncio.Future[Self]:
        """Wait for the handshake, after which certificates and ALPN are known (Tornado 4.2).

        For streams of a server, and after `start_tls`; `connect` waits by itself.

        Returns:
            The stream itself.

        Raises:
            RuntimeError: somebody waits already.
            ssl.SSLError: from the result: the handshake failed.
        """
        setup = self._setup
        if setup.future is not None and not setup.future.done():
            raise RuntimeError("Already waiting")
        future = self._new_future()
        if self._handshaken:
            future.set_result(self)
        elif self._closed:
            self._fail(future)
        else:
            setup.future = future
        return _old_style.call_when_done(self, future, callback, with_result=False)

    def makeConnection(self, transport: Any) -> None:
        if self._closed:
            transport.loseConnection()
        elif isinstance(transport, TLSMemoryBIOProtocol):
            self._begin(transport)
        else:
            self._wrap(transport)

    def _wrap(self, transport: Any, early: bytes = b"") -> None:
        """Begin TLS on a connection."""
        self._connecting = False
        self.transport = transport
        setup = self._setup
        try:
            factory = setup.factory or tls_factory(
                setup.options, setup.server_side, setup.hostname, self.io_loop.reactor
            )
            tls = TLSTransport(factory, self)
            if hasattr(transport, "protocol"):
                transport.protocol = tls
            tls.makeConnection(transport)
        except Exception as e:  # such as: check_hostname needs a server_hostname
            self.transport = transport
            if hasattr(transport, "protocol"):
                transport.protocol = self
            self.close(exc_info=e)
            return
        if early:
            tls.dataReceived(early)

    def _take_over(self: Self, plain: IOStream) -> asyncio.Future[Self]:
        future = self.wait_for_handshake()
        callback, plain._close_callback = plain._close_callback, None
        transport, early = plain._hand_over()
        self._wrap(transport, early)
        if not hasattr(transport, "protocol") and not self._closed:
            # It goes on calling the protocol that it knows.
            plain.__dict__["dataReceived"] = self.transport.dataReceived
            plain.__dict__["connectionLost"] = self.transport.connectionLost
        if callback is not None:
            self.set_close_callback(callback)
        future.add_done_callback(self._close_if_cancelled)
        return future

    def _close_if_cancelled(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            self.close()

    def _begin(self, tls: TLSMemoryBIOProtocol) -> None:
        """The TLS layer is there, and about to shake hands."""
        self._connecting = True
        IOStream.makeConnection(self, tls)

    def _established(self, wanted: bool) -> None:
        self._blocked = True
        tls = self.transport
        self._setup.fd = self.fileno()
        self._paused = False
        resume = getattr(tls, "resumeProducing", None)
        if resume is not None:
            resume()
        if self.handshake_timeout is not None:
            self._setup.timer = self.io_loop.call_later(
                self.handshake_timeout, self._handshake_late
            )
        transport = getattr(tls, "transport", None)
        if hasattr(transport, "bufferSize"):
            self._limit(transport)

    def _handshake_late(self) -> None:
        self._setup.timer = None
        self.close(
            exc_info=TimeoutError(f"the TLS handshake took more than {self.handshake_timeout} s")
        )

    def handshakeCompleted(self) -> None:
        """The handshake is done; called by the TLS layer."""
        if self._closed or self._handshaken:
            return
        self._handshaken = True
        self._connecting = False
        self._cancel_timer()
        self._announce()
        setup = self._setup
        future, setup.future = setup.future, None
        if future is not None and not future.done():
            future.set_result(self)
        unwanted = self._read is None and self.consumer is None and self._close_callback is None
        if unwanted or self._paused:
            self.pause_reading()
        tls = self.transport
        if isinstance(tls, TLSTransport) and tls.begin_direct():
            # What flow control there was so far was the state machine's.
            TLSMemoryBIOProtocol.unregisterProducer(tls)
            self._direct = True
            if tls.transport.runs_on(self._loop):
                self._wire = tls.transport
        self._blocked = False
        self._flush()

    def pause_reading(self) -> None:
        if self._connecting and not self._closed:
            self._paused = True  # when the handshake is done, which needs to read
        else:
            super().pause_reading()

    pause_reading.__doc__ = IOStream.pause_reading.__doc__

    def _cancel_timer(self) -> None:
        setup = self._setup
        timer, setup.timer = setup.timer, None
        if timer is not None:
            self.io_loop.remove_timeout(timer)

    # -- the end ------------------------------------------------------------------------

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_lingering()
        if self._closed:
            return
        error = cause_of(reason.value)
        if isinstance(error, ssl.SSLError) and not is_reset(error):
            peer = getattr(getattr(self.transport, "transport", None), "client", None)
            gen_log.warning("SSL Error on %s %s: %s", self._setup.fd, peer, error)
        super().connectionLost(reason)

    def _close_transport(self) -> None:
        self._cancel_timer()
        tls = self.transport
        if not isinstance(tls, TLSMemoryBIOProtocol) or self._lost:
            super()._close_transport()
            return
        raw: Any = tls.transport
        if not self._handshaken:
            if isinstance(raw, DirectTransport):
                raw.close()
            else:
                tls.abortConnection()
            return
        try:
            tls.unregisterProducer()
            tls.loseConnection()
        finally:
            done = isinstance(raw, DirectTransport) and (
                raw.failure is not None or not raw.queued()
            )
            if done:
                # Session tickets, mostly, that a client did not come to read.
                if isinstance(raw, SocketTransport) and raw.failure is None:
                    raw.discard_input()
                raw.close()
        if done:
            return
        # Neither a full queue nor a missing close_notify of the peer's shall keep it forever.
        self._leave(raw)

    def _pending_futures(self) -> list[asyncio.Future[Any] | None]:
        setup = self._setup
        future, setup.future = setup.future, None
        connect = self._connect_future
        if isinstance(self.error, ssl.SSLError):
            for pending in (future, connect):
                if pending is not None and not pending.done():
                    pending.set_exception(self.error)
                    seen(pending)
        return [future, *super()._pending_futures()]
