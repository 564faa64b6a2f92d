"""Signed values: the formats, and everything that must not pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.log import gen_log
from txtornado.testing import ExpectLog
from txtornado.web import (
    RequestHandler,
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)
from txtornado.web import _signing as signing

from .support import app_of, request

SECRET = "a secret for tests only"
NOW = 1_700_000_000.0
DAY = 86400


def at(seconds: float):
    return lambda: seconds


class FormatTests(SynchronousTestCase):
    """What a signed value looks like, on every machine and in every release."""

    def test_version_2(self) -> None:
        """Version 2 counts its fields and ends in an HMAC-SHA256 over them."""
        signed = create_signed_value(SECRET, "user", "ann", clock=at(NOW))
        head, signature = signed.rsplit(b"|", 1)
        self.assertEqual(head, b"2|1:0|10:1700000000|4:user|4:YW5u")
        self.assertEqual(signature, signing.signature_v2(SECRET, head + b"|"))

    def test_version_1(self) -> None:
        """Version 1 is the value, the time and an HMAC-SHA1 over name, value and time."""
        signed = create_signed_value(SECRET, "user", "ann", version=1, clock=at(NOW))
        value, stamp, signature = signed.split(b"|")
        self.assertEqual((value, stamp), (b"YW5u", b"1700000000"))
        self.assertEqual(signature, signing.signature_v1(SECRET, "user", value, stamp))

    def test_unknown_version(self) -> None:
        """Nothing is signed in a version that nobody can read."""
        self.assertRaises(ValueError, create_signed_value, SECRET, "a", "b", version=3)
        self.assertRaises(ValueError, decode_signed_value, SECRET, "a", "b", min_version=3)

    def test_dict_of_keys_needs_a_choice(self) -> None:
        """A dict of keys says nothing about which signs, and version 1 has no place for it."""
        keys = {1: "one", 2: "two"}
        self.assertRaises(ValueError, create_signed_value, keys, "a", "b")
        self.assertRaises(ValueError, create_signed_value, keys, "a", "b", version=1, key_version=1)


class DecodeTests(SynchronousTestCase):
    """Which values hold."""

    @given(st.binary(max_size=200), st.text(min_size=1, max_size=20), st.sampled_from([1, 2]))
    def test_round_trip(self, value: bytes, name: str, version: int) -> None:
        """What is signed comes back, whatever it is."""
        signed = create_signed_value(SECRET, name, value, version=version)
        self.assertEqual(decode_signed_value(SECRET, name, signed), value)

    @given(st.binary(max_size=100), st.sampled_from([b"", b"2|", b"2|1:0|", b"1|", b"12|", b"||"]))
    def test_nonsense(self, data: bytes, prefix: bytes) -> None:
        """Nonsense is None, never an exception."""
        gen_log.disabled = True
        try:
            self.assertIsNone(decode_signed_value(SECRET, "a", prefix + data))
            get_signature_key_version(prefix + data)
        finally:
            gen_log.disabled = False

    def test_another_name(self) -> None:
        """A value signed as one cookie does not hold as another."""
        for version in (1, 2):
            signed = create_signed_value(SECRET, "a", "v", version=version)
            with ExpectLog(gen_log, "Invalid cookie signature", required=version == 1):
                self.assertIsNone(decode_signed_value(SECRET, "b", signed))

    def test_every_byte_counts(self) -> None:
        """Changing any one byte of a value of version 2 breaks it."""
        signed = create_signed_value(SECRET, "a", "value", clock=at(NOW))
        gen_log.disabled = True
        self.addCleanup(setattr, gen_log, "disabled", False)
        for position in range(len(signed)):
            forged = bytearray(signed)
            forged[position] ^= 1
            self.assertIsNone(decode_signed_value(SECRET, "a", bytes(forged), clock=at(NOW)))

    def test_age(self) -> None:
        """A value holds for ``max_age_days`` and no longer."""
        signed = create_signed_value(SECRET, "a", "v", clock=at(NOW))
        self.assertEqual(decode_signed_value(SECRET, "a", signed, 2, at(NOW + 2 * DAY)), b"v")
        self.assertIsNone(decode_signed_value(SECRET, "a", signed, 2, at(NOW + 2 * DAY + 1)))

    def test_minimum_version(self) -> None:
        """Values older than ``min_version`` are refused."""
        signed = create_signed_value(SECRET, "a", "v", version=1)
        self.assertEqual(decode_signed_value(SECRET, "a", signed), b"v")
        self.assertIsNone(decode_signed_value(SECRET, "a", signed, min_version=2))

    def test_v1_time_in_future(self) -> None:
        """Digits moved from the value into the time do not make it last for ever."""
        signature = signing.signature_v1(SECRET, "a", "1234", "56781700000000")
        forged = b"1234|56781700000000|" + signature
        with ExpectLog(gen_log, "Cookie timestamp in future"):
            self.assertIsNone(decode_signed_value(SECRET, "a", forged, clock=at(NOW)))

    def test_v1_leading_zero(self) -> None:
        """A time stamp that begins with zero was moved there."""
        signature = signing.signature_v1(SECRET, "a", "dg==", "01700000000")
        with ExpectLog(gen_log, "Tampered cookie"):
            forged = b"dg==|01700000000|" + signature
            self.assertIsNone(decode_signed_value(SECRET, "a", forged, clock=at(NOW)))

    def test_long_values_are_cut_in_the_log(self) -> None:
        """A forged cookie cannot fill the log."""
        with self.assertLogs(gen_log) as logs:
            decode_signed_value(SECRET, "a", b"x" * 60000 + b"|1|2")
        self.assertTrue(len(logs.output[0]) < 500)


class KeyRotationTests(SynchronousTestCase):
    """Several keys, of which one signs."""

    KEYS = {0: "zero", 1: "one"}

    def test_old_keys_still_verify(self) -> None:
        """A value of an older key holds as long as the key is there."""
        old = create_signed_value(self.KEYS, "a", "v", key_version=0)
        new = create_signed_value(self.KEYS, "a", "v", key_version=1)
        self.assertEqual(decode_signed_value(self.KEYS, "a", old), b"v")
        self.assertEqual(decode_signed_value({1: "one"}, "a", new), b"v")
        self.assertIsNone(decode_signed_value({1: "one"}, "a", old))
        self.assertEqual(get_signature_key_version(old), 0)
        self.assertEqual(get_signature_key_version(new), 1)

    def test_handler_signs_with_the_setting(self) -> None:
        """``cookie_secret`` may be a dict, and ``key_version`` says which key signs."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write(self.create_signed_value("a", "v"))

            def post(self) -> None:
                self.write({"version": self.get_signed_cookie_key_version("a")})

        app = app_of(Handler, cookie_secret=self.KEYS, key_version=0)
        signed = request(app).text
        self.assertEqual(get_signature_key_version(signed), 0)
        answer = request(app, method="POST", headers={"Cookie": f"a={signed}"})
        self.assertEqual(answer.json, {"version": 0})


class SignedCookieTests(SynchronousTestCase):
    """Signed cookies of handlers."""

    class Handler(RequestHandler):
        def get(self) -> None:
            user = self.get_secure_cookie("user")
            self.write(b"nobody" if user is None else user)

        def post(self) -> None:
            self.set_secure_cookie("user", self.get_argument("name"))

    def test_login(self) -> None:
        """A signed cookie that was set is read back in the next request."""
        app = app_of(self.Handler, cookie_secret=SECRET)
        cookie = request(app, method="POST", body={"name": "änne"}).cookies[0]
        self.assertIn("expires=", cookie)
        answer = request(app, headers={"Cookie": cookie.partition(";")[0]})
        self.assertEqual(answer.text, "änne")

    def test_forged(self) -> None:
        """A forged cookie is as good as none."""
        app = app_of(self.Handler, cookie_secret=SECRET)
        forged = create_signed_value("another", "user", "root").decode()
        self.assertEqual(request(app, headers={"Cookie": f"user={forged}"}).text, "nobody")

    def test_no_secret(self) -> None:
        """Without ``cookie_secret`` the error says which setting is missing."""

        class Handler(RequestHandler):
            def get(self) -> None:
                try:
                    self.set_signed_cookie("a", "v")
                except Exception as error:
                    self.write(str(error))

        self.assertIn("'cookie_secret'", request(app_of(Handler)).text)
