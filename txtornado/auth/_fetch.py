"""Requests to providers: every way in which they can fail is an `AuthError`.

Redirects are not followed, for what is sent are secrets.  Messages never quote an answer.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from txtornado.auth._base import AuthBase, handler_of
from txtornado.auth._errors import AuthError, refusal
from txtornado.concurrent import as_future
from txtornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse
from txtornado.httputil import encode_username_password

__all__ = [
    "basic_authorization",
    "fetch",
    "form_post",
    "host_of",
    "json_object",
    "token_answer",
    "who_is",
    "with_query",
]

_MAX_ANSWER = 1 << 20  # bytes; sets of keys are the largest, at some 10 KiB
_FORM = "application/x-www-form-urlencoded"


def host_of(url: str) -> str:
    """The host of ``url``, for messages: paths and queries may hold secrets."""
    return urlsplit(url).netloc.rpartition("@")[2] or "the provider"


def with_query(url: str, arguments: Mapping[str, Any]) -> str:
    """Append a query to ``url``, which may end in ``?`` or have a query already."""
    query = urlencode(arguments)
    if not query:
        return url
    if url.endswith(("?", "&")):
        return url + query
    return f"{url}&{query}" if "?" in url else f"{url}?{query}"


def basic_authorization(key: str, secret: str) -> str:
    """The ``Authorization`` of a client (RFC 6749 section 2.3.1: encoded as in a form first)."""
    raw = encode_username_password(quote_plus(key), quote_plus(secret))
    return "Basic " + b64encode(raw).decode("ascii")


async def fetch(
    mixin: AuthBase, url: str, http_client: AsyncHTTPClient | None = None, **options: Any
) -> HTTPResponse:
    """Fetch ``url`` from a provider; the response may have any status.

    Limited by the setting ``auth_timeout`` (seconds; by default the client's own limits).

    Raises:
        AuthError: there was no response in time, or it is too large.
    """
    client = http_client or mixin.get_auth_http_client()
    options.setdefault("follow_redirects", False)
    timeout = handler_of(mixin).settings.get("auth_timeout")
    if timeout is not None:
        options.setdefault("connect_timeout", timeout)
        options.setdefault("request_timeout", timeout)
    try:
        response = await client.fetch(url, raise_error=False, **options)
    except HTTPClientError as error:
        if error.response is None:
            raise unreachable(url, error.message) from None
        response = error.response
    except Exception as error:
        # Without the error itself, which may quote the URL.
        reason = str(error) if isinstance(error, OSError) else type(error).__name__
        raise unreachable(url, reason) from None
    if response.code == 599:
        raise unreachable(url, "no response")
    if len(response.body or b"") > _MAX_ANSWER:
        raise AuthError(f"{host_of(url)} answered with too much", code="bad_response")
    return response


def unreachable(url: str, reason: str | None) -> AuthError:
    return AuthError(f"{host_of(url)} could not be asked: {reason}", code="unavailable")


async def form_post(
    mixin: AuthBase,
    url: str,
    fields: Mapping[str, Any],
    http_client: AsyncHTTPClient | None = None,
    headers: Mapping[str, str] | None = None,
) -> HTTPResponse:
    """POST a form."""
    sent = {"Content-Type": _FORM, "Accept": "application/json", **(headers or {})}
    return await fetch(mixin, url, http_client, method="POST", headers=sent, body=urlencode(fields))


def json_object(url: str, response: HTTPResponse) -> dict[str, Any]:
    """The JSON object in a response with status 200.

    Raises:
        AuthError: another status, or the body is no JSON object.
    """
    if response.code != 200:
        raise AuthError(f"{host_of(url)} answered with status {response.code}", code="bad_response")
    found = _parsed(response)
    if found is None:
        raise AuthError(f"{host_of(url)} did not answer with a JSON object", code="bad_response")
    return found


def _parsed(response: HTTPResponse) -> dict[str, Any] | None:
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


async def who_is(asked: Any) -> dict[str, Any]:
    """The user that ``asked``, an awaitable, tells, where a login depends on it.

    Raises:
        AuthError: there is none.
    """
    try:
        user = await as_future(asked)
    except HTTPClientError as error:
        raise AuthError(
            f"the provider does not tell the user: {error}", code="bad_response"
        ) from None
    except (OSError, ValueError) as error:
        raise AuthError(
            f"the provider does not tell the user: {type(error).__name__}", code="bad_response"
        ) from None
    if not isinstance(user, dict):
        raise AuthError("the provider does not tell the user", code="bad_response")
    return user


def token_answer(url: str, response: HTTPResponse) -> dict[str, Any]:
    """What a token endpoint granted (RFC 6749 section 5): at least an ``access_token``.

    JSON, or a form, as GitHub and the Facebook of old answer.

    Raises:
        AuthError: with the provider's ``error``, or because the answer is garbage.
    """
    found = _parsed(response)
    if found is None and response.headers.get("Content-Type", "").startswith((_FORM, "text/plain")):
        found = dict(parse_qsl(response.body.decode("utf-8", "replace")))
    if found and found.get("error"):
        raise _reported(found)
    if response.code != 200:
        raise AuthError(f"{host_of(url)} answered with status {response.code}", code="bad_response")
    if not found or not isinstance(found.get("access_token"), str) or not found["access_token"]:
        raise AuthError(f"{host_of(url)} did not answer with a token", code="bad_response")
    return found


def _reported(found: Mapping[str, Any]) -> AuthError:
    error = found["error"]
    if isinstance(error, Mapping):  # Facebook's
        code, description = error.get("type", "error"), error.get("message")
    else:
        code, description = error, found.get("error_description")
    return refusal(str(code), description if isinstance(description, str) else None)
