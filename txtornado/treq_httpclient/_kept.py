"""Connections that Twisted's pool keeps, and the endpoint that opens them."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from txtornado._twisted import return_to_pool
from txtornado.concurrent import as_deferred
from txtornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from txtornado.iostream import IOStream

__all__ = ["KeptConnection", "KeptEndpoint", "Tally"]


class Tally:
    """Counts a client's connections."""

    def __init__(self) -> None:
        self.open = 0
        self.idle = 0


class KeptConnection:
    """A connection that carries one exchange after the other.

    To an `HTTPConnectionPool` it is what ``HTTP11ClientProtocol`` is: it has a ``state``, a
    ``transport`` that can be told to ``loseConnection``, and ``abort``.

    Args:
        stream: connected.
        parameters: of its exchanges; ``decompress`` is set for each.
        tally: where it is counted.
        put_back: returns it to its pool; None when it has none.
        forget: called when it is closed, whoever closed it.

    Attributes:
        connection: the `HTTP1Connection` on it.
        used: whether it has carried an exchange before.
    """

    def __init__(
        self,
        stream: IOStream,
        parameters: HTTP1ConnectionParameters,
        tally: Tally,
        put_back: Callable[[Any], object] | None,
        forget: Callable[["KeptConnection"], object],
    ) -> None:
        self.connection = HTTP1Connection(stream, True, parameters)
        self.parameters = parameters
        self.used = False
        self._stream = stream
        self._tally = tally
        self._put_back = put_back
        self._forget = forget
        self._idle = False
        self._closed: list[Deferred[None]] = []
        tally.open += 1
        stream.set_close_callback(self._lost)

    def take(self) -> None:
        """It is out of the pool, for an exchange."""
        if self._idle:
            self._idle = False
            self._tally.idle -= 1

    def release(self) -> None:
        """The exchange is complete."""
        if self._stream.closed():
            return
        if self._put_back is None:
            self._stream.close()
            return
        self.used = self._idle = True
        self._tally.idle += 1
        self._put_back(self)

    def close(self) -> None:
        """Close it now."""
        self._stream.close()

    def _lost(self) -> None:
        self._tally.open -= 1
        self.take()
        self._forget(self)
        waiting, self._closed = self._closed, []
        for each in waiting:
            each.callback(None)

    # What a pool makes use of.

    @property
    def state(self) -> str:
        return "CONNECTION_LOST" if self._stream.closed() else "QUIESCENT"

    @property
    def transport(self) -> "KeptConnection":
        return self

    def loseConnection(self) -> None:
        self._stream.close()

    def abort(self) -> Deferred[None]:
        if self._stream.closed():
            return succeed(None)
        closed: Deferred[None] = Deferred()
        self._closed.append(closed)
        self._stream.close()
        return closed


@implementer(IStreamClientEndpoint)
class KeptEndpoint:
    """Opens a connection for a pool.

    Args:
        open_connection: a coroutine function that is given a way back to the pool.
    """

    def __init__(
        self,
        open_connection: Callable[[Callable[[Any], object] | None], Awaitable[KeptConnection]],
    ) -> None:
        self._open_connection = open_connection

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return as_deferred(self._open_connection(return_to_pool(protocolFactory)))
