"""Decorators for handlers and their methods."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from txtornado.concurrent import as_future
from txtornado.web import _execution
from txtornado.web._errors import HTTPError
from txtornado.web._urls import is_protocol_relative

if TYPE_CHECKING:
    from txtornado.web._handler import RequestHandler

__all__ = ["addslash", "asynchronous", "authenticated", "removeslash", "stream_request_body"]

_Method = Callable[..., Any]
_Class = TypeVar("_Class", bound="type[RequestHandler]")


def stream_request_body(cls: _Class) -> _Class:
    """Have a handler class take request bodies in pieces (since Tornado 4.0).

    ``prepare`` is then called when the headers are in, ``data_received`` for each piece,
    the method after the last; arguments of the body are not parsed.
    """
    from txtornado.web._handler import RequestHandler

    if not issubclass(cls, RequestHandler):
        raise TypeError(f"expected subclass of RequestHandler, got {cls!r}")
    cls._stream_request_body = True
    return cls


def asynchronous(method: _Method) -> _Method:
    """Leave the request open when the method returns: it calls ``finish`` itself.

    Tornado 0.2 to 5. Exceptions of callbacks that the method starts end the request. If
    the method returns a Future (`gen.coroutine` under this decorator), the request ends
    with it.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        from txtornado.stack_context import ExceptionStackContext

        def handle(typ: Any, value: BaseException | None, tb: Any) -> bool:
            if value is not None:
                _execution.report(self, value)
            return True

        self._auto_finish = False
        with ExceptionStackContext(handle):
            result = method(self, *args, **kwargs)
        return None if result is None else _then_finish(self, result)

    return wrapper


async def _then_finish(handler: RequestHandler, result: Any) -> None:
    await as_future(result)
    if not handler._finished:
        handler.finish()


def removeslash(method: _Method) -> _Method:
    """Redirect ``GET /foo/`` to ``/foo``; route with a pattern like ``/foo/*``."""

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        path = self.request.path
        stripped = path.rstrip("/")
        if stripped and stripped != path:
            return _move(self, stripped)
        return method(self, *args, **kwargs)

    return wrapper


def addslash(method: _Method) -> _Method:
    """Redirect ``GET /foo`` to ``/foo/``; route with a pattern like ``/foo/?``."""

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        if not self.request.path.endswith("/"):
            return _move(self, self.request.path + "/")
        return method(self, *args, **kwargs)

    return wrapper


def _move(handler: RequestHandler, path: str) -> None:
    """Redirect to ``path`` with the query of the request, if the method is safe to repeat."""
    if handler.request.method not in ("GET", "HEAD"):
        raise HTTPError(404)
    if is_protocol_relative(path):
        # A browser would read the first part of the path as a host.
        raise HTTPError(403, "cannot redirect path with two initial slashes")
    query = handler.request.query
    handler.redirect(f"{path}?{query}" if query else path, permanent=True)


def authenticated(method: _Method) -> _Method:
    """Call the method only with a ``current_user``.

    Without one, GET and HEAD are redirected to `RequestHandler.get_login_url`, with the
    way back in the argument ``next`` unless that URL has a query; the rest get a 403.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        if self.current_user:
            return method(self, *args, **kwargs)
        if self.request.method not in ("GET", "HEAD"):
            raise HTTPError(403)
        url = self.get_login_url()
        if "?" not in url:
            # A login page on another host needs to be told ours.
            elsewhere = bool(urlsplit(url).scheme)
            back = self.request.full_url() if elsewhere else self.request.uri
            url += "?" + urlencode({"next": back})
        return self.redirect(url)

    return wrapper
