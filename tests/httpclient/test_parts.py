"""Tests for the plain functions that all HTTP clients share."""

import base64
import os
import ssl
import unittest

from hypothesis import given
from hypothesis import strategies as st

from txtornado import version
from txtornado.httpclient import HTTPRequest, _RequestProxy
from txtornado.httpclient._head import check_request, request_head
from txtornado.httpclient._redirect import is_redirect, redirected
from txtornado.httpclient._target import parse_target
from txtornado.httpclient._tls import ssl_options_of
from txtornado.httputil import HTTPHeaders
from txtornado.testing._certificate import certificate_files


def proxy(*args, **kwargs):
    return _RequestProxy(HTTPRequest(*args, **kwargs), HTTPRequest._DEFAULTS)


class TargetTests(unittest.TestCase):
    def test_plain(self) -> None:
        """Scheme, host, port and path are taken apart, with the scheme's port as default."""
        target = parse_target("http://Example.com/a?b=c#d")
        self.assertEqual(
            (target.scheme, target.host, target.port, target.authority, target.path),
            ("http", "example.com", 80, "example.com", "/a?b=c"),
        )
        self.assertEqual(parse_target("https://example.com").port, 443)
        self.assertEqual(parse_target("https://example.com").path, "/")
        self.assertEqual(parse_target("http://example.com:8080/").authority, "example.com:8080")
        self.assertEqual(parse_target("http://example.com?x").path, "/?x")

    def test_credentials(self) -> None:
        """Credentials are percent-decoded and leave the authority."""
        target = parse_target("http://me%40home:se%3Acret@example.com:81/")
        self.assertEqual((target.username, target.password), ("me@home", "se:cret"))
        self.assertEqual(target.authority, "example.com:81")
        self.assertEqual(parse_target("http://me@example.com/").password, "")
        self.assertIsNone(parse_target("http://example.com/").username)

    def test_ipv6(self) -> None:
        """The brackets of an IPv6 address belong to the authority only."""
        target = parse_target("http://[::1]:8080/")
        self.assertEqual((target.host, target.authority), ("::1", "[::1]:8080"))

    def test_international(self) -> None:
        """Host names beyond ASCII are sent in IDNA, paths in percent-encoded UTF-8."""
        target = parse_target("http://bücher.example/straße?q=ä b")
        self.assertEqual(target.host, "xn--bcher-kva.example")
        self.assertEqual(target.path, "/stra%C3%9Fe?q=%C3%A4%20b")

    def test_refused(self) -> None:
        """What is no absolute http URL is refused, with the URL in the message."""
        for url in ("ftp://example.com/", "h:5", "/path", "example.com", "", "http:///path"):
            with self.subTest(url), self.assertRaisesRegex(ValueError, "url"):
                parse_target(url)
        with self.assertRaises(ValueError):
            parse_target("http://example.com:port/")

    @given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
    def test_no_request_smuggling(self, path: str) -> None:
        """Whatever the path, the request target has no white space and no control characters."""
        try:
            target = parse_target("http://example.com/" + path)
        except ValueError:
            return
        self.assertRegex(target.path, r"\A[\x21-\x7e]+\Z")

    def test_origin(self) -> None:
        """Two URLs are of one origin when scheme, host and port agree."""
        self.assertEqual(parse_target("http://a/x").origin, parse_target("http://A:80/y").origin)
        for other in ("https://a/", "http://b/", "http://a:81/"):
            self.assertNotEqual(parse_target("http://a/").origin, parse_target(other).origin)


class HeadTests(unittest.TestCase):
    def head(self, url="http://example.com/x", *args, **kwargs):
        kwargs["headers"] = HTTPHeaders(kwargs.get("headers", {}))
        request = proxy(url, *args, **kwargs)
        return request_head(request, parse_target(url))

    def test_defaults(self) -> None:
        """A plain request says where to, who asks, and that it takes gzip."""
        line, headers = self.head()
        self.assertEqual(line, ("GET", "/x", "HTTP/1.1"))
        self.assertEqual(
            list(headers.get_all()),
            [
                ("Host", "example.com"),
                ("Connection", "close"),
                ("User-Agent", f"Tornado/{version}"),
                ("Accept-Encoding", "gzip"),
            ],
        )

    def test_own_headers(self) -> None:
        """The request's headers win over what would be made up, and are not changed."""
        mine = HTTPHeaders({"Host": "virtual", "User-Agent": "me", "X": "1"})
        _, headers = self.head(headers=mine)
        self.assertEqual((headers["Host"], headers["User-Agent"]), ("virtual", "me"))
        self.assertEqual(next(iter(headers)), "Host")
        self.assertEqual(len(mine), 3)

    def test_repeated_headers(self) -> None:
        """A header with several values is sent several times."""
        mine = HTTPHeaders()
        mine.add("X-A", "1")
        mine.add("X-A", "2")
        _, headers = self.head(headers=mine)
        self.assertEqual(headers.get_list("X-A"), ["1", "2"])

    def test_user_agent(self) -> None:
        """user_agent wins over the header."""
        _, headers = self.head(user_agent="me", headers={"User-Agent": "other"})
        self.assertEqual(headers["User-Agent"], "me")

    def test_body(self) -> None:
        """A body has its length, and a POST a content type."""
        _, headers = self.head(method="POST", body="é")
        self.assertEqual(headers["Content-Length"], "2")
        self.assertEqual(headers["Content-Type"], "application/x-www-form-urlencoded")
        _, headers = self.head(method="PUT", body=b"")
        self.assertEqual(headers["Content-Length"], "0")
        self.assertNotIn("Content-Type", headers)

    def test_authentication(self) -> None:
        """Credentials come from the URL or from the request, the URL's first."""
        _, headers = self.head("http://me:secret@example.com/", auth_username="x")
        self.assertEqual(headers["Authorization"], basic(b"me:secret"))
        _, headers = self.head(auth_username="Aladdin", auth_password="open sesame")
        # RFC 7617, section 2.
        self.assertEqual(headers["Authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        _, headers = self.head(auth_username="me")
        self.assertEqual(headers["Authorization"], basic(b"me:"))

    def test_expect(self) -> None:
        """expect_100_continue says so."""
        _, headers = self.head(method="POST", body=b"x", expect_100_continue=True)
        self.assertEqual(headers["Expect"], "100-continue")

    def test_no_compression(self) -> None:
        """decompress_response=False asks for no encoding."""
        _, headers = self.head(decompress_response=False)
        self.assertNotIn("Accept-Encoding", headers)


def basic(credentials: bytes) -> str:
    return "Basic " + base64.b64encode(credentials).decode()


class CheckTests(unittest.TestCase):
    def check(self, **kwargs) -> None:
        check_request(proxy("http://example.com/", **kwargs))

    def test_fine(self) -> None:
        """Ordinary requests pass."""
        self.check()
        self.check(method="POST", body=b"")
        self.check(method="PUT", body_producer=lambda write: None)
        self.check(method="DELETE")
        self.check(method="PROPFIND", allow_nonstandard_methods=True, body=b"x")
        self.check(auth_username="me", auth_mode="basic")

    def test_body_where_none_belongs(self) -> None:
        """A GET with a body is refused, and a POST without one."""
        with self.assertRaisesRegex(ValueError, "must be None for method GET"):
            self.check(body=b"x")
        with self.assertRaisesRegex(ValueError, "must not be None for method POST"):
            self.check(method="POST")
        self.check(body=b"x", allow_nonstandard_methods=True)

    def test_unknown_method(self) -> None:
        """An unknown method is refused unless it is allowed."""
        with self.assertRaisesRegex(KeyError, "unknown method BREW"):
            self.check(method="BREW")

    def test_two_bodies(self) -> None:
        """A body and a body_producer exclude each other."""
        with self.assertRaisesRegex(ValueError, "exclude each other"):
            self.check(method="POST", body=b"", body_producer=lambda write: None)

    def test_unsupported(self) -> None:
        """What this client cannot do is refused by name."""
        request = proxy("http://example.com/", proxy_host="proxy", proxy_port=1)
        with self.assertRaisesRegex(NotImplementedError, "proxy_host"):
            check_request(request, unsupported=("proxy_host",))
        check_request(request)
        with self.assertRaisesRegex(ValueError, "auth_mode 'ntlm'"):
            self.check(auth_username="me", auth_mode="ntlm")
        self.check(auth_username="me", auth_mode="digest")


class RedirectTests(unittest.TestCase):
    def follow(self, code, location, url="http://example.com/a/b", **kwargs):
        request = proxy(url, **kwargs).request
        request.headers = HTTPHeaders(request.headers)
        request.max_redirects = 5
        return redirected(
            request, parse_target(url), url, code, HTTPHeaders({"Location": location})
        )

    def test_which(self) -> None:
        """Five codes are redirects, if they say where to."""
        there = HTTPHeaders({"Location": "/"})
        self.assertEqual(
            [c for c in range(100, 600) if is_redirect(c, there)], [301, 302, 303, 307, 308]
        )
        self.assertFalse(is_redirect(302, HTTPHeaders()))

    def test_relative(self) -> None:
        """The location is relative to the URL."""
        self.assertEqual(self.follow(302, "c?d").url, "http://example.com/a/c?d")
        self.assertEqual(self.follow(302, "//other/x").url, "http://other/x")
        self.assertEqual(self.follow(302, "/x").max_redirects, 4)

    def test_methods(self) -> None:
        """Which code changes which method."""
        table = {
            (301, "POST"): "GET", (302, "POST"): "GET", (303, "POST"): "GET",
            (303, "PUT"): "GET", (303, "HEAD"): "HEAD", (301, "PUT"): "PUT",
            (302, "DELETE"): "DELETE", (307, "POST"): "POST", (308, "PUT"): "PUT",
        }  # fmt: skip
        for (code, method), expected in table.items():
            body = b"x" if method in ("POST", "PUT") else None
            headers = {"Content-Type": "text/plain", "X": "1"}
            with self.subTest(code=code, method=method):
                follower = self.follow(code, "/", method=method, body=body, headers=headers)
                self.assertEqual(follower.method, expected)
                kept = expected == method
                self.assertEqual(follower.body, body if kept else None)
                self.assertEqual("Content-Type" in follower.headers, kept)
                self.assertIn("X", follower.headers)

    def test_same_origin(self) -> None:
        """Credentials and cookies stay within an origin, those of the URL too."""
        headers = {"Cookie": "a=b", "Authorization": "secret", "Host": "virtual"}
        follower = self.follow(302, "/x", headers=headers, auth_username="me")
        self.assertEqual(dict(follower.headers), headers)
        self.assertEqual(follower.auth_username, "me")
        follower = self.follow(302, "http://example.com/x", url="http://me:secret@example.com/")
        self.assertEqual((follower.auth_username, follower.auth_password), ("me", "secret"))
        self.assertEqual(
            self.follow(302, "/x", url="http://me:secret@example.com/").url,
            "http://me:secret@example.com/x",
        )

    def test_other_origin(self) -> None:
        """They go to no other host, port or scheme."""
        headers = {"Cookie": "a=b", "Authorization": "secret", "Host": "virtual", "X": "1"}
        for location in ("http://other/", "http://example.com:81/", "https://example.com/"):
            with self.subTest(location):
                follower = self.follow(302, location, headers=headers, auth_username="me")
                self.assertEqual(dict(follower.headers), {"X": "1"})
                self.assertIsNone(follower.auth_username)
                follower = self.follow(302, location, url="http://me:secret@example.com/")
                self.assertIsNone(follower.auth_username)

    def test_original_is_unchanged(self) -> None:
        """The request that was redirected stays as it was."""
        request = HTTPRequest("http://a/", method="POST", body=b"x", headers={"Cookie": "c"})
        request.headers = HTTPHeaders(request.headers)
        redirected(
            request,
            parse_target("http://a/"),
            "http://a/",
            302,
            HTTPHeaders({"Location": "http://b/"}),
        )
        self.assertEqual((request.url, request.method, request.body), ("http://a/", "POST", b"x"))
        self.assertEqual(dict(request.headers), {"Cookie": "c"})

    def test_other_schemes(self) -> None:
        """A redirect away from HTTP is refused."""
        with self.assertRaisesRegex(ValueError, "Unsupported url scheme"):
            self.follow(302, "ftp://example.com/")


class TLSTests(unittest.TestCase):
    def test_given(self) -> None:
        """ssl_options are taken as they are, instead of everything else."""
        context = ssl.create_default_context()
        self.assertIs(ssl_options_of(proxy("https://a/", ssl_options=context)), context)
        options = {"cert_reqs": ssl.CERT_NONE}
        self.assertIs(ssl_options_of(proxy("https://a/", ssl_options=options)), options)

    def test_defaults(self) -> None:
        """By default certificates and names are checked; the context is made once."""
        context = ssl_options_of(proxy("https://a/"))
        self.assertEqual(context.verify_mode, ssl.CERT_REQUIRED)
        self.assertTrue(context.check_hostname)
        self.assertIs(ssl_options_of(proxy("https://b/")), context)

    def test_no_validation(self) -> None:
        """validate_cert=False checks neither."""
        context = ssl_options_of(proxy("https://a/", validate_cert=False))
        self.assertEqual(context.verify_mode, ssl.CERT_NONE)
        self.assertFalse(context.check_hostname)

    def test_files(self) -> None:
        """Certificate files are loaded, and again when they have changed."""
        certificate, key = certificate_files()
        arguments = {"ca_certs": certificate, "client_cert": certificate, "client_key": key}
        context = ssl_options_of(proxy("https://a/", **arguments))
        self.assertEqual(len(context.get_ca_certs()), 1)
        self.assertIs(ssl_options_of(proxy("https://a/", **arguments)), context)
        os.utime(certificate, ns=(1, 1))
        self.assertIsNot(ssl_options_of(proxy("https://a/", **arguments)), context)

    def test_missing_file(self) -> None:
        """A file that is not there is an OSError that names it."""
        with self.assertRaisesRegex(OSError, "nowhere"):
            ssl_options_of(proxy("https://a/", ca_certs="/nowhere/ca.pem"))
