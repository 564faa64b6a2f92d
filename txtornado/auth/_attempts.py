"""Logins under way: what binds a provider's reply to the browser that asked for it.

A login leaves the browser with a signed cookie that holds the attempt: ``state`` (RFC 6749
section 10.12), the PKCE verifier (RFC 7636), the ``nonce`` (OpenID Connect Core 3.1.2.1), the
provider and the address it is to reply to.  The reply must bring the ``state`` along, from the
same browser, within ten minutes, and once: the attempt is gone from the cookie then.

The cookie holds the last few attempts, for people open tabs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from txtornado.auth._errors import AuthError

if TYPE_CHECKING:
    from txtornado.web import RequestHandler

__all__ = ["Attempt", "begin", "challenge", "drop", "finish", "pending"]

COOKIE = "_auth_attempts"
LIFETIME = 600  # seconds
_MOST = 4
_DAY = 86400
_SKEW = 60  # seconds that the clocks of the application's machines may differ by


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login under way.

    Attributes:
        state: comes back with the reply.
        purpose: a digest of the provider and the kind of login.
        target: a digest of the address the provider is to reply to.
        verifier: of PKCE, empty without.
        nonce: of OpenID Connect, empty without.
        time: when it began, in whole seconds.
    """

    state: str
    purpose: str
    target: str
    verifier: str
    nonce: str
    time: int

    def is_for(self, target: str) -> bool:
        """Whether the provider was told to reply to ``target``."""
        return hmac.compare_digest(self.target, _digest(target))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:40]


def new_state() -> str:
    """A value that cannot be guessed."""
    return secrets.token_urlsafe(24)


def challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def begin(
    handler: RequestHandler,
    purpose: str,
    target: str,
    *,
    state: str | None = None,
    pkce: bool = False,
    nonce: bool = False,
    by_post: bool = False,
) -> Attempt:
    """Start an attempt and set its cookie.

    Args:
        handler: the one that is about to redirect.
        purpose: the provider and the kind of login.
        target: the address the provider is to reply to.
        state: to be used in place of a new one.
        pkce: make a verifier.
        nonce: make a nonce.
        by_post: the provider may reply with a form that is posted from its site, which brings
            only cookies that are meant for that, and those only over HTTPS.
    """
    attempt = Attempt(
        state=state or new_state(),
        purpose=_digest(purpose),
        target=_digest(target),
        verifier=secrets.token_urlsafe(32) if pkce else "",
        nonce=secrets.token_urlsafe(24) if nonce else "",
        time=int(time.time()),
    )
    others = [other for other in pending(handler) if other.state != attempt.state]
    _save(handler, [*others, attempt][-_MOST:], by_post)
    return attempt


def finish(handler: RequestHandler, purpose: str, state: str | None) -> Attempt:
    """The attempt that a reply belongs to, which is over by this.

    Raises:
        AuthError: it belongs to none.
    """
    if not state:
        raise AuthError("the reply has no state", code="state_mismatch")
    wanted = _digest(purpose)
    found = [
        attempt
        for attempt in pending(handler)
        if hmac.compare_digest(attempt.state.encode(), state.encode()) and attempt.purpose == wanted
    ]
    if not found:
        raise AuthError(
            "the reply belongs to no login that this browser has under way here "
            "(forged, used before, or later than ten minutes)",
            code="state_mismatch",
        )
    drop(handler, found[0])
    return found[0]


def drop(handler: RequestHandler, attempt: Attempt) -> None:
    """Forget an attempt."""
    _save(handler, [other for other in pending(handler) if other.state != attempt.state])


def pending(handler: RequestHandler) -> list[Attempt]:
    """The attempts of this browser that may still be finished."""
    attempts: list[Attempt] | None = handler.__dict__.get("_auth_attempts")
    if attempts is None:
        attempts = handler.__dict__["_auth_attempts"] = _load(handler)
    return attempts


def _load(handler: RequestHandler) -> list[Attempt]:
    signed = handler.get_signed_cookie(COOKIE, max_age_days=LIFETIME / _DAY, min_version=2)
    if signed is None:
        return []
    try:
        rows = json.loads(signed)
        attempts = [Attempt(*row) for row in rows if _is_row(row)]
    except (ValueError, TypeError):  # of another release
        return []
    now = time.time()
    return [one for one in attempts if -_SKEW <= now - one.time <= LIFETIME]


def _is_row(row: object) -> bool:
    """Whether ``row`` holds the fields of an `Attempt`."""
    return (
        isinstance(row, list)
        and len(row) == 6
        and all(isinstance(field, str) for field in row[:5])
        and isinstance(row[5], int)
    )


def _save(handler: RequestHandler, attempts: list[Attempt], by_post: bool = False) -> None:
    handler.__dict__["_auth_attempts"] = attempts
    secure = handler.request.protocol == "https"
    options: dict[str, Any] = {
        "secure": secure,
        "samesite": "None" if by_post and secure else "Lax",
        "httponly": True,
        "path": "/",
        **handler.settings.get("auth_cookie_kwargs", {}),
    }
    if not attempts:
        handler.clear_cookie(COOKIE, **options)
        return
    rows = [
        [one.state, one.purpose, one.target, one.verifier, one.nonce, one.time] for one in attempts
    ]
    value = json.dumps(rows, separators=(",", ":"))
    handler.set_signed_cookie(
        COOKIE, value, expires_days=None, version=2, max_age=LIFETIME, **options
    )
