"""Nothing secret goes to a log, and what is missing is told."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

from txtornado.auth import OpenIDConnectMixin, TwitterMixin
from txtornado.auth._errors import cut
from txtornado.auth._needs import need
from txtornado.web import RequestHandler

from .support import SECRET, AuthTestCase, impatient, missing, query_of

skip = missing("jwt", "cryptography", "oauthlib")
if not skip:
    from .issuer import CLIENT_SECRET, Issuer
    from .oauth1_provider import CONSUMER_SECRET, KEY, Provider


class Recorder(logging.Handler):
    """Keeps everything that is logged, formatted, with tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"


class OIDCHandler(RequestHandler, OpenIDConnectMixin):
    """Lets errors go their way, to the log."""

    async def get(self) -> None:
        if self.get_argument("code", None):
            user = await self.get_authenticated_user()
            user["again"] = await self.refresh_user(user)
            self.write(user)
        else:
            await self.authenticate_redirect()


class TwitterHandler(RequestHandler, TwitterMixin):
    async def get(self) -> None:
        if self.get_argument("oauth_token", None):
            self.write(await self.get_authenticated_user())
        else:
            await self.authorize_redirect("/login")


class SecrecyTests(AuthTestCase):
    """What a log holds after logins that went well, and that did not."""

    skip = skip

    def setUp(self) -> None:
        self.recorder = Recorder()
        root = logging.getLogger()
        level = root.level
        root.addHandler(self.recorder)
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.setLevel, level)
        self.addCleanup(root.removeHandler, self.recorder)
        self.ann = self.browser()

    def assert_silent(self, *secrets: str) -> None:
        for secret in secrets:
            self.assertNotIn(secret, self.recorder.text)

    async def test_oidc(self) -> None:
        """Neither secrets nor tokens, verifiers, nonces or cookies are logged."""
        issuer = Issuer(self)
        site = self.serve(
            [("/login", OIDCHandler)],
            cookie_secret=SECRET,
            oidc=issuer.settings(),
            serve_traceback=False,
        )
        tokens: list[str] = []
        sign = issuer.sign
        issuer.sign = lambda claims: tokens.append(sign(claims)) or tokens[-1]  # type: ignore
        seen: list[str] = []
        for change in ({}, {"iss": "x"}, {"nonce": "x"}, {"at_hash": "x"}):
            issuer.claims = change
            page = await self.ann.get(site + "/login")
            asked = query_of(page.location)
            seen += [asked["nonce"], asked["code_challenge"], *self.ann.cookies.values()]
            await self.ann.get(issuer.grant(page.location))
        for answer in (
            '{"access_token": "access1", "id_token": "a.b.c"}',
            "access1",
            '["access1"]',
        ):
            issuer.token_answer = answer
            await self.ann.get(issuer.grant((await self.ann.get(site + "/login")).location))
        verifiers = [
            request.get_argument("code_verifier", "none")
            for request in issuer.requests
            if request.request.path == "/token"
        ]
        self.assertIn("AuthError", self.recorder.text)
        self.assertGreater(len(tokens), 3)
        self.assert_silent(
            SECRET, CLIENT_SECRET, "access1", "access2", "refresh1", *tokens, *seen,
            *(one for one in verifiers if one != "none"),
        )  # fmt: skip

    async def test_unreachable(self) -> None:
        """A provider that breaks off is named by its host, and what was sent is not told."""
        issuer = Issuer(self)
        site = self.serve(
            [("/login", impatient(OIDCHandler))], cookie_secret=SECRET, oidc=issuer.settings()
        )
        issuer.token_answer = "never"
        reply = issuer.grant((await self.ann.get(site + "/login")).location)
        await self.ann.get(reply)
        self.assertIn("could not be asked", self.recorder.text)
        self.assert_silent(SECRET, CLIENT_SECRET)

    async def test_oauth1(self) -> None:
        """Neither the consumer's secret nor tokens' are logged."""
        provider = Provider(self)
        addresses = {
            "_OAUTH_REQUEST_TOKEN_URL": provider.url + "/request_token",
            "_OAUTH_ACCESS_TOKEN_URL": provider.url + "/access_token",
            "_OAUTH_AUTHORIZE_URL": provider.url + "/authorize",
            "_TWITTER_BASE_URL": provider.url + "/api",
        }
        handler = type("Handler", (TwitterHandler,), addresses)
        site = self.serve(
            [("/login", handler)],
            cookie_secret=SECRET,
            twitter_consumer_key=KEY,
            twitter_consumer_secret=CONSUMER_SECRET,
        )
        page = await self.ann.follow(await self.ann.get(site + "/login"), site)
        secrets = [token["oauth_token_secret"] for token in provider.validator.requested.values()]
        reply = page.location
        self.assertEqual((await self.ann.get(reply)).code, 200)
        self.assertEqual((await self.ann.get(reply)).code, 500)
        for token in provider.validator.granted.values():
            secrets += token["oauth_token"], token["oauth_token_secret"]
        self.assertEqual(len(secrets), 3)
        self.assertIn("AuthError", self.recorder.text)
        self.assert_silent(CONSUMER_SECRET, *secrets)


class NeedTests(AuthTestCase):
    """Optional libraries."""

    def test_missing(self) -> None:
        """A library that is not there is named, and how to install it."""
        self.patch(sys, "modules", {**sys.modules, "jwt": None})
        with self.assertRaisesRegex(ImportError, r"'jwt': pip install txtornado\[auth\]"):
            need("jwt")

    async def test_told_at_the_redirect(self) -> None:
        """OpenID Connect says so before the user is sent away."""
        site = self.serve(
            [("/login", OIDCHandler)],
            cookie_secret=SECRET,
            oidc={"issuer": "https://x.example", "key": "k"},
        )
        self.patch(sys, "modules", {**sys.modules, "jwt": None})
        with self.assertLogs("tornado.application", "ERROR") as logs:
            page = await self.browser().get(site + "/login")
        self.assertEqual(page.code, 500)
        self.assertIn("pip install txtornado[auth]", logs.output[0])

    def test_cut(self) -> None:
        """Words from outside are one line of decent length in a message."""
        self.assertEqual(cut("a\r\nb\x1b[31m\u2028"), "a??b?[31m?")
        self.assertEqual(len(cut("x" * 5000)), 201)

    def test_importable(self) -> None:
        """The package imports without any of them."""
        code = (
            "import sys\n"
            "for name in ('jwt', 'oauthlib', 'cryptography.hazmat.primitives.asymmetric.x448'):\n"
            "    sys.modules[name] = None\n"
            "import txtornado.auth\n"
        )
        done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
