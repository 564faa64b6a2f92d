"""OpenID Connect: login with any provider that describes itself."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from txtornado.auth import _attempts, _id_token
from txtornado.auth._base import absolute, credentials, handler_of, single_argument
from txtornado.auth._callbacks import Callback, answer, redirecting
from txtornado.auth._errors import AuthError
from txtornado.auth._fetch import fetch, form_post, json_object, token_answer, with_query
from txtornado.auth._needs import need
from txtornado.auth._oauth2 import OAuth2Mixin
from txtornado.auth._oidc_provider import Provider, provider_of

__all__ = ["OpenIDConnectMixin"]

_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TOKENS = ("access_token", "token_type", "expires_in", "refresh_token", "id_token", "scope")
_SCOPE = ("openid", "profile", "email")


class OpenIDConnectMixin(OAuth2Mixin):
    """Login with any OpenID Connect provider, of which only the issuer's address is needed; ours.

    ::

        class LoginHandler(RequestHandler, OpenIDConnectMixin):
            async def get(self):
                if self.get_argument("code", None):
                    user = await self.get_authenticated_user()
                    self.set_signed_cookie("user", user["sub"])
                    self.redirect("/")
                else:
                    await self.authenticate_redirect()

        Application([("/login", LoginHandler)],
            cookie_secret="...",
            oidc={"issuer": "https://accounts.google.com", "key": "...", "secret": "..."})

    ``state``, ``nonce`` and PKCE are always used, so that the application must have a
    ``cookie_secret``.  Addresses and keys come from the issuer by itself (Discovery 1.0); new keys
    are noticed.  Tokens signed with a client's secret (HS256) and encrypted tokens are not
    accepted.  Needs ``pip install txtornado[auth]``.

    Class attributes:

    * ``_OAUTH_SETTINGS_KEY``: the setting to use, ``"oidc"`` by default; give each provider a
      subclass and a setting of its own.
    * ``_OIDC_CLOCK_SKEW``: seconds that the provider's clock and ours may differ by.
    * ``_OIDC_USERINFO``: whether to ask the provider for more about the user than the
      ``id_token`` says.
    """

    _OAUTH_SETTINGS_KEY = "oidc"
    _OAUTH_PKCE = True
    _AUTH_STRICT = True
    _OIDC_CLOCK_SKEW = 60.0
    _OIDC_USERINFO = True

    def get_oidc_settings(self) -> Mapping[str, Any]:
        """``issuer``, ``key`` and ``secret`` (None for a public client); override to have others."""
        return credentials(self, self._OAUTH_SETTINGS_KEY)

    def oauth2_credentials(self) -> tuple[str | None, str | None]:
        settings = self.get_oidc_settings()
        return settings["key"], settings.get("secret")

    def _oauth2_purpose(self) -> str:
        return f"oidc {self._oidc_provider().issuer}"

    def _oidc_provider(self) -> Provider:
        issuer = self.get_oidc_settings().get("issuer")
        if not isinstance(issuer, str):
            raise AuthError(f"the setting {self._OAUTH_SETTINGS_KEY!r} has no 'issuer'")
        return provider_of(self, issuer)

    # --- To the provider -------------------------------------------------------------

    def authenticate_redirect(
        self,
        redirect_uri: str | None = None,
        scope: Sequence[str] = _SCOPE,
        extra_params: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
    ) -> Future[None]:
        """Redirect the user to the provider, to log in; ends the request.

        Args:
            redirect_uri: where the provider is to send the user then; a path is one of this site.  By
                default the page that is asked for, without its query.  It must be registered.
            scope: what to ask about the user; ``openid`` is added.
            extra_params: further parameters, such as ``prompt``, ``max_age``, ``login_hint``.
            callback: called without arguments at the end.

        Raises:
            AuthError: the provider cannot be reached or is no OpenID Connect provider; or this
                request is its reply that refuses a login of this browser.
        """
        return redirecting(self._oidc_redirect(redirect_uri, scope, extra_params), callback)

    def authorize_redirect(  # type: ignore[override]
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        extra_params: Mapping[str, Any] | None = None,
        scope: Sequence[str] | None = None,
        response_type: str = "code",
        callback: Callback | None = None,
    ) -> Future[None]:
        """`authenticate_redirect` by the name of OAuth 2.0; the client is that of the settings."""
        if response_type != "code":
            raise ValueError("only response_type='code' is supported")
        return self.authenticate_redirect(redirect_uri, scope or _SCOPE, extra_params, callback)

    async def _oidc_redirect(
        self,
        redirect_uri: str | None,
        scope: Sequence[str],
        extra_params: Mapping[str, Any] | None,
    ) -> None:
        need("jwt")  # better now than when the user comes back
        handler_of(self).require_setting("cookie_secret", "OpenID Connect")
        self._raise_refusal()
        described = await self._oidc_provider().describe(self)
        redirect_uri = self._oidc_redirect_uri(redirect_uri)
        arguments: dict[str, Any] = {
            "response_type": "code",
            "client_id": self.oauth2_credentials()[0],
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys(("openid", *scope))),
            **(extra_params or {}),
        }
        arguments.update(self._begin_attempt(redirect_uri, arguments, nonce=True))
        handler_of(self).redirect(with_query(described["authorization_endpoint"], arguments))

    def _oidc_redirect_uri(self, redirect_uri: str | None) -> str:
        handler = handler_of(self)
        if redirect_uri is not None:
            return absolute(handler, redirect_uri)
        here = urlsplit(handler.request.full_url())
        return urlunsplit(here._replace(query="", fragment=""))

    # --- Back from it ----------------------------------------------------------------

    def get_authenticated_user(
        self,
        redirect_uri: str | None = None,
        code: str | None = None,
        callback: Callback | None = None,
    ) -> Future[dict[str, Any]]:
        """The user who comes back from the provider.

        The dict holds the claims about the user (``sub``, by which with ``iss`` to know the user,
        ``name``, ``email`` …) and the provider's ``access_token``, ``id_token``, ``expires_in`` and
        ``refresh_token``, as far as there are.

        Args:
            redirect_uri: as it was given to `authenticate_redirect`.
            code: the argument ``code`` of the request by default.
            callback: called with the user, or with None if the login failed.

        Raises:
            AuthError: the login failed.
        """
        return answer(self._oidc_user(redirect_uri, code), callback)

    async def _oidc_user(self, redirect_uri: str | None, code: str | None) -> dict[str, Any]:
        provider = self._oidc_provider()
        attempt = cast("_attempts.Attempt", self.oauth2_check_reply())
        described = await provider.describe(self)
        self._check_sender(provider, described)
        code = code or single_argument(handler_of(self), "code")
        fields = self._code_fields(attempt, code or "", self._oidc_redirect_uri(redirect_uri))
        tokens = await self._oauth2_token(
            {"grant_type": "authorization_code", **fields}, None, None
        )
        claims = await self._id_claims(provider, tokens)
        _id_token.check_login(claims, attempt.nonce)
        if self._OIDC_USERINFO and described.get("userinfo_endpoint"):
            claims = {
                **await self._userinfo(described["userinfo_endpoint"], tokens, claims),
                **claims,
            }
        return {**claims, **_kept(tokens)}

    def _check_sender(self, provider: Provider, described: Mapping[str, Any]) -> None:
        """RFC 9207: a reply says whose it is, lest one provider pass for another."""
        sender = single_argument(handler_of(self), "iss")
        if sender is None and not described.get("authorization_response_iss_parameter_supported"):
            return
        if sender != provider.issuer:
            raise AuthError("the reply is of another provider (iss)", code="forged")

    async def _id_claims(self, provider: Provider, tokens: Mapping[str, Any]) -> dict[str, Any]:
        token = tokens.get("id_token")
        client_id = str(self.oauth2_credentials()[0])
        skew = self._OIDC_CLOCK_SKEW
        claims = await _id_token.verified(self, provider, token, client_id, skew)
        algorithm = need("jwt").get_unverified_header(token)["alg"]
        _id_token.check_access_token(claims, tokens["access_token"], algorithm)
        return claims

    async def _userinfo(
        self, url: str, tokens: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {tokens['access_token']}",
            "Accept": "application/json",
        }
        found = json_object(url, await fetch(self, url, headers=headers))
        if found.get("sub") != claims["sub"]:
            raise AuthError("the provider's userinfo is about somebody else", code="forged")
        return found

    async def _oauth2_token(
        self, fields: dict[str, str], client_id: str | None, client_secret: str | None
    ) -> dict[str, Any]:
        described = await self._oidc_provider().describe(self)
        url = described["token_endpoint"]
        fields, headers = self._client_proof(fields, client_id, client_secret, _proof(described))
        return token_answer(url, await form_post(self, url, fields, headers=headers))

    # --- Afterwards ------------------------------------------------------------------

    def refresh_user(
        self, user: Mapping[str, Any], callback: Callback | None = None
    ) -> Future[dict[str, Any]]:
        """Get new tokens for a user with a ``refresh_token`` (OpenID Connect Core 12).

        Returns:
            The user with them.

        Raises:
            AuthError: ``code`` is ``"invalid_grant"`` when the user has to log in again.
        """
        return answer(self._oidc_refresh(user), callback)

    async def _oidc_refresh(self, user: Mapping[str, Any]) -> dict[str, Any]:
        token = user.get("refresh_token")
        if not token:
            raise AuthError("the user has no refresh_token (ask for the scope offline_access)")
        tokens = await self.oauth2_refresh(token)
        claims: dict[str, Any] = {}
        if "id_token" in tokens:
            claims = await self._id_claims(self._oidc_provider(), tokens)
            if (claims["sub"], claims["iss"]) != (user.get("sub"), user.get("iss")):
                raise AuthError("the refreshed tokens are somebody else's", code="forged")
        return {**user, **claims, **_kept(tokens)}

    def logout_redirect(
        self,
        id_token: str | None = None,
        post_logout_redirect_uri: str = "/",
        extra_params: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
    ) -> Future[None]:
        """Log the user out at the provider, too (RP-Initiated Logout 1.0); ends the request.

        The application's own cookies are its own to clear.

        Args:
            id_token: the user's, so that the provider need not ask.
            post_logout_redirect_uri: where the provider is to send the user then; a path is one of
                this site.  It must be registered.  Where the provider has no logout, the user goes
                there at once.
            extra_params: further parameters, such as ``state``.
            callback: called without arguments at the end.
        """
        return redirecting(
            self._oidc_logout(id_token, post_logout_redirect_uri, extra_params), callback
        )

    async def _oidc_logout(
        self, id_token: str | None, back: str, extra_params: Mapping[str, Any] | None
    ) -> None:
        back = self._oidc_redirect_uri(back)
        described = await self._oidc_provider().describe(self)
        url = described.get("end_session_endpoint")
        if url:
            arguments = {
                "client_id": self.oauth2_credentials()[0],
                "post_logout_redirect_uri": back,
                **(extra_params or {}),
            }
            if id_token:
                arguments["id_token_hint"] = id_token
            back = with_query(url, arguments)
        handler_of(self).redirect(back)

    async def verify_logout_token(self, token: str) -> dict[str, Any]:
        """Check a token with which the provider says that a user logged out there.

        For the handler that the provider posts ``logout_token`` to (Back-Channel Logout 1.0);
        the application then ends its sessions of ``sub``, or of ``sid``.  Each token should be
        taken once: ``jti`` names it.

        Raises:
            AuthError: it does not hold.
        """
        provider = self._oidc_provider()
        await provider.describe(self)
        required = ("iss", "aud", "iat", "exp", "jti", "events")
        client_id = str(self.oauth2_credentials()[0])
        claims = await _id_token.verified(
            self, provider, token, client_id, self._OIDC_CLOCK_SKEW, required
        )
        events = claims["events"]
        if not isinstance(events, dict) or _LOGOUT_EVENT not in events or "nonce" in claims:
            raise AuthError("the token is not about a logout", code="forged")
        if not (claims.get("sub") or claims.get("sid")):
            raise AuthError("the token names nobody", code="forged")
        return claims

    async def oauth2_revoke(
        self,
        token: str,
        token_type_hint: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> None:
        """As in `OAuth2Mixin`, at the provider's endpoint."""
        described = await self._oidc_provider().describe(self)
        url = described.get("revocation_endpoint")
        who = (client_id, client_secret, _proof(described))
        await self._oauth2_revoke(url, token, token_type_hint, *who)


def _kept(tokens: Mapping[str, Any]) -> dict[str, Any]:
    """What a token endpoint may say; who the user is, is the ``id_token``'s to say."""
    return {name: tokens[name] for name in _TOKENS if name in tokens}


def _proof(described: Mapping[str, Any]) -> str:
    """How a client with a secret proves itself to a provider, Discovery's default first."""
    known = described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return "basic" if "client_secret_basic" in known else "post"
