"""OAuth 2.0 and the providers over it, and those that spoke a protocol of their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import quote

from txtornado.auth import (
    AuthError,
    FacebookGraphMixin,
    FacebookMixin,
    GitHubMixin,
    GoogleMixin,
    GoogleOAuth2Mixin,
    OAuth2Mixin,
    YahooMixin,
)
from txtornado.httpclient import HTTPClientError
from txtornado.locks import Event
from txtornado.testing import bind_unused_port
from txtornado.web import RequestHandler, asynchronous

from .support import SECRET, AuthTestCase, LoginHandler, Page, missing, query_of

KEY, CLIENT_SECRET = "the key", "the secret"


class Provider:
    """Answers what the test says, and keeps what it was asked."""

    def __init__(self, test: AuthTestCase) -> None:
        port = bind_unused_port()
        self.url = f"http://127.0.0.1:{port[1]}"
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        test.serve([("(/.*)", ProviderHandler, {"provider": self})], port=port)


class ProviderHandler(RequestHandler):
    def initialize(self, provider: Provider) -> None:
        self.provider = provider

    def _serve(self, path: str) -> None:
        arguments = {name: self.get_argument(name) for name in self.request.arguments}
        method = self.request.method or ""
        self.provider.asked.append((method, path, arguments, self.request.headers))
        answer = self.provider.answers[path]
        if isinstance(answer, tuple):
            self.set_status(answer[0])
            self.set_header("Content-Type", answer[1])
            answer = answer[2]
        self.finish(answer if isinstance(answer, (str, dict)) else json.dumps(answer))

    get = post = _serve


class ProviderTestCase(AuthTestCase):
    settings: dict[str, Any] = {"cookie_secret": SECRET}

    def setUp(self) -> None:
        self.provider = Provider(self)
        self.ann = self.browser()

    def start(self, handler: type[RequestHandler], **settings: Any) -> None:
        """Serve a handler whose addresses point to the provider."""
        url = self.provider.url
        addresses = {
            "_OAUTH_AUTHORIZE_URL": url + "/authorize",
            "_OAUTH_ACCESS_TOKEN_URL": url + "/token",
            "_OAUTH_REVOKE_URL": url + "/revoke",
            "_FACEBOOK_BASE_URL": url + "/graph",
            "_FACEBOOK_LOGIN_URL": url + "/login.php",
            "_FACEBOOK_REST_URL": url + "/rest",
            "_GITHUB_BASE_URL": url + "/api",
            "_YAHOO_LOGIN_URL": url + "/WSLogin/V1/wslogin",
        }
        handler = type(handler.__name__, (handler,), addresses)
        keys = {"key": KEY, "secret": CLIENT_SECRET}
        self.site = self.serve(
            [("/login", handler)],
            **{
                "google_oauth": keys,
                "github_oauth": keys,
                "facebook_api_key": KEY,
                "facebook_secret": CLIENT_SECRET,
                "yahoo_appid": KEY,
                "yahoo_secret": CLIENT_SECRET,
                **self.settings,
                **settings,
            },
        )

    async def asked(self) -> dict[str, str]:
        """Begin a login; what the provider is asked."""
        page = await self.ann.get(self.site + "/login")
        self.assertEqual(page.code, 302, page)
        return query_of(page.location)

    async def reply(self, code: str = "c1") -> str:
        """Begin a login; the address of the provider's reply."""
        asked = await self.asked()
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"


class GoogleHandler(LoginHandler, GoogleOAuth2Mixin):
    async def get(self) -> None:
        if self.get_argument("code", None):
            self.write(await self.get_authenticated_user("/login", self.get_argument("code")))
        else:
            self.authorize_redirect(
                redirect_uri="/login",
                client_id=self.get_google_oauth_settings()["key"],
                scope=["profile", "email"],
                extra_params={"prompt": "select_account"},
            )


class GoogleTests(ProviderTestCase):
    async def test_redirect(self) -> None:
        """State and challenge are added to what the application asks."""
        self.start(GoogleHandler)
        asked = await self.asked()
        state, challenge = asked.pop("state"), asked.pop("code_challenge")
        self.assertGreaterEqual(len(state), 32)
        self.assertEqual(len(challenge), 43)
        self.assertEqual(
            asked,
            {
                "response_type": "code",
                "redirect_uri": self.site + "/login",
                "client_id": KEY,
                "scope": "profile email",
                "prompt": "select_account",
                "code_challenge_method": "S256",
            },
        )

    async def test_exchange(self) -> None:
        """The code is exchanged with the verifier of this browser's login, once."""
        self.start(GoogleHandler)
        self.provider.answers["/token"] = {"access_token": "t", "expires_in": "never"}
        asked = await self.asked()
        reply = f"{self.site}/login?code=c1&state={asked['state']}"
        self.assertEqual(
            (await self.ann.get(reply)).json, {"access_token": "t", "expires_in": "never"}
        )
        method, _, fields, _ = self.provider.asked[0]
        digest = hashlib.sha256(fields.pop("code_verifier").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        self.assertEqual(challenge, asked["code_challenge"])
        self.assertEqual(method, "POST")
        self.assertEqual(
            fields,
            {
                "grant_type": "authorization_code",
                "code": "c1",
                "redirect_uri": self.site + "/login",
                "client_id": KEY,
                "client_secret": CLIENT_SECRET,
            },
        )
        self.assert_refused(await self.ann.get(reply), "state_mismatch")

    async def test_forged(self) -> None:
        """A reply with another state, or to another browser, never reaches the provider."""
        self.start(GoogleHandler)
        reply = await self.reply()
        self.assert_refused(await self.ann.get(reply + "x"), "state_mismatch")
        self.assert_refused(await self.browser().get(reply), "state_mismatch")
        self.assertEqual(self.provider.asked, [])

    async def test_refused(self) -> None:
        """A user who says no is not sent back to Google, unless it is not this login's no."""
        self.start(GoogleHandler)
        url = f"{self.site}/login?error=access_denied&state="
        state = (await self.asked())["state"]
        self.assertEqual((await self.ann.get(url + "other")).code, 302)
        self.assert_refused(await self.ann.get(url + state), "access_denied")
        self.assertEqual((await self.ann.get(url + state)).code, 302)
        page = await self.ann.get(await self.reply() + "&error=server_error")
        self.assert_refused(page, "server_error")

    async def test_off(self) -> None:
        """With auth_strict=False, or no cookie_secret, nothing is added and any reply is taken."""
        self.provider.answers["/token"] = {"access_token": "t"}
        for settings in ({"auth_strict": False}, {"cookie_secret": None}):
            self.start(GoogleHandler, **settings)
            asked = await self.asked()
            self.assertNotIn("state", asked)
            self.assertNotIn("code_challenge", asked)
            page = await self.ann.get(self.site + "/login?code=c1")
            self.assertEqual(page.json, {"access_token": "t"})

    async def test_strict_without_secret(self) -> None:
        """auth_strict=True asks for a cookie_secret."""
        self.start(GoogleHandler, auth_strict=True, cookie_secret=None)
        with self.assertLogs("tornado.application", "ERROR") as logs:
            await self.ann.get(self.site + "/login")
        self.assertIn("'cookie_secret'", logs.output[0])

    async def test_settings(self) -> None:
        """Missing settings are named."""
        for value, words in ((None, "'google_oauth'"), ({"secret": "x"}, "'google_oauth'")):
            self.start(GoogleHandler, google_oauth=value)
            with self.assertLogs("tornado.application", "ERROR") as logs:
                page = await self.ann.get(self.site + "/login")
                if page.code == 403:
                    logs.records.append(None)  # type: ignore[arg-type]
                    logs.output.append(page.text)
            self.assertIn(words, logs.output[-1])

    async def test_callback_form(self) -> None:
        """The callback stood after the code once; it gets None when the login fails."""
        got = []

        class Handler(GoogleHandler):
            @asynchronous
            def get(self) -> None:
                if self.get_argument("code", None):
                    self.get_authenticated_user("/login", self.get_argument("code"), self._done)
                else:
                    self.authorize_redirect("/login", KEY, None, {}, self._redirected)

            def _redirected(self) -> None:
                got.append("redirected")

            def _done(self, user: Any) -> None:
                got.append(user)
                self.finish("done")

        self.start(Handler)
        self.provider.answers["/token"] = {"access_token": "t"}
        reply = await self.reply()
        self.assertEqual((await self.ann.get(reply)).text, "done")
        with self.assertLogs("tornado.general", "WARNING"):
            self.assertEqual((await self.ann.get(reply)).text, "done")
        self.assertEqual(got, ["redirected", {"access_token": "t"}, None])


class OAuth2Handler(LoginHandler, OAuth2Mixin):
    """A provider of the application's own."""

    def oauth2_credentials(self) -> tuple[str, str]:
        return KEY, CLIENT_SECRET

    async def get(self) -> None:
        if code := self.get_argument("code", None):
            self.write(await self.oauth2_exchange(code, "/login"))
        else:
            self.authorize_redirect("/login", KEY, extra_params=self.settings.get("extra"))


class OAuth2Tests(ProviderTestCase):
    async def test_exchange(self) -> None:
        """State is used and PKCE is not, unless a class says so."""
        self.start(OAuth2Handler)
        self.provider.answers["/token"] = {"access_token": "t"}
        reply = await self.reply()
        self.assertEqual((await self.ann.get(reply)).json, {"access_token": "t"})
        self.assertNotIn("code_verifier", self.provider.asked[0][2])

    async def test_basic(self) -> None:
        """A class may have the secret travel in a header."""

        class Handler(OAuth2Handler):
            _OAUTH_CLIENT_AUTH = "basic"

        self.start(Handler)
        self.provider.answers["/token"] = {"access_token": "t"}
        await self.ann.get(await self.reply())
        _, _, fields, headers = self.provider.asked[0]
        self.assertNotIn("client_secret", fields)
        encoded = headers["Authorization"].removeprefix("Basic ")
        self.assertEqual(base64.b64decode(encoded), b"the+key:the+secret")

    async def test_own_state(self) -> None:
        """A state of the application's own is kept, and checked."""
        self.start(OAuth2Handler, extra={"state": "mine"})
        self.assertEqual((await self.asked())["state"], "mine")
        self.provider.answers["/token"] = {"access_token": "t"}
        eve = self.browser()
        url = self.site + "/login?code=c&state=mine"
        self.assert_refused(await eve.get(url), "state_mismatch")
        self.assertEqual((await self.ann.get(url)).json, {"access_token": "t"})

    async def test_other_redirect_uri(self) -> None:
        """The application is told when it does not repeat its redirect_uri."""

        class Handler(OAuth2Handler):
            async def get(self) -> None:
                if self.get_argument("code", None):
                    await self.oauth2_exchange("c", "/other")
                await super().get()

        self.start(Handler)
        page = await self.ann.get(await self.reply())
        self.assert_refused(page, "state_mismatch", "redirect_uri")

    async def test_redirect_uris(self) -> None:
        """A path is one of this site; everything else goes as it is."""
        uris = {
            "/x": "{}/x",
            "https://a.example/y": "https://a.example/y",
            "postmessage": "postmessage",
        }
        for uri, sent in uris.items():

            class Handler(OAuth2Handler):
                async def get(self) -> None:
                    if code := self.get_argument("code", None):
                        self.write(await self.oauth2_exchange(code, uri))
                    else:
                        self.authorize_redirect(uri, KEY)

            self.start(Handler)
            self.provider.answers["/token"] = {"access_token": "t"}
            asked = await self.asked()
            page = await self.ann.get(f"{self.site}/login?code=c&state={asked['state']}")
            self.assertEqual(page.code, 200, page)
            self.assertEqual(asked["redirect_uri"], sent.format(self.site))
            self.assertEqual(self.provider.asked[-1][2]["redirect_uri"], asked["redirect_uri"])

    async def test_no_code(self) -> None:
        """A reply without a code is none."""

        class Handler(OAuth2Handler):
            async def get(self) -> None:
                if self.get_argument("state", None):
                    await self.oauth2_exchange(self.get_argument("code", ""), "/login")
                await super().get()

        self.start(Handler)
        state = (await self.asked())["state"]
        page = await self.ann.get(f"{self.site}/login?state={state}")
        self.assert_refused(page, "bad_response", "no code")

    async def test_form_answer(self) -> None:
        """A token endpoint may answer with a form."""
        self.start(OAuth2Handler)
        form = "application/x-www-form-urlencoded"
        self.provider.answers["/token"] = (200, form, "access_token=t&scope=a%2Cb")
        page = await self.ann.get(await self.reply())
        self.assertEqual(page.json, {"access_token": "t", "scope": "a,b"})
        self.provider.answers["/token"] = (200, form, "error=bad_code&error_description=Old")
        self.assert_refused(await self.ann.get(await self.reply()), "bad_code", "Old")

    async def asked_for(self, work: Any) -> Page:
        class Handler(OAuth2Handler):
            async def get(self) -> None:
                self.write({"found": await work(self)})

        self.start(Handler)
        return await self.ann.get(self.site + "/login")

    async def test_refresh(self) -> None:
        """A new token comes with the old refresh token, or the one that replaces it."""
        for answer, kept in (({}, "r1"), ({"refresh_token": "r2"}, "r2")):
            self.provider.answers["/token"] = {"access_token": "t2", **answer}
            page = await self.asked_for(lambda handler: handler.oauth2_refresh("r1", scope=["a"]))
            self.assertEqual(page.json["found"], {"access_token": "t2", "refresh_token": kept})
        fields = self.provider.asked[0][2]
        self.assertEqual((fields["refresh_token"], fields["scope"]), ("r1", "a"))

    async def test_revoke(self) -> None:
        """Revoking tells the provider; its error is an AuthError."""
        self.provider.answers["/revoke"] = {}
        page = await self.asked_for(lambda handler: handler.oauth2_revoke("t", "access_token"))
        self.assertEqual(page.json, {"found": None})
        fields = self.provider.asked[0][2]
        self.assertEqual((fields["token"], fields["token_type_hint"]), ("t", "access_token"))
        self.provider.answers["/revoke"] = (503, "text/plain", "")
        page = await self.asked_for(lambda handler: handler.oauth2_revoke("t"))
        self.assert_refused(page, "bad_response", "503")

    async def test_request(self) -> None:
        """A request has the token and the arguments in its query; a POST its form as well."""
        self.provider.answers["/thing"] = {"ok": True}
        url = self.provider.url + "/thing?v=1"
        await self.asked_for(lambda handler: handler.oauth2_request(url, "t", a="1"))
        await self.asked_for(lambda handler: handler.oauth2_request(url, "t", {"b": "2"}, a="1"))
        sent = {"v": "1", "access_token": "t", "a": "1"}
        self.assertEqual(
            [asked[:3] for asked in self.provider.asked],
            [("GET", "/thing", sent), ("POST", "/thing", {**sent, "b": "2"})],
        )

    async def test_bearer_request(self) -> None:
        """The other kind of request has the token in a header."""
        self.provider.answers["/thing"] = {"ok": True}
        url = self.provider.url + "/thing"
        got: list[Any] = []
        await self.asked_for(lambda handler: handler.oauth2_bearer_request(url, "t", a="1"))
        await self.asked_for(
            lambda handler: handler.oauth2_bearer_request(url, "t", {"b": "2"}, got.append)
        )
        self.assertEqual(
            [(*asked[:3], asked[3]["Authorization"]) for asked in self.provider.asked],
            [("GET", "/thing", {"a": "1"}, "Bearer t"), ("POST", "/thing", {"b": "2"}, "Bearer t")],
        )
        self.assertEqual(got, [{"ok": True}])

    async def test_request_error(self) -> None:
        """A bad status is an HTTPClientError, or None for a callback."""
        self.provider.answers["/thing"] = (404, "text/plain", "no")
        url = self.provider.url + "/thing"
        got: list[Any] = []

        async def work(handler: Any) -> str:
            with self.assertRaises(HTTPClientError):
                await handler.oauth2_request(url)
            done = Event()
            with self.assertLogs("tornado.general", "WARNING"):
                handler.oauth2_request(url, lambda found: (got.append(found), done.set()), "t")
                await done.wait()
            return "done"

        self.assertEqual((await self.asked_for(work)).json, {"found": "done"})
        self.assertEqual(got, [None])

    async def test_token_url(self) -> None:
        """Applications that exchange codes by GET still find the URL made."""
        page = await self.asked_for(
            lambda handler: _resolved(
                handler._oauth_request_token_url("http://x/y", "k", None, "c", {"e": "1"})
            )
        )
        self.assertEqual(
            page.json["found"],
            self.provider.url + "/token?redirect_uri=http%3A%2F%2Fx%2Fy&code=c&client_id=k&e=1",
        )


async def _resolved(value: Any) -> Any:
    return value


class GitHubHandler(LoginHandler, GitHubMixin):
    async def get(self) -> None:
        if self.get_argument("code", None):
            user = await self.get_authenticated_user("/login")
            user["mail"] = await self.github_request(
                "/user/emails", user["access_token"], per_page=5
            )
            self.write(user)
        else:
            self.authorize_redirect("/login", scope=["user:email"])


class GitHubTests(ProviderTestCase):
    async def test_login(self) -> None:
        """The user is what GitHub's API says, asked with the token in a header."""
        self.start(GitHubHandler)
        self.provider.answers = {
            "/token": {"access_token": "t"},
            "/api/user": {"id": 1, "login": "ann"},
            "/api/user/emails": [{"email": "ann@example.com"}],
        }
        page = await self.ann.get(await self.reply())
        self.assertEqual(page.code, 200, page)
        self.assertEqual((page.json["id"], page.json["access_token"]), (1, "t"))
        self.assertEqual(page.json["mail"], [{"email": "ann@example.com"}])
        _, _, arguments, headers = self.provider.asked[2]
        self.assertEqual(arguments, {"per_page": "5"})
        self.assertEqual(headers["Authorization"], "Bearer t")
        self.assertTrue(headers["User-Agent"])

    async def test_refused(self) -> None:
        """A bad code, or an API that tells no user, logs nobody in."""
        self.start(GitHubHandler)
        self.provider.answers = {"/token": {"error": "bad_verification_code"}}
        self.assert_refused(await self.ann.get(await self.reply()), "bad_verification_code")
        for answer in ((401, "text/plain", "no"), (200, "text/plain", "<html>"), [1]):
            self.provider.answers = {"/token": {"access_token": "t"}, "/api/user": answer}
            self.assert_refused(await self.ann.get(await self.reply()), "bad_response")

    async def test_always_bound(self) -> None:
        """auth_strict=False does not reach logins that are new here."""
        self.start(GitHubHandler, auth_strict=False)
        self.assert_refused(await self.ann.get(self.site + "/login?code=c"), "state_mismatch")


class GraphHandler(LoginHandler, FacebookGraphMixin):
    async def get(self) -> None:
        keys = {"client_id": KEY, "client_secret": CLIENT_SECRET}
        if code := self.get_argument("code", None):
            user = await self.get_authenticated_user(
                redirect_uri="/login", code=code, extra_fields=["birthday"], **keys
            )
            self.write(user)
        else:
            self.authorize_redirect("/login", KEY)


class FacebookGraphTests(ProviderTestCase):
    async def test_login(self) -> None:
        """The user has the documented fields and those asked for, and a proof of the secret."""
        self.start(GraphHandler)
        self.provider.answers = {
            "/token": {"access_token": "t", "expires_in": 3600},
            "/graph/me": {"id": "1", "name": "Ann", "birthday": "today", "more": "x"},
        }
        page = await self.ann.get(await self.reply())
        self.assertEqual(
            page.json,
            {
                **dict.fromkeys(("first_name", "last_name", "locale", "picture", "link")),
                "id": "1",
                "name": "Ann",
                "birthday": "today",
                "access_token": "t",
                "session_expires": "3600",
            },
        )
        arguments = self.provider.asked[1][2]
        proof = hmac.new(CLIENT_SECRET.encode(), b"t", "sha256").hexdigest()
        self.assertEqual(arguments["appsecret_proof"], proof)

    async def test_refused(self) -> None:
        """Facebook's own kind of error is the reason; a forged reply never gets there."""
        self.start(GraphHandler)
        error = {"error": {"type": "OAuthException", "message": "This code was used."}}
        self.provider.answers = {"/token": (400, "application/json", error)}
        self.assert_refused(await self.ann.get(await self.reply()), "OAuthException", "was used")
        self.assert_refused(await self.ann.get(self.site + "/login?code=c"), "state_mismatch")


class OldFacebookHandler(LoginHandler, FacebookMixin):
    async def get(self) -> None:
        if self.get_argument("session", None):
            self.write(await self.get_authenticated_user())
        elif self.get_argument("permissions", None):
            self.authorize_redirect(["read_stream", "email"], cancel_uri="/no")
        else:
            self.authenticate_redirect()


def old_signature(fields: dict[str, Any]) -> str:
    text = "".join(f"{name}={fields[name]}" for name in sorted(fields)) + CLIENT_SECRET
    return hashlib.md5(text.encode()).hexdigest()


class OldFacebookTests(ProviderTestCase):
    def session(self, **changes: Any) -> str:
        fields = {"session_key": "sk", "uid": 7, "expires": 99, **changes}
        return json.dumps({"sig": old_signature(fields), **fields})

    async def reply_with(self, session: str) -> Page:
        back = (await self.asked())["next"]
        return await self.ann.get(f"{back}&session={quote(session)}")

    async def test_redirect(self) -> None:
        """The redirect has what Facebook Connect wanted."""
        self.start(OldFacebookHandler)
        page = await self.ann.get(self.site + "/login?permissions=1")
        asked = query_of(page.location)
        self.assertTrue(
            asked.pop("next").startswith(self.site + "/login?permissions=1&auth_state=")
        )
        self.assertEqual(
            asked,
            {
                "api_key": KEY,
                "v": "1.0",
                "fbconnect": "true",
                "display": "page",
                "return_session": "true",
                "cancel_url": self.site + "/no",
                "req_perms": "read_stream,email",
            },
        )

    async def test_login(self) -> None:
        """A signed session is used to ask, with a signature, who the user is."""
        self.start(OldFacebookHandler)
        self.provider.answers["/rest"] = [{"uid": 7, "name": "Ann"}]
        page = await self.reply_with(self.session())
        self.assertEqual(page.code, 200, page)
        user = page.json
        self.assertEqual(
            (user["facebook_uid"], user["name"], user["session_key"], user["session_expires"]),
            (7, "Ann", "sk", 99),
        )
        _, _, fields, _ = self.provider.asked[0]
        self.assertEqual(fields["method"], "facebook.users.getInfo")
        self.assertEqual(fields.pop("sig"), old_signature(fields))

    async def test_refused(self) -> None:
        """A session that is forged, garbage, of another login or unknown to Facebook is refused."""
        self.start(OldFacebookHandler)
        forged = json.dumps({"sig": "x" * 32, "session_key": "sk", "uid": 8})
        self.assert_refused(await self.reply_with(forged), "forged")
        for garbage in ("{", "[]", "7", '{"uid": 1}'):
            self.assert_refused(await self.reply_with(garbage), "bad_response")
        page = await self.ann.get(self.site + "/login?session=" + self.session())
        self.assert_refused(page, "state_mismatch")
        for answer in ({"error_code": 102, "error_msg": "x"}, [], [{}], "null", "<"):
            self.provider.answers["/rest"] = answer
            self.assertEqual((await self.reply_with(self.session())).code, 403)


class YahooHandler(LoginHandler, YahooMixin):
    async def get(self) -> None:
        if self.get_argument("token", None):
            self.write(await self.get_authenticated_user())
        else:
            self.authenticate_redirect()


class YahooTests(ProviderTestCase):
    async def reply_with(self, **changes: Any) -> Page:
        asked = await self.asked()
        fields = {
            "appid": KEY.replace(" ", "+"),
            "appdata": asked["appdata"],
            "token": "t",
            "userhash": "h",
            "ts": int(time.time()),
            **changes,
        }
        path = "/login?" + "&".join(f"{name}={value}" for name, value in fields.items())
        signature = hashlib.md5((path + CLIENT_SECRET).encode()).hexdigest()
        return await self.ann.get(f"{self.site}{path}&sig={signature}")

    async def test_login(self) -> None:
        """A signed reply tells the user's hash; the redirect is signed, too."""
        self.start(YahooHandler)
        page = await self.ann.get(self.site + "/login")
        signed, _, signature = page.location.partition("&sig=")
        path = signed.removeprefix(self.provider.url)
        self.assertEqual(signature, hashlib.md5((path + CLIENT_SECRET).encode()).hexdigest())
        self.assertEqual((await self.reply_with()).json, {"userhash": "h", "token": "t"})

    async def test_refused(self) -> None:
        """A reply that is old, forged, incomplete, or another application's is refused."""
        self.start(YahooHandler)
        self.assert_refused(await self.reply_with(ts=int(time.time()) - 700), "forged", "old")
        self.assert_refused(await self.reply_with(ts="soon"), "forged", "old")
        self.assert_refused(await self.reply_with(appid="other"), "forged", "application")
        self.assert_refused(await self.reply_with(userhash=""), "bad_response")
        self.assert_refused(await self.reply_with(appdata="x"), "state_mismatch")
        asked = await self.asked()
        url = f"{self.site}/login?appid=k&token=t&userhash=h&ts=1&appdata={asked['appdata']}&sig=x"
        self.assert_refused(await self.ann.get(url), "forged", "signed")


class OldGoogleHandler(LoginHandler, GoogleMixin):
    async def get(self) -> None:
        if self.get_argument("openid.mode", None):
            self.write(await self.get_authenticated_user())
        else:
            self.authorize_redirect("http://feeds/", ax_attrs=["email"])


class OldGoogleTests(ProviderTestCase):
    """OpenID with OAuth, both in one redirect."""

    skip = missing("openid", "oauthlib")

    async def test_login(self) -> None:
        """The OpenID reply brings a request token, which becomes an access token."""
        from .openid_provider import Provider as OpenIDProvider

        openid = OpenIDProvider(self)
        openid.granted = "rt"
        handler = type("Handler", (OldGoogleHandler,), {"_OPENID_ENDPOINT": openid.url})
        self.start(handler, google_consumer_key=KEY, google_consumer_secret=CLIENT_SECRET)
        self.provider.answers["/token"] = "oauth_token=at&oauth_token_secret=s"
        page = await self.ann.follow(await self.ann.get(self.site + "/login"))
        self.assertEqual(page.code, 200, page)
        user = page.json
        self.assertEqual(user["email"], "ann@example.com")
        self.assertEqual(user["access_token"], {"key": "at", "secret": "s"})
        self.assertEqual(openid.requests[0]["openid.oauth.scope"], "http://feeds/")
        self.assertEqual(openid.requests[0]["openid.ax.required"], "email")
        self.assertEqual(self.provider.asked[0][2]["oauth_token"], "rt")


class ErrorTests(AuthTestCase):
    async def test_documented(self) -> None:
        """An AuthError is an Exception with one message, and a code."""
        error = AuthError("why")
        self.assertEqual((error.args, str(error), error.code), (("why",), "why", "error"))
