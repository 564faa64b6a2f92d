"""The cookie of logins under way."""

from __future__ import annotations

import re
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import ROOT
from tests.test_documentation import programs
from tests.web.support import Exchange, app_of, request
from txtornado.auth import GitHubMixin, OpenIdMixin, _attempts
from txtornado.httputil import HTTPServerConnectionDelegate
from txtornado.web import RequestHandler

from .support import SECRET, FakeTime

KEYS = {"key": "k", "secret": "s"}


class GitHubHandler(RequestHandler, GitHubMixin):
    def get(self) -> None:
        more = {"response_mode": "form_post"} if self.get_argument("post", None) else None
        self.authorize_redirect("/login", extra_params=more)


class OpenIDHandler(RequestHandler, OpenIdMixin):
    _OPENID_ENDPOINT = "https://op.example"

    def get(self) -> None:
        self.authenticate_redirect()


class PendingHandler(RequestHandler):
    def get(self) -> None:
        self.write({"pending": [one.state for one in _attempts.pending(self)]})


class CookieTests(SynchronousTestCase):
    """What the cookie is like."""

    def cookie(
        self, handler: Any, uri: str = "/login", secure: bool = False, **settings: Any
    ) -> str:
        app = app_of(handler, cookie_secret=SECRET, github_oauth=KEYS, **settings)
        exchange = Exchange()
        exchange.context.protocol = "https" if secure else "http"
        headers = {"Cookie": self.sent} if self.sent else {}
        (cookie,) = request(app, uri, headers=headers, exchange=exchange).cookies
        self.sent = cookie.partition(";")[0]
        return cookie

    def setUp(self) -> None:
        self.sent = ""

    def pending(self, **settings: Any) -> list[str]:
        app = app_of(PendingHandler, cookie_secret=SECRET, **settings)
        found: list[str] = request(app, headers={"Cookie": self.sent}).json["pending"]
        return found

    def test_plain(self) -> None:
        """Over HTTP it is out of reach for scripts and for requests of other sites."""
        cookie = self.cookie(GitHubHandler)
        self.assertRegex(
            cookie, r"^_auth_attempts=.*; HttpOnly; Max-Age=600; Path=/; SameSite=Lax$"
        )

    def test_secure(self) -> None:
        """Over HTTPS it stays there."""
        self.assertIn("; SameSite=Lax; Secure", self.cookie(GitHubHandler, secure=True))

    def test_posted_replies(self) -> None:
        """Where a reply may be posted by the provider's page, the cookie comes along with that."""
        for handler, uri in ((OpenIDHandler, "/"), (GitHubHandler, "/?post=1")):
            self.assertIn("; SameSite=None; Secure", self.cookie(handler, uri, secure=True))
            self.assertIn("; SameSite=Lax", self.cookie(handler, uri))

    def test_settings(self) -> None:
        """Its domain can be set."""
        cookie = self.cookie(GitHubHandler, auth_cookie_kwargs={"domain": "example.com"})
        self.assertIn("Domain=example.com", cookie)

    def test_few(self) -> None:
        """It keeps the last four logins, and its size within what browsers keep."""
        states = []
        for _ in range(6):
            before = self.pending()
            cookie = self.cookie(GitHubHandler)
            (new,) = set(self.pending()) - set(before)
            states.append(new)
        self.assertEqual(self.pending(), states[-4:])
        self.assertLess(len(cookie), 3500)

    def test_old(self) -> None:
        """Logins are forgotten after ten minutes, each by itself; clocks may differ by one."""
        clock = FakeTime()
        self.patch(_attempts, "time", clock)
        self.cookie(GitHubHandler)
        clock.offset = 300
        self.cookie(GitHubHandler)
        self.assertEqual(len(self.pending()), 2)
        clock.offset = 650
        self.assertEqual(len(self.pending()), 1)
        clock.offset = 250
        self.assertEqual(len(self.pending()), 2)
        clock.offset = -100
        self.assertEqual(self.pending(), [])

    def test_other_secret(self) -> None:
        """A cookie that another key signed, or of another form, holds nothing."""
        self.cookie(GitHubHandler)
        app = app_of(PendingHandler, cookie_secret="another")
        self.assertEqual(request(app, headers={"Cookie": self.sent}).json, {"pending": []})

    def test_other_release(self) -> None:
        """A cookie of another release, of whatever form, holds nothing."""

        class SettingHandler(RequestHandler):
            def get(self) -> None:
                self.set_signed_cookie("_auth_attempts", self.get_argument("value"))

        for value in (
            "7",
            "[7]",
            "[[1]]",
            '{"a": 1}',
            "x",
            "[[1,2,3,4,5,null]]",
            f"[[1,2,3,4,5,{int(time.time())}]]",
        ):
            app = app_of(SettingHandler, cookie_secret=SECRET)
            (cookie,) = request(app, "/?value=" + re.sub('"', "%22", value)).cookies
            self.sent = cookie.partition(";")[0]
            self.assertEqual(self.pending(), [], value)


class ChallengeTests(SynchronousTestCase):
    def test_example(self) -> None:
        """The challenge is that of the example in RFC 7636, appendix B."""
        verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        self.assertEqual(
            _attempts.challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        )


class DocumentationTests(SynchronousTestCase):
    def test_runs(self) -> None:
        """The programs of ``docs/auth.rst`` define what they say."""
        path = ROOT / "docs" / "auth.rst"
        namespaces = []
        for program in programs(path):
            namespace: dict[str, Any] = {"__name__": "documented"}
            exec(compile(program, str(path), "exec"), namespace)
            namespaces.append(namespace)
        self.assertIsInstance(namespaces[0]["make_app"](), HTTPServerConnectionDelegate)
        self.assertTrue(issubclass(namespaces[1]["TwitterHandler"], RequestHandler))
