"""Templates: ``templates.py ENGINE PAGE SECONDS``, the engine txtornado, tornado or jinja2.

Each page is written once, and its ends are put into every engine's own syntax.  Prints as JSON how
many seconds a page takes, the median over batches, and the page.
"""

import gc
import importlib
import json
import re
import statistics
import sys
import time

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

DATA = {
    "theme": "light",
    "user": "Åsa Öberg",
    "title": 'Q & A: "all"',
    "rows": [
        (f"Name {n}", f"user{n}@example.com", f"it's <b>{n}</b> & more" if n % 5 == 0 else "-", n)
        for n in range(50)
    ],
    "paragraphs": ["Lorem ipsum dolor sit amet, " * 12, "", "<em>consetetur</em> " * 9],
}


def jinja_end(match):
    word = match[1]
    return "{% end" + (word if word in ("if", "for") else "block") + " %}"


def renderer(engine, page):
    """What renders the page to bytes."""
    if engine == "jinja2":
        import jinja2

        texts = {
            name: re.sub(r"\{% END (\w+) %\}", jinja_end, text) for name, text in SOURCES.items()
        }
        environment = jinja2.Environment(
            loader=jinja2.DictLoader(texts), autoescape=True, auto_reload=False
        )
        found = environment.get_template(page)
        return lambda: found.render(DATA).encode()
    texts = {name: re.sub(r"\{% END \w+ %\}", "{% end %}", text) for name, text in SOURCES.items()}
    loader = importlib.import_module(engine + ".template").DictLoader(texts)
    found = loader.load(page)
    return lambda: found.generate(**DATA)


def once(render, pages):
    """Seconds per page."""
    start = time.perf_counter()
    for _ in range(pages):
        render()
    return (time.perf_counter() - start) / pages


engine, page, seconds = sys.argv[1:]
render = renderer(engine, page)
output = render().decode()
pages = max(1, int(0.05 / once(render, 100)))
gc.collect()
gc.disable()
end = time.perf_counter() + float(seconds)
batches = [once(render, pages)]
while time.perf_counter() < end:
    batches.append(once(render, pages))
print(json.dumps({"seconds": statistics.median(batches), "output": output}))
