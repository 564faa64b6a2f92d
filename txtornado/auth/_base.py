"""What every mixin has: an HTTP client, its handler, the settings, a store.

The mixins do not derive from `RequestHandler`, for applications write it first among their
bases; `handler_of` is the handler they are mixed into.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

from txtornado.auth._errors import AuthError
from txtornado.httpclient import AsyncHTTPClient

if TYPE_CHECKING:
    from txtornado.web import RequestHandler

__all__ = [
    "AuthBase",
    "absolute",
    "credentials",
    "handler_of",
    "is_lenient",
    "is_strict",
    "single_argument",
    "store_of",
]


class AuthBase:
    """Base of all login mixins.

    Class attributes:

    * ``_AUTH_STRICT``: whether a reply must be proved to belong to a login that the same browser
      began.  None leaves it to the setting ``auth_strict``; without that, it is on in
      applications that have a ``cookie_secret``, which the proof needs.
    """

    _AUTH_STRICT: bool | None = None

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """The client for requests to the provider; override to use another (since 4.3)."""
        return AsyncHTTPClient()


def handler_of(mixin: object) -> RequestHandler:
    """``mixin`` as the handler it is part of."""
    return cast("RequestHandler", mixin)


def is_strict(mixin: AuthBase) -> bool:
    """Whether replies must be bound to this browser; see `AuthBase`."""
    handler = handler_of(mixin)
    strict = mixin._AUTH_STRICT
    if strict is None:
        strict = handler.settings.get("auth_strict")
    if strict is None:
        return bool(handler.settings.get("cookie_secret"))
    if strict:
        handler.require_setting("cookie_secret", "third-party logins")
    return bool(strict)


def is_lenient(mixin: AuthBase) -> bool:
    """Whether the checks were turned off by name, not for want of a ``cookie_secret``."""
    strict = mixin._AUTH_STRICT
    if strict is None:
        strict = handler_of(mixin).settings.get("auth_strict")
    return strict is False


def store_of(handler: RequestHandler) -> dict[str, Any]:
    """What the logins of an application remember in this process; dies with it."""
    store: dict[str, Any] = handler.application.__dict__.setdefault("_auth_store", {})
    return store


def credentials(mixin: AuthBase, setting: str) -> Mapping[str, Any]:
    """The setting ``setting``: a dict with ``key`` and, unless the client is public, ``secret``."""
    handler = handler_of(mixin)
    handler.require_setting(setting, f"{type(mixin).__name__}'s login")
    found = handler.settings[setting]
    if not isinstance(found, Mapping) or not found.get("key"):
        raise AuthError(f"the setting {setting!r} must be a dict with 'key' and 'secret'")
    return found


def absolute(handler: RequestHandler, uri: str) -> str:
    """``uri`` with this site's name, if it is a path.

    Everything else stays as it is: some providers take words like ``postmessage``.
    """
    return urljoin(handler.request.full_url(), uri) if uri.startswith("/") else uri


def single_argument(handler: RequestHandler, name: str) -> str | None:
    """An argument of a reply, which may not be there twice: which one was checked?"""
    values = handler.get_arguments(name)
    if len(values) > 1:
        raise AuthError(f"the reply has {name!r} more than once", code="forged")
    return values[0] if values else None
