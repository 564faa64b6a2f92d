"""What all HTTP servers have in common: their options, and the contents of their pages."""

import argparse
import socket

CHUNK = b"x" * 1023 + b"\n"
CHUNKS = 64
#: Bodies may be so large.
LIMIT = 64 << 20

HEADING = "Fifty & one rows"
ROWS = [(number, f"Name <{number}>", f"Tom & Jerry's note {number}") for number in range(50)]

BASE = (
    "<!DOCTYPE html>\n<html>\n<head><title>{% block title %}Base{% END %}</title></head>\n"
    "<body>\n<h1>{{ heading }}</h1>\n{% block body %}{% END %}\n</body>\n</html>\n"
)
PAGE = (
    '{% extends "base.html" %}{% block title %}{{ heading }}{% END %}'
    "{% block body %}<table>\n{% for number, name, note in rows %}"
    "<tr><td>{{ number }}</td><td>{{ name }}</td><td>{{ note }}</td></tr>\n"
    "{% FOR %}</table>{% END %}"
)


def templates(end, end_for):
    """The template page and its layout, in the syntax of Tornado or Jinja2."""
    texts = {"base.html": BASE, "page.html": PAGE}
    return {
        name: text.replace("{% END %}", end).replace("{% FOR %}", end_for)
        for name, text in texts.items()
    }


def jinja_environment():
    import jinja2

    loader = jinja2.DictLoader(templates("{% endblock %}", "{% endfor %}"))
    return jinja2.Environment(loader=loader, autoescape=True, auto_reload=False)


def options(*names):
    """``names`` are positional; a folder of static files, routes and processes may be given."""
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(name)
    parser.add_argument("--static", default=".", help="folder of the files below /static")
    parser.add_argument("--routes", type=int, default=0, help="so many of /sectionN/ID")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--adopt", type=int, help="descriptor of a socket that listens already")
    return parser.parse_args()


def listener():
    """A socket that listens; made so that asyncio sees that it is TCP, and sets TCP_NODELAY."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen(1024)
    return sock
