"""FriendFeed, gone since 2015: OAuth 1.0."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Mapping
from typing import Any

from txtornado.auth._base import handler_of
from txtornado.auth._callbacks import Callback, answer, callback_at
from txtornado.auth._oauth1 import OAuthMixin

__all__ = ["FriendFeedMixin"]


class FriendFeedMixin(OAuthMixin):
    """Login with FriendFeed, by OAuth 1.0 (Tornado 0.2 to 3).

    The service closed in 2015.  The class stays for applications written for it; its addresses
    are class attributes that can point to another server with the same API.

    The settings ``friendfeed_consumer_key`` and ``friendfeed_consumer_secret`` hold what the
    service gave the application.  The user has ``username``, ``name``, ``description`` and
    ``access_token``.

    Class attributes: those of `OAuthMixin`, and ``_FRIENDFEED_BASE_URL``.
    """

    _OAUTH_VERSION = "1.0"
    _OAUTH_REQUEST_TOKEN_URL = "https://friendfeed.com/account/oauth/request_token"
    _OAUTH_ACCESS_TOKEN_URL = "https://friendfeed.com/account/oauth/access_token"
    _OAUTH_AUTHORIZE_URL = "https://friendfeed.com/account/oauth/authorize"
    _OAUTH_NO_CALLBACKS = True
    _FRIENDFEED_BASE_URL = "http://friendfeed-api.com/v2"

    @callback_at(2)
    def friendfeed_request(
        self,
        path: str,
        access_token: dict[str, Any] | None = None,
        post_args: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        **args: Any,
    ) -> Future[Any]:
        """Ask FriendFeed's API for ``path``, such as ``/bret/friends``.

        The parameters, and their older order, are those of `TwitterMixin.twitter_request`.
        """
        url = self._FRIENDFEED_BASE_URL + path
        return answer(self._signed_request(url, access_token, post_args, args), callback)

    def _oauth_consumer_token(self) -> dict[str, Any]:
        handler = handler_of(self)
        for name in ("friendfeed_consumer_key", "friendfeed_consumer_secret"):
            handler.require_setting(name, "FriendFeed OAuth")
        return {
            "key": handler.settings["friendfeed_consumer_key"],
            "secret": handler.settings["friendfeed_consumer_secret"],
        }

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> Any:
        user = await self.friendfeed_request(
            "/feedinfo/" + access_token["username"],
            access_token=access_token,
            include="id,name,description",
        )
        if user:
            user["username"] = user["id"]
        return user
