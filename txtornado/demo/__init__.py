"""A small application that shows the main parts at work: ``twistd -n tornado`` serves it.

- ``/``: an index page, from a template.
- ``/hello``, ``/hello/NAME``: the shortest handler, with and without an argument.
- ``/form``: a form, protected against forged requests, that answers with what it got.
- ``/clock``: a page whose time is streamed by ``/clock/stream``, a response that does not
  end until the reader leaves.
"""

from __future__ import annotations

import datetime
import os
from typing import Any

from txtornado import gen
from txtornado.iostream import StreamClosedError
from txtornado.web import Application, RequestHandler

__all__ = ["make_app"]

HERE = os.path.dirname(os.path.abspath(__file__))
#: Seconds after which a clock's stream ends; the page asks for a new one.
LONGEST_STREAM = 3600


class IndexHandler(RequestHandler):
    """The page that lists the others."""

    def get(self) -> None:
        self.render("index.html")


class HelloHandler(RequestHandler):
    """A greeting as plain text."""

    def get(self, name: str | None = None) -> None:
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.write(f"Hello, {name or 'world'}\n")


class FormHandler(RequestHandler):
    """Shows a form, and what was typed into it."""

    def get(self) -> None:
        self.render("form.html", message=None)

    def post(self) -> None:
        self.render("form.html", message=self.get_argument("message"))


class ClockHandler(RequestHandler):
    """The page around the clock."""

    def get(self) -> None:
        self.render("clock.html")


class ClockStreamHandler(RequestHandler):
    """Writes the time of day, a line a second, for as long as somebody reads."""

    interval = 1.0

    async def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        for _ in range(int(LONGEST_STREAM / self.interval)):
            self.write(f"{datetime.datetime.now():%H:%M:%S}\n")
            try:
                await self.flush()
            except StreamClosedError:
                return
            await gen.sleep(self.interval)


def make_app(**settings: Any) -> Application:
    """The demonstration, with ``settings`` on top of its own."""
    defaults: dict[str, Any] = {
        "template_path": os.path.join(HERE, "templates"),
        "static_path": os.path.join(HERE, "static"),
        "xsrf_cookies": True,
    }
    return Application(
        [
            (r"/", IndexHandler),
            (r"/hello(?:/([^/]+))?", HelloHandler),
            (r"/form", FormHandler),
            (r"/clock", ClockHandler),
            (r"/clock/stream", ClockStreamHandler),
        ],
        **{**defaults, **settings},
    )
