"""Twitter, today X: OAuth 1.0a."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Mapping
from typing import Any

from txtornado.auth._base import handler_of
from txtornado.auth._callbacks import Callback, answer, callback_at, redirecting
from txtornado.auth._oauth1 import OAuthMixin

__all__ = ["TwitterMixin"]


class TwitterMixin(OAuthMixin):
    """Login with Twitter, by OAuth 1.0a (Tornado 0.2).

    The settings ``twitter_consumer_key`` and ``twitter_consumer_secret`` hold what Twitter gave
    the application.  The user has what Twitter tells, ``username`` and ``access_token``::

        class TwitterLoginHandler(RequestHandler, TwitterMixin):
            async def get(self):
                if "oauth_token" not in self.request.arguments:
                    await self.authorize_redirect()
                    return
                visitor = await self.get_authenticated_user()
                self.set_signed_cookie("visitor", visitor["username"])
                self.redirect("/")

    Version 1.1 of the API, which this speaks, is closed to most applications; the addresses are
    class attributes, for services that speak it still.

    Class attributes: those of `OAuthMixin`, ``_OAUTH_AUTHENTICATE_URL``, ``_TWITTER_BASE_URL``.
    """

    _OAUTH_REQUEST_TOKEN_URL = "https://api.twitter.com/oauth/request_token"
    _OAUTH_ACCESS_TOKEN_URL = "https://api.twitter.com/oauth/access_token"
    _OAUTH_AUTHORIZE_URL = "https://api.twitter.com/oauth/authorize"
    _OAUTH_AUTHENTICATE_URL = "https://api.twitter.com/oauth/authenticate"
    _OAUTH_NO_CALLBACKS = False
    _TWITTER_BASE_URL = "https://api.twitter.com/1.1"

    def authenticate_redirect(
        self, callback_uri: str | None = None, callback: Callback | None = None
    ) -> Future[None]:
        """As `authorize_redirect`, but users who agreed before are not asked again; await it."""
        return redirecting(self._redirect(self._OAUTH_AUTHENTICATE_URL, callback_uri), callback)

    @callback_at(2)
    def twitter_request(
        self,
        path: str,
        access_token: dict[str, Any] | None = None,
        post_args: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        **args: Any,
    ) -> Future[Any]:
        """Ask Twitter's API, and return what its JSON says.

        Args:
            path: such as ``/statuses/user_timeline/btaylor``, without ``.json``; or a whole URL.
            access_token: of the user (``user["access_token"]``).  (Up to Tornado 5 ``callback``
                stood here, and the rest after it.)
            post_args: the form, for a POST.
            callback: called with the result, or with None after an error.
            args: the query.

        Raises:
            HTTPClientError: the status is not 2xx.
        """
        whole = path.startswith(("http://", "https://"))
        url = path if whole else f"{self._TWITTER_BASE_URL}{path}.json"
        return answer(self._signed_request(url, access_token, post_args, args), callback)

    def _oauth_consumer_token(self) -> dict[str, Any]:
        handler = handler_of(self)
        for name in ("twitter_consumer_key", "twitter_consumer_secret"):
            handler.require_setting(name, "Twitter OAuth")
        return {
            "key": handler.settings["twitter_consumer_key"],
            "secret": handler.settings["twitter_consumer_secret"],
        }

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> Any:
        user = await self.twitter_request("/account/verify_credentials", access_token)
        if user:
            user["username"] = user["screen_name"]
        return user
