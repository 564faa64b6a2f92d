"""An HTTP server as a Twisted service, with an orderly end.

`HTTPService` puts anything that `txtornado.httpserver.HTTPServer` serves behind Twisted
endpoints, as a part of a ``twistd`` process or of any `twisted.application.service` tree::

    from twisted.application.service import Application
    from txtornado.service import HTTPService

    application = Application("hello")
    HTTPService(make_app(), ["tcp:8888"]).setServiceParent(application)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.python.failure import Failure

from txtornado.concurrent import as_deferred
from txtornado.httpserver import HTTPServer
from txtornado.log import gen_log

__all__ = ["HTTPService"]


class HTTPService(Service):
    """Serves an application while the service runs; ours.

    When the service stops, the ports are closed first, then connections without a request
    under way; requests that are being answered get ``grace`` seconds, and what is left after
    that is cut off.

    Args:
        application: an `txtornado.web.Application`, a router, a function that takes a
            request: what `HTTPServer` takes.
        endpoints: Twisted endpoints, or their descriptions as strings (``"tcp:8888"``).
        grace: seconds that requests get at the end.
        reactor: what string endpoints listen on; by default the installed reactor.
        **options: keyword arguments of `HTTPServer`.

    Attributes:
        server: the `HTTPServer`.
        ports: the listening ports, once the service runs.
    """

    def __init__(
        self,
        application: Any,
        endpoints: Sequence[str | IStreamServerEndpoint],
        *,
        grace: float = 10.0,
        reactor: Any = None,
        **options: Any,
    ) -> None:
        self.server = HTTPServer(application, **options)
        self.grace = grace
        self.ports: list[IListeningPort] = []
        self._endpoints = endpoints
        self._reactor = reactor
        self._listening = False

    @property
    def reactor(self) -> Any:
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        return self._reactor

    def privilegedStartService(self) -> None:
        """Bind the ports, while the process may still have the rights to."""
        self._listen()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        self._listen()
        super().startService()  # type: ignore[no-untyped-call]

    def _listen(self) -> None:
        if self._listening:
            return
        self._listening = True
        for endpoint in self._endpoints:
            self._listen_on(endpoint)

    def _listen_on(self, endpoint: str | IStreamServerEndpoint) -> None:
        at_once: list[Failure] = []
        settled = False

        def failed(failure: Failure) -> None:
            if settled:
                self.listen_failed(endpoint, failure)
            else:
                # Not from within the errback: there, what listen_failed raises would get lost.
                at_once.append(failure)

        listening = maybeDeferred(self._open, endpoint)
        listening.addCallbacks(self._listens, failed)
        settled = True
        if at_once:
            self.listen_failed(endpoint, at_once[0])

    def _open(self, endpoint: str | IStreamServerEndpoint) -> Deferred[IListeningPort]:
        if isinstance(endpoint, str):
            endpoint = cast(IStreamServerEndpoint, serverFromString(self.reactor, endpoint))
        return endpoint.listen(self.server)

    def _listens(self, port: IListeningPort) -> None:
        if not self._listening:  # it took so long that the service was stopped
            _stop_listening(port)
            return
        self.ports.append(port)
        gen_log.info("serving on %s", _described(port.getHost()))

    def listen_failed(self, endpoint: Any, failure: Failure) -> None:
        """A port cannot be had; made for overriding.  The default logs the reason.

        Args:
            endpoint: the one of the constructor's ``endpoints``.
            failure: why.
        """
        gen_log.error("cannot listen on %s: %s", endpoint, self.explain(failure))

    @staticmethod
    def explain(failure: Failure) -> str:
        """The reason of a failure to listen, in the operating system's words if it gave one."""
        error: Any = failure.value
        if isinstance(error, CannotListenError):
            error = error.socketError
        return getattr(error, "strerror", None) or str(error) or type(error).__name__

    async def _finish(self) -> None:
        drained = self.server.drain(self.grace)
        await DeferredList([_stop_listening(port) for port in self.ports], consumeErrors=True)
        self.ports.clear()
        await as_deferred(drained)

    def stopService(self) -> Deferred[None]:
        """Stop accepting, let requests end, close the rest.

        Returns:
            a Deferred that fires when every connection is gone.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        self._listening = False
        return Deferred.fromCoroutine(self._finish())


def _stop_listening(port: IListeningPort) -> Deferred[Any]:
    return maybeDeferred(port.stopListening)


def _described(address: Any) -> str:
    """An address as people write it."""
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, UNIXAddress) and address.name is not None:
        return os.fsdecode(address.name)
    return str(address)
