"""The programs that are measured: the same text for txtornado and Tornado, but for the import.

``{package}`` stands for the package's name and ``{port}`` for the port.  A job is a program and
what ``wrk`` is to ask of it.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["JOBS", "Job"]

MAIN = """
import os
import {package}.ioloop
import {package}.template
import {package}.web
web = {package}.web

{handlers}

if __name__ == "__main__":
    application.listen({port}, "127.0.0.1")
    {package}.ioloop.IOLoop.instance().start()
"""

HELLO = """
class MainHandler(web.RequestHandler):
    def get(self):
        self.write("Hello, world")

application = web.Application([
    (r"/", MainHandler),
])
"""

JSON = """
class ItemHandler(web.RequestHandler):
    def get(self, item):
        session = self.get_cookie("session")
        self.write({
            "item": int(item),
            "page": int(self.get_argument("page", "1")),
            "sort": self.get_argument("sort", "name"),
            "tags": self.get_arguments("tag"),
            "session": session,
        })

application = web.Application([
    (r"/api/items/([0-9]+)", ItemHandler),
])
"""

TEMPLATE = """
FILES = {
    "base.html": (
        "<!DOCTYPE html>\\n<html>\\n<head><title>{% block title %}Base{% end %}</title></head>\\n"
        "<body>\\n<h1>{{ heading }}</h1>\\n{% block body %}{% end %}\\n</body>\\n</html>\\n"
    ),
    "page.html": (
        "{% extends \\"base.html\\" %}{% block title %}{{ heading }}{% end %}"
        "{% block body %}<table>\\n{% for number, name, note in rows %}"
        "<tr><td>{{ number }}</td><td>{{ name }}</td><td>{{ note }}</td></tr>\\n"
        "{% end %}</table>{% end %}"
    ),
}
ROWS = [(number, "Name <%d>" % number, "Tom & Jerry's note %d" % number) for number in range(50)]
LOADER = {package}.template.DictLoader(FILES)

class PageHandler(web.RequestHandler):
    def get(self):
        self.render("page.html", heading="Fifty & one rows", rows=ROWS)

application = web.Application([(r"/", PageHandler)], template_loader=LOADER)
"""

STATIC = """
import tempfile
FOLDER = tempfile.mkdtemp()
for name, size in (("1k.bin", 1024), ("16k.bin", 16384), ("10m.bin", 10 << 20)):
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as file:
        file.write(os.urandom(size))
    os.utime(path, (10**9, 10**9))  # what is served has mostly been there for a while

application = web.Application([], static_path=FOLDER)
"""

FORM = """
class FormHandler(web.RequestHandler):
    def post(self):
        self.write("Thanks, " + self.get_argument("name") + " of " + self.get_argument("town"))

application = web.Application([(r"/form", FormHandler)])
"""

#: What a browser of today sends with every request.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "http://127.0.0.1/items",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.1.123456.789",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}

FORM_BODY = "name=Ada+Lovelace&town=London&message=" + "Hello+there%21+" * 10


class Job(NamedTuple):
    """A program, and how it is asked."""

    program: str
    path: str = "/"
    method: str = "GET"
    headers: dict[str, str] = {}
    body: str = ""

    def source(self, package: str, port: int) -> str:
        """The program's text."""
        text = MAIN.replace("{handlers}", self.program)
        return text.replace("{package}", package).replace("{port}", str(port))

    def script(self) -> str:
        """The job as a script for wrk."""
        lines = [f'wrk.method = "{self.method}"']
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in self.headers.items()]
        if self.body:
            lines.append(f'wrk.body = "{self.body}"')
        return "\n".join(lines) + "\n"


JOBS = {
    "hello": Job(HELLO),
    "json": Job(JSON, "/api/items/42?page=3&sort=price&tag=new&tag=sale", headers=BROWSER),
    "template": Job(TEMPLATE),
    "static": Job(STATIC, "/static/16k.bin"),
    "static-1k": Job(STATIC, "/static/1k.bin"),
    "static-10m": Job(STATIC, "/static/10m.bin"),
    "form": Job(
        FORM,
        "/form",
        "POST",
        {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"},
        FORM_BODY,
    ),
}
