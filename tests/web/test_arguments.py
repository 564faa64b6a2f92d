"""Arguments of query, body and path, and languages."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.locale import parse_accept_language
from txtornado.log import gen_log
from txtornado.testing import ExpectLog
from txtornado.web import HTTPError, MissingArgumentError, RequestHandler
from txtornado.web._arguments import REQUIRED, clean, decode

from .support import app_of, request


class ArgumentTests(SynchronousTestCase):
    """``get_argument`` and its family."""

    class Handler(RequestHandler):
        def get(self) -> None:
            self.write(
                {
                    "both": self.get_argument("a", None),
                    "all": self.get_arguments("a"),
                    "query": self.get_query_arguments("a"),
                    "body": self.get_body_arguments("a"),
                    "last_query": self.get_query_argument("a", "none"),
                    "last_body": self.get_body_argument("a", "none"),
                }
            )

        post = get

    def test_sources(self) -> None:
        """The body comes after the query, and the last value counts."""
        answer = request(app_of(self.Handler), "/?a=1&a=2", "POST", body={"a": "3"}).json
        expected = {
            "both": "3",
            "all": ["1", "2", "3"],
            "query": ["1", "2"],
            "body": ["3"],
            "last_query": "2",
            "last_body": "3",
        }
        self.assertEqual(answer, expected)

    def test_made_arguments(self) -> None:
        """What a handler has put into the request's arguments counts, before and after."""

        class Handler(RequestHandler):
            def get(self) -> None:
                before = self.get_arguments("a")
                self.request.arguments["a"].append(b"3")
                self.request.arguments["b"] = [b"4"]
                query = self.get_query_arguments("a")
                self.write(
                    {"a": [before, self.get_arguments("a"), query], "b": self.get_argument("b")}
                )

        answer = request(app_of(Handler), "/?a=1").json
        self.assertEqual(answer, {"a": [["1"], ["1", "3"], ["1"]], "b": "4"})

    def test_decoded_otherwise(self) -> None:
        """An application's own ``decode_argument`` is asked for every argument."""

        class Handler(RequestHandler):
            def decode_argument(self, value: bytes, name: str | None = None) -> str:
                return f"{name}={value.decode('latin-1')}"

            def get(self) -> None:
                self.write({"a": self.get_arguments("a")})

        answer = request(app_of(Handler), "/?a=%E9&a=2").json
        self.assertEqual(answer, {"a": ["a=\u00e9", "a=2"]})

    def test_missing(self) -> None:
        """A missing argument is its default, or a 400 that names it."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.get_argument("name")

        self.assertEqual(request(app_of(self.Handler)).json["last_query"], "none")
        with ExpectLog(gen_log, ".*Missing argument name"):
            self.assertEqual(request(app_of(Handler)).code, 400)

    def test_empty(self) -> None:
        """An empty argument is not a missing one."""
        self.assertEqual(request(app_of(self.Handler), "/?a=").json["both"], "")

    def test_cleaned(self) -> None:
        """White space at the ends goes unless wanted, control characters become blanks."""
        self.assertEqual(clean(" a\x00b ", True), "a b")
        self.assertEqual(clean(" a\tb\n", False), " a\tb\n")

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write(self.get_argument("a", strip=False))

        self.assertEqual(request(app_of(Handler), "/?a=%20x%20").text, " x ")

    @given(st.binary(max_size=40))
    def test_decode(self, value: bytes) -> None:
        """Bytes are UTF-8, or a 400."""
        try:
            self.assertEqual(decode(value, "a").encode(), value)
        except HTTPError as error:
            self.assertEqual(error.status_code, 400)

    def test_undecodable(self) -> None:
        """Bad UTF-8 is a 400 in query, body and path, and percent signs do not hurt the log."""
        app = app_of(self.Handler)
        grouped = app_of(self.Handler, "/(.*)")
        bad = {"body": b"a=%ff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
        for answer in (
            lambda: request(app, "/?a=%25%ff"),
            lambda: request(app, "/", "POST", **bad),  # type: ignore[arg-type]
            lambda: request(grouped, "/%ff"),
        ):
            with ExpectLog(gen_log, ".*Invalid unicode in (a|url)"):
                self.assertEqual(answer().code, 400)

    def test_decode_argument(self) -> None:
        """An application may decode otherwise; it is told the names."""
        names: list[Any] = []

        class Handler(RequestHandler):
            def decode_argument(self, value: bytes, name: str | None = None) -> str:
                names.append(name)
                return value.decode("latin1")

            def get(self, word: str, **kwargs: str) -> None:
                self.write(word + self.get_argument("a"))

        self.assertEqual(request(app_of(Handler, "/(.*)"), "/%E9?a=%E8").text, "éè")
        self.assertEqual(request(app_of(Handler, "/(?P<word>.*)"), "/%E9?a=%E8").text, "éè")
        self.assertEqual(names, [None, "a", "word", "a"])

    def test_path_arguments(self) -> None:
        """Groups of the route are arguments; one that takes no part is None."""

        class Handler(RequestHandler):
            def prepare(self) -> None:
                self.write({"args": self.path_args, "kwargs": self.path_kwargs})

            def get(self, *args: str, **kwargs: str) -> None:
                pass

        answer = request(app_of(Handler, "/([^/]*)(/x)?"), "/a%2Fb").json
        self.assertEqual(answer, {"args": ["a/b", None], "kwargs": {}})
        answer = request(app_of(Handler, "/(?P<word>.*)"), "/w").json
        self.assertEqual(answer, {"args": [], "kwargs": {"word": "w"}})

    def test_errors_carry_the_name(self) -> None:
        """`MissingArgumentError` knows which argument was missing."""
        error = MissingArgumentError("x%y")
        self.assertEqual((error.arg_name, error.status_code), ("x%y", 400))
        self.assertEqual(error.get_message(), "Missing argument x%y")
        self.assertEqual(repr(REQUIRED), "<required>")


class LanguageTests(SynchronousTestCase):
    """``Accept-Language``."""

    def test_weights(self) -> None:
        """The dearest language comes first; equals keep their order."""
        self.assertEqual(
            parse_accept_language("de;q=0.1, fr , en;q=0.5,es"), ["fr", "es", "en", "de"]
        )

    def test_refused(self) -> None:
        """Weights of zero, below it or malformed take a language out."""
        self.assertEqual(parse_accept_language("de;q=0, fr;q=-1, en;q=x, es; q=0.3,"), ["es"])
        self.assertEqual(parse_accept_language(""), [])

    def test_handler(self) -> None:
        """The user's locale goes before the browser's, and that before the default."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write(self.locale.code)

        self.assertEqual(request(app_of(Handler)).text, "en_US")
        headers = {"Accept-Language": "xx,yy;q=0.3"}
        self.assertEqual(request(app_of(Handler), headers=headers).text, "en_US")

        class Chosen(Handler):
            def get_user_locale(self) -> Any:
                return type("Locale", (), {"code": "tlh"})

        self.assertEqual(request(app_of(Chosen), headers=headers).text, "tlh")
