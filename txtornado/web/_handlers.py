"""Ready-made handlers: errors, redirects, and the way to another server function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txtornado import httputil
from txtornado.web._errors import HTTPError
from txtornado.web._handler import RequestHandler
from txtornado.web._urls import scheme_and_netloc

__all__ = ["ErrorHandler", "FallbackHandler", "RedirectHandler"]


# Stands for what a request fills into a URL. It can be no part of a host, and no request
# may contain it, so that a URL with a blank in its host never equals one filled in.
_FILLER = "\x01"


class ErrorHandler(RequestHandler):
    """Answers every request with the error ``status_code``."""

    def initialize(self, status_code: int) -> None:  # type: ignore[override]
        self.set_status(status_code)

    def prepare(self) -> None:
        raise HTTPError(self._status_code)

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here that a forged request could abuse."""

    def check_trusted_origin(self, origin: str) -> bool:
        return True


class RedirectHandler(RequestHandler):
    """Redirects GET requests to ``url``, by 301 or, if not ``permanent``, 302.

    ``url`` is a format string for the groups of the route (since Tornado 4.5). The query
    of the request is added (since 5.0). What is filled in may not change the scheme or
    host of ``url``: such requests get a 400 (since 6.6).
    """

    def initialize(self, url: str, permanent: bool = True) -> None:  # type: ignore[override]
        self._url = url
        self._permanent = permanent

    def get(self, *args: Any, **kwargs: Any) -> None:
        url = redirect_target(self._url, args, kwargs)
        if query := self.request.query_arguments:
            pairs: list[Any] = [(name, value) for name in query for value in query[name]]
            url = httputil.url_concat(url, pairs)
        self.redirect(url, permanent=self._permanent)


def redirect_target(url: str, args: Any, kwargs: Any) -> str:
    """Fill ``args`` and ``kwargs`` into ``url``, which must stay on its host.

    Raises:
        HTTPError: 400, when they take it elsewhere or hold control characters.
    """
    target = url.format(*args, **kwargs)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in target.replace("\t", "")):
        raise HTTPError(400, "Redirect URL contains invalid characters")
    plain = url.format(*[_FILLER] * len(args), **dict.fromkeys(kwargs, _FILLER))
    try:
        same = scheme_and_netloc(target) == scheme_and_netloc(plain)
    except ValueError:
        same = False
    if not same:
        raise HTTPError(400, "Redirect URL cannot change the scheme or netloc")
    return target


class FallbackHandler(RequestHandler):
    """Hands requests to ``fallback``, a function of the request such as a `WSGIContainer`."""

    def initialize(self, fallback: Callable[[httputil.HTTPServerRequest], Any]) -> None:  # type: ignore[override]
        self.fallback = fallback

    def prepare(self) -> None:
        self.fallback(self.request)
        self._finished = True
        self.on_finish()
