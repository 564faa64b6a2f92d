"""An OpenID Connect provider as it describes itself: addresses (Discovery 1.0) and keys.

Both are fetched when first needed and kept by the application, the description for a day, the
keys for an hour.  A token signed with a key that is not among them fetches the keys anew, for
providers change them without notice; not more often than every ten seconds, for anybody can
send such tokens.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from txtornado.auth._base import AuthBase, handler_of, store_of
from txtornado.auth._errors import AuthError
from txtornado.auth._fetch import fetch, host_of, json_object
from txtornado.auth._needs import need

__all__ = ["Provider", "provider_of"]

_DESCRIPTION_AGE = 86400  # seconds
_KEYS_AGE = 3600
_KEYS_PAUSE = 10
_MOST_KEYS = 100
_ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "end_session_endpoint",
    "revocation_endpoint",
)
_NEEDED = _ENDPOINTS[:3]


class Provider:
    """What is known of one issuer.

    Attributes:
        issuer: its address, which is its name as well.
        description: its metadata, checked.
    """

    def __init__(self, issuer: str) -> None:
        if not _is_safe(issuer, issuer):
            raise AuthError(f"an issuer's address must be https: {issuer!r}")
        self.issuer = issuer
        self.description: dict[str, Any] = {}
        self._described: float | None = None
        self._keys: list[dict[str, Any]] = []
        self._keys_fetched: float | None = None

    async def describe(self, mixin: AuthBase) -> Mapping[str, Any]:
        """The metadata, fetched if need be.

        Raises:
            AuthError: it could not be fetched, or does not hold.
        """
        now = time.monotonic()
        if self._described is None or now - self._described > _DESCRIPTION_AGE:
            url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = json_object(url, await fetch(mixin, url))
            self._check(found)
            self.description, self._described = found, now
        return self.description

    def _check(self, found: Mapping[str, Any]) -> None:
        if found.get("issuer") != self.issuer:
            raise AuthError(
                f"{host_of(self.issuer)} describes another issuer than it was asked for "
                "(the addresses must be the same to the letter)",
                code="bad_response",
            )
        for name in _ENDPOINTS:
            url = found.get(name)
            if url is None and name not in _NEEDED:
                continue
            if not isinstance(url, str) or not _is_safe(url, self.issuer):
                raise AuthError(
                    f"{host_of(self.issuer)} gives no https address as {name}", code="bad_response"
                )

    async def keys(self, mixin: AuthBase, kid: object, algorithm: str) -> list[Any]:
        """The keys that may have signed a token: those named ``kid``, or all if that is None.

        Each is a ``jwt.PyJWK`` for ``algorithm``.

        Raises:
            AuthError: there is none, or the keys could not be fetched.
        """
        age = self._keys_age()
        if age is None or age > _KEYS_AGE:
            await self._fetch_keys(mixin)
        found = self._named(kid, algorithm)
        age = self._keys_age()
        if not found and (age is None or age >= _KEYS_PAUSE):
            await self._fetch_keys(mixin)
            found = self._named(kid, algorithm)
        if not found:
            raise AuthError(
                "the token is signed with a key the provider does not have", code="forged"
            )
        return found

    def _keys_age(self) -> float | None:
        return None if self._keys_fetched is None else time.monotonic() - self._keys_fetched

    def _named(self, kid: object, algorithm: str) -> list[Any]:
        jwt = need("jwt")
        found = []
        for row in self._keys:
            if (kid is None or row.get("kid") == kid) and row.get("alg", algorithm) == algorithm:
                try:
                    found.append(jwt.PyJWK(row, algorithm=algorithm))
                except (jwt.PyJWTError, ValueError, TypeError):
                    continue  # of another kind
        return found

    async def _fetch_keys(self, mixin: AuthBase) -> None:
        url = (await self.describe(mixin))["jwks_uri"]
        rows = json_object(url, await fetch(mixin, url)).get("keys")
        if not isinstance(rows, list) or len(rows) > _MOST_KEYS:
            raise AuthError(f"{host_of(url)} did not answer with keys", code="bad_response")
        # Secret keys are nobody's to publish: a token signed with one proves nothing.
        self._keys = [
            row
            for row in rows
            if isinstance(row, dict) and row.get("kty") != "oct" and row.get("use", "sig") == "sig"
        ]
        self._keys_fetched = time.monotonic()


def provider_of(mixin: AuthBase, issuer: str) -> Provider:
    """The application's one `Provider` for ``issuer``."""
    known: dict[str, Provider] = store_of(handler_of(mixin)).setdefault("oidc_providers", {})
    provider = known.get(issuer)
    if provider is None:
        provider = known[issuer] = Provider(issuer)
    return provider


def _is_safe(url: str, issuer: str) -> bool:
    """Whether ``url`` is https, or http on this machine with an issuer on it, for tests."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return (
        parts.scheme == "http"
        and _is_loopback(parts.hostname)
        and _is_loopback(urlsplit(issuer).hostname)
    )


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
