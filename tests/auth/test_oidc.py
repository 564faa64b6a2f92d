"""OpenID Connect against an issuer that can be bent: what passes, and all that must not."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

from txtornado.auth import AuthError, OpenIDConnectMixin, _attempts, _oidc_provider
from txtornado.web import RequestHandler

from .support import (
    SECRET,
    AuthTestCase,
    Browser,
    FakeTime,
    LoginHandler,
    Page,
    impatient,
    missing,
    query_of,
)

skip = missing("jwt", "cryptography")
if not skip:
    import jwt

    from .issuer import CLIENT, CLIENT_SECRET, Issuer, new_key


def signed_with_text(claims: dict[str, Any], secret: str) -> str:
    """A token that takes ``secret``, which everybody knows, for a secret."""

    def part(data: bytes) -> str:
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(b'{"alg": "HS256", "kid": "k1"}') + "." + part(json.dumps(claims).encode())
    return head + "." + part(hmac.digest(secret.encode(), head.encode(), "sha256"))


class OIDCLoginHandler(LoginHandler, OpenIDConnectMixin):
    async def get(self) -> None:
        if self.get_argument("code", None):
            self.write(await self.get_authenticated_user())
        else:
            await self.authenticate_redirect()


class OIDCTestCase(AuthTestCase):
    """A site, an issuer, and a login that the issuer answers as the test says."""

    skip = skip
    handler: type[RequestHandler] = OIDCLoginHandler

    def setUp(self) -> None:
        self.issuer = Issuer(self)
        self.settings: dict[str, Any] = {
            "cookie_secret": SECRET,
            "oidc": self.issuer.settings(),
            "auth_timeout": 20,
        }
        self.ann = self.browser()

    def start(self, *more: Any, **settings: Any) -> None:
        self.site = self.serve([("/login", self.handler), *more], **{**self.settings, **settings})

    async def reply(self, browser: Browser | None = None) -> str:
        """Begin a login, and return the address of the issuer's reply to it."""
        page = await (browser or self.ann).get(self.site + "/login")
        self.assertEqual(page.code, 302, page)
        return self.issuer.grant(page.location)

    async def login(self, **settings: Any) -> Page:
        self.start(**settings)
        return await self.ann.get(await self.reply())

    async def refused(self, code: str, words: str = "", **settings: Any) -> None:
        """A whole login, which must fail for the reason ``code``."""
        self.assert_refused(await self.login(**settings), code, words)


class LoginTests(OIDCTestCase):
    """Logins that succeed."""

    async def test_user(self) -> None:
        """The user has the claims, what userinfo adds, and the tokens; the id_token wins."""
        self.issuer.claims["email"] = "ann@example.com"
        self.issuer.userinfo["email"] = "other@example.com"
        page = await self.login()
        self.assertEqual(page.code, 200, page)
        user = page.json
        self.assertEqual(
            (user["iss"], user["sub"], user["name"], user["email"]),
            (self.issuer.url, "ann", "Ann", "ann@example.com"),
        )
        self.assertEqual((user["access_token"], user["refresh_token"]), ("access1", "refresh1"))

    async def test_redirect(self) -> None:
        """The redirect asks for a code, with state, nonce and an S256 challenge."""
        self.start()
        page = await self.ann.get(self.site + "/login?next=/x")
        asked = query_of(page.location)
        self.assertTrue(page.location.startswith(self.issuer.url + "/authorize?"))
        self.assertEqual(asked["redirect_uri"], self.site + "/login")
        self.assertEqual((asked["response_type"], asked["client_id"]), ("code", CLIENT))
        self.assertEqual(asked["scope"], "openid profile email")
        self.assertEqual(asked["code_challenge_method"], "S256")
        for name in ("state", "nonce", "code_challenge"):
            self.assertGreaterEqual(len(asked[name]), 32, name)
        cookie = page.headers["Set-Cookie"]
        for attribute in ("HttpOnly", "SameSite=Lax", "Max-Age=600"):
            self.assertIn(attribute, cookie)

    async def test_algorithms(self) -> None:
        """Every kind of public key serves."""
        self.start()
        for algorithm in ("RS256", "PS256", "ES384", "EdDSA"):
            self.issuer.algorithm = algorithm
            self.issuer.keys = {algorithm: new_key(algorithm)}
            self.issuer.removed = {"at_hash"}
            self.issuer.id_token = None
            sign, self.issuer.sign = (
                self.issuer.sign,
                lambda c, a=algorithm: Issuer.sign(self.issuer, c, a),
            )
            self.patch(_oidc_provider, "_KEYS_PAUSE", 0)
            page = await self.ann.get(await self.reply())
            self.assertEqual(page.code, 200, page)
            self.issuer.sign = sign

    async def test_two_tabs(self) -> None:
        """Logins that one browser has under way at once do not disturb each other."""
        self.start()
        first = await self.reply()
        second = await self.reply()
        for reply in (first, second):
            self.assertEqual((await self.ann.get(reply)).code, 200)

    async def test_public_client(self) -> None:
        """A client without a secret sends its name only, and PKCE stands in."""
        self.issuer.claims["aud"] = "public"
        page = await self.login(oidc=self.issuer.settings(key="public", secret=None))
        self.assertEqual(page.code, 200, page)

    async def test_clock_skew(self) -> None:
        """A token that ran out less than a minute ago, or is from the near future, passes."""
        now = int(time.time())
        for claims in ({"exp": now - 20}, {"iat": now + 20, "exp": now + 90}):
            self.issuer.claims = claims
            page = await self.login()
            self.assertEqual(page.code, 200, page)

    async def test_several_audiences(self) -> None:
        """A token for several clients passes when it was made for this one."""
        self.issuer.claims = {"aud": [CLIENT, "other"], "azp": CLIENT}
        self.assertEqual((await self.login()).code, 200)

    async def test_description_is_kept(self) -> None:
        """A second login fetches neither description nor keys again."""
        self.start()
        for _ in range(2):
            await self.ann.get(await self.reply())
        self.assertEqual(self.issuer.counts["/.well-known/openid-configuration"], 1)
        self.assertEqual(self.issuer.counts["/keys"], 1)

    async def test_callback_form(self) -> None:
        """The callback form hands over the user; None, and a log entry, after a failure."""
        calls: list[Any] = []

        class CallbackHandler(OIDCLoginHandler):
            async def get(self) -> None:
                try:
                    await self.get_authenticated_user(callback=calls.append)
                except AuthError:
                    pass

        self.start(("/back", CallbackHandler))
        reply = (await self.reply()).replace("/login?", "/back?")
        with self.assertLogs("tornado.general", "WARNING") as logs:
            await self.ann.get(reply)
        self.assertEqual(calls, [None])
        self.assertIn("redirect_uri", logs.output[0])


class ReplyTests(OIDCTestCase):
    """Replies that belong to no login of this browser, or are none."""

    async def test_other_browser(self) -> None:
        """A reply that somebody else's login got is refused (login CSRF)."""
        self.start()
        eve = self.browser()
        reply = await self.reply(eve)
        self.assert_refused(await self.ann.get(reply), "state_mismatch")
        await self.reply()
        self.assert_refused(await self.ann.get(reply), "state_mismatch")
        self.assertNotIn("/token", self.issuer.counts)

    async def test_replayed(self) -> None:
        """A reply is good once."""
        self.start()
        reply = await self.reply()
        self.assertEqual((await self.ann.get(reply)).code, 200)
        self.assert_refused(await self.ann.get(reply), "state_mismatch")

    async def test_replayed_with_cookie(self) -> None:
        """Whoever keeps the cookie, too, fails at the provider, where a code is good once."""
        self.start()
        reply = await self.reply()
        cookies = dict(self.ann.cookies)
        await self.ann.get(reply)
        self.ann.cookies = cookies
        self.assert_refused(await self.ann.get(reply), "invalid_grant")

    async def test_injected_code(self) -> None:
        """A stolen code does not fit the login of another browser (PKCE)."""
        self.start()
        eve = self.browser()
        stolen = query_of(await self.reply())["code"]
        own = query_of(await self.reply(eve))
        page = await eve.get(f"{self.site}/login?code={stolen}&state={own['state']}")
        self.assert_refused(page, "invalid_grant")

    async def test_too_late(self) -> None:
        """A reply after ten minutes is refused."""
        self.start()
        reply = await self.reply()
        clock = FakeTime()
        clock.offset = 601
        self.patch(_attempts, "time", clock)
        self.assert_refused(await self.ann.get(reply), "state_mismatch")

    async def test_forged_cookie(self) -> None:
        """A cookie that somebody else signed is no login under way."""
        self.start()
        reply = await self.reply()
        for key, value in self.ann.cookies.items():
            self.ann.cookies[key] = value[:-6] + 'beef0"'
        self.assert_refused(await self.ann.get(reply), "state_mismatch")

    async def test_state_missing_or_twice(self) -> None:
        """A reply without state, or with two, is refused."""
        self.start()
        reply = await self.reply()
        page = await self.ann.get(reply.partition("&state=")[0])
        self.assert_refused(page, "state_mismatch")
        self.assert_refused(await self.ann.get(reply + "&state=x"), "forged", "more than once")

    async def test_other_provider(self) -> None:
        """A reply to a login with one provider is none to a login with another."""

        class OtherHandler(OIDCLoginHandler):
            _OAUTH_SETTINGS_KEY = "other"

        other = Issuer(self)
        self.start(("/other", OtherHandler), other=other.settings())
        reply = await self.reply()
        page = await self.ann.get(reply.replace("/login?", "/other?"))
        self.assert_refused(page, "state_mismatch", "belongs to no login")

    async def test_sender(self) -> None:
        """A reply must name the issuer if that says it does, and no other in any case."""
        self.start()
        self.assert_refused(await self.ann.get(await self.reply() + "&iss=http://evil"), "forged")
        self.issuer.changes["authorization_response_iss_parameter_supported"] = True
        self.start()
        self.assert_refused(await self.ann.get(await self.reply()), "forged", "iss")
        page = await self.ann.get(await self.reply() + f"&iss={self.issuer.url}")
        self.assertEqual(page.code, 200, page)

    async def test_refused(self) -> None:
        """A refused login is an AuthError and no further redirect."""
        self.start()
        state = query_of(await self.reply())["state"]
        url = f"{self.site}/login?error=access_denied&error_description=no%0Away&state={state}"
        self.assert_refused(await self.ann.get(url), "access_denied", "access_denied (no?way)")
        self.assertEqual((await self.ann.get(url)).code, 302)

    async def test_refused_with_code(self) -> None:
        """A reply with an error is refused even when it has a code."""
        self.start()
        page = await self.ann.get(await self.reply() + "&error=access_denied")
        self.assert_refused(page, "access_denied")


class IDTokenTests(OIDCTestCase):
    """``id_token``s that must not pass."""

    async def test_claims(self) -> None:
        """Each claim that another login, client, issuer or time has is refused."""
        now = int(time.time())
        bad: dict[str, dict[str, Any]] = {
            "issuer": {"iss": "https://evil.example"},
            "audience": {"aud": "somebody"},
            "no audience": {"aud": []},
            "party": {"azp": "somebody"},
            "party of several": {"aud": [CLIENT, "somebody"]},
            "expired": {"exp": now - 70},
            "expiry is text": {"exp": "never"},
            "from the future": {"iat": now + 120, "exp": now + 300},
            "not yet": {"nbf": now + 120},
            "nonce": {"nonce": "x"},
            "nonce is a number": {"nonce": 1},
            "access token": {"at_hash": "x"},
        }
        self.start()
        self.assertEqual((await self.ann.get(await self.reply())).code, 200)
        for name, claims in bad.items():
            self.issuer.claims = claims
            page = await self.ann.get(await self.reply())
            self.assertEqual((name, page.code), (name, 403))
            self.assertEqual((name, page.json["code"]), (name, "forged"))

    async def test_missing_claims(self) -> None:
        """No claim that matters may be missing."""
        self.start()
        for name in ("iss", "sub", "aud", "exp", "iat", "nonce"):
            self.issuer.removed = {name}
            page = await self.ann.get(await self.reply())
            self.assertEqual((name, page.code), (name, 403))

    async def test_signatures(self) -> None:
        """Tokens without a signature, with a secret's, or another key's are refused."""
        self.start()
        own, other = self.issuer.keys["k1"], new_key()
        public = json.dumps(self.issuer.jwks()[0])
        k1 = {"kid": "k1"}
        bad: dict[str, Any] = {
            "none": lambda claims: jwt.encode(claims, "", algorithm="none", headers=k1),
            "secret": lambda claims: jwt.encode(
                claims, CLIENT_SECRET * 4, algorithm="HS256", headers=k1
            ),
            "public key as a secret": lambda claims: signed_with_text(claims, public),
            "other key": lambda claims: jwt.encode(claims, other, algorithm="ES256", headers=k1),
            "other kind of key": lambda claims: jwt.encode(
                claims, new_key("RS256"), algorithm="RS256", headers=k1
            ),
            "own key in the header": lambda claims: jwt.encode(
                claims, other, algorithm="ES256", headers={"jwk": json.loads(public)}
            ),
            "unknown extension": lambda claims: jwt.encode(
                claims, own, algorithm="ES256", headers={**k1, "crit": ["x"], "x": 1}
            ),
            "kid is a list": lambda claims: "eyJhbGciOiJFUzI1NiIsImtpZCI6W119.e30.AA",
            "garbage": lambda claims: "a.b.c",
        }
        self.issuer.sign = lambda claims: jwt.encode(claims, own, algorithm="ES256", headers=k1)  # type: ignore
        self.assertEqual((await self.ann.get(await self.reply())).code, 200)
        for name, sign in bad.items():
            self.issuer.sign = sign
            page = await self.ann.get(await self.reply())
            self.assertEqual((name, page.code), (name, 403))
            self.assertEqual((name, page.json["code"]), (name, "forged"))

    async def test_no_token(self) -> None:
        """A token that is no text, or too long, is refused."""
        self.start()
        for token in (17, ["x"], "x" * 70_000):
            self.issuer.id_token = token
            self.assert_refused(await self.ann.get(await self.reply()), "bad_response")

    async def test_secret_key_published(self) -> None:
        """A symmetric key in the provider's set is not taken."""
        key = {
            "kty": "oct",
            "kid": "s",
            "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA",
            "alg": "HS256",
        }
        self.issuer.published = [*self.issuer.jwks(), key]
        self.issuer.changes["id_token_signing_alg_values_supported"] = ["HS256", "ES256"]
        self.issuer.sign = lambda claims: jwt.encode(  # type: ignore
            claims, b"secret-secret-secret-secret-secret", algorithm="HS256", headers={"kid": "s"}
        )
        await self.refused("forged", "not accepted")

    async def test_key_for_encryption(self) -> None:
        """A key that is published for encryption does not sign."""
        self.issuer.published = [{**self.issuer.jwks()[0], "use": "enc"}]
        await self.refused("forged", "key")

    async def test_userinfo_of_another(self) -> None:
        """Userinfo about somebody else is refused."""
        self.issuer.userinfo["sub"] = "eve"
        await self.refused("forged", "somebody else")


class KeyTests(OIDCTestCase):
    """Keys that change."""

    async def test_rotation(self) -> None:
        """A new key is noticed when the first token comes that it signed."""
        clock = FakeTime()
        self.patch(_oidc_provider, "time", clock)
        self.start()
        await self.ann.get(await self.reply())
        self.issuer.keys = {"k2": new_key()}
        self.issuer.sign = lambda claims: Issuer.sign(self.issuer, claims, "k2")  # type: ignore[method-assign]
        clock.offset = 11
        self.assertEqual((await self.ann.get(await self.reply())).code, 200)
        self.assertEqual(self.issuer.counts["/keys"], 2)

    async def test_removed_key(self) -> None:
        """A key that the provider removed is good for an hour at the longest."""
        clock = FakeTime()
        self.patch(_oidc_provider, "time", clock)
        self.start()
        await self.ann.get(await self.reply())
        self.issuer.published = []
        clock.offset = 3601
        self.assert_refused(await self.ann.get(await self.reply()), "forged")

    async def test_unknown_keys_do_not_flood(self) -> None:
        """Tokens with unknown keys fetch the keys every ten seconds at most."""
        self.start()
        await self.ann.get(await self.reply())
        self.issuer.header = {"kid": "unknown"}
        for _ in range(3):
            self.assert_refused(await self.ann.get(await self.reply()), "forged")
        self.assertEqual(self.issuer.counts["/keys"], 1)

    async def test_no_kid(self) -> None:
        """Where a token does not name its key, each is tried."""
        self.issuer.keys = {"other": new_key(), **self.issuer.keys}
        self.issuer.header = {"kid": None}
        self.assertEqual((await self.login()).code, 200)

    async def test_unknown_kinds(self) -> None:
        """Keys of kinds that are not known here are passed over."""
        strange = [{"kty": "lattice", "kid": "x"}, "text", {"kty": "EC", "crv": "P-256", "x": "?"}]
        self.issuer.published = [*strange, *self.issuer.jwks()]  # type: ignore[list-item]
        self.assertEqual((await self.login()).code, 200)


class ProviderTests(OIDCTestCase):
    """Providers that answer with anything but what they should."""

    async def test_token_endpoint(self) -> None:
        """No answer of a token endpoint but a token is one."""
        self.start()
        answers: list[tuple[int, Any, str]] = [
            (200, "<html>Welcome", "bad_response"),
            (200, "[]", "bad_response"),
            (200, "null", "bad_response"),
            (200, "", "bad_response"),
            (200, "[" * 100_000, "bad_response"),
            (200, '{"access_token": 5}', "bad_response"),
            (200, '{"access_token": ""}', "bad_response"),
            (200, '{"access_token": "x"}', "bad_response"),
            (200, '{"id_token": "x"}', "bad_response"),
            (200, "x" * (1 << 20) + "x", "bad_response"),
            (500, "oops", "bad_response"),
            (302, '{"access_token": "x"}', "bad_response"),
            (400, '{"error": "invalid_client"}', "invalid_client"),
            (200, '{"error": "invalid_grant", "access_token": "x"}', "invalid_grant"),
        ]
        for status, answer, code in answers:
            self.issuer.token_status, self.issuer.token_answer = status, answer
            page = await self.ann.get(await self.reply())
            self.assertEqual((answer[:40], page.code, page.json["code"]), (answer[:40], 403, code))

    async def test_too_large(self) -> None:
        """An answer of more than a megabyte is refused, whatever it says."""
        self.issuer.token_answer = {"access_token": "x" * (1 << 20)}
        await self.refused("bad_response", "too much")

    async def test_token_endpoint_moved(self) -> None:
        """Secrets do not follow a redirect."""
        self.issuer.changes["token_endpoint"] = self.issuer.url + "/moved"
        await self.refused("bad_response", "307")
        self.assertNotIn("/token", self.issuer.counts)

    async def test_timeout(self) -> None:
        """A token endpoint that never answers is given up after the setting auth_timeout."""
        self.issuer.token_answer = "never"
        self.handler = impatient(OIDCLoginHandler)
        await self.refused("unavailable", "127.0.0.1")

    async def test_unreachable(self) -> None:
        """A provider that is not there is an AuthError."""
        self.start(oidc=self.issuer.settings(issuer="http://127.0.0.1:9"))
        self.assert_refused(await self.ann.get(self.site + "/login"), "unavailable")

    async def test_descriptions(self) -> None:
        """A description of another issuer, or with unsafe addresses, is refused."""
        bad: list[dict[str, Any]] = [
            {"issuer": "https://evil.example"},
            {"issuer": self.issuer.url + "/"},
            {"token_endpoint": None},
            {"jwks_uri": "http://evil.example/keys"},
            {"userinfo_endpoint": "http://evil.example/"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"end_session_endpoint": 5},
        ]
        for changes in bad:
            self.issuer.changes = changes
            self.start()
            self.assert_refused(await self.ann.get(self.site + "/login"), "bad_response")

    async def test_unsafe_issuer(self) -> None:
        """An issuer elsewhere must be https."""
        for issuer in ("http://example.com", "ftp://127.0.0.1", "https://", "example.com"):
            self.start(oidc=self.issuer.settings(issuer=issuer))
            self.assert_refused(await self.ann.get(self.site + "/login"), "error", "https")

    async def test_no_cookie_secret(self) -> None:
        """Without a cookie_secret there is no login, and the error says what to set."""
        with self.assertLogs("tornado.application", "ERROR") as logs:
            self.start(cookie_secret=None)
            page = await self.ann.get(self.site + "/login")
        self.assertEqual(page.code, 500)
        self.assertIn("'cookie_secret'", logs.output[0])


class AfterLoginTests(OIDCTestCase):
    """Refreshed tokens, and logout."""

    async def asked(self, work: Any) -> Any:
        """The result of ``work(handler)``, of a handler in a request."""
        results = []

        class AskingHandler(LoginHandler, OpenIDConnectMixin):
            async def get(self) -> None:
                results.append(await work(self))

        self.start(("/ask", AskingHandler))
        page = await self.ann.get(self.site + "/ask")
        if page.code == 403:
            raise AuthError(page.json["message"], code=page.json["code"])
        return results[0] if results else page

    async def test_refresh(self) -> None:
        """Refreshing gives a new access token and keeps the refresh token and the claims."""
        user = {"iss": self.issuer.url, "sub": "ann", "name": "Ann", "refresh_token": "refresh1"}
        found = await self.asked(lambda handler: handler.refresh_user(user))
        self.assertEqual(
            (found["access_token"], found["refresh_token"], found["sub"], found["name"]),
            ("access2", "refresh1", "ann", "Ann"),
        )

    async def test_refresh_of_another(self) -> None:
        """Refreshed tokens of another user are refused."""
        user = {"iss": self.issuer.url, "sub": "eve", "refresh_token": "refresh1"}
        with self.assertRaises(AuthError) as caught:
            await self.asked(lambda handler: handler.refresh_user(user))
        self.assertEqual(caught.exception.code, "forged")

    async def test_refresh_refused(self) -> None:
        """A refresh token that is gone tells so by the error's code."""
        for user, code in (({"refresh_token": "gone"}, "invalid_grant"), ({}, "error")):
            with self.assertRaises(AuthError) as caught:
                await self.asked(lambda handler, user=user: handler.refresh_user(user))
            self.assertEqual(caught.exception.code, code)

    async def test_logout(self) -> None:
        """Logout goes to the provider, with the way back and a hint of the user, or just back."""

        class LogoutHandler(LoginHandler, OpenIDConnectMixin):
            async def get(self) -> None:
                await self.logout_redirect("token", "/bye", {"state": "s"})

        self.start(("/logout", LogoutHandler))
        page = await self.ann.get(self.site + "/logout")
        self.assertTrue(page.location.startswith(self.issuer.url + "/logout?"))
        self.assertEqual(
            query_of(page.location),
            {
                "theme": "dark",
                "client_id": CLIENT,
                "post_logout_redirect_uri": self.site + "/bye",
                "id_token_hint": "token",
                "state": "s",
            },
        )
        self.issuer.changes["end_session_endpoint"] = None
        self.start(("/logout", LogoutHandler))
        page = await self.ann.get(self.site + "/logout")
        self.assertEqual(page.location, self.site + "/bye")

    async def test_revoke(self) -> None:
        """A token can be revoked; a provider that does not is an AuthError."""
        await self.asked(lambda handler: handler.oauth2_revoke("refresh1"))
        with self.assertRaises(AuthError):
            await self.asked(lambda handler: handler.oauth2_revoke("other"))
        self.issuer.changes["revocation_endpoint"] = None
        with self.assertRaisesRegex(AuthError, "no revocation"):
            await self.asked(lambda handler: handler.oauth2_revoke("refresh1"))

    async def test_logout_token(self) -> None:
        """A logout token of the provider passes; an id_token or an incomplete one does not."""
        now = int(time.time())
        good: dict[str, Any] = {
            "iss": self.issuer.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 60,
            "jti": "1",
            "sub": "ann",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        bad = [{"sub": None}, {"events": {}}, {"events": ["x"]}, {"nonce": "x"}, {"aud": "other"}]
        token = self.issuer.sign(good)
        claims = await self.asked(lambda handler: handler.verify_logout_token(token))
        self.assertEqual(claims["sub"], "ann")
        for changes in bad:
            token = self.issuer.sign({k: v for k, v in {**good, **changes}.items() if v})
            with self.assertRaises(AuthError):
                await self.asked(lambda handler, token=token: handler.verify_logout_token(token))
