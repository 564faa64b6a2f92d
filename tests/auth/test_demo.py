"""``demos/auth``: an application that logs in through each."""

from __future__ import annotations

import re
import runpy
from typing import Any

from tests.processes import ROOT
from txtornado.httpserver import HTTPServer
from txtornado.testing import bind_unused_port

from .support import SECRET, AuthTestCase, missing

skip = missing("jwt", "cryptography", "oauthlib", "openid")
if not skip:
    from .issuer import Issuer
    from .oauth1_provider import CONSUMER_SECRET, KEY
    from .oauth1_provider import Provider as OAuth1Provider
    from .openid_provider import Provider as OpenIDProvider
    from .test_providers import Provider as OAuth2Provider


class DemoTests(AuthTestCase):
    skip = skip

    def setUp(self) -> None:
        self.demo = runpy.run_path(str(ROOT / "demos" / "auth" / "login.py"), run_name="demo")
        self.ann = self.browser()

    def start(self, **settings: Any) -> str:
        sock, port = bind_unused_port()
        server = HTTPServer(
            self.demo["make_app"](
                cookie_secret=SECRET, log_function=lambda handler: None, **settings
            )
        )
        server.add_socket(sock)
        self.addCleanup(server.stop)
        return f"http://127.0.0.1:{port}"

    def point(self, name: str, **addresses: str) -> None:
        """Point a login of the demo to a provider of the test."""
        for attribute, url in addresses.items():
            self.patch(self.demo["LOGINS"][name], attribute, url)

    async def assert_welcome(self, site: str, page: Any, name: str, provider: str) -> None:
        page = await self.ann.follow(page)
        self.assertEqual((page.code, page.url), (200, site + "/"), page)
        self.assertIn(f"You are {name}, says {provider}.", page.text)

    async def test_offers(self) -> None:
        """Only logins with keys are offered."""
        site = self.start(oidc={"key": "k"}, facebook_api_key="only half")
        page = await self.ann.get(site + "/")
        self.assertEqual(re.findall('href="([^"]*)"', page.text), ["/login/oidc"])

    async def test_oidc(self) -> None:
        """OpenID Connect logs in; logging out goes by the provider."""
        issuer = Issuer(self)
        site = self.start(oidc=issuer.settings())
        page = await self.ann.get(site + "/login/oidc")
        page = await self.ann.get(issuer.grant(page.location))
        await self.assert_welcome(site, page, "Ann", "oidc")
        home = await self.ann.get(site + "/")
        token = re.search('name="_xsrf" value="([^"]*)"', home.text)
        assert token is not None, home
        page = await self.ann.post(site + "/logout", {"_xsrf": token[1]})
        page = await self.ann.follow(page, issuer.url)
        self.assertTrue(page.location.startswith(issuer.url + "/logout?"))
        self.assertIn("/login/oidc", (await self.ann.get(site + "/")).text)

    async def test_oauth2(self) -> None:
        """Google, GitHub and Facebook log in."""
        provider = OAuth2Provider(self)
        keys = {"key": "k", "secret": "s"}
        site = self.start(
            google_oauth=keys, github_oauth=keys, facebook_api_key="k", facebook_secret="s"
        )
        provider.answers = {
            "/token": {"access_token": "t"},
            "/user": {"id": 1, "login": "ann", "name": "Ann"},
            "/me": {"id": "1", "name": "Ann"},
        }
        for name, shown in (("google", "Ann"), ("github", "ann"), ("facebook", "Ann")):
            self.point(
                name,
                _OAUTH_AUTHORIZE_URL=provider.url + "/authorize",
                _OAUTH_ACCESS_TOKEN_URL=provider.url + "/token",
            )
        self.point("google", _OAUTH_USERINFO_URL=provider.url + "/user")
        self.point("github", _GITHUB_BASE_URL=provider.url)
        self.point("facebook", _FACEBOOK_BASE_URL=provider.url)
        for name, shown in (("google", "Ann"), ("github", "ann"), ("facebook", "Ann")):
            self.ann = self.browser()
            page = await self.ann.get(f"{site}/login/{name}")
            state = page.location.partition("&state=")[2].partition("&")[0]
            page = await self.ann.get(f"{site}/login/{name}?code=c&state={state}")
            await self.assert_welcome(site, page, shown, name)

    async def test_twitter(self) -> None:
        """Twitter logs in."""
        provider = OAuth1Provider(self)
        self.point(
            "twitter",
            _OAUTH_REQUEST_TOKEN_URL=provider.url + "/request_token",
            _OAUTH_ACCESS_TOKEN_URL=provider.url + "/access_token",
            _OAUTH_AUTHENTICATE_URL=provider.url + "/authorize",
            _TWITTER_BASE_URL=provider.url + "/api",
        )
        site = self.start(twitter_consumer_key=KEY, twitter_consumer_secret=CONSUMER_SECRET)
        page = await self.ann.get(site + "/login/twitter")
        await self.assert_welcome(site, page, "ann", "twitter")

    async def test_openid(self) -> None:
        """OpenID 2.0 logs in."""
        site = self.start(openid_endpoint=OpenIDProvider(self).url)
        page = await self.ann.get(site + "/login/openid")
        await self.assert_welcome(site, page, "Ann Ödön", "openid")

    async def test_failed(self) -> None:
        """A forged reply shows why nobody is logged in, in words that are escaped."""
        issuer = Issuer(self)
        site = self.start(oidc=issuer.settings())
        page = await self.ann.get(site + "/login/oidc?code=x&state=y")
        self.assertEqual(page.code, 403)
        self.assertIn("not logged in: the reply belongs to no login", page.text)
        page = await self.ann.get(site + "/login/oidc")
        state = page.location.partition("&state=")[2].partition("&")[0]
        page = await self.ann.get(f"{site}/login/oidc?error=%3Cb%3E&state={state}")
        self.assertIn("&lt;b&gt;", page.text)
