"""OpenID Connect and OAuth 2.0 against the certified provider that runs on node."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any
from urllib.parse import urljoin

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.processes import once
from txtornado.auth import OAuth2Mixin, OpenIDConnectMixin
from txtornado.escape import json_decode, json_encode, xhtml_unescape
from txtornado.testing import bind_unused_port

from .node import NodeProvider
from .support import SECRET, AuthTestCase, Browser, LoginHandler, Page, missing, query_of

skip = missing("jwt", "cryptography")
CLIENT, CLIENT_SECRET = "web app", "a secret: of 100%, for tests & nothing else"


class OIDCHandler(LoginHandler, OpenIDConnectMixin):
    """A whole application: login, a page for users, refreshing, logout."""

    def get_current_user(self) -> Any:
        cookie = self.get_signed_cookie("user")
        return json_decode(cookie) if cookie else None

    def keep(self, user: Any) -> None:
        self.set_signed_cookie("user", json_encode(user))


class LoginPage(OIDCHandler):
    async def get(self) -> None:
        if self.get_argument("code", None):
            self.keep(await self.get_authenticated_user())
            self.redirect("/")
        else:
            await self.authenticate_redirect(
                scope=["profile", "email", "offline_access"], extra_params={"prompt": "consent"}
            )


class HomePage(OIDCHandler):
    def get(self) -> None:
        self.write(self.current_user or {"user": "nobody"})


class RefreshPage(OIDCHandler):
    async def get(self) -> None:
        self.keep(await self.refresh_user(self.current_user))
        self.redirect("/")


class RevokePage(OIDCHandler):
    async def get(self) -> None:
        await self.oauth2_revoke(self.current_user["refresh_token"], "refresh_token")
        self.redirect("/")


class LogoutPage(OIDCHandler):
    async def get(self) -> None:
        token = self.current_user["id_token"]
        self.clear_cookie("user")
        await self.logout_redirect(token)


class OAuth2Page(LoginHandler, OAuth2Mixin):
    """The same provider by plain OAuth 2.0."""

    _OAUTH_PKCE = True
    _OAUTH_CLIENT_AUTH = "basic"

    def initialize(self) -> None:
        issuer = self.settings["oidc"]["issuer"]
        self._OAUTH_AUTHORIZE_URL = issuer + "/auth"
        self._OAUTH_ACCESS_TOKEN_URL = issuer + "/token"
        self.userinfo = issuer + "/me"

    def oauth2_credentials(self) -> tuple[str, str]:
        return CLIENT, CLIENT_SECRET

    async def get(self) -> None:
        if code := self.get_argument("code", None):
            tokens = await self.oauth2_exchange(code, "/oauth2")
            self.write(await self.oauth2_bearer_request(self.userinfo, tokens["access_token"]))
        else:
            self.authorize_redirect("/oauth2", CLIENT, scope=["openid", "email"])


class NodeTestCase(AuthTestCase):
    """A site that is a client of the provider."""

    skip = skip
    timeout = 180

    async def setUp(self) -> None:
        port = bind_unused_port()
        site = f"http://127.0.0.1:{port[1]}"
        client = {
            "client_id": CLIENT,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [site + "/login", site + "/oauth2"],
            "post_logout_redirect_uris": [site + "/"],
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"],
        }
        try:
            self.provider = await NodeProvider.start(self, [client])
        except SkipTest:
            port[0].close()
            raise
        pages = [
            ("/", HomePage),
            ("/login", LoginPage),
            ("/refresh", RefreshPage),
            ("/revoke", RevokePage),
            ("/logout", LogoutPage),
            ("/oauth2", OAuth2Page),
        ]
        self.settings = {"issuer": self.provider.issuer, "key": CLIENT, "secret": CLIENT_SECRET}
        self.site = self.serve(pages, port=port, cookie_secret=SECRET, oidc=self.settings)
        self.ann = self.browser()

    async def submit(self, browser: Browser, page: Page, **typed: str) -> Page:
        """Fill in the form of a page of the provider, and follow it back to this site."""
        action = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        assert action is not None, page.text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        url = urljoin(page.url, xhtml_unescape(action[1]))
        return await browser.follow(await browser.post(url, {**fields, **typed}), self.site)

    async def agree(self, browser: Browser | None = None, path: str = "/login") -> str:
        """Log in at the provider and consent; the address of its reply."""
        browser = browser or self.ann
        page = await browser.follow(await browser.get(self.site + path), self.site)
        while page.code == 200:
            typed = {"login": "ann", "password": "x"} if 'name="login"' in page.text else {}
            page = await self.submit(browser, page, **typed)
        return page.location

    async def login(self) -> Any:
        page = await self.ann.follow(await self.ann.get(await self.agree()))
        self.assertEqual((page.code, page.url), (200, self.site + "/"), page)
        return page.json


@once("what a provider is told and tells is the same on each")
class NodeTests(NodeTestCase):
    """The flows, by forms that are posted."""

    async def test_login(self) -> None:
        """The user comes back with the claims of the scopes and with tokens."""
        user = await self.login()
        self.assertEqual(
            (user["iss"], user["sub"], user["name"], user["email"], user["email_verified"]),
            (self.provider.issuer, "ann", "Name of ann", "ann@example.com", True),
        )
        for name in ("access_token", "refresh_token", "id_token"):
            self.assertGreater(len(user[name]), 20)

    async def test_refresh_and_revoke(self) -> None:
        """A refresh token gives a new access token, until it is revoked."""
        before = await self.login()
        page = await self.ann.follow(await self.ann.get(self.site + "/refresh"))
        after = page.json
        self.assertNotEqual(after["access_token"], before["access_token"])
        self.assertEqual(after["sub"], "ann")
        await self.ann.get(self.site + "/revoke")
        self.assert_refused(await self.ann.get(self.site + "/refresh"), "invalid_grant")

    async def test_logout(self) -> None:
        """Logout ends the provider's session: the next login asks for the password again."""
        await self.login()
        page = await self.ann.follow(await self.ann.get(self.site + "/logout"), self.site)
        self.assertEqual(page.code, 200)
        page = await self.submit(self.ann, page, logout="yes")
        self.assertEqual(page.location, self.site + "/")
        self.assertEqual((await self.ann.get(self.site + "/")).json, {"user": "nobody"})
        page = await self.ann.follow(await self.ann.get(self.site + "/login"), self.site)
        self.assertIn('name="password"', page.text)

    async def test_refused(self) -> None:
        """A user who cancels is refused, with the provider's reason."""
        page = await self.ann.follow(await self.ann.get(self.site + "/login"), self.site)
        cancel = re.search(r'href="([^"]+/abort)"', page.text)
        assert cancel is not None, page.text
        page = await self.ann.follow(await self.ann.get(urljoin(page.url, cancel[1])))
        self.assert_refused(page, "access_denied", "End-User aborted")

    async def test_replayed(self) -> None:
        """A reply is good once, for the browser as for the provider."""
        reply = await self.agree()
        cookies = dict(self.ann.cookies)
        self.assertEqual((await self.ann.get(reply)).code, 302)
        self.assert_refused(await self.ann.get(reply), "state_mismatch")
        self.ann.cookies = cookies
        self.assert_refused(await self.ann.get(reply), "invalid_grant")

    async def test_forged(self) -> None:
        """A reply to somebody else, a stolen code, or another issuer's name is refused."""
        eve = self.browser()
        reply = await self.agree(eve)
        self.assert_refused(await self.ann.get(reply), "state_mismatch")
        own = query_of((await self.ann.get(self.site + "/login")).location)["state"]
        query = query_of(reply)
        stolen = reply.replace(query["state"], own)
        self.assert_refused(await self.ann.get(stolen), "invalid_grant")
        own = query_of((await self.ann.get(self.site + "/login")).location)["state"]
        page = await self.ann.get(f"{self.site}/login?code=x&state={own}&iss=https://evil.example")
        self.assert_refused(page, "forged")
        own = query_of((await self.ann.get(self.site + "/login")).location)["state"]
        page = await self.ann.get(f"{self.site}/login?code=x&state={own}")
        self.assert_refused(page, "forged", "iss")

    async def test_wrong_secret(self) -> None:
        """A client with a wrong secret gets no token, and nobody in."""
        reply = await self.agree()
        self.settings["secret"] = "wrong"
        self.assert_refused(await self.ann.get(reply), "invalid_client")

    async def test_oauth2(self) -> None:
        """By plain OAuth 2.0 with PKCE the access token tells the user; replies are good once."""
        reply = await self.agree(path="/oauth2")
        page = await self.ann.get(reply)
        self.assertEqual((page.json["sub"], page.json["email"]), ("ann", "ann@example.com"))
        self.assert_refused(await self.ann.get(reply), "state_mismatch")
        self.assert_refused(
            await self.ann.get(self.site + "/oauth2?code=x&state=y"), "state_mismatch"
        )


CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@once("what a browser sees is the same on each")
class ChromiumTests(NodeTestCase):
    """The whole flow in a real browser."""

    skip = skip or missing("playwright") or (None if CHROMIUM else "Chromium is not installed")

    async def test_flow(self) -> None:
        """Login, consent, a page for the user, logout, and a forged reply, as a browser has them."""
        seen = await deferToThread(self._drive)
        self.assertEqual(seen["user"]["email"], "ann@example.com")
        self.assertEqual(seen["after logout"], {"user": "nobody"})
        self.assertEqual(seen["forged"]["code"], "state_mismatch")
        (cookie,) = seen["cookies"]
        self.assertEqual(
            (cookie["name"], cookie["httpOnly"], cookie["sameSite"]),
            ("_auth_attempts", True, "Lax"),
        )

    def _drive(self) -> dict[str, Any]:
        from playwright.sync_api import sync_playwright

        seen: dict[str, Any] = {}
        flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
        flags += ["--disable-background-networking", "--disable-component-update"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            page = chromium.new_page()
            page.goto(self.site + "/login")
            seen["cookies"] = [
                one for one in page.context.cookies() if one["name"] == "_auth_attempts"
            ]
            page.fill("input[name=login]", "ann")
            page.fill("input[name=password]", "x")
            page.click("button[type=submit]")
            page.wait_for_selector("text=Authorize")
            page.click("button[type=submit]")
            page.wait_for_url(self.site + "/")
            seen["user"] = json_decode(page.inner_text("body"))
            page.goto(self.site + "/logout")
            page.click("button[name=logout]")
            page.wait_for_url(self.site + "/")
            seen["after logout"] = json_decode(page.inner_text("body"))
            page.goto(self.site + "/login?code=stolen&state=guessed")
            seen["forged"] = json_decode(page.inner_text("body"))
            chromium.close()
        return seen
