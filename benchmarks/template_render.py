#!/usr/bin/env python3
"""How fast templates render: txtornado's beside Jinja2's and Tornado's.

    python benchmarks/template_render.py [--rounds 15] [--rows 50]

Two pages, each written in every engine's own syntax and checked to come out alike:

* ``table``: a page that extends a layout and fills a table of escaped cells;
* ``article``: a page of several blocks with an include, conditions and few expressions.

The engines take turns, round after round, so that whatever else the machine does meets all of them;
what is shown is the median over the rounds, in microseconds per page, and how many times as long as
txtornado the others take.  Engines that are not installed are left out.  Jinja2 is measured twice:
rendering to `str` as it does by itself, and encoded as a web server sends it.
"""

from __future__ import annotations

import argparse
import gc
import html
import os
import re
import statistics
import sys
import time
from collections.abc import Callable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

LAYOUT = """\
<!DOCTYPE html>
<html>
  <head>
    <title>{% block title %}Untitled{% END title %}</title>
    {% block head %}<link rel="stylesheet" href="/static/site.css"/>{% END head %}
  </head>
  <body class="{{ theme }}">
    <div id="nav"><a href="/">Home</a> <a href="/about">About</a> {{ user }}</div>
    {% block body %}{% END body %}
    <div id="footer">{% block footer %}All rights reserved.{% END footer %}</div>
  </body>
</html>
"""

TABLE = """\
{% extends "layout.html" %}
{% block title %}{{ title }}{% END title %}
{% block body %}
    <h1>{{ title }}</h1>
    <table>
      <tr><th>Name</th><th>Mail</th><th>Remark</th><th>Count</th></tr>
      {% for row in rows %}
      <tr>
        <td>{{ row[0] }}</td>
        <td>{{ row[1] }}</td>
        <td>{{ row[2] }}</td>
        <td>{{ row[3] }}</td>
      </tr>
      {% END for %}
    </table>
{% END body %}
"""

ASIDE = """<div class="aside">{% if user %}Signed in as {{ user }}{% else %}Sign in{% END if %}</div>
"""

ARTICLE = """\
{% extends "layout.html" %}
{% block title %}{{ title }}{% END title %}
{% block body %}
    {% include "aside.html" %}
    <h1>{{ title }}</h1>
    {% for paragraph in paragraphs %}
      {% if paragraph %}<p>{{ paragraph }}</p>{% END if %}
    {% END for %}
{% END body %}
{% block footer %}Written by {{ user }}{% END footer %}
"""

SOURCES = {
    "layout.html": LAYOUT,
    "aside.html": ASIDE,
    "table.html": TABLE,
    "article.html": ARTICLE,
}

Render = Callable[[dict[str, object]], bytes | str]


def tornado_sources() -> dict[str, str]:
    return {name: re.sub(r"\{% END \w+ %\}", "{% end %}", text) for name, text in SOURCES.items()}


def jinja_sources() -> dict[str, str]:
    return {name: re.sub(r"\{% END (\w+) %\}", jinja_end, text) for name, text in SOURCES.items()}


def jinja_end(match: re.Match[str]) -> str:
    word = match[1]
    return "{% end" + (word if word in ("if", "for") else "block") + " %}"


def engines(page: str) -> dict[str, Render]:
    """Every engine that is there: its name, and what renders the page with it."""
    from txtornado.template import DictLoader

    ours = DictLoader(tornado_sources()).load(page)
    found: dict[str, Render] = {"txtornado": lambda data: ours.generate(**data)}
    try:
        import jinja2
    except ImportError:
        pass
    else:
        environment = jinja2.Environment(
            loader=jinja2.DictLoader(jinja_sources()), autoescape=True, auto_reload=False
        )
        theirs = environment.get_template(page)
        found["jinja2"] = lambda data: theirs.render(data)
        found["jinja2+utf8"] = lambda data: theirs.render(data).encode()
    try:
        from tornado.template import DictLoader as TornadoLoader
    except ImportError:
        pass
    else:
        peer = TornadoLoader(tornado_sources()).load(page)
        found["tornado"] = lambda data: peer.generate(**data)
    return found


def data_for(page: str, rows: int) -> dict[str, object]:
    common: dict[str, object] = {"theme": "light", "user": "Åsa Öberg", "title": 'Q & A: "all"'}
    if page == "table.html":
        common["rows"] = [
            (
                f"Name {n}",
                f"user{n}@example.com",
                f"it's <b>{n}</b> & more" if n % 5 == 0 else "-",
                n,
            )
            for n in range(rows)
        ]
    else:
        common["paragraphs"] = ["Lorem ipsum dolor sit amet, " * 12, "", "<em>consetetur</em> " * 9]
    return common


def squeezed(output: bytes | str) -> str:
    text = output.decode() if isinstance(output, bytes) else output
    return re.sub(r"\s+", "", html.unescape(text))


def once(render: Render, data: dict[str, object], pages: int) -> float:
    """Seconds per page."""
    start = time.perf_counter()
    for _ in range(pages):
        render(data)
    return (time.perf_counter() - start) / pages


def measure(page: str, rows: int, rounds: int, seconds: float) -> dict[str, float]:
    """Median microseconds per page, by engine."""
    data = data_for(page, rows)
    found = engines(page)
    outputs = {name: squeezed(render(data)) for name, render in found.items()}
    for name, output in outputs.items():
        if output != outputs["txtornado"]:
            raise SystemExit(f"{name} renders another {page} than txtornado")
    pages = max(1, int(seconds / once(found["txtornado"], data, 200)))
    times: dict[str, list[float]] = {name: [] for name in found}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            names = list(found)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                times[name].append(once(found[name], data, pages))
    finally:
        gc.enable()
    return {name: statistics.median(each) * 1e6 for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=50, help="of the table; default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=0.05, help="per engine and round; default: %(default)s"
    )
    options = parser.parse_args()
    for page in ("table.html", "article.html"):
        result = measure(page, options.rows, options.rounds, options.seconds)
        print(page)
        for name, microseconds in result.items():
            ratio = microseconds / result["txtornado"]
            print(f"  {name:12} {microseconds:8.1f} us   x {ratio:.2f}")


if __name__ == "__main__":
    main()
