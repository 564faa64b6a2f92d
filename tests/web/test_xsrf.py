"""Protection against forged requests: tokens, and what the browser says of the origin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.log import gen_log
from txtornado.testing import ExpectLog
from txtornado.web import Application, ErrorHandler, RequestHandler
from txtornado.web import _origin as origins
from txtornado.web import _xsrf as xsrf

from .support import app_of, request


class TokenTests(SynchronousTestCase):
    """The token's formats."""

    @given(st.binary(min_size=1, max_size=40), st.sampled_from([1, 2]))
    def test_round_trip(self, token: bytes, version: int) -> None:
        """A token of any length survives either format."""
        encoded = xsrf.encode_token(xsrf.Token(None, token, 1.0), version).decode()
        decoded = xsrf.decode_token(encoded)
        assert decoded is not None
        self.assertEqual((decoded.version, decoded.token), (version, token))

    def test_masked(self) -> None:
        """Version 2 never looks the same twice."""
        token = xsrf.new_token()
        self.assertEqual(len({xsrf.encode_token(token, 2) for _ in range(20)}), 20)

    @given(st.text(max_size=60), st.sampled_from(["", "2|", "2|abcdefab|", "3|", "2|ab|cd|"]))
    def test_nonsense(self, text: str, prefix: str) -> None:
        """Nonsense makes no exception."""
        xsrf.decode_token(prefix + text)

    def test_unknown_version(self) -> None:
        """A version of the future is not taken for a token."""
        self.assertIsNone(xsrf.decode_token("3|x"))
        self.assertRaises(ValueError, xsrf.encode_token, xsrf.new_token(), 3)


class Form(RequestHandler):
    def get(self) -> None:
        self.write(self.xsrf_form_html())

    def post(self) -> None:
        self.write("done")

    put = delete = patch = post


class XSRFCookieTests(SynchronousTestCase):
    """The setting ``xsrf_cookies``."""

    def setUp(self) -> None:
        self.app = app_of(Form, xsrf_cookies=True)
        page = request(self.app)
        self.token = page.text.split('value="')[1].split('"')[0]
        self.cookie = page.cookies[0].partition(";")[0]

    def refused(self, reason: str, **kwargs: object) -> None:
        with ExpectLog(gen_log, f".*{reason}"):
            self.assertEqual(request(self.app, method="POST", **kwargs).code, 403)  # type: ignore[arg-type]

    def test_form(self) -> None:
        """A form that repeats the token passes, by field, query or header."""
        headers = {"Cookie": self.cookie}
        for more in (
            {"body": {"_xsrf": self.token}, "headers": headers},
            {"uri": f"/?_xsrf={self.token}", "headers": headers},
            {"headers": {**headers, "X-XSRFToken": self.token}},
            {"headers": {**headers, "X-CSRFToken": self.token}},
        ):
            self.assertEqual(request(self.app, method="POST", **more).text, "done")  # type: ignore[arg-type]

    def test_refused(self) -> None:
        """Without token or cookie, or with another's, the request is refused."""
        headers = {"Cookie": self.cookie}
        self.refused("argument missing", headers=headers)
        self.refused("does not match", body={"_xsrf": self.token})
        self.refused("invalid format", headers=headers, body={"_xsrf": "3|"})
        other = xsrf.encode_token(xsrf.new_token(), 2).decode()
        self.refused("does not match", headers=headers, body={"_xsrf": other})

    def test_all_methods_that_change(self) -> None:
        """PUT, DELETE and PATCH are checked as POST is; GET is not."""
        for method in ("PUT", "DELETE", "PATCH"):
            with ExpectLog(gen_log, ".*argument missing"):
                self.assertEqual(request(self.app, method=method).code, 403)
        self.assertEqual(request(self.app).code, 200)

    def test_cookie_is_kept(self) -> None:
        """A browser that has a token gets no other one, but another mask."""
        again = request(self.app, headers={"Cookie": self.cookie})
        self.assertEqual(again.cookies, [])
        self.assertNotIn(self.token, again.text)

    def test_cookie_settings(self) -> None:
        """The cookie's name and attributes can be set."""
        app = app_of(
            Form,
            xsrf_cookies=True,
            xsrf_cookie_name="__Host-xsrf",
            xsrf_cookie_kwargs={"secure": True, "samesite": "Strict"},
            xsrf_cookie_version=1,
        )
        cookie = request(app).cookies[0]
        self.assertRegex(cookie, "^__Host-xsrf=[0-9a-f]{32}; Path=/; SameSite=Strict; Secure$")

    def test_exempt(self) -> None:
        """A handler can except itself, and errors are errors whatever the token."""

        class Open(Form):
            def check_xsrf_cookie(self) -> None:
                pass

        app = Application(
            [("/open", Open), ("/gone", ErrorHandler, {"status_code": 410})], xsrf_cookies=True
        )
        self.assertEqual(request(app, "/open", "POST").code, 200)
        self.assertEqual(request(app, "/gone", "POST").code, 410)
        self.assertEqual(request(app, "/nowhere", "POST").code, 404)


class OriginTests(SynchronousTestCase):
    """The setting ``cross_origin_protection``."""

    def setUp(self) -> None:
        self.app = app_of(
            Form, cross_origin_protection=True, trusted_origins=["https://friend.example"]
        )

    def code(self, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(self.app, method="POST", headers=named).code

    def test_allowed(self) -> None:
        """Requests of our own pages, of trusted ones and of no browser pass."""
        self.assertEqual(self.code(), 200)
        self.assertEqual(self.code(Sec_Fetch_Site="same-origin"), 200)
        self.assertEqual(self.code(Sec_Fetch_Site="none"), 200)
        self.assertEqual(self.code(Origin="http://example.com"), 200)
        self.assertEqual(self.code(Origin="http://EXAMPLE.com"), 200)
        trusted = "https://friend.example"
        self.assertEqual(self.code(Origin=trusted), 200)
        self.assertEqual(self.code(Origin=trusted, Sec_Fetch_Site="cross-site"), 200)

    def test_refused(self) -> None:
        """Requests of other origins are refused, and the log says why."""
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Origin": "://["},
            {"Origin": "https://friend.example/"},
            {"Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "anything"},
            {"Sec_Fetch_Site": "cross-site", "Origin": "http://example.com"},
        ):
            with ExpectLog(gen_log, ".*(Origin|Sec-Fetch-Site) .*not allowed"):
                self.assertEqual(self.code(**headers), 403)

    def test_reading_is_free(self) -> None:
        """Requests that change nothing are not checked."""
        headers = {"Sec-Fetch-Site": "cross-site"}
        self.assertEqual(request(self.app, headers=headers).code, 200)

    def test_host_must_match_with_its_port(self) -> None:
        """An origin with another port is another origin."""
        self.assertTrue(origins.origin_matches_host("http://a:8080/x", "a:8080"))
        self.assertFalse(origins.origin_matches_host("http://a:8080", "a"))
        self.assertFalse(origins.origin_matches_host("http://a", None))
        self.assertFalse(origins.origin_matches_host("a", "a"))
