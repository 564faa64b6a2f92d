"""OAuth 2.0 (RFC 6749) with ``state`` (section 10.12) and PKCE (RFC 7636)."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from txtornado.auth import _attempts
from txtornado.auth._base import AuthBase, absolute, handler_of, is_strict, single_argument
from txtornado.auth._callbacks import Callback, answer, callback_at
from txtornado.auth._errors import AuthError, refusal
from txtornado.auth._fetch import basic_authorization, form_post, host_of, token_answer, with_query
from txtornado.concurrent import done_future, with_callback
from txtornado.escape import json_decode

__all__ = ["OAuth2Mixin"]


class OAuth2Mixin(AuthBase):
    """OAuth 2.0; see `GoogleOAuth2Mixin`, `GitHubMixin` and `FacebookGraphMixin` (Tornado 2.3).

    In applications with a ``cookie_secret``, `authorize_redirect` binds the login to the browser
    by ``state``.  The mixins that fetch tokens check that the reply brings it back; a handler that
    does so itself should use `oauth2_exchange`, which checks, too.  The setting
    ``auth_strict=False`` turns this off, for providers that do not return ``state`` and for codes
    that reach the application on other ways.

    Class attributes:

    * ``_OAUTH_AUTHORIZE_URL``: where users are sent.
    * ``_OAUTH_ACCESS_TOKEN_URL``: the token endpoint.
    * ``_OAUTH_REVOKE_URL``: the revocation endpoint (RFC 7009), if there is one.
    * ``_OAUTH_PKCE``: whether to use PKCE (S256), where ``state`` is used.  Off by default, for
      handlers that exchange the code by themselves.
    * ``_OAUTH_CLIENT_AUTH``: how a client with a secret proves itself: ``"post"`` or ``"basic"``.
    """

    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str
    _OAUTH_REVOKE_URL: str | None = None
    _OAUTH_PKCE = False
    _OAUTH_CLIENT_AUTH = "post"

    # --- To the provider -------------------------------------------------------------

    @callback_at(5)
    def authorize_redirect(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        extra_params: dict[str, Any] | None = None,
        scope: Sequence[str] | None = None,
        response_type: str = "code",
        callback: Callback | None = None,
    ) -> None:
        """Redirect the user to the provider, to log in and to grant access.

        Args:
            redirect_uri: where the provider is to send the user then; a path is one of this site.
                Most providers have it registered, and allow no other.
            client_id: the application's name with the provider.
            client_secret: not used; there for its place (Tornado 2.3).
            extra_params: further parameters.  A ``state`` here replaces ours, and is checked.
            scope: a list of what is asked for.  Before 4.0 ``callback`` stood here.
            response_type: ``"code"``, unless the application knows better.
            callback: called without arguments (Tornado 3.1 to 5.1).

        Raises:
            AuthError: this request is a provider's reply that refuses a login of this browser;
                without this, handlers would send the user back and forth.
        """
        handler = handler_of(self)
        arguments: dict[str, Any] = {"response_type": response_type}
        if redirect_uri is not None:
            redirect_uri = arguments["redirect_uri"] = absolute(handler, redirect_uri)
        if client_id is not None:
            arguments["client_id"] = client_id
        arguments.update(extra_params or {})
        if scope:
            arguments["scope"] = " ".join(scope)
        if is_strict(self):
            self._raise_refusal()
            arguments.update(self._begin_attempt(redirect_uri or "", arguments))
        handler.redirect(with_query(self._OAUTH_AUTHORIZE_URL, arguments))
        if callback is not None:
            with_callback(done_future(), callback)

    def _begin_attempt(
        self, redirect_uri: str, arguments: Mapping[str, Any], nonce: bool = False
    ) -> dict[str, str]:
        attempt = _attempts.begin(
            handler_of(self),
            self._oauth2_purpose(),
            redirect_uri,
            state=arguments.get("state"),
            pkce=self._OAUTH_PKCE and "code_challenge" not in arguments,
            nonce=nonce,
            by_post=arguments.get("response_mode") == "form_post",
        )
        added = {"state": attempt.state}
        if attempt.verifier:
            added["code_challenge"] = _attempts.challenge(attempt.verifier)
            added["code_challenge_method"] = "S256"
        if attempt.nonce:
            added["nonce"] = attempt.nonce
        return added

    def _oauth2_purpose(self) -> str:
        """What tells this login from others that the same browser may have under way."""
        return f"oauth2 {self._OAUTH_AUTHORIZE_URL}"

    def _raise_refusal(self) -> None:
        handler = handler_of(self)
        error = handler.get_argument("error", None)
        state = handler.get_argument("state", None)
        if error and state and any(one.state == state for one in _attempts.pending(handler)):
            _attempts.finish(handler, self._oauth2_purpose(), state)
            raise refusal(error, handler.get_argument("error_description", None))

    # --- Back from it ----------------------------------------------------------------

    def oauth2_check_reply(self) -> _attempts.Attempt | None:
        """Check that this request is the reply to a login that this browser began.

        To be called once per reply, before its ``code`` is used; `oauth2_exchange` does.

        Returns:
            The attempt, or None when the checks are off.

        Raises:
            AuthError: it is not, or the provider refused.
        """
        handler = handler_of(self)
        attempt = None
        if is_strict(self):
            state = single_argument(handler, "state")
            attempt = _attempts.finish(handler, self._oauth2_purpose(), state)
        if error := handler.get_argument("error", None):
            raise refusal(error, handler.get_argument("error_description", None))
        return attempt

    async def oauth2_exchange(
        self,
        code: str,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> dict[str, Any]:
        """Check the reply and exchange its ``code`` for tokens; ours.

        Returns:
            The provider's answer: ``access_token``, and perhaps ``refresh_token``,
            ``expires_in``, ``scope``, ``id_token`` …

        Raises:
            AuthError: see `oauth2_check_reply`; or the provider did not grant a token.
        """
        attempt = self.oauth2_check_reply()
        fields = {
            "grant_type": "authorization_code",
            **self._code_fields(attempt, code, redirect_uri),
        }
        return await self._oauth2_token(fields, client_id, client_secret)

    def _code_fields(
        self, attempt: _attempts.Attempt | None, code: str, redirect_uri: str | None
    ) -> dict[str, str]:
        if not code:
            raise AuthError("the reply has no code", code="bad_response")
        fields = {"code": code}
        if redirect_uri is not None:
            # Just as it was sent to the provider, which compares them.
            redirect_uri = absolute(handler_of(self), redirect_uri)
            if attempt is not None and not attempt.is_for(redirect_uri):
                raise AuthError(
                    "redirect_uri must be the same in authorize_redirect() and here",
                    code="state_mismatch",
                )
            fields["redirect_uri"] = redirect_uri
        if attempt is not None and attempt.verifier:
            fields["code_verifier"] = attempt.verifier
        return fields

    async def oauth2_refresh(
        self,
        refresh_token: str,
        client_id: str | None = None,
        client_secret: str | None = None,
        scope: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Get a new access token for a refresh token (RFC 6749 section 6); ours.

        The answer may hold a new ``refresh_token``, which replaces the old one; if it does not,
        the old one is put in.

        Raises:
            AuthError: ``code`` is ``"invalid_grant"`` when the user has to log in again.
        """
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if scope:
            fields["scope"] = " ".join(scope)
        tokens = await self._oauth2_token(fields, client_id, client_secret)
        tokens.setdefault("refresh_token", refresh_token)
        return tokens

    async def oauth2_revoke(
        self,
        token: str,
        token_type_hint: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> None:
        """Make a token useless (RFC 7009), as when a user logs out; ours.

        Raises:
            AuthError: the provider has no ``_OAUTH_REVOKE_URL``, or did not do it.
        """
        who = (client_id, client_secret, self._OAUTH_CLIENT_AUTH)
        await self._oauth2_revoke(self._OAUTH_REVOKE_URL, token, token_type_hint, *who)

    async def _oauth2_revoke(
        self,
        url: str | None,
        token: str,
        token_type_hint: str | None,
        client_id: str | None,
        client_secret: str | None,
        proof: str,
    ) -> None:
        if not url:
            raise AuthError("this provider has no revocation endpoint")
        fields = {"token": token}
        if token_type_hint:
            fields["token_type_hint"] = token_type_hint
        fields, headers = self._client_proof(fields, client_id, client_secret, proof)
        response = await form_post(self, url, fields, headers=headers)
        if response.code != 200:
            raise AuthError(
                f"{host_of(url)} answered with status {response.code}", code="bad_response"
            )

    def oauth2_credentials(self) -> tuple[str | None, str | None]:
        """The application's key and secret when none are given; from a setting, in subclasses."""
        return None, None

    async def _oauth2_token(
        self, fields: dict[str, str], client_id: str | None, client_secret: str | None
    ) -> dict[str, Any]:
        url = self._OAUTH_ACCESS_TOKEN_URL
        proof = self._OAUTH_CLIENT_AUTH
        fields, headers = self._client_proof(fields, client_id, client_secret, proof)
        return token_answer(url, await form_post(self, url, fields, headers=headers))

    def _client_proof(
        self,
        fields: dict[str, str],
        client_id: str | None,
        client_secret: str | None,
        proof: str,
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Add the client's identity to ``fields``, or to headers."""
        if client_id is None:
            client_id, known_secret = self.oauth2_credentials()
            client_secret = client_secret or known_secret
        if client_id is None:
            raise AuthError("the token endpoint needs a client_id")
        if client_secret and proof == "basic":
            return fields, {"Authorization": basic_authorization(client_id, client_secret)}
        fields = {**fields, "client_id": client_id}
        if client_secret:
            fields["client_secret"] = client_secret
        return fields, {}

    # --- With a token ----------------------------------------------------------------

    def _oauth_request_token_url(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        code: str | None = None,
        extra_params: dict[str, Any] | None = None,
    ) -> str:
        """The URL that exchanges a code by GET, as providers before RFC 6749 had it."""
        given = {
            "redirect_uri": redirect_uri,
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        arguments = {name: value for name, value in given.items() if value is not None}
        arguments.update(extra_params or {})
        return with_query(self._OAUTH_ACCESS_TOKEN_URL, arguments)

    @callback_at(2)
    def oauth2_request(
        self,
        url: str,
        access_token: str | None = None,
        post_args: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        **args: Any,
    ) -> Future[Any]:
        """Fetch a URL with an access token and return what its JSON says (since 4.3).

        A POST if ``post_args`` is given, which is its form; ``args`` is the query.  The token
        travels in the query, as the documented API has it; `oauth2_bearer_request` puts it in a
        header.

        Raises:
            HTTPClientError: the status is not 2xx.
        """
        return answer(self._oauth2_fetch(url, access_token, post_args, args), callback)

    async def _oauth2_fetch(
        self,
        url: str,
        access_token: str | None,
        post_args: Mapping[str, Any] | None,
        args: Mapping[str, Any],
    ) -> Any:
        arguments = {"access_token": access_token, **args} if access_token else dict(args)
        client = self.get_auth_http_client()
        if post_args is None:
            response = await client.fetch(with_query(url, arguments))
        else:
            response = await client.fetch(
                with_query(url, arguments), method="POST", body=urlencode(post_args)
            )
        return json_decode(response.body)

    def oauth2_bearer_request(
        self,
        url: str,
        access_token: str,
        post_args: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        **args: Any,
    ) -> Future[Any]:
        """As `oauth2_request`, with the token in a header (RFC 6750 section 2.1); ours.

        Most of today's providers take it there only.
        """
        return answer(self._oauth2_bearer(url, access_token, post_args, args), callback)

    async def _oauth2_bearer(
        self,
        url: str,
        access_token: str,
        post_args: Mapping[str, Any] | None,
        args: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        sent = {**(headers or {}), "Authorization": f"Bearer {access_token}"}
        options: dict[str, Any] = {"headers": sent, "follow_redirects": False}
        if post_args is not None:
            options.update(method="POST", body=urlencode(post_args))
        response = await self.get_auth_http_client().fetch(with_query(url, args), **options)
        return json_decode(response.body)
