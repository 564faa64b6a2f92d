"""`AsyncHTTPClient`: the interface of all clients, and the one instance per loop.

The classes below `AsyncHTTPClient` are plain: constructed with ``force_instance=True`` they
are objects like any other.  The constructor without it, which is documented to return one
shared client per loop, only looks the client up in a dict that belongs to the loop.
"""

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from txtornado.concurrent import Future, new_future, with_callback
from txtornado.httpclient._request import HTTPRequest, _RequestProxy
from txtornado.httpclient._response import HTTPClientError, HTTPResponse
from txtornado.httputil import HTTPHeaders
from txtornado.ioloop import IOLoop
from txtornado.log import app_log
from txtornado.stack_context import NullContext, active_chain
from txtornado.util import Configurable

__all__ = ["AsyncHTTPClient"]

Abort = Callable[[], object]
_Clients = dict[type["AsyncHTTPClient"], "AsyncHTTPClient"]

#: The loop that the client under construction belongs to; no `initialize` takes it.
_constructing_on: ContextVar[IOLoop | None] = ContextVar("_constructing_on", default=None)


def _clients_of(loop: IOLoop) -> _Clients:
    """The shared clients of ``loop``.

    They refer to the loop, so the loop must own the dict: an entry in a global table, even
    a weak one, would keep both alive for ever.
    """
    clients: _Clients | None = loop.__dict__.get("_http_clients")
    if clients is None:
        clients = loop.__dict__["_http_clients"] = {}
    return clients


def close_clients_of(loop: IOLoop) -> "list[AsyncHTTPClient]":
    """Close the shared clients of ``loop``, and return them; for whoever wants it left clean.

    Their requests are aborted.
    """
    clients: list[AsyncHTTPClient] = list(loop.__dict__.get("_http_clients", {}).values())
    for client in clients:
        client.close()
        client._end()
    return clients


class AsyncHTTPClient(Configurable):
    """A non-blocking HTTP client::

        async def show(url):
            response = await AsyncHTTPClient().fetch(url)
            print(response.body)

    ``AsyncHTTPClient()`` gives the one client of the current `IOLoop`, of the implementation
    that `configure` chose; ``AsyncHTTPClient(force_instance=True, ...)`` a new one of your own,
    which takes the implementation's arguments and should be closed, for which ``with`` and
    ``async with`` serve.

    Attributes:
        io_loop: the loop it runs on.
        defaults: default values for `HTTPRequest`'s parameters.
    """

    io_loop: IOLoop
    defaults: dict[str, Any]
    _closed = False

    if TYPE_CHECKING:

        def __init__(self, force_instance: Any = False, **kwargs: Any) -> None: ...

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return AsyncHTTPClient

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        from txtornado.treq_httpclient import TreqAsyncHTTPClient

        return TreqAsyncHTTPClient

    def __new__(cls, force_instance: Any = False, *args: Any, **kwargs: Any) -> Any:
        """Find the loop's client, or make one.

        Args:
            force_instance: make a new client, shared with no one.  Up to Tornado 4.x the first
                parameter was the loop, and an `IOLoop` here (or as ``io_loop``) still is.
            args: after a loop, ``max_clients`` and ``force_instance``, as in Tornado 2.3.
            kwargs: for the implementation's `initialize`.  With a shared client they only count
                when it is made.
        """
        loop = kwargs.pop("io_loop", None)
        if force_instance is None or isinstance(force_instance, IOLoop):
            loop = force_instance or loop
            force_instance = kwargs.pop("force_instance", False)
            if args:
                kwargs["max_clients"], *args = args  # type: ignore[assignment]
            if args:
                (force_instance,) = args
        elif args:
            raise TypeError(f"{cls.__name__}() takes its arguments by name")
        if loop is None:
            loop = IOLoop.current()
        if force_instance:
            return cls._make(loop, kwargs)
        clients = _clients_of(loop)
        client = clients.get(cls)
        if client is None:
            client = clients[cls] = cls._make(loop, kwargs)
        return client

    @classmethod
    def _make(cls, loop: IOLoop, kwargs: dict[str, Any]) -> "AsyncHTTPClient":
        # What a shared client sets up outlives the request that asked for it first.
        with NullContext():
            token = _constructing_on.set(loop)
            try:
                return cast("AsyncHTTPClient", super().__new__(cls, **kwargs))
            finally:
                _constructing_on.reset(token)

    def initialize(self, defaults: dict[str, Any] | None = None) -> None:
        """Implementations extend this with their own parameters.

        Args:
            defaults: values for parameters of `HTTPRequest` that a request leaves out.
        """
        self.io_loop = _constructing_on.get() or IOLoop.current()
        self.defaults = {**HTTPRequest._DEFAULTS, **(defaults or {})}

    def close(self) -> None:
        """Free what the client holds; it cannot be used afterwards.

        The shared client of a loop need not be closed, unless the loop is.  Who closes it
        nevertheless gets another one from then on; what others have under way on it is still
        answered.  (`CurlAsyncHTTPClient` aborts it.)  On a client of one's own it is aborted.
        """
        if self._closed:
            return
        self._closed = True
        clients = _clients_of(self.io_loop)
        for cls in [cls for cls, client in clients.items() if client is self]:
            del clients[cls]

    def _is_shared(self) -> bool:
        """Whether it is the one client of its loop."""
        return any(client is self for client in _clients_of(self.io_loop).values())

    def _end(self) -> None:
        """Abort what is under way on a client that is closed."""

    def __enter__(self) -> "AsyncHTTPClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> "AsyncHTTPClient":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until everything is closed, after `close`, which only begins it; ours."""

    def fetch(
        self,
        request: str | HTTPRequest,
        raise_error: Any = True,
        *args: Any,
        **kwargs: Any,
    ) -> "Future[HTTPResponse]":
        """Send a request; returns a Future of its `HTTPResponse`.

        Cancelling the Future aborts the request.

        Args:
            request: an `HTTPRequest`, or a URL.
            raise_error: whether a response that is not 2xx is raised as `HTTPClientError`
                (since 4.1).  Other errors (no connection, timeouts, protocol errors) are
                raised in any case (since 6.0).
            kwargs: parameters of `HTTPRequest`, when ``request`` is a URL.  And ``callback``, or
                a function in place of ``raise_error``: Tornado before 6.0 called it with the
                response, which for any error but a bad status has the code 599 and an `error`.

        Raises:
            RuntimeError: the client is closed.
            ValueError: parameters for a request that is an `HTTPRequest` already.
        """
        callback = kwargs.pop("callback", None)
        if raise_error is None or callable(raise_error):
            callback = raise_error or callback
            raise_error = args[0] if args else kwargs.pop("raise_error", True)
        if self._closed:
            raise RuntimeError("fetch() called on closed AsyncHTTPClient")
        if not isinstance(request, HTTPRequest):
            request = HTTPRequest(url=request, **kwargs)
        elif kwargs:
            raise ValueError(
                "parameters beside an HTTPRequest belong in it: " + ", ".join(sorted(kwargs))
            )
        # A copy: implementations add to it, and users share one among requests.
        request.headers = HTTPHeaders(request.headers)
        future: Future[HTTPResponse] = new_future()
        abort = self.fetch_impl(
            cast("HTTPRequest", _RequestProxy(request, self.defaults)),
            functools.partial(self._finish, future, raise_error),
        )
        if abort is not None and not future.done():
            future.add_done_callback(functools.partial(_abort_if_cancelled, abort))
        if callback is not None:
            self._call_back(request, future, callback)
        return future

    def fetch_impl(
        self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]
    ) -> Abort | None:
        """Send ``request``; what implementations define.

        Args:
            request: with the client's defaults filled in.
            callback: to be called once with the response, on the loop.  Errors are
                responses with code 599 and an ``error``.

        Returns:
            A function that aborts the request, or None.
        """
        raise NotImplementedError(f"{type(self).__name__} must define fetch_impl()")

    def _finish(
        self, future: "Future[HTTPResponse]", raise_error: bool, response: HTTPResponse
    ) -> None:
        if response._error_is_response_code and not raise_error:
            error = None
        else:
            error = response.error
        if error is None:
            if not future.done():
                future.set_result(response)
        elif not future.done():
            future.set_exception(error)
            if self._closed:
                future.exception()  # nobody may be left to look at it
        elif future.cancelled():
            # Whoever cancelled it does not wait for this: no traceback.
            app_log.info("Exception after Future was cancelled: %s: %s", response.request, error)

    # -- Tornado before 6.0 -----------------------------------------------------------

    def _call_back(
        self,
        request: HTTPRequest,
        future: "Future[HTTPResponse]",
        callback: Callable[[HTTPResponse], Any],
    ) -> None:
        answered: Future[HTTPResponse] = new_future()
        future.add_done_callback(functools.partial(_answer, answered, request, self.io_loop))
        with_callback(answered, functools.partial(self._run_callback, callback))

    def _run_callback(
        self, callback: Callable[[HTTPResponse], Any], response: HTTPResponse
    ) -> None:
        try:
            callback(response)
        except Exception:
            overridden = (
                type(self).handle_callback_exception
                is not AsyncHTTPClient.handle_callback_exception
            )
            if active_chain() or not overridden:
                raise
            self.handle_callback_exception(callback)

    def handle_callback_exception(self, callback: Callable[..., Any]) -> None:
        """Called when a ``callback`` of `fetch` raises, outside of any stack context.

        May be overridden; logs the exception, which is `sys.exc_info` (Tornado 2.3).
        """
        self.io_loop.handle_callback_exception(callback)


def _abort_if_cancelled(abort: Abort, future: "Future[Any]") -> None:
    if future.cancelled():
        abort()


def _answer(
    answered: "Future[HTTPResponse]",
    request: HTTPRequest,
    loop: IOLoop,
    future: "Future[HTTPResponse]",
) -> None:
    """Make a response of every outcome, as ``callback=`` had it."""
    if future.cancelled():
        return
    error = future.exception()
    if error is None:
        answered.set_result(future.result())
    elif isinstance(error, HTTPClientError) and error.response is not None:
        answered.set_result(error.response)
    else:
        answered.set_result(HTTPResponse(request, 599, error=error))
