"""Sites on free ports, a browser with cookies, and handlers that report what logins come to."""

from __future__ import annotations

import importlib.util
import json
import time
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from txtornado.auth import AuthError
from txtornado.httpclient import AsyncHTTPClient, HTTPResponse
from txtornado.httpserver import HTTPServer
from txtornado.testing import ReactorTestCase, bind_unused_port
from txtornado.web import Application, RequestHandler

SECRET = "a cookie secret for tests only"


def missing(*modules: str) -> str | None:
    """Why tests that need ``modules`` are skipped, if they are."""
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def query_of(url: str) -> dict[str, str]:
    """The query of ``url``, in which each name stands once."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    found = dict(pairs)
    assert len(found) == len(pairs), f"a name twice in {url}"
    return found


class LoginHandler(RequestHandler):
    """Base of login pages: reports failures as 403 with the error's code and message."""

    def report(self, error: AuthError) -> None:
        self.set_status(403)
        self.finish({"code": error.code, "message": str(error)})

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, AuthError):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, AuthError):
            self.report(error)
        else:
            super().write_error(status_code, **kwargs)


class Page:
    """What a browser ends up with."""

    def __init__(self, url: str, response: HTTPResponse) -> None:
        self.url = url
        self.code = response.code
        self.headers = response.headers
        self.text = response.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def location(self) -> str:
        return urljoin(self.url, self.headers["Location"])

    def __repr__(self) -> str:
        return f"<{self.code} {self.url}: {self.text[:300]}>"


class Browser:
    """Keeps cookies by host and port, and follows redirects when told to."""

    def __init__(self) -> None:
        self.cookies: dict[tuple[str, str, str], str] = {}
        self.client = AsyncHTTPClient(force_instance=True)

    async def get(self, url: str) -> Page:
        """Fetch a page; redirects are not followed."""
        return await self._fetch(url)

    async def post(self, url: str, fields: dict[str, str]) -> Page:
        """Post a form; redirects are not followed."""
        return await self._fetch(url, method="POST", body=urlencode(fields))

    async def follow(self, page: Page, until: str | None = None) -> Page:
        """Follow redirects to the end, or until the next one leads to ``until``."""
        for _ in range(20):
            if not 300 <= page.code < 400 or (until and page.location.startswith(until)):
                return page
            page = await self.get(page.location)
        raise AssertionError(f"too many redirects, last to {page.url}")

    async def _fetch(self, url: str, **options: Any) -> Page:
        headers = {"Cookie": self._sent(url)} if self._sent(url) else {}
        response = await self.client.fetch(
            url, raise_error=False, follow_redirects=False, headers=headers, **options
        )
        self._keep(url, response.headers.get_list("Set-Cookie"))
        return Page(url, response)

    def _sent(self, url: str) -> str:
        parts = urlsplit(url)
        return "; ".join(
            f"{name}={value}"
            for (netloc, path, name), value in self.cookies.items()
            if netloc == parts.netloc and (parts.path or "/").startswith(path)
        )

    def _keep(self, url: str, headers: list[str]) -> None:
        netloc = urlsplit(url).netloc
        for header in headers:
            for name, morsel in SimpleCookie(header).items():
                key = (netloc, morsel["path"] or "/", name)
                if not morsel.value or "1970" in morsel["expires"]:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = morsel.coded_value


def impatient(handler: type[RequestHandler]) -> type[RequestHandler]:
    """A handler that gives a provider little time, but only for what comes after its reply.

    What comes before is to succeed, however slow the machine is.
    """

    class Impatient(handler):  # type: ignore[misc, valid-type]
        def prepare(self) -> None:
            if "code" in self.request.query_arguments:
                self.settings["auth_timeout"] = 0.2

    return Impatient


class AuthTestCase(ReactorTestCase):
    """Serves applications on ``127.0.0.1``."""

    def serve(
        self, handlers: list[Any], port: tuple[Any, int] | None = None, **settings: Any
    ) -> str:
        """Serve ``handlers`` and return the site's URL, without a slash at the end."""
        sock, number = port or bind_unused_port()
        server = HTTPServer(Application(handlers, log_function=lambda handler: None, **settings))
        server.add_socket(sock)

        async def stop() -> None:
            server.stop()
            await server.close_all_connections()

        self.addCleanup(stop)
        return f"http://127.0.0.1:{number}"

    def browser(self) -> Browser:
        """A browser of somebody's own."""
        browser = Browser()
        self.addCleanup(browser.client.close)
        return browser

    def assert_refused(self, page: Page, code: str, words: str = "") -> None:
        """The login of a `LoginHandler` failed, for the reason ``code``."""
        self.assertEqual((page.code, page.json["code"]), (403, code), page.text)
        self.assertIn(words, page.json["message"])


class FakeTime:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.offset = 0.0

    def time(self) -> float:
        return time.time() + self.offset

    def monotonic(self) -> float:
        return time.monotonic() + self.offset
