"""Outgoing cookies (RFC 6265bis): from arguments to the text of ``Set-Cookie``.

The header is put together here rather than by `http.cookies.Morsel`, which learned
``Partitioned`` only in Python 3.14; names and messages of errors are the same.
"""

import datetime
import functools
import re
import time
import warnings
from http.cookies import CookieError, SimpleCookie
from typing import Any

from txtornado import httputil
from txtornado.escape import native_str

__all__ = ["check_name", "cookie_header"]

_ATTRIBUTES = {
    "comment": "Comment",
    "domain": "Domain",
    "expires": "expires",
    "httponly": "HttpOnly",
    "max-age": "Max-Age",
    "partitioned": "Partitioned",
    "path": "Path",
    "samesite": "SameSite",
    "secure": "Secure",
    "version": "Version",
}
_FLAGS = frozenset(("httponly", "partitioned", "secure"))
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~:-]+", re.ASCII)
_BAD_NAME = re.compile(r"[\x00-\x20\x3b\x7f]")
_UNSENDABLE = re.compile(r"[^\x20-\xff]")
_BAD_ATTRIBUTE = re.compile(r"[\x00-\x1f\x3b\x7f]")
_quoting = SimpleCookie()


def cookie_header(
    name: str,
    value: str | bytes,
    domain: str | None = None,
    expires: Any = None,
    path: str | None = "/",
    expires_days: float | None = None,
    max_age: int | None = None,
    httponly: bool = False,
    secure: bool = False,
    samesite: str | None = None,
    extra: dict[str, Any] | None = None,
) -> tuple[str, str]:
    """Return the cookie's name and its ``Set-Cookie`` header.

    ``expires`` is a time in seconds, a time tuple or a ``datetime``; ``expires_days`` counts
    from now and yields to it. ``max_age`` is in seconds. ``extra`` holds further attributes,
    in any mixture of cases (deprecated since Tornado 6.3).

    Raises:
        ValueError: the value holds a control character or one beyond U+00FF, or ``max_age``
            is no integer.
        http.cookies.CookieError: the name, or an attribute, is illegal or unknown.
    """
    name, value = native_str(name), native_str(value)
    _check_attribute(name, "name", name)
    if _UNSENDABLE.search(value):
        raise ValueError(f"Invalid cookie {name!r}: {value!r}")
    check_name(name)
    if expires_days is not None and not expires:
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=expires_days)
    for key, given in (("domain", domain), ("path", path), ("samesite", samesite)):
        if given and given != "/":
            _check_attribute(name, key, given)
    attributes: dict[str, Any] = {
        "domain": domain,
        "expires": httputil.format_timestamp(expires) if expires else None,
        "httponly": httponly,
        "max-age": None if max_age is None else int(max_age),
        "path": path,
        "samesite": samesite,
        "secure": secure,
    }
    if extra:
        _add_extra(name, attributes, extra)
    return name, _format(name, value, attributes)


@functools.lru_cache(256)
def check_name(name: str) -> None:
    """Raise `http.cookies.CookieError` unless ``name`` is a token and no attribute."""
    if name.lower() in _ATTRIBUTES:
        raise CookieError(f"Attempt to set a reserved key {name!r}")
    if _TOKEN.fullmatch(name) is None:
        raise CookieError(f"Illegal key {name!r}")


def _check_attribute(cookie: str, key: str, value: str) -> None:
    bad = _BAD_NAME if key in ("name", "samesite") else _BAD_ATTRIBUTE
    if bad.search(value):
        raise CookieError(f"Invalid cookie attribute {key}={value!r} for cookie {cookie!r}")


def _add_extra(cookie: str, attributes: dict[str, Any], extra: dict[str, Any]) -> None:
    for given, value in extra.items():
        key = given.lower().replace("_", "-")
        if key not in _ATTRIBUTES:
            raise CookieError(f"Invalid attribute {key!r}")
        if given != given.lower():
            warnings.warn(
                f"Use the lowercase argument {given.lower()!r} of set_cookie",
                DeprecationWarning,
                stacklevel=4,
            )
        if isinstance(value, str):
            _check_attribute(cookie, given, value)
        attributes[key] = int(value) if key == "max-age" and value != "" else value


def _format(name: str, value: str, attributes: dict[str, Any]) -> str:
    if not _TOKEN.fullmatch(value):
        value = _quoting.value_encode(value)[1]
    header = f"{name}={value}"
    for key in sorted(attributes):
        setting = attributes[key]
        if key in _FLAGS:
            if setting:
                header += f"; {_ATTRIBUTES[key]}"
        elif setting is not None and setting != "":
            header += f"; {_ATTRIBUTES[key]}={setting}"
    return header


def expired() -> datetime.datetime:
    """A time well in the past, for cookies that are to be deleted."""
    return datetime.datetime.fromtimestamp(time.time() - 365 * 86400, datetime.UTC)
