"""GitHub: OAuth 2.0."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Mapping, Sequence
from typing import Any

from txtornado.auth._base import credentials, handler_of
from txtornado.auth._callbacks import Callback, answer, callback_at
from txtornado.auth._fetch import who_is
from txtornado.auth._oauth2 import OAuth2Mixin

__all__ = ["GitHubMixin"]


class GitHubMixin(OAuth2Mixin):
    """Login with GitHub, or a GitHub server of one's own, by OAuth 2.0 with PKCE; ours.

    The setting ``github_oauth`` holds what GitHub gave the application:
    ``{"key": client_id, "secret": client_secret}``; a ``cookie_secret`` is needed::

        class GitHubLoginHandler(RequestHandler, GitHubMixin):
            async def get(self):
                if self.get_argument("code", None):
                    user = await self.get_authenticated_user()
                    # Save the user, with set_signed_cookie for example.
                else:
                    self.authorize_redirect(scope=["read:user", "user:email"])

    Class attributes: those of `OAuth2Mixin`, ``_GITHUB_BASE_URL``, and ``_OAUTH_SETTINGS_KEY``.
    """

    _OAUTH_AUTHORIZE_URL = "https://github.com/login/oauth/authorize"
    _OAUTH_ACCESS_TOKEN_URL = "https://github.com/login/oauth/access_token"
    _GITHUB_BASE_URL = "https://api.github.com"
    _OAUTH_SETTINGS_KEY = "github_oauth"
    _OAUTH_PKCE = True
    _AUTH_STRICT = True

    def oauth2_credentials(self) -> tuple[str | None, str | None]:
        settings = credentials(self, self._OAUTH_SETTINGS_KEY)
        return settings["key"], settings.get("secret")

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
        """As in `OAuth2Mixin`; the client is that of the settings unless one is given.

        Without ``redirect_uri`` GitHub takes what is registered.
        """
        client_id = client_id or self.oauth2_credentials()[0]
        super().authorize_redirect(
            redirect_uri, client_id, client_secret, extra_params, scope, response_type,
            callback=callback,
        )  # fmt: skip

    def get_authenticated_user(
        self,
        redirect_uri: str | None = None,
        code: str | None = None,
        callback: Callback | None = None,
    ) -> Future[dict[str, Any]]:
        """The user who comes back from GitHub, with an ``access_token``.

        The dict is that of GitHub's ``/user``; ``id`` is what to know the user by, for ``login``
        can change.

        Args:
            redirect_uri: as it was given to `authorize_redirect`.
            code: the argument of the request by default.
            callback: called with the user, or with None if the login failed.

        Raises:
            AuthError: the login failed.
        """
        return answer(self._github_user(redirect_uri, code), callback)

    async def _github_user(self, redirect_uri: str | None, code: str | None) -> dict[str, Any]:
        code = code or handler_of(self).get_argument("code", "")
        tokens = await self.oauth2_exchange(code, redirect_uri)
        user = await who_is(self.github_request("/user", tokens["access_token"]))
        user["access_token"] = tokens["access_token"]
        return user

    def github_request(
        self,
        path: str,
        access_token: str,
        post_args: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        **args: Any,
    ) -> Future[Any]:
        """Ask GitHub's REST API for ``path``, such as ``/user/emails``, and return its JSON.

        Raises:
            HTTPClientError: the status is not 2xx.
        """
        headers = {"Accept": "application/vnd.github+json", "User-Agent": "txtornado"}
        url = self._GITHUB_BASE_URL + path
        return answer(self._oauth2_bearer(url, access_token, post_args, args, headers), callback)
