"""Requests that no provider ever sends: every login answers them, and nobody is logged in."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import urlencode

from tests.web.support import request
from txtornado.auth import (
    FacebookGraphMixin,
    FacebookMixin,
    FriendFeedMixin,
    GitHubMixin,
    GoogleMixin,
    GoogleOAuth2Mixin,
    OpenIDConnectMixin,
    TwitterMixin,
    YahooMixin,
)
from txtornado.web import Application, create_signed_value

from .support import SECRET, AuthTestCase, LoginHandler

NAMES = [
    "code",
    "state",
    "error",
    "error_description",
    "iss",
    "oauth_token",
    "oauth_verifier",
    "denied",
    "session",
    "auth_state",
    "appid",
    "appdata",
    "token",
    "userhash",
    "ts",
    "sig",
    "openid.mode",
    "openid.ns",
    "openid.return_to",
    "openid.signed",
    "openid.op_endpoint",
    "openid.response_nonce",
    "openid.claimed_id",
    "openid.sig",
    "openid.ns.ax",
]
VALUES = [
    "",
    "x",
    "id_res",
    "{}",
    "[]",
    '{"sig": 1, "uid": 2, "session_key": []}',
    "0",
    "é\x00\n",
    "a" * 3000,
]
VALUES += [
    "https://example.com/",
    "http://example.com/login?auth_state=x",
    "k1",
    "\ud7ff",
    "s" * 32,
]


class Arguments:
    """What each login needs beside the reply."""

    keys: dict[str, Any] = {}

    async def get(self: Any) -> None:
        await self.get_authenticated_user(**self.keys)
        self.write("welcome")


def login(mixin: type, **keys: str) -> type:
    return type(mixin.__name__, (Arguments, LoginHandler, mixin), {"keys": keys})


LOGINS = [
    login(FacebookGraphMixin, redirect_uri="/", client_id="k", client_secret="s", code="c"),
    login(FacebookMixin),
    login(FriendFeedMixin),
    login(GitHubMixin),
    login(GoogleMixin),
    login(GoogleOAuth2Mixin, redirect_uri="/", code="c"),
    login(OpenIDConnectMixin),
    login(TwitterMixin),
    login(YahooMixin),
]


class GarbageTests(AuthTestCase):
    async def test_garbage(self) -> None:
        """Whatever a forged reply and its cookies hold, the answer is a refusal."""
        keys = {"key": "k", "secret": "s"}
        app = Application(
            [(f"/{handler.__name__}", handler) for handler in LOGINS],
            cookie_secret=SECRET,
            oidc={"issuer": "https://example.com", **keys},
            google_oauth=keys,
            github_oauth=keys,
            log_function=lambda handler: None,
            **{
                f"{name}_{part}": "k"
                for name in ("twitter", "friendfeed", "google")
                for part in ("consumer_key", "consumer_secret")
            },
            **dict.fromkeys(
                ("facebook_api_key", "facebook_secret", "yahoo_appid", "yahoo_secret"), "k"
            ),
        )
        cookies = [
            "_auth_attempts=x",
            "_oauth_request_token=x|y",
            "_oauth_request_token=/w==|/w==",
            "_auth_attempts=" + create_signed_value(SECRET, "_auth_attempts", "[[]]").decode(),
            "",
        ]
        chance = random.Random(9)
        codes = set()
        for handler in LOGINS:
            for _ in range(60):
                names = chance.choices(NAMES, k=chance.randint(0, 12))
                query = urlencode([(name, chance.choice(VALUES)) for name in names])
                headers = {"Cookie": chance.choice(cookies)}
                exchange = request(app, f"/{handler.__name__}?{query}", headers=headers)
                await exchange.done()
                self.assertIn(exchange.code, (400, 403), (handler, query, exchange.text))
                codes.add(exchange.code)
        self.assertIn(403, codes)
