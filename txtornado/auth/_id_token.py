"""Checking tokens that a provider signed (OpenID Connect Core 3.1.3.7, Back-Channel Logout 2.6)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Any

from txtornado.auth._base import AuthBase
from txtornado.auth._errors import AuthError
from txtornado.auth._needs import need
from txtornado.auth._oidc_provider import Provider

__all__ = ["check_access_token", "check_login", "verified"]

# Public keys only: with a shared secret, each client could sign for the others' users.
_ALGORITHMS = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
)  # fmt: skip
_MAX_TOKEN = 64 * 1024  # characters


async def verified(
    mixin: AuthBase,
    provider: Provider,
    token: object,
    client_id: str,
    skew: float,
    required: tuple[str, ...] = ("iss", "sub", "aud", "exp", "iat"),
) -> dict[str, Any]:
    """The claims of ``token``: signed by ``provider`` for ``client_id``, and valid now.

    Args:
        skew: seconds that the provider's clock and ours may differ by.
        required: claims that must be there.

    Raises:
        AuthError: it is not.
    """
    jwt = need("jwt")
    if not isinstance(token, str) or len(token) > _MAX_TOKEN:
        raise AuthError("the provider sent no id_token", code="bad_response")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise AuthError(f"the token is no JWT: {error}", code="forged") from None
    algorithm = header.get("alg")
    if algorithm not in _allowed(provider):
        raise AuthError("the token is signed in a way that is not accepted", code="forged")
    if "crit" in header:  # RFC 7515 section 4.1.11: none is known here
        raise AuthError("the token has extensions that are not known", code="forged")
    for key in await provider.keys(mixin, header.get("kid"), algorithm):
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=client_id,
                issuer=provider.issuer,
                leeway=skew,
                options={"require": list(required)},
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError as error:
            raise AuthError(f"the token does not hold: {error}", code="forged") from None
        except (TypeError, ValueError):  # the key is of another kind than the signature
            continue
        _check_party(claims, client_id)
        return claims
    raise AuthError("the token's signature does not hold", code="forged")


def _allowed(provider: Provider) -> set[str]:
    offered = provider.description.get("id_token_signing_alg_values_supported")
    return set(_ALGORITHMS.intersection(offered if isinstance(offered, list) else ["RS256"]))


def _check_party(claims: dict[str, Any], client_id: str) -> None:
    party = claims.get("azp")
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if (party is None and several) or (party is not None and party != client_id):
        raise AuthError("the token was made for another application", code="forged")


def check_login(claims: dict[str, Any], nonce: str) -> None:
    """Check that an ``id_token`` answers this very login."""
    told = claims.get("nonce")
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), nonce.encode()):
        raise AuthError("the id_token belongs to another login (nonce)", code="forged")


def check_access_token(claims: dict[str, Any], token: object, algorithm: str) -> None:
    """Check ``at_hash``, if there, which ties an access token to an ``id_token``."""
    told = claims.get("at_hash")
    if told is None or not isinstance(token, str):
        return
    hashing = {"256": "sha256", "384": "sha384"}.get(algorithm[-3:], "sha512")
    digest = hashlib.new(hashing, token.encode("ascii", "replace")).digest()
    expected = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), expected):
        raise AuthError("the access token belongs to another id_token (at_hash)", code="forged")
