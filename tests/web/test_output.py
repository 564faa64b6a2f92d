"""What a handler writes, its headers, its cookies, its etag."""

from __future__ import annotations

import datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.concurrent import done_future
from txtornado.testing import MemoryServer, ReactorTestCase
from txtornado.web import OutputTransform, RequestHandler, _headers
from txtornado.web._conditional import content_etag, etag_matches
from txtornado.web._cookies import cookie_header
from txtornado.web._headers import convert_value

from .support import Exchange, app_of, request


class WriteTests(ReactorTestCase):
    """`write`, `flush` and `finish`."""

    def answer(self, function: Any, **kwargs: Any) -> Exchange:
        handler = type("Handler", (RequestHandler,), {"get": function, "head": function})
        return request(app_of(handler), **kwargs)

    async def test_pieces(self) -> None:
        """Text goes out as UTF-8, bytes as they are, in one response with its length."""

        def get(self: RequestHandler) -> None:
            self.write("ä")
            self.write(b"\xff")
            self.finish("!")

        exchange = self.answer(get)
        self.assertEqual(exchange.body, b"\xc3\xa4\xff!")
        self.assertEqual(exchange.headers["Content-Length"], "4")
        self.assertEqual(exchange.headers["Content-Type"], "text/html; charset=UTF-8")
        self.assertEqual(exchange.calls, ["write_response"])

    async def test_dict(self) -> None:
        """A dict goes out as JSON that is safe inside a script element."""

        def get(self: RequestHandler) -> None:
            self.write({"a": "</script>"})

        exchange = self.answer(get)
        self.assertEqual(exchange.body, b'{"a": "<\\/script>"}')
        self.assertEqual(exchange.headers["Content-Type"], "application/json; charset=UTF-8")

    async def test_refused(self) -> None:
        """Other types are refused, lists with the reason."""
        errors: list[str] = []

        def get(self: RequestHandler) -> None:
            for chunk in ([1], 5, None):
                try:
                    self.write(chunk)  # type: ignore[arg-type]
                except TypeError as error:
                    errors.append(str(error))

        self.answer(get)
        self.assertIn("Lists not accepted for security reasons", errors[0])
        self.assertEqual(len(errors), 3)

    async def test_after_finish(self) -> None:
        """A finished response takes nothing more."""
        errors: list[str] = []

        def get(self: RequestHandler) -> None:
            self.finish()
            for call in (
                lambda: self.write("x"),
                self.finish,
                lambda: self.redirect("/"),
                lambda: self.render("x.html"),
            ):
                try:
                    call()
                except Exception as error:
                    errors.append(str(error))

        self.answer(get)
        self.assertEqual(
            errors,
            [
                "Cannot write() after finish()",
                "finish() called twice",
                "Cannot redirect after headers have been written",
                "Cannot render() after finish()",
            ],
        )

    async def test_flush(self) -> None:
        """`flush` sends the head and what there is; there is no length then, and no etag."""

        async def get(self: RequestHandler) -> None:
            self.write("a")
            await self.flush()
            await self.flush()
            self.write("b")
            await self.flush()
            self.finish("c")

        exchange = await self.answer(get).done()
        self.assertEqual(exchange.text, "abc")
        self.assertNotIn("Content-Length", exchange.headers)
        self.assertNotIn("Etag", exchange.headers)
        self.assertEqual(exchange.calls[0], "write_headers")

    async def test_flush_callback(self) -> None:
        """The callback of Tornado 2 is called when the output is written."""
        called: list[str] = []

        async def get(self: RequestHandler) -> None:
            self.flush(callback=lambda: called.append("flushed"))
            while not called:
                await done_future()
                import asyncio

                await asyncio.sleep(0)

        await self.answer(get).done()
        self.assertEqual(called, ["flushed"])

    async def test_finish_returns_a_future(self) -> None:
        """`finish` returns a Future, which is done when all is sent."""
        futures: list[Any] = []

        def get(self: RequestHandler) -> None:
            futures.append(self.finish("x"))

        self.answer(get)
        self.assertTrue(futures[0].done())
        self.assertIsNone(futures[0].result())

    async def test_head(self) -> None:
        """A HEAD response tells the length and has no body, flushed or not."""

        def get(self: RequestHandler) -> None:
            self.write("12345")

        async def flushing(self: RequestHandler) -> None:
            self.write("12345")
            await self.flush()
            self.write("6")

        exchange = self.answer(get, method="HEAD")
        self.assertEqual((exchange.body, exchange.headers["Content-Length"]), (b"", "5"))
        exchange = await self.answer(flushing, method="HEAD").done()
        self.assertEqual(exchange.body, b"")

    async def test_flush_overridden(self) -> None:
        """An application's own ``flush`` sees the end of the response, too."""
        seen: list[bool] = []

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write("x")

            def flush(self, include_footers: bool = False, callback: Any = None) -> Any:
                seen.append(include_footers)
                return super().flush(include_footers, callback)

        self.assertEqual(request(app_of(Handler)).text, "x")
        self.assertEqual(seen, [True])

    async def test_transforms(self) -> None:
        """Transforms change status, headers and body, in their order."""

        class Shout(OutputTransform):
            def transform_first_chunk(
                self, status_code: int, headers: Any, chunk: bytes, finishing: bool
            ) -> Any:
                headers["X-Finishing"] = str(finishing)
                return 201, headers, chunk.upper()

            def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
                return chunk.upper() + b"!" * finishing

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write("word")
                if self.get_argument("flush", None):
                    self.flush()
                    self.write("s")

        app = app_of(Handler)
        app.add_transform(Shout)
        exchange = request(app)
        self.assertEqual((exchange.code, exchange.text), (201, "WORD"))
        self.assertEqual(exchange.headers["X-Finishing"], "True")
        self.assertEqual(request(app, "/?flush=1").text, "WORDS!")

    async def test_body_where_none_may_be(self) -> None:
        """A body under 204 is the application's error."""

        def get(self: RequestHandler) -> None:
            self.set_status(204)
            self.write("x")

        with self.assertLogs("tornado.application") as logs:
            self.assertEqual(self.answer(get).code, 500)
        self.assertIn("Cannot send body with status code HTTP204", logs.output[0])


class HeaderTests(SynchronousTestCase):
    """Headers and status."""

    def answer(self, method: Any, **kwargs: Any) -> Exchange:
        return request(app_of(type("Handler", (RequestHandler,), {"get": method})), **kwargs)

    def test_values(self) -> None:
        """Text, bytes, integers and dates can stand in headers."""
        moment = datetime.datetime(2020, 2, 1, 3, 4, 5)
        self.assertEqual(convert_value("a\tb é"), "a\tb é")
        self.assertEqual(convert_value(b"\xc3\xa9"), "\xc3\xa9")
        self.assertEqual(convert_value(7), "7")
        self.assertEqual(convert_value(moment), "Sat, 01 Feb 2020 03:04:05 GMT")
        self.assertEqual(convert_value(""), "")

    @given(st.text(max_size=30))
    def test_injection(self, text: str) -> None:
        """A value with a control character, or beyond latin-1, is refused."""
        unsafe = any((ord(c) < 32 and c != "\t") or ord(c) == 127 or ord(c) > 255 for c in text)
        if unsafe:
            self.assertRaises(ValueError, convert_value, text)
        else:
            self.assertEqual(convert_value(text), text)

    def test_other_types(self) -> None:
        """Anything else is refused."""
        for value in (1.5, None, [], object()):
            self.assertRaises(TypeError, convert_value, value)

    def test_set_add_clear(self) -> None:
        """Setting replaces, adding adds, clearing removes all."""

        def get(self: RequestHandler) -> None:
            self.set_header("x-set", "1")
            self.set_header("X-Set", 2)
            self.add_header("X-Add", "1")
            self.add_header("x-add", "2")
            self.add_header("X-Gone", "1")
            self.add_header("X-Gone", "2")
            self.clear_header("x-gone")
            self.clear_header("x-never")

        headers = self.answer(get).headers
        self.assertEqual(headers.get_list("X-Set"), ["2"])
        self.assertEqual(headers.get_list("X-Add"), ["1", "2"])
        self.assertNotIn("X-Gone", headers)

    def test_defaults(self) -> None:
        """Every response tells server, type and date; `set_default_headers` changes that."""

        class Handler(RequestHandler):
            def set_default_headers(self) -> None:
                self.set_header("Server", "mine")

        headers = request(app_of(Handler)).headers
        self.assertEqual(headers["Server"], "mine")
        self.assertRegex(headers["Date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

    def test_clear(self) -> None:
        """`clear` forgets headers, status and output."""

        def get(self: RequestHandler) -> None:
            self.set_status(404, "Gone fishing")
            self.set_header("X-A", "1")
            self.write("x")
            self.clear()

        exchange = self.answer(get)
        self.assertEqual((exchange.code, exchange.reason, exchange.body), (200, "OK", b""))
        self.assertNotIn("X-A", exchange.headers)

    def test_responses_do_not_share_headers(self) -> None:
        """What one response sets is not in the next."""

        def get(self: RequestHandler) -> None:
            self.set_header("X-Once", self.get_argument("x"))
            self.add_header("Date", "never")

        self.answer(get, uri="/?x=1")
        headers = self.answer(lambda self: None).headers
        self.assertNotIn("X-Once", headers)
        self.assertEqual(len(headers.get_list("Date")), 1)

    def test_redirect(self) -> None:
        """`redirect` is 302, 301 when permanent, or the status asked for."""
        for arguments, code in (({}, 302), ({"permanent": True}, 301), ({"status": 307}, 307)):
            exchange = self.answer(lambda self, a=arguments: self.redirect("/é?a=b", **a))
            self.assertEqual(exchange.code, code)
            self.assertEqual(exchange.headers["Location"].encode("latin1"), "/é?a=b".encode())

    def test_redirect_injection(self) -> None:
        """A line end in a redirect's target is refused."""
        with self.assertLogs("tornado.application"):
            exchange = self.answer(lambda self: self.redirect("/\r\nSet-Cookie: a=b"))
        self.assertEqual(exchange.code, 500)
        self.assertNotIn("Set-Cookie", exchange.headers)

    def test_redirect_status(self) -> None:
        """Only a status from 300 to 399 redirects."""
        with self.assertLogs("tornado.application") as logs:
            self.answer(lambda self: self.redirect("/", status=200))
        self.assertIn("from 300 to 399, not 200", logs.output[0])


class CookieTests(SynchronousTestCase):
    """Outgoing cookies, and those of the request."""

    def test_attributes(self) -> None:
        """Every attribute stands where browsers expect it."""
        _, header = cookie_header(
            "a",
            "b",
            domain="example.com",
            expires=0x5E0BE100,
            path="/x",
            max_age=5,
            httponly=True,
            secure=True,
            samesite="Lax",
            extra={"partitioned": True},
        )
        self.assertEqual(
            header,
            "a=b; Domain=example.com; expires=Wed, 01 Jan 2020 00:00:00 GMT; HttpOnly; "
            "Max-Age=5; Partitioned; Path=/x; SameSite=Lax; Secure",
        )

    def test_false_flags(self) -> None:
        """A flag that is false is left out."""
        extra = {"partitioned": False}
        self.assertEqual(cookie_header("a", "b", extra=extra)[1], "a=b; Path=/")

    @given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30))
    def test_value_round_trip(self, value: str) -> None:
        """Python reads back what we write, quotes, semicolons and all."""
        read: SimpleCookie = SimpleCookie()
        header = cookie_header("name", value)[1]
        self.assertNotIn(";", header.removesuffix("; Path=/"))
        read.load(header)
        self.assertEqual(read["name"].value, value)

    @given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
    def test_injection(self, name: str, value: str, path: str) -> None:
        """Nothing gets a line end, or an attribute of its own, into the header."""
        try:
            header = cookie_header(name, value, path=path)[1]
        except (ValueError, CookieError):
            return
        self.assertNotRegex(header, r"[\x00-\x1f]")
        self.assertTrue(header.count(";") <= 1)

    def test_refused(self) -> None:
        """Bad names, values and attributes are refused, and the error names them."""
        for arguments, error, words in (
            ({"name": "a b"}, CookieError, "Invalid cookie attribute name"),
            ({"name": "a;b"}, CookieError, "Invalid cookie attribute name"),
            ({"name": "é"}, CookieError, "Illegal key"),
            ({"name": "path"}, CookieError, "reserved"),
            ({"name": ""}, CookieError, "Illegal key"),
            ({"value": "x\ny"}, ValueError, "Invalid cookie"),
            ({"value": "\u20ac"}, ValueError, "Invalid cookie"),
            ({"domain": "a;b"}, CookieError, "Invalid cookie attribute domain"),
            ({"samesite": "a b"}, CookieError, "Invalid cookie attribute samesite"),
            ({"max_age": "1; Path=/x"}, ValueError, "invalid literal"),
            ({"extra": {"nonsense": 1}}, CookieError, "Invalid attribute 'nonsense'"),
            ({"extra": {"comment": "a;b"}}, CookieError, "Invalid cookie attribute comment"),
        ):
            given = {"name": "a", "value": "b", **arguments}
            self.assertIn(words, str(self.assertRaises(error, cookie_header, **given)))

    def test_old_spelling(self) -> None:
        """Attributes in other cases are taken, with a warning."""
        header = cookie_header("a", "b", extra={"HttpOnly": True, "pATH": "/x"})[1]
        self.assertEqual(header, "a=b; HttpOnly; Path=/x")
        self.assertEqual(len(self.flushWarnings()), 2)

    def test_last_one_counts(self) -> None:
        """A cookie set twice is sent once, with nothing of the first."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.set_cookie("a", "1", domain="example.com")
                self.set_cookie("b", "2")
                self.set_cookie("a", "3")

        cookies = request(app_of(Handler)).cookies
        self.assertEqual(cookies, ["b=2; Path=/", "a=3; Path=/"])

    def test_survive_errors(self) -> None:
        """Cookies set before an error are sent with the error page, as Tornado does."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.set_cookie("a", "1")
                self.send_error(403)

        self.assertEqual(request(app_of(Handler)).cookies, ["a=1; Path=/"])

    def test_clear(self) -> None:
        """A cookie is deleted by one that has expired."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.clear_cookie("gone", domain="example.com", secure=True)
                self.clear_all_cookies()

        exchange = request(app_of(Handler), headers={"Cookie": "x=1; y=2"})
        names = [cookie.partition("=")[0] for cookie in exchange.cookies]
        self.assertEqual(names, ["gone", "x", "y"])
        self.assertRegex(exchange.cookies[0], r'^gone=""; Domain=example.com; expires=.*; Secure$')

    def test_clear_with_expiry(self) -> None:
        """A cookie to be deleted cannot be told when to expire."""

        class Handler(RequestHandler):
            def get(self) -> None:
                try:
                    self.clear_cookie("a", max_age=1)
                except TypeError as error:
                    self.write(str(error))

        self.assertIn("'max_age'", request(app_of(Handler)).text)

    def test_reading(self) -> None:
        """`get_cookie` reads the request, whatever else is in the header."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write(self.get_cookie("a", "default"))

        app = app_of(Handler)
        for header, value in (
            ("a=1", "1"),
            ('a="x y"', "x y"),
            ("/=bad; a=2", "2"),
            ("b=1", "default"),
            ("a", "default"),
            ("\xff\xfe=1; a=3", "3"),
            ("a=" + "x" * 60000, "x" * 60000),
        ):
            self.assertEqual(request(app, headers={"Cookie": header}).text, value)


class EtagTests(SynchronousTestCase):
    """Etags and ``If-None-Match``."""

    class Handler(RequestHandler):
        def get(self) -> None:
            self.set_header("Content-Language", "en")
            self.write("hello")

        post = get

    def test_304(self) -> None:
        """A browser that has the body gets a 304 without the headers of a body."""
        app = app_of(self.Handler)
        etag = request(app).headers["Etag"]
        self.assertEqual(etag, content_etag([b"hel", b"lo"]))
        exchange = request(app, headers={"If-None-Match": f'W/{etag}, "other"'})
        self.assertEqual((exchange.code, exchange.body), (304, b""))
        for name in ("Content-Language", "Content-Length", "Content-Type"):
            self.assertNotIn(name, exchange.headers)
        self.assertEqual(exchange.headers["Etag"], etag)

    def test_other_buffer(self) -> None:
        """A program may put another kind of buffer among the output than `write` takes."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self._write_buffer.append(bytearray(b"other"))  # type: ignore[arg-type]

        server = MemoryServer(app_of(Handler))
        self.addCleanup(server.close)
        response = server.fetch("/")
        self.assertEqual(response.body, b"other")
        self.assertEqual(response.headers["Etag"], content_etag([b"other"]))

    def test_repeated_bodies(self) -> None:
        """The same body has the same etag however often it comes, whatever else is sent with it."""

        class Handler(RequestHandler):
            def get(self) -> None:
                body = self.get_argument("body")
                if "cookie" in self.request.arguments:
                    self.set_cookie("a", body)
                self.write(body)

        server = MemoryServer(app_of(Handler))
        self.addCleanup(server.close)
        for _ in range(2):
            for body in ("x", "y" * 256, "z" * 257, *map(str, range(300))):
                for more in ("", "&cookie=1"):
                    response = server.fetch(f"/?body={body}{more}")
                    self.assertEqual(response.body.decode(), body)
                    self.assertEqual(response.headers["Etag"], content_etag([body.encode()]))
                    self.assertEqual(response.headers["Content-Length"], str(len(body)))
                    self.assertEqual(len(response.headers.get_list("Set-Cookie")), bool(more))
        self.assertLessEqual(len(_headers._small_tails), 256)

    def test_only_for_reading(self) -> None:
        """Responses to POST, and errors, have no etag."""
        app = app_of(self.Handler)
        self.assertNotIn("Etag", request(app, method="POST").headers)
        self.assertNotIn("Etag", request(app, method="PUT").headers)

    def test_own(self) -> None:
        """`compute_etag` makes another etag, or none."""

        class Own(self.Handler):  # type: ignore[name-defined,misc]
            def compute_etag(self) -> str | None:
                return self.get_argument("etag", None)

        app = app_of(Own)
        self.assertEqual(request(app, "/?etag=%22a%22").headers["Etag"], '"a"')
        self.assertNotIn("Etag", request(app).headers)

    def test_matching(self) -> None:
        """The comparison is weak, and an asterisk matches all."""
        self.assertTrue(etag_matches('"a"', '"b", W/"a"'))
        self.assertTrue(etag_matches('W/"a"', '"a"'))
        self.assertTrue(etag_matches('"a"', "*"))
        self.assertFalse(etag_matches('"a"', '"b", "*"'))
        self.assertFalse(etag_matches('"a"', "a"))
        self.assertFalse(etag_matches("", '""'))

    @given(st.text(max_size=50))
    def test_nonsense(self, header: str) -> None:
        """A malformed header matches nothing."""
        self.assertEqual(etag_matches('"no such etag"', header), header.strip() == "*")
