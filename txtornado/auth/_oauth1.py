"""OAuth 1.0 and 1.0a (RFC 5849); `oauthlib` signs."""

from __future__ import annotations

import binascii
import hmac
from asyncio import Future
from base64 import b64decode, b64encode
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from txtornado.auth._base import AuthBase, handler_of, is_strict, single_argument
from txtornado.auth._callbacks import Callback, answer, callback_at, redirecting
from txtornado.auth._errors import AuthError
from txtornado.auth._fetch import fetch, host_of, who_is, with_query
from txtornado.auth._needs import need
from txtornado.concurrent import new_future
from txtornado.escape import json_decode
from txtornado.httpclient import AsyncHTTPClient

__all__ = ["OAuthMixin"]

_COOKIE = "_oauth_request_token"


class OAuthMixin(AuthBase):
    """OAuth 1.0 and 1.0a; see `TwitterMixin` and `FriendFeedMixin` (Tornado 0.2).

    The reply must come from the browser that holds the request token in its cookie
    ``_oauth_request_token``.  In applications with a ``cookie_secret`` 1.0a's further checks are
    required of the provider, too: ``oauth_callback_confirmed`` and ``oauth_verifier``; see
    ``auth_strict`` in `AuthBase`.  Version 1.0 without the "a" lets an attacker finish a login
    that he had somebody else grant, and is for services that know no other.

    Class attributes:

    * ``_OAUTH_REQUEST_TOKEN_URL``, ``_OAUTH_ACCESS_TOKEN_URL``, ``_OAUTH_AUTHORIZE_URL``.
    * ``_OAUTH_VERSION``: ``"1.0"`` or ``"1.0a"``, the default.
    * ``_OAUTH_NO_CALLBACKS``: True if callbacks must be registered with the service.

    Subclasses define `_oauth_consumer_token` and `_oauth_get_user_future`.
    """

    _OAUTH_REQUEST_TOKEN_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str
    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_VERSION = "1.0a"
    _OAUTH_NO_CALLBACKS = False

    # --- What subclasses define ------------------------------------------------------

    def _oauth_consumer_token(self) -> dict[str, Any]:
        """The application's ``key`` and ``secret`` with the provider."""
        raise NotImplementedError(f"{type(self).__name__} must define _oauth_consumer_token()")

    def _oauth_get_user_future(self, access_token: dict[str, Any]) -> Any:
        """The user that ``access_token`` speaks for, as a dict; awaitable.

        The default calls ``_oauth_get_user(access_token, callback)``, which subclasses of
        Tornado 2 define.
        """
        old = getattr(self, "_oauth_get_user", None)
        if old is None:
            raise NotImplementedError(f"{type(self).__name__} must define _oauth_get_user_future()")
        future: Future[Any] = new_future()
        old(access_token, future.set_result)
        return future

    # --- To the provider -------------------------------------------------------------

    def authorize_redirect(
        self,
        callback_uri: str | None = None,
        extra_params: dict[str, Any] | None = None,
        http_client: AsyncHTTPClient | None = None,
        callback: Callback | None = None,
    ) -> Future[None]:
        """Get a request token, then redirect the user to the provider; ends the request.

        Await it.  (Handlers of Tornado 2 need not, under ``@asynchronous``.)

        Args:
            callback_uri: where the provider is to send the user then, relative to the page that
                is asked for; None for what is registered with the provider.
            extra_params: further parameters for the request token (1.0a).
            http_client: in place of `get_auth_http_client`.
            callback: called without arguments at the end (Tornado 3.1 to 5.1).

        Raises:
            AuthError: no token was granted, or this request is the provider's reply that the user
                ``denied``.
            ValueError: a ``callback_uri`` where the provider takes none.
        """
        return redirecting(
            self._redirect(self._OAUTH_AUTHORIZE_URL, callback_uri, extra_params, http_client),
            callback,
        )

    async def _redirect(
        self,
        authorize_url: str,
        callback_uri: str | None,
        extra_params: Mapping[str, Any] | None = None,
        http_client: AsyncHTTPClient | None = None,
    ) -> None:
        if callback_uri and self._OAUTH_NO_CALLBACKS:
            raise ValueError("this service takes no callback_uri: register it there")
        handler = handler_of(self)
        self._raise_denial()
        if callback_uri and callback_uri != "oob":
            callback_uri = urljoin(handler.request.full_url(), callback_uri)
        token = await self._fetch_request_token(callback_uri, extra_params, http_client)
        parts = (b64encode(token[name].encode("utf-8")).decode() for name in ("key", "secret"))
        handler.set_cookie(_COOKIE, "|".join(parts), **self._cookie_options())
        arguments = {"oauth_token": token["key"]}
        if self._OAUTH_VERSION == "1.0" and callback_uri:
            arguments["oauth_callback"] = callback_uri
        handler.redirect(with_query(authorize_url, arguments))

    async def _fetch_request_token(
        self,
        callback_uri: str | None,
        extra_params: Mapping[str, Any] | None,
        http_client: AsyncHTTPClient | None,
    ) -> dict[str, str]:
        url = self._OAUTH_REQUEST_TOKEN_URL
        parameters: dict[str, Any] = {}
        if self._OAUTH_VERSION != "1.0":
            if callback_uri:
                parameters["oauth_callback"] = callback_uri
            parameters.update(extra_params or {})
        token = await self._fetch_token(url, None, parameters, http_client)
        confirmed = token.pop("oauth_callback_confirmed", None)
        if "oauth_callback" in parameters and confirmed != "true" and is_strict(self):
            # A provider of 1.0 would send whoever holds the token back to anywhere.
            raise AuthError(f"{host_of(url)} does not confirm the callback, as 1.0a wants")
        return token

    def _cookie_options(self) -> dict[str, Any]:
        handler = handler_of(self)
        return {
            "httponly": True,
            "secure": handler.request.protocol == "https",
            "samesite": "Lax",
            **handler.settings.get("auth_cookie_kwargs", {}),
        }

    def _raise_denial(self) -> None:
        handler = handler_of(self)
        denied = handler.get_argument("denied", None)  # Twitter's
        if denied and (known := self._remembered_token()) and denied == known["key"]:
            handler.clear_cookie(_COOKIE, **self._cookie_options())
            raise AuthError("the user refused", code="access_denied")

    # --- Back from it ----------------------------------------------------------------

    @callback_at(1)
    def get_authenticated_user(
        self,
        http_client: AsyncHTTPClient | None = None,
        callback: Callback | None = None,
    ) -> Future[dict[str, Any]]:
        """The user who comes back from the provider, with an ``access_token``.

        To be called in the handler of the callback URL, where ``oauth_token`` is an argument.

        Args:
            http_client: in place of `get_auth_http_client`.  (Up to Tornado 5 ``callback`` stood
                first and this second.)
            callback: called with the user, or with None if the login failed.

        Raises:
            AuthError: the login failed.
        """
        return answer(self._get_user(http_client), callback)

    async def _get_user(self, http_client: AsyncHTTPClient | None) -> dict[str, Any]:
        handler = handler_of(self)
        key = single_argument(handler, "oauth_token")
        verifier = single_argument(handler, "oauth_verifier")
        request_token = self._remembered_token()
        handler.clear_cookie(_COOKIE, **self._cookie_options())
        if not key:
            raise AuthError("the reply has no oauth_token", code="access_denied")
        if request_token is None:
            raise AuthError(
                "this browser has no login under way (missing cookie)", code="state_mismatch"
            )
        if not hmac.compare_digest(key.encode(), request_token["key"].encode()):
            raise AuthError(
                "the reply belongs to another login than this browser's", code="state_mismatch"
            )
        parameters = {}
        if self._OAUTH_VERSION != "1.0":
            if verifier:
                parameters["oauth_verifier"] = verifier
            elif is_strict(self):
                raise AuthError("the reply has no oauth_verifier, as 1.0a wants", code="forged")
        access_token = await self._fetch_token(
            self._OAUTH_ACCESS_TOKEN_URL, request_token, parameters, http_client
        )
        user = await who_is(self._oauth_get_user_future(access_token))
        user["access_token"] = access_token
        return user

    def _remembered_token(self) -> dict[str, str] | None:
        cookie = handler_of(self).get_cookie(_COOKIE)
        if not cookie:
            return None
        try:
            key, secret = (
                b64decode(part, validate=True).decode("utf-8") for part in cookie.split("|")
            )
        except (ValueError, binascii.Error):
            return None
        return {"key": key, "secret": secret}

    # --- Signing ---------------------------------------------------------------------

    async def _fetch_token(
        self,
        url: str,
        token: Mapping[str, Any] | None,
        parameters: Mapping[str, Any],
        http_client: AsyncHTTPClient | None,
    ) -> dict[str, str]:
        """Fetch a token: ``key``, ``secret``, and what else the provider sends along."""
        signed = {**parameters, **self._oauth_sign(url, token, parameters, "GET")}
        response = await fetch(self, with_query(url, signed), http_client)
        if response.code != 200:
            raise AuthError(
                f"{host_of(url)} answered with status {response.code}", code="bad_response"
            )
        found = dict(parse_qsl(response.body.decode("utf-8", "replace"), keep_blank_values=True))
        key, secret = found.pop("oauth_token", ""), found.pop("oauth_token_secret", None)
        if not key or secret is None:
            raise AuthError(f"{host_of(url)} did not answer with a token", code="bad_response")
        return {**found, "key": key, "secret": secret}

    def _oauth_request_parameters(
        self,
        url: str,
        access_token: dict[str, Any],
        parameters: dict[str, Any] | None = None,
        method: str = "GET",
    ) -> dict[str, Any]:
        """The OAuth parameters of a request, with the signature.

        Args:
            url: without the query.
            access_token: what `get_authenticated_user` gave as ``access_token``.
            parameters: all arguments of the request, of its query and its form.
            method: its method.
        """
        return self._oauth_sign(url, access_token, parameters or {}, method)

    def _oauth_sign(
        self,
        url: str,
        token: Mapping[str, Any] | None,
        parameters: Mapping[str, Any],
        method: str,
    ) -> dict[str, str]:
        # Not its Client, which logs what it signs, with the token.
        signing = need("oauthlib.oauth1.rfc5849.signature")
        common = need("oauthlib.common")
        consumer = self._oauth_consumer_token()
        added = {
            "oauth_consumer_key": consumer["key"],
            "oauth_nonce": common.generate_nonce(),
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": common.generate_timestamp(),
            "oauth_version": "1.0",
        }
        if token:
            added["oauth_token"] = token["key"]
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        pairs += [(name, _text(value)) for name, value in {**parameters, **added}.items()]
        base = signing.signature_base_string(
            method, signing.base_string_uri(url), signing.normalize_parameters(pairs)
        )
        secrets = SimpleNamespace(
            client_secret=consumer["secret"],
            resource_owner_secret=token["secret"] if token else "",
        )
        added["oauth_signature"] = signing.sign_hmac_sha1_with_client(base, secrets)
        return added

    async def _signed_request(
        self,
        url: str,
        access_token: dict[str, Any] | None,
        post_args: Mapping[str, Any] | None,
        args: Mapping[str, Any],
    ) -> Any:
        """Fetch ``url``, signed if there is a token, and return what its JSON says."""
        query = dict(args)
        if access_token:
            everything = {**args, **(post_args or {})}
            method = "GET" if post_args is None else "POST"
            query.update(self._oauth_request_parameters(url, access_token, everything, method))
        url = with_query(url, query)
        client = self.get_auth_http_client()
        if post_args is None:
            response = await client.fetch(url)
        else:
            response = await client.fetch(url, method="POST", body=urlencode(post_args))
        return json_decode(response.body)


def _text(value: Any) -> str:
    """``value`` as `urlencode` takes it."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
