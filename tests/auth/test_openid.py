"""OpenID 2.0 against python3-openid's server."""

from __future__ import annotations

import datetime
import logging
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from txtornado.auth import OpenIdMixin, _ax, _openid

from .support import SECRET, AuthTestCase, LoginHandler, missing, query_of

skip = missing("openid")
if not skip:
    from .openid_provider import Provider


class OpenIDLoginHandler(LoginHandler, OpenIdMixin):
    def initialize(self, endpoint: str) -> None:
        self._OPENID_ENDPOINT = endpoint

    async def get(self) -> None:
        if self.get_argument("openid.mode", None):
            self.write(await self.get_authenticated_user())
        else:
            self.authenticate_redirect()

    post = get


class OpenIDTestCase(AuthTestCase):
    skip = skip
    settings: dict[str, Any] = {"cookie_secret": SECRET}

    def setUp(self) -> None:
        self.provider = Provider(self)
        logging.getLogger("openid").setLevel(logging.CRITICAL)
        logging.getLogger("openid.server.server").setLevel(logging.CRITICAL)
        self.ann = self.browser()
        self.start()

    def start(self) -> None:
        options = {"endpoint": self.provider.url}
        self.site = self.serve([("/(?:login|other)", OpenIDLoginHandler, options)], **self.settings)

    async def reply(self, browser: Any = None) -> str:
        """Begin a login and let the provider answer; the address of its reply."""
        browser = browser or self.ann
        page = await browser.follow(await browser.get(self.site + "/login?next=/x"), self.site)
        self.assertEqual(page.code, 302, page)
        return page.location

    async def refused(self, change: Any, code: str, words: str = "") -> None:
        """A login whose reply was changed must fail."""
        reply = await self.reply()
        fields = query_of(reply)
        change(fields)
        url = f"{reply.partition('?')[0]}?{urlencode(fields)}"
        self.assert_refused(await self.ann.get(url), code, words)


class LoginTests(OpenIDTestCase):
    async def test_user(self) -> None:
        """The user has what the provider told and signed."""
        page = await self.ann.get(await self.reply())
        self.assertEqual(page.code, 200, page)
        self.assertEqual(
            page.json,
            {
                "first_name": "Ann",
                "last_name": "Ödön",
                "name": "Ann Ödön",
                "email": "ann@example.com",
                "locale": "hu-hu",
                "claimed_id": self.provider.url + "/ann",
            },
        )

    async def test_request(self) -> None:
        """The request names this site as realm and a return address with a state of its own."""
        first = query_of((await self.ann.get(self.site + "/login")).location)
        second = query_of((await self.ann.get(self.site + "/login")).location)
        self.assertEqual(first["openid.realm"], self.site + "/")
        self.assertTrue(first["openid.return_to"].startswith(self.site + "/login?auth_state="))
        self.assertNotEqual(first["openid.return_to"], second["openid.return_to"])
        self.assertEqual(
            first["openid.ax.required"], "firstname,fullname,lastname,email,language,username"
        )

    async def test_again(self) -> None:
        """A login that starts from an earlier reply's address does not drag that along."""
        reply = await self.reply()
        page = await self.ann.get(reply.replace("openid.mode", "openid.mood"))
        query = query_of(query_of(page.location)["openid.return_to"])
        self.assertEqual(sorted(query), ["auth_state", "next"])


class RefusedTests(OpenIDTestCase):
    async def test_cancel(self) -> None:
        """A user who does not agree is not logged in."""
        self.provider.agrees = False
        self.assert_refused(await self.ann.get(await self.reply()), "access_denied")

    async def test_error(self) -> None:
        """A provider's error is the reason."""

        def change(fields: dict[str, str]) -> None:
            fields.update({"openid.mode": "error", "openid.error": "out\nof order"})

        await self.refused(change, "error", "out?of order")

    async def test_replayed(self) -> None:
        """A reply is good once: for the browser, for the site, and for the provider."""
        reply = await self.reply()
        cookies = dict(self.ann.cookies)
        self.assertEqual((await self.ann.get(reply)).code, 200)
        self.assert_refused(await self.ann.get(reply), "state_mismatch")
        self.ann.cookies = dict(cookies)
        self.assert_refused(await self.ann.get(reply), "forged", "as its own")
        self.provider.answer = (200, "ns:http://specs.openid.net/auth/2.0\nis_valid:true\n")
        self.ann.cookies = dict(cookies)
        self.assert_refused(await self.ann.get(reply), "forged", "used before")

    async def test_other_browser(self) -> None:
        """A reply to somebody else's login is refused."""
        self.assert_refused(await self.ann.get(await self.reply(self.browser())), "state_mismatch")

    async def test_changed_fields(self) -> None:
        """A reply in which anything was changed is refused."""
        changes: dict[str, Any] = {
            "openid.claimed_id": "https://victim.example/",
            "openid.ax.value.email.1": "victim@example.com",
            "openid.sig": "AAAA",
            "openid.assoc_handle": "x",
            "openid.signed": "op_endpoint,return_to,response_nonce,assoc_handle,claimed_id,identity",
            "openid.response_nonce": "2020-01-01T00:00:00Zx",
            "openid.op_endpoint": "https://evil.example/",
            "openid.ns": "http://openid.net/signon/1.1",
            "openid.mode": "blah",
            "openid.return_to": "https://evil.example/",
        }
        for name, value in changes.items():
            reply = await self.reply()
            fields = query_of(reply)
            self.assertNotEqual(fields.get(name), value)
            fields[name] = value
            page = await self.ann.get(f"{reply.partition('?')[0]}?{urlencode(fields)}")
            self.assertEqual((name, page.code), (name, 403))

    async def test_own_checks(self) -> None:
        """What a provider calls valid must still be for this login and of that provider."""
        self.provider.answer = (200, "is_valid:true\n")
        reply = await self.reply()
        self.assertEqual((await self.ann.get(reply)).code, 200)

        def other_provider(fields: dict[str, str]) -> None:
            fields["openid.op_endpoint"] = "https://other.example/"

        def other_login(fields: dict[str, str]) -> None:
            fields["openid.return_to"] = f"{self.site}/login?auth_state={fields['auth_state']}"

        def old(fields: dict[str, str]) -> None:
            fields["openid.response_nonce"] = "2020-01-01T00:00:00Zx"

        await self.refused(other_provider, "forged", "another provider")
        await self.refused(other_login, "forged", "another login")
        await self.refused(old, "forged", "used before")

    async def test_missing_fields(self) -> None:
        """Every field that matters must be there and signed."""
        for name in (
            "op_endpoint",
            "return_to",
            "response_nonce",
            "claimed_id",
            "identity",
            "signed",
        ):
            reply = await self.reply()
            fields = query_of(reply)
            del fields["openid." + name]
            page = await self.ann.get(f"{reply.partition('?')[0]}?{urlencode(fields)}")
            self.assertEqual((name, page.code), (name, 403))

    async def test_unsigned_fields(self) -> None:
        """What is not signed is not said."""
        reply = await self.reply()
        more = "&openid.ax.type.u=http://axschema.org/namePerson/friendly&openid.ax.value.u=root"
        page = await self.ann.get(reply + more)
        self.assertEqual(page.code, 200, page)
        self.assertNotIn("username", page.json)

    async def test_twice(self) -> None:
        """A field that is there twice is refused: which one is signed?"""
        reply = await self.reply()
        page = await self.ann.get(reply + "&openid.claimed_id=https://victim.example/")
        self.assert_refused(page, "forged", "more than once")

    async def test_other_address(self) -> None:
        """A reply for another page, or with other arguments, is refused."""
        reply = await self.reply()
        page = await self.ann.get(reply.replace("/login?", "/other?"))
        self.assert_refused(page, "forged", "another address")
        await self.refused(lambda fields: fields.update(next="/y"), "forged", "another address")

    async def test_other_state(self) -> None:
        """The state of one login does not fit the reply to another."""
        first, second = query_of(await self.reply()), await self.reply()
        page = await self.ann.get(
            second.replace(query_of(second)["auth_state"], first["auth_state"])
        )
        self.assertEqual(page.code, 403)

    async def test_provider_answers(self) -> None:
        """Nothing but one is_valid:true is a yes."""
        bad = [
            (200, ""),
            (200, "<html>is_valid:true"),
            (200, "is_valid:false\n"),
            (200, "is_valid:true\nis_valid:false\n"),
            (200, "is_valid: true\n"),
            (200, "not_is_valid:true\n"),
            (500, "is_valid:true\n"),
            (302, "is_valid:true\n"),
        ]
        for answer in bad:
            self.provider.answer = answer
            page = await self.ann.get(await self.reply())
            self.assertEqual((answer, page.code), (answer, 403))

    async def test_not_utf8(self) -> None:
        """A reply in another encoding is refused."""
        page = await self.ann.get(self.site + "/login?openid.mode=id_res&openid.x=%ff")
        self.assert_refused(page, "bad_response")


class LooseTests(OpenIDTestCase):
    """An application without a cookie_secret, as old documentation has it."""

    settings: dict[str, Any] = {}

    async def test_user(self) -> None:
        """The login works without a cookie."""
        page = await self.ann.get(await self.reply())
        self.assertEqual(page.json["email"], "ann@example.com")
        self.assertEqual(self.ann.cookies, {})

    async def test_replayed(self) -> None:
        """A reply is good once all the same."""
        reply = await self.reply()
        self.assertEqual((await self.ann.get(reply)).code, 200)
        self.assert_refused(await self.ann.get(reply), "forged")

    async def test_changed(self) -> None:
        """Changed replies, of other providers or for other sites, are refused all the same."""
        for name in ("claimed_id", "return_to", "op_endpoint", "sig"):
            await self.refused(
                lambda fields, name=name: fields.update({"openid." + name: "https://x.example/"}),
                "forged",
            )


class OffTests(LooseTests):
    """An application that turned the checks off."""

    settings = {"cookie_secret": SECRET, "auth_strict": False}

    async def test_changed(self) -> None:
        """The provider is asked, and its word is enough."""
        await self.refused(
            lambda fields: fields.update({"openid.claimed_id": "https://x/"}), "forged"
        )
        reply = await self.reply()
        self.provider.answer = (200, "is_valid:true\n")
        page = await self.ann.get(
            reply.replace(quote(self.site, safe=""), quote("https://x", safe=""))
        )
        self.assertEqual(page.code, 200, page)


class NonceTests(SynchronousTestCase):
    """Response nonces."""

    def setUp(self) -> None:
        class Handler:
            application = type("App", (), {})()

        self.mixin: Any = type("Mixin", (OpenIdMixin, Handler), {})()

    def test_once(self) -> None:
        """A nonce is new once per provider."""
        nonce = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZabc")
        self.assertTrue(self.mixin.openid_use_nonce("https://a", nonce))
        self.assertFalse(self.mixin.openid_use_nonce("https://a", nonce))
        self.assertTrue(self.mixin.openid_use_nonce("https://b", nonce))

    def test_bad(self) -> None:
        """A nonce that is old, of the future, or without a time, is not taken."""
        for nonce in ("2005-05-15T17:11:51ZUNIQUE", "9999-05-15T17:11:51Z", "", "x" * 40):
            self.assertFalse(self.mixin.openid_use_nonce("https://a", nonce))

    def test_bounded(self) -> None:
        """The oldest are forgotten when there are too many."""
        self.patch(_openid, "_MOST_NONCES", 5)
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for number in range(20):
            self.assertTrue(self.mixin.openid_use_nonce("https://a", f"{now}{number}"))
        used = self.mixin.application._auth_store["openid_nonces"]
        self.assertEqual([key[1].removeprefix(now) for key in used], ["15", "16", "17", "18", "19"])


class AttributeTests(SynchronousTestCase):
    """Attribute exchange."""

    def test_request(self) -> None:
        """Asking for nothing sends nothing; for something unknown, says so."""
        self.assertEqual(_ax.request([]), {})
        with self.assertRaisesRegex(ValueError, "unknown attribute 'shoe'"):
            _ax.request(["email", "shoe"])

    def test_counted_values(self) -> None:
        """Values of attributes that may have several are found."""
        reply = {
            "ns.e": "http://openid.net/srv/ax/1.0",
            "e.type.a": "http://axschema.org/contact/email",
            "e.count.a": "1",
            "e.value.a.1": "ann@example.com",
        }
        self.assertEqual(_ax.user(reply), {"name": "ann", "email": "ann@example.com"})

    def test_other_extension(self) -> None:
        """Fields of another extension tell nothing."""
        reply = {
            "ns.e": "urn:other",
            "e.type.a": "http://axschema.org/contact/email",
            "e.value.a": "x",
        }
        self.assertEqual(_ax.user(reply), {})


class AddressTests(AuthTestCase):
    """Behind a proxy that takes TLS off."""

    async def test_scheme(self) -> None:
        """A return address may differ from the request's in its scheme."""
        seen = []

        class Handler(LoginHandler, OpenIdMixin):
            def get(self) -> None:
                url = self.request.full_url()
                seen.append(self._openid_is_here(url.replace("http:", "https:")))
                seen.append(self._openid_is_here("https://" + urlsplit(url).netloc + "/elsewhere"))

        await self.browser().get(self.serve([("/login", Handler)]) + "/login?a=1")
        self.assertEqual(seen, [True, False])
