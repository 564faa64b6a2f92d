"""Cross-origin protection by what the browser says of a request's origin (Tornado 6.6).

Browsers state where a request comes from in ``Sec-Fetch-Site`` (W3C Fetch Metadata) and,
before that, in ``Origin`` (RFC 6454). Clients that send neither are no browsers and carry
nobody's cookies.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from txtornado.httputil import HTTPServerRequest

__all__ = ["cross_origin_reason", "is_unsafe", "origin_matches_host"]

_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


def is_unsafe(method: str | None) -> bool:
    """Whether requests of ``method`` may change state."""
    return method not in _SAFE_METHODS


def cross_origin_reason(request: HTTPServerRequest, trusted: Callable[[str], bool]) -> str | None:
    """Say why ``request`` must be rejected, or None if it may pass.

    ``trusted(origin)`` is asked only about requests that look cross-origin.
    """
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site in ("same-origin", "none") or (origin is not None and trusted(origin)):
            return None
        return f"Sec-Fetch-Site {site} & origin {origin!r} not allowed"
    if origin is None or origin_matches_host(origin, request.headers.get("Host")):
        return None
    return None if trusted(origin) else f"Origin {origin!r} not allowed"


def origin_matches_host(origin: str, host: str | None) -> bool:
    """Whether the host and port of ``origin`` are those of the ``Host`` header.

    The scheme is not compared: behind a proxy that ends TLS it is not known.
    """
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(netloc) and host is not None and netloc.lower() == host.lower()
