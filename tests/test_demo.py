"""`txtornado.demo`: each page of the demonstration."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from txtornado import demo
from txtornado.httpclient import HTTPResponse
from txtornado.simple_httpclient import HTTPStreamClosedError
from txtornado.testing import AsyncHTTPTestCase


class Page(HTMLParser):
    """The parts of a page that matter here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.files: list[str] = []
        self.fields: dict[str, str] = {}
        self.text: dict[str, str] = {}
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes: dict[str, Any] = dict(attrs)
        self._inside = attributes.get("id") or tag
        if tag == "a":
            self.links.append(attributes["href"])
        elif tag in ("link", "script"):
            self.files.append(attributes.get("href") or attributes["src"])
        elif tag == "input":
            self.fields[attributes["name"]] = attributes.get("value", "")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text[self._inside] = data


class DemoTests(AsyncHTTPTestCase):
    """What a browser would do."""

    def get_app(self) -> Any:
        return demo.make_app()

    def body(self, path: str, **options: Any) -> str:
        return str(self.fetch(path, raise_error=True, **options).body, "utf-8")

    def send(self, cookie: str, **fields: str) -> HTTPResponse:
        return self.fetch(
            "/form", method="POST", body=urlencode(fields), headers={"Cookie": cookie}
        )

    def test_index(self) -> None:
        """The index page links to the others, all of which are there, with what they need."""
        index = Page(self.body("/"))
        self.assertEqual(index.links, ["/hello", "/hello/you", "/form", "/clock"])
        needed = set(index.files)
        for path in index.links:
            needed.update(Page(self.body(path)).files)
        self.assertEqual(
            sorted(path.partition("?")[0] for path in needed),
            ["/static/clock.js", "/static/demo.css"],
        )
        for path in needed:
            self.assertTrue(self.body(path))

    def test_hello(self) -> None:
        """The greeting greets the world, or whom it is told to, and nobody's markup."""
        self.assertEqual(self.body("/hello"), "Hello, world\n")
        self.assertEqual(self.body("/hello/J%C3%BCrgen"), "Hello, Jürgen\n")
        response = self.fetch("/hello/%3Cb%3E")
        self.assertEqual(response.headers["Content-Type"], "text/plain; charset=UTF-8")

    def test_form(self) -> None:
        """The form shows what was sent, once its token comes back with the cookie."""
        response = self.fetch("/form")
        cookie = response.headers["Set-Cookie"].partition(";")[0]
        form = Page(response.body.decode())
        self.assertEqual(set(form.fields), {"_xsrf", "message"})
        self.assertNotIn("message", form.text)
        sent = self.send(cookie, _xsrf=form.fields["_xsrf"], message="<b>&</b>")
        self.assertEqual(sent.code, 200)
        self.assertEqual(Page(sent.body.decode()).text["message"], "<b>&</b>")

    def test_forged_form(self) -> None:
        """A form that somebody else made is refused."""
        cookie = self.fetch("/form").headers["Set-Cookie"].partition(";")[0]
        self.assertEqual(self.send(cookie, message="x").code, 403)
        self.assertEqual(self.send(cookie, _xsrf="1" * 32, message="x").code, 403)

    def test_incomplete_form(self) -> None:
        """A form without its field is a bad request."""
        response = self.fetch("/form")
        cookie = response.headers["Set-Cookie"].partition(";")[0]
        token = Page(response.body.decode()).fields["_xsrf"]
        self.assertEqual(self.send(cookie, _xsrf=token).code, 400)

    def test_clock(self) -> None:
        """The clock writes line after line of one response."""
        chunks: list[bytes] = []
        limit = mock.patch.object(demo, "LONGEST_STREAM", 0.03)
        with limit, mock.patch.object(demo.ClockStreamHandler, "interval", 0.01):
            self.fetch("/clock/stream", streaming_callback=chunks.append)
        self.assertEqual(len(chunks), 3)
        for chunk in chunks:
            self.assertTrue(re.fullmatch(rb"\d\d:\d\d:\d\d\n", chunk), chunk)

    def test_clock_without_reader(self) -> None:
        """The clock stops when its reader leaves."""
        ended: list[bool] = []
        original = demo.ClockStreamHandler.get

        async def watched(handler: Any) -> None:
            await original(handler)
            ended.append(True)
            self.stop()

        def read(chunk: bytes) -> None:
            for connection in list(self.http_server._connections):
                connection.stream.close()

        with (
            mock.patch.object(demo.ClockStreamHandler, "get", watched),
            mock.patch.object(demo.ClockStreamHandler, "interval", 0.01),
        ):
            self.assertRaises(
                HTTPStreamClosedError, self.fetch, "/clock/stream", streaming_callback=read
            )
            self.wait()
        self.assertEqual(ended, [True])

    def test_nothing_there(self) -> None:
        """Other paths are not found."""
        self.assertEqual(self.fetch("/nothing").code, 404)

    def test_settings(self) -> None:
        """Settings can be added and replaced."""
        settings = demo.make_app(xsrf_cookies=False, title="x").settings
        self.assertFalse(settings["xsrf_cookies"])
        self.assertEqual(settings["title"], "x")
        self.assertIn("template_path", settings)
