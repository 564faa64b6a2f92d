"""Google: OAuth 2.0 today, and OpenID 2.0 with OAuth 1.0 that it had once."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Mapping
from typing import Any

from txtornado.auth import _ax
from txtornado.auth._base import credentials, handler_of
from txtornado.auth._callbacks import Callback, answer, callback_at
from txtornado.auth._errors import AuthError
from txtornado.auth._oauth1 import OAuthMixin
from txtornado.auth._oauth2 import OAuth2Mixin
from txtornado.auth._openid import OpenIdMixin
from txtornado.concurrent import done_future, with_callback
from txtornado.httpclient import AsyncHTTPClient

__all__ = ["GoogleMixin", "GoogleOAuth2Mixin"]

_OAUTH_EXTENSION = "http://specs.openid.net/extensions/oauth/1.0"
_DEFAULT_ATTRS = ["name", "email", "language", "username"]


class GoogleOAuth2Mixin(OAuth2Mixin):
    """Login with Google, by OAuth 2.0 with PKCE (Tornado 3.2).

    The setting ``google_oauth`` holds what Google's console gave the application, where
    ``redirect_uri`` is to be registered, too: ``{"key": client_id, "secret": client_secret}``.
    For who the user is, `OpenIDConnectMixin` with the issuer ``https://accounts.google.com`` is
    the better choice; this is for access to Google's services::

        class GoogleLoginHandler(RequestHandler, GoogleOAuth2Mixin):
            async def get(self):
                redirect_uri = "https://www.example.com/auth/google"
                if self.get_argument("code", None):
                    access = await self.get_authenticated_user(
                        redirect_uri=redirect_uri, code=self.get_argument("code"))
                    user = await self.oauth2_request(
                        self._OAUTH_USERINFO_URL, access_token=access["access_token"])
                    # Save the user, with set_signed_cookie for example.
                else:
                    self.authorize_redirect(
                        redirect_uri=redirect_uri,
                        client_id=self.get_google_oauth_settings()["key"],
                        scope=["profile", "email"])
    """

    _OAUTH_AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
    _OAUTH_ACCESS_TOKEN_URL = "https://www.googleapis.com/oauth2/v4/token"
    _OAUTH_USERINFO_URL = "https://www.googleapis.com/oauth2/v1/userinfo"
    _OAUTH_REVOKE_URL = "https://oauth2.googleapis.com/revoke"
    _OAUTH_NO_CALLBACKS = False
    _OAUTH_SETTINGS_KEY = "google_oauth"
    _OAUTH_PKCE = True

    def get_google_oauth_settings(self) -> dict[str, str]:
        """``key`` and ``secret`` of the application; override to keep them elsewhere."""
        return dict(credentials(self, self._OAUTH_SETTINGS_KEY))

    def oauth2_credentials(self) -> tuple[str | None, str | None]:
        settings = self.get_google_oauth_settings()
        return settings["key"], settings.get("secret")

    @callback_at(3)
    def get_authenticated_user(
        self,
        redirect_uri: str,
        code: str,
        client_id: str | None = None,
        client_secret: str | None = None,
        callback: Callback | None = None,
    ) -> Future[dict[str, Any]]:
        """Exchange ``code`` for an ``access_token`` of the user, in a dict with what came along.

        Unlike others of this name it tells nothing else of the user; ask for that with
        `oauth2_request`.

        Args:
            redirect_uri: as it was given to `authorize_redirect`.
            code: the argument of the request.
            client_id: in place of the settings' ``key``.  (Before 6.2 ``callback`` stood here.)
            client_secret: in place of the settings' ``secret``.
            callback: called with the result, or with None if the login failed.

        Raises:
            AuthError: the login failed.
        """
        return answer(self.oauth2_exchange(code, redirect_uri, client_id, client_secret), callback)


class GoogleMixin(OpenIdMixin, OAuthMixin):
    """Login with Google by OpenID 2.0, with access by OAuth 1.0 (Tornado 0.2 to 3).

    Google ended the service in 2015: use `OpenIDConnectMixin` or `GoogleOAuth2Mixin`.  The class
    stays for applications written for it; its addresses are class attributes that can point to
    another provider.  `authorize_redirect` needs the settings ``google_consumer_key`` and
    ``google_consumer_secret``.
    """

    _OPENID_ENDPOINT = "https://www.google.com/accounts/o8/ud"
    _OAUTH_ACCESS_TOKEN_URL = "https://www.google.com/accounts/OAuthGetAccessToken"

    def authorize_redirect(  # type: ignore[override]
        self,
        oauth_scope: str,
        callback_uri: str | None = None,
        ax_attrs: list[str] = _DEFAULT_ATTRS,
        callback: Callback | None = None,
    ) -> None:
        """Redirect the user to log in and to grant access to a Google resource.

        Args:
            oauth_scope: the resources' URLs, with spaces between them.
            callback_uri: as in `authenticate_redirect`.
            ax_attrs: as in `authenticate_redirect`.
            callback: called without arguments (Tornado 3.1).
        """
        self._openid_redirect(callback_uri, ax_attrs, oauth_scope)
        if callback is not None:
            with_callback(done_future(), callback)

    async def _openid_user(self, http_client: AsyncHTTPClient | None) -> dict[str, Any]:
        reply = await self._openid_verified(http_client)
        user: dict[str, Any] = _ax.user(reply)
        key = _granted_token(reply)
        if key is not None:
            url = self._OAUTH_ACCESS_TOKEN_URL
            token = {"key": key, "secret": ""}
            user["access_token"] = await self._fetch_token(url, token, {}, http_client)
        return user

    @callback_at(1)
    def get_authenticated_user(
        self, http_client: AsyncHTTPClient | None = None, callback: Callback | None = None
    ) -> Future[dict[str, Any]]:
        """The user who comes back, with an ``access_token`` after `authorize_redirect`.

        See `OpenIdMixin.get_authenticated_user`.
        """
        return OpenIdMixin.get_authenticated_user(self, http_client, callback=callback)

    def _oauth_consumer_token(self) -> dict[str, Any]:
        handler = handler_of(self)
        for name in ("google_consumer_key", "google_consumer_secret"):
            handler.require_setting(name, "Google OAuth")
        return {
            "key": handler.settings["google_consumer_key"],
            "secret": handler.settings["google_consumer_secret"],
        }

    def _oauth_get_user_future(self, access_token: dict[str, Any]) -> Any:
        raise AuthError("the user comes with the OpenID reply")


def _granted_token(reply: Mapping[str, str]) -> str | None:
    """The request token of the OAuth extension in a verified reply, if one was granted."""
    for name, value in reply.items():
        if value == _OAUTH_EXTENSION and name.startswith("ns."):
            return reply.get(f"{name.removeprefix('ns.')}.request_token")
    return None
