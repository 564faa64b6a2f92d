"""Tests for Digest authentication, against the examples of the RFCs."""

import unittest

from txtornado.httpclient._digest import authorization, find_challenge
from txtornado.httputil import HTTPHeaders

# RFC 7616, section 3.9.1.
REALM = "http-auth@example.org"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def challenge_of(*values: str):
    headers = HTTPHeaders()
    for value in values:
        headers.add("WWW-Authenticate", value)
    return find_challenge(headers)


class DigestTests(unittest.TestCase):
    def rfc7616(self, algorithm: str) -> str:
        challenge = challenge_of(
            f'Digest realm="{REALM}", qop="auth, auth-int", algorithm={algorithm}, '
            f'nonce="{NONCE}", opaque="{OPAQUE}"'
        )
        return authorization(
            challenge, "GET", "/dir/index.html", "Mufasa", "Circle of Life", CNONCE
        )

    def test_md5(self) -> None:
        """The MD5 example of RFC 7616."""
        self.assertIn('response="8ca523f5e9506fed4657c9700eebdbec"', self.rfc7616("MD5"))

    def test_sha256(self) -> None:
        """The SHA-256 example of RFC 7616."""
        header = self.rfc7616("SHA-256")
        self.assertIn(
            'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"', header
        )
        for part in (f'opaque="{OPAQUE}"', "qop=auth", "nc=00000001", "algorithm=SHA-256"):
            self.assertIn(part, header)

    def test_without_quality(self) -> None:
        """The older form, of RFC 2069, has no qop."""
        challenge = challenge_of('Digest realm="r", nonce="n"')
        header = authorization(challenge, "GET", "/", "u", "p", "c")
        # md5(md5("u:r:p") + ":n:" + md5("GET:/"))
        self.assertIn('response="' + expected("u:r:p", "n", "GET:/") + '"', header)
        self.assertNotIn("cnonce", header)

    def test_several_challenges(self) -> None:
        """The first that can be answered is taken, wherever it stands."""
        basic = 'Basic realm="a, digest b"'
        digest = 'Digest realm="r", algorithm=%s, nonce="n"'
        self.assertEqual(challenge_of(basic, digest % "MD5")["realm"], "r")
        self.assertEqual(challenge_of(f"{basic}, {digest % 'MD5'}")["nonce"], "n")
        self.assertEqual(
            challenge_of(digest % "SHA-512-256", digest % "SHA-256")["algorithm"], "SHA-256"
        )

    def test_none(self) -> None:
        """What cannot be answered is none."""
        for values in (
            (),
            ('Basic realm="r"',),
            ('Digest realm="r"',),
            ('Digest realm="r", nonce="n", algorithm=TOKEN',),
            ('Digest realm="r", nonce="n", qop="auth-int"',),
            ("Digest",),
            ('Digest nonce="n',),
        ):
            with self.subTest(values):
                self.assertIsNone(challenge_of(*values))

    def test_quoting(self) -> None:
        """Quotes in values are escaped, on both ways."""
        challenge = challenge_of(r'Digest realm="a \"b\" c", nonce="n"')
        self.assertEqual(challenge["realm"], 'a "b" c')
        header = authorization(challenge, "GET", "/", 'u"\\', "p")
        self.assertIn(r'username="u\"\\"', header)
        self.assertIn(r'realm="a \"b\" c"', header)


def expected(a1: str, nonce: str, a2: str) -> str:
    from hashlib import md5

    def digest(text: str) -> str:
        return md5(text.encode()).hexdigest()

    return digest(f"{digest(a1)}:{nonce}:{digest(a2)}")
