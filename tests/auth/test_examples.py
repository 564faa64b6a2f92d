"""The examples of chapter 4.1 of Tornado 2.3's documentation, run as they stand there.

Only what they leave open is filled in: what becomes of the user, and, in a subclass, the
addresses, which point to providers on this machine.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import quote

import txtornado.auth
import txtornado.web
from txtornado.web import RequestHandler

from .support import SECRET, AuthTestCase, Page, missing, query_of
from .test_providers import CLIENT_SECRET as FACEBOOK_SECRET
from .test_providers import Provider as FacebookProvider
from .test_providers import old_signature

skip = missing("openid", "oauthlib")
if not skip:
    from .oauth1_provider import CONSUMER_SECRET, KEY
    from .oauth1_provider import Provider as OAuth1Provider
    from .openid_provider import Provider as OpenIDProvider


class GoogleHandler(txtornado.web.RequestHandler, txtornado.auth.GoogleMixin):
    @txtornado.web.asynchronous
    def get(self):
        if self.get_argument("openid.mode", None):
            self.get_authenticated_user(self.async_callback(self._on_auth))
            return
        self.authenticate_redirect()

    def _on_auth(self, user):
        if not user:
            raise txtornado.web.HTTPError(500, "Google auth failed")
        self.save(user)


class TwitterHandler(txtornado.web.RequestHandler, txtornado.auth.TwitterMixin):
    @txtornado.web.asynchronous
    def get(self):
        if self.get_argument("oauth_token", None):
            self.get_authenticated_user(self.async_callback(self._on_auth))
            return
        self.authorize_redirect()

    def _on_auth(self, user):
        if not user:
            raise txtornado.web.HTTPError(500, "Twitter auth failed")
        self.save(user)


class TweetHandler(txtornado.web.RequestHandler, txtornado.auth.TwitterMixin):
    @txtornado.web.authenticated
    @txtornado.web.asynchronous
    def get(self):
        self.twitter_request(
            "/statuses/update",
            post_args={"status": "Testing Tornado Web Server"},
            access_token=self.current_user["access_token"],
            callback=self.async_callback(self._on_post),
        )

    def _on_post(self, new_entry):
        if not new_entry:
            # Call failed; perhaps missing permission?
            self.authorize_redirect()
            return
        self.finish("Posted a message!")


class FriendFeedHandler(txtornado.web.RequestHandler, txtornado.auth.FriendFeedMixin):
    @txtornado.web.asynchronous
    def get(self):
        if self.get_argument("oauth_token", None):
            self.get_authenticated_user(self.async_callback(self._on_auth))
            return
        self.authorize_redirect()

    def _on_auth(self, user):
        if not user:
            raise txtornado.web.HTTPError(500, "FriendFeed auth failed")
        self.save(user)


class EntryHandler(txtornado.web.RequestHandler, txtornado.auth.FriendFeedMixin):
    @txtornado.web.authenticated
    @txtornado.web.asynchronous
    def get(self):
        self.friendfeed_request(
            "/entry",
            post_args={"body": "Testing Tornado Web Server"},
            access_token=self.current_user["access_token"],
            callback=self.async_callback(self._on_post),
        )

    def _on_post(self, new_entry):
        if not new_entry:
            # Call failed; perhaps missing permission?
            self.authorize_redirect()
            return
        self.finish("Posted a message!")


class FacebookHandler(txtornado.web.RequestHandler, txtornado.auth.FacebookMixin):
    @txtornado.web.asynchronous
    def get(self):
        if self.get_argument("session", None):
            self.get_authenticated_user(self.async_callback(self._on_auth))
            return
        self.authenticate_redirect()

    def _on_auth(self, user):
        if not user:
            raise txtornado.web.HTTPError(500, "Facebook auth failed")
        self.save(user)


class StreamHandler(txtornado.web.RequestHandler, txtornado.auth.FacebookMixin):
    @txtornado.web.authenticated
    @txtornado.web.asynchronous
    def get(self):
        self.facebook_request(
            method="stream.get",
            callback=self.async_callback(self._on_stream),
            session_key=self.current_user["session_key"],
        )

    def _on_stream(self, stream):
        if stream is None:
            # Not authorized to read the stream yet?
            self.authorize_redirect("read_stream")
            return
        self.finish({"stream": stream})


class FacebookGraphLoginHandler(txtornado.web.RequestHandler, txtornado.auth.FacebookGraphMixin):
    @txtornado.web.asynchronous
    def get(self):
        if self.get_argument("code", False):
            self.get_authenticated_user(
                redirect_uri="/auth/facebookgraph/",
                client_id=self.settings["facebook_api_key"],
                client_secret=self.settings["facebook_secret"],
                code=self.get_argument("code"),
                callback=self.async_callback(self._on_login),
            )
            return
        self.authorize_redirect(
            redirect_uri="/auth/facebookgraph/",
            client_id=self.settings["facebook_api_key"],
            extra_params={"scope": "read_stream,offline_access"},
        )

    def _on_login(self, user):
        logging.error(user)
        self.finish()


class FeedHandler(txtornado.web.RequestHandler, txtornado.auth.FacebookGraphMixin):
    @txtornado.web.authenticated
    @txtornado.web.asynchronous
    def get(self):
        self.facebook_request(
            "/me/feed",
            post_args={"message": "I am posting from my Tornado application!"},
            access_token=self.current_user["access_token"],
            callback=self.async_callback(self._on_post),
        )

    def _on_post(self, new_entry):
        if not new_entry:
            # Call failed; perhaps missing permission?
            self.authorize_redirect()
            return
        self.finish("Posted a message!")


class Saving:
    """What the examples leave to the application."""

    def save(self: Any, user: Any) -> None:
        self.application.settings["users"].append(user)
        self.finish("welcome")

    def get_current_user(self: Any) -> Any:
        users = self.application.settings["users"]
        return users[-1] if users else None


class ExampleTests(AuthTestCase):
    """In an application without a cookie_secret, as the chapter shows none."""

    skip = skip
    settings: dict[str, Any] = {}

    def setUp(self) -> None:
        self.ann = self.browser()
        self.users: list[Any] = []

    def start(self, url: str, *handlers: type[RequestHandler]) -> None:
        addresses = {
            "_OPENID_ENDPOINT": url,
            "_OAUTH_REQUEST_TOKEN_URL": url + "/request_token",
            "_OAUTH_ACCESS_TOKEN_URL": url + "/access_token",
            "_OAUTH_AUTHORIZE_URL": url + "/authorize",
            "_TWITTER_BASE_URL": url + "/api",
            "_FRIENDFEED_BASE_URL": url + "/api",
            "_FACEBOOK_BASE_URL": url + "/graph",
            "_FACEBOOK_LOGIN_URL": url + "/login.php",
            "_FACEBOOK_REST_URL": url + "/rest",
        }
        routes = [
            (path, type(handler.__name__, (Saving, handler), addresses))
            for path, handler in zip(("/(?:login|auth/facebookgraph/)", "/use"), handlers)
        ]
        self.site = self.serve(
            routes,
            twitter_consumer_key=KEY,
            twitter_consumer_secret=CONSUMER_SECRET,
            friendfeed_consumer_key=KEY,
            friendfeed_consumer_secret=CONSUMER_SECRET,
            facebook_api_key="key",
            facebook_secret=FACEBOOK_SECRET,
            users=self.users,
            login_url="/login",
            **self.settings,
        )

    async def login(self) -> Page:
        return await self.ann.follow(await self.ann.get(self.site + "/login"))

    async def failed(self, name: str, url: str) -> None:
        """The example answers a bad reply with its own error."""
        with self.assertLogs("tornado.general", "WARNING") as logs:
            page = await self.ann.get(self.site + url)
        self.assertEqual(page.code, 500)
        self.assertIn(f"{name} auth failed", logs.output[-1])
        self.assertEqual(self.users, [])

    async def test_google(self) -> None:
        """Google's example logs a user in by OpenID, and fails for a forged reply."""
        self.start(OpenIDProvider(self).url, GoogleHandler)
        await self.failed("Google", "/login?openid.mode=id_res&openid.claimed_id=x")
        self.assertEqual((await self.login()).text, "welcome")
        user = self.users[0]
        self.assertEqual(
            (user["name"], user["email"], user["locale"]), ("Ann Ödön", "ann@example.com", "hu-hu")
        )

    async def test_twitter(self) -> None:
        """Twitter's examples log a user in, and post in his name."""

        class RegisteredTwitterHandler(TwitterHandler):
            # The example counts on a callback that is registered with Twitter.
            def authorize_redirect(self):
                return super().authorize_redirect("/login")

        self.start(OAuth1Provider(self).url, RegisteredTwitterHandler, TweetHandler)
        await self.failed("Twitter", "/login?oauth_token=x")
        self.assertEqual((await self.login()).text, "welcome")
        self.assertEqual(self.users[0]["username"], "ann")
        self.assertEqual((await self.ann.get(self.site + "/use")).text, "Posted a message!")

    async def test_twitter_not_allowed(self) -> None:
        """Where the post is refused, the example sends the user to Twitter again."""
        provider = OAuth1Provider(self)
        provider.answers["/request_token"] = ({}, "oauth_token=k&oauth_token_secret=s", 200)
        self.start(provider.url, TwitterHandler, TweetHandler)
        self.users.append({"access_token": {"key": "x" * 30, "secret": "s"}})
        with self.assertLogs("tornado.general", "WARNING"):
            page = await self.ann.get(self.site + "/use")
        self.assertEqual(page.location, provider.url + "/authorize?oauth_token=k")

    async def test_friendfeed(self) -> None:
        """FriendFeed's examples log a user in, and post in his name."""
        provider = OAuth1Provider(self)
        provider.answers = {
            "/request_token": ({}, "oauth_token=k&oauth_token_secret=s", 200),
            "/access_token": ({}, "oauth_token=t&oauth_token_secret=s&username=ann", 200),
        }
        provider.validator.granted["t"] = {"oauth_token_secret": "s"}
        provider.validator.check_access_token = lambda token: True  # type: ignore[method-assign]
        self.start(provider.url, FriendFeedHandler, EntryHandler)
        await self.failed("FriendFeed", "/login?oauth_token=x")
        await self.ann.get(self.site + "/login")
        self.assertEqual((await self.ann.get(self.site + "/login?oauth_token=k")).text, "welcome")
        self.assertEqual(self.users[0]["username"], "ann")
        self.assertEqual((await self.ann.get(self.site + "/use")).text, "Posted a message!")

    async def test_facebook(self) -> None:
        """The examples of Facebook Connect log a user in, and read his stream."""
        provider = FacebookProvider(self)
        self.start(provider.url, FacebookHandler, StreamHandler)
        await self.failed("Facebook", "/login?session={}")
        fields = {"session_key": "sk", "uid": 7}
        session = quote(json.dumps({"sig": old_signature(fields), **fields}))
        provider.answers["/rest"] = [{"uid": 7, "name": "Ann"}]
        back = query_of((await self.ann.get(self.site + "/login")).location)["next"]
        joint = "&" if "?" in back else "?"
        page = await self.ann.get(f"{back}{joint}session={session}")
        self.assertEqual(page.text, "welcome")
        self.assertEqual((self.users[0]["facebook_uid"], self.users[0]["name"]), (7, "Ann"))
        provider.answers["/rest"] = ["posts"]
        self.assertEqual((await self.ann.get(self.site + "/use")).json, {"stream": ["posts"]})
        provider.answers["/rest"] = {"error_code": 102}
        with self.assertLogs("tornado.general", "WARNING"):
            page = await self.ann.get(self.site + "/use")
        self.assertEqual(query_of(page.location)["req_perms"], "read_stream")

    async def test_facebook_graph(self) -> None:
        """The examples of the Graph API log a user in, and post in his name."""
        provider = FacebookProvider(self)
        self.start(provider.url, FacebookGraphLoginHandler, FeedHandler)
        provider.answers = {
            "/access_token": {"access_token": "t", "expires_in": 3600},
            "/graph/me": {"id": "1", "name": "Ann"},
            "/graph/me/feed": {"id": "1_2"},
        }
        asked = query_of((await self.ann.get(self.site + "/login")).location)
        self.assertEqual(asked["scope"], "read_stream,offline_access")
        self.assertEqual(asked["redirect_uri"], self.site + "/auth/facebookgraph/")
        with self.assertLogs("root", "ERROR") as logs:
            page = await self.ann.get(
                f"{asked['redirect_uri']}?code=c&state={asked.get('state', '')}"
            )
        self.assertEqual((page.code, page.text), (200, ""))
        self.assertIn("'name': 'Ann'", logs.output[0])
        self.users.append({"access_token": "t"})
        self.assertEqual((await self.ann.get(self.site + "/use")).text, "Posted a message!")
        self.assertIn("message", provider.asked[-1][2])

    async def test_not_logged_in(self) -> None:
        """The examples for users send others to log in."""
        self.start("http://127.0.0.1:9", TwitterHandler, TweetHandler)
        page = await self.ann.get(self.site + "/use")
        self.assertEqual(page.location, self.site + "/login?next=%2Fuse")


class StrictExampleTests(ExampleTests):
    """In an application with a cookie_secret, where replies are bound to the browser."""

    settings = {"cookie_secret": SECRET}
