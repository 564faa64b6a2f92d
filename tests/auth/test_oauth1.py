"""OAuth 1.0a against a provider on oauthlib's server side."""

from __future__ import annotations

from typing import Any

from txtornado.auth import AuthError, FriendFeedMixin, OAuthMixin, TwitterMixin
from txtornado.httpclient import HTTPClientError
from txtornado.web import asynchronous

from .support import SECRET, AuthTestCase, LoginHandler, Page, missing, query_of

skip = missing("oauthlib")
if not skip:
    from .oauth1_provider import CONSUMER_SECRET, KEY, Provider


class Addresses:
    """Points a mixin to the provider of the test."""

    def initialize(self, provider: Any) -> None:
        self._OAUTH_REQUEST_TOKEN_URL = provider.url + "/request_token"
        self._OAUTH_ACCESS_TOKEN_URL = provider.url + "/access_token"
        self._OAUTH_AUTHORIZE_URL = provider.url + "/authorize"
        self._OAUTH_AUTHENTICATE_URL = provider.url + "/authorize"
        self._TWITTER_BASE_URL = self._FRIENDFEED_BASE_URL = provider.url + "/api"


class TwitterLoginHandler(Addresses, LoginHandler, TwitterMixin):
    async def get(self) -> None:
        if self.get_argument("oauth_token", None):
            self.write(await self.get_authenticated_user())
        else:
            await self.authorize_redirect("/login?from=ann & co")


class OAuth1TestCase(AuthTestCase):
    skip = skip

    def setUp(self) -> None:
        self.provider = Provider(self)
        self.ann = self.browser()

    def start(self, handler: type[LoginHandler] = TwitterLoginHandler, **settings: Any) -> None:
        keys = {
            f"{name}_consumer_{part}": value
            for name in ("twitter", "friendfeed")
            for part, value in (("key", KEY), ("secret", CONSUMER_SECRET))
        }
        self.site = self.serve(
            [("/login", handler, {"provider": self.provider})],
            **{"cookie_secret": SECRET, **keys, **settings},
        )

    async def reply(self) -> str:
        """Begin a login and let the user agree; the address of the provider's reply."""
        page = await self.ann.follow(await self.ann.get(self.site + "/login"), self.site)
        self.assertEqual(page.code, 302, page)
        return page.location


class LoginTests(OAuth1TestCase):
    async def test_login(self) -> None:
        """The user comes back with an access token, and the cookie is gone."""
        self.start()
        reply = await self.reply()
        self.assertTrue(reply.startswith(self.site + "/login?from=ann"), reply)
        page = await self.ann.get(reply)
        self.assertEqual(page.code, 200, page)
        user = page.json
        token = user["access_token"]
        self.assertEqual((user["username"], user["name"]), ("ann", "Ann"))
        self.assertEqual(
            token["secret"], self.provider.validator.granted[token["key"]]["oauth_token_secret"]
        )
        self.assertEqual(token["screen_name"], "ann")
        self.assertEqual(user["path"], "api/account/verify_credentials.json")
        self.assertEqual(self.ann.cookies, {})

    async def test_cookie(self) -> None:
        """The cookie is out of reach for scripts and other sites."""
        self.start()
        page = await self.ann.get(self.site + "/login")
        self.assertIn("HttpOnly", page.headers["Set-Cookie"])
        self.assertIn("SameSite=Lax", page.headers["Set-Cookie"])

    async def test_authenticate_redirect(self) -> None:
        """Twitter has a second address, for users who agreed before."""

        class Handler(TwitterLoginHandler):
            async def get(self) -> None:
                self._OAUTH_AUTHENTICATE_URL += "?again=1"
                await self.authenticate_redirect()

        self.start(Handler, auth_strict=False)
        self.provider.answers["/request_token"] = ({}, "oauth_token=k&oauth_token_secret=s", 200)
        page = await self.ann.get(self.site + "/login")
        self.assertEqual(page.location, self.provider.url + "/authorize?again=1&oauth_token=k")

    async def test_callback_uri_refused(self) -> None:
        """A service without callbacks takes no callback_uri."""

        class Handler(TwitterLoginHandler):
            _OAUTH_NO_CALLBACKS = True

        self.start(Handler)
        with self.assertLogs("tornado.application", "ERROR") as logs:
            page = await self.ann.get(self.site + "/login")
        self.assertEqual(page.code, 500)
        self.assertIn("takes no callback_uri", logs.output[0])

    async def test_undefined_methods(self) -> None:
        """A subclass without the methods that it must define is told which."""

        class Handler(Addresses, LoginHandler, OAuthMixin):
            async def get(self) -> None:
                for call in (
                    self._oauth_consumer_token,
                    lambda: self._oauth_get_user_future({}),
                ):
                    try:
                        call()
                    except NotImplementedError as error:
                        self.write(f"{error}\n")

        self.start(Handler)
        page = await self.ann.get(self.site + "/login")
        self.assertIn("Handler must define _oauth_consumer_token()", page.text)
        self.assertIn("Handler must define _oauth_get_user_future()", page.text)


class RequestTests(OAuth1TestCase):
    """Signed requests."""

    async def asked(self, *args: Any, **kwargs: Any) -> Page:
        class Handler(TwitterLoginHandler):
            async def get(self) -> None:
                if not self.get_argument("oauth_token", None):
                    await self.authorize_redirect("/login")
                    return
                user = await self.get_authenticated_user()
                try:
                    token = kwargs.pop("access_token", user["access_token"])
                    self.write(await self.twitter_request(*args, access_token=token, **kwargs))
                except HTTPClientError as error:
                    self.set_status(error.code)

        self.start(Handler)
        return await self.ann.get(await self.reply())

    async def test_get(self) -> None:
        """Arguments of the query are signed, whatever characters they have."""
        page = await self.asked("/search", q="a b+c&d=e%/é~*", empty="")
        self.assertEqual(page.code, 200, page)
        self.assertEqual(page.json["arguments"], {"q": ["a b+c&d=e%/é~*"], "empty": [""]})

    async def test_post(self) -> None:
        """The form of a POST is signed together with the query."""
        page = await self.asked("/update", post_args={"status": "Grüße & more"}, x="1")
        self.assertEqual(page.code, 200, page)
        self.assertEqual(page.json["method"], "POST")
        self.assertEqual(page.json["arguments"], {"status": ["Grüße & more"], "x": ["1"]})

    async def test_whole_url(self) -> None:
        """A whole URL is taken as it is."""
        page = await self.asked(self.provider.url + "/api/other")
        self.assertEqual(page.json["path"], "api/other")

    async def test_wrong_token(self) -> None:
        """A token whose secret is wrong signs wrongly, which is an HTTPClientError."""
        page = await self.asked("/search", access_token={"key": "x" * 30, "secret": "y"})
        self.assertEqual(page.code, 401)

    async def test_callback_second(self) -> None:
        """Before Tornado 6 the callback stood second, and got None after an error."""
        got: list[Any] = []

        class Handler(TwitterLoginHandler):
            @asynchronous
            def get(self) -> None:
                if not self.get_argument("oauth_token", None):
                    self.authorize_redirect("/login")
                else:
                    self.get_authenticated_user(self._on_user)

            def _on_user(self, user: Any) -> None:
                self.token = user["access_token"]
                self.twitter_request("/one", self._on_one, self.token, {"a": "1"}, b="2")

            def _on_one(self, found: Any) -> None:
                got.append(found["arguments"])
                bad = {"key": "x" * 30, "secret": ""}
                self.twitter_request("/two", self._on_two, access_token=bad)

            def _on_two(self, found: Any) -> None:
                got.append(found)
                self.finish("through")

        self.start(Handler)
        with self.assertLogs("tornado.general", "WARNING"):
            page = await self.ann.get(await self.reply())
        self.assertEqual(page.text, "through")
        self.assertEqual(got, [{"a": ["1"], "b": ["2"]}, None])


class RefusedTests(OAuth1TestCase):
    """Logins that must fail."""

    async def test_other_browser(self) -> None:
        """A reply to somebody else's login is refused, with a cookie of one's own or none."""
        self.start()
        reply = await self.reply()
        eve = self.browser()
        self.assert_refused(await eve.get(reply), "state_mismatch", "cookie")
        await eve.get(self.site + "/login")
        self.assert_refused(await eve.get(reply), "state_mismatch", "another login")

    async def test_replayed(self) -> None:
        """A reply is good once, even with the cookie put back."""
        self.start()
        reply = await self.reply()
        cookies = dict(self.ann.cookies)
        self.assertEqual((await self.ann.get(reply)).code, 200)
        self.assert_refused(await self.ann.get(reply), "state_mismatch")
        self.ann.cookies = cookies
        self.assert_refused(await self.ann.get(reply), "bad_response", "401")

    async def test_verifier(self) -> None:
        """A reply with a wrong verifier, or two, or without one, is refused."""
        self.start()
        for change, code in (("x", "bad_response"), ("&oauth_verifier=x", "forged")):
            self.assert_refused(await self.ann.get(await self.reply() + change), code)
        token = query_of(await self.reply())["oauth_token"]
        page = await self.ann.get(f"{self.site}/login?oauth_token={token}")
        self.assert_refused(page, "forged", "oauth_verifier")

    async def test_cookie_garbage(self) -> None:
        """A cookie that is no request token is none."""
        self.start()
        for garbage in ("x", "a|b|c", "%%|%%", "/w==|/w=="):
            reply = await self.reply()
            (key,) = self.ann.cookies
            self.ann.cookies[key] = f'"{garbage}"'
            self.assert_refused(await self.ann.get(reply), "state_mismatch")

    async def test_denied(self) -> None:
        """A user who denied is not sent to Twitter again."""
        self.start()
        token = query_of(await self.reply())["oauth_token"]
        self.assert_refused(
            await self.ann.get(self.site + "/login?denied=" + token), "access_denied"
        )
        self.assertEqual((await self.ann.get(self.site + "/login?denied=" + token)).code, 302)

    async def test_callback_not_confirmed(self) -> None:
        """A provider that does not confirm the callback is one of the unsafe version 1.0."""
        self.start()
        self.provider.answers["/request_token"] = ({}, "oauth_token=k&oauth_token_secret=s", 200)
        self.assert_refused(await self.ann.get(self.site + "/login"), "error", "confirm")
        self.start(auth_strict=False)
        self.assertEqual((await self.ann.get(self.site + "/login")).code, 302)

    async def test_garbage(self) -> None:
        """No answer of the token endpoints but a token is one."""
        self.start()
        bodies = ["", "<html>", "oauth_token=k", "oauth_token=&oauth_token_secret=s", "\xff=\xff"]
        for answer in [*(({}, body, 200) for body in bodies), ({}, "no", 401), ({}, "", 302)]:
            self.provider.answers = {"/request_token": answer}
            self.assert_refused(await self.ann.get(self.site + "/login"), "bad_response")
            self.provider.answers = {}
            reply = await self.reply()
            self.provider.answers = {"/access_token": answer}
            self.assert_refused(await self.ann.get(reply), "bad_response")

    async def test_no_user(self) -> None:
        """An API that does not tell who the user is leaves nobody logged in."""
        self.start()
        reply = await self.reply()
        self.provider.validator.validate_access_token = lambda *args: False  # type: ignore[method-assign]
        self.assert_refused(await self.ann.get(reply), "bad_response", "HTTP 401")

    async def test_unwaited_error(self) -> None:
        """An error of a redirect that nobody waits for ends an asynchronous request."""

        class Handler(TwitterLoginHandler):
            @asynchronous
            def get(self) -> None:
                self.authorize_redirect()

        self.start(Handler)
        self.provider.answers["/request_token"] = ({}, "no", 500)
        self.assert_refused(await self.ann.get(self.site + "/login"), "bad_response")

    async def test_waited_error(self) -> None:
        """An error of a redirect that the handler waits for is the handler's."""

        class Handler(TwitterLoginHandler):
            async def get(self) -> None:
                try:
                    await self.authorize_redirect()
                except AuthError:
                    self.write("mine")

        self.start(Handler)
        self.provider.answers["/request_token"] = ({}, "no", 500)
        self.assertEqual((await self.ann.get(self.site + "/login")).text, "mine")


class OldVersionTests(OAuth1TestCase):
    """Version 1.0."""

    async def test_friendfeed(self) -> None:
        """FriendFeed's login asks its API for the user's feed."""

        class Handler(Addresses, LoginHandler, FriendFeedMixin):
            async def get(self) -> None:
                if self.get_argument("oauth_token", None):
                    self.write(await self.get_authenticated_user())
                else:
                    await self.authorize_redirect()

        self.start(Handler)
        page = await self.ann.get(self.site + "/login")
        # oauthlib knows 1.0a only, which sends a callback and a verifier.
        self.assertEqual(page.code, 403)
        self.provider.answers = {
            "/request_token": ({}, "oauth_token=k&oauth_token_secret=s", 200),
            "/access_token": ({}, "oauth_token=t&oauth_token_secret=s&username=ann", 200),
        }
        validator = self.provider.validator
        validator.granted["t"] = {"oauth_token_secret": "s"}
        validator.check_access_token = lambda token: True  # type: ignore[method-assign]
        page = await self.ann.get(self.site + "/login")
        self.assertEqual(page.location, self.provider.url + "/authorize?oauth_token=k")
        user = (await self.ann.get(self.site + "/login?oauth_token=k")).json
        self.assertEqual((user["username"], user["name"]), ("ann", "Ann"))
        self.assertEqual(user["path"], "api/feedinfo/ann")
        self.assertEqual(user["access_token"], {"key": "t", "secret": "s", "username": "ann"})

    async def test_callback_on_redirect(self) -> None:
        """In 1.0 the callback travels with the user."""

        class Handler(TwitterLoginHandler):
            _OAUTH_VERSION = "1.0"

        self.start(Handler)
        self.provider.answers = {"/request_token": ({}, "oauth_token=k&oauth_token_secret=s", 200)}
        page = await self.ann.get(self.site + "/login")
        asked = query_of(page.location)
        self.assertEqual(asked["oauth_callback"], self.site + "/login?from=ann & co")
