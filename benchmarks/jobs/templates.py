"""Rendering templates, to the bytes that a server sends."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._processes import SERVERS, environment, output_of, pinned

__all__ = ["JOBS", "TemplateJob"]

CONTESTANTS = ("txtornado", "tornado", "jinja2")
#: Seconds beyond those of the measurement.
MARGIN = 30.0

HEAD = (
    '<!DOCTYPE html><html><head><title>{title}</title><link rel="stylesheet" '
    'href="/static/site.css"/></head><body class="light"><div id="nav"><a href="/">Home</a>'
    '<a href="/about">About</a> Åsa Öberg</div>{body}<div id="footer">{footer}</div></body></html>'
)
TITLE = 'Q & A: "all"'


def table() -> str:
    """What the page of that name must look like."""
    cells = [(n, f"it's <b>{n}</b> & more" if n % 5 == 0 else "-") for n in range(50)]
    rows = "".join(
        f"<tr><td>Name {n}</td><td>user{n}@example.com</td><td>{remark}</td><td>{n}</td></tr>"
        for n, remark in cells
    )
    body = (
        f"<h1>{TITLE}</h1><table><tr><th>Name</th><th>Mail</th><th>Remark</th><th>Count</th></tr>"
        f"{rows}</table>"
    )
    return HEAD.format(title=TITLE, body=body, footer="All rights reserved.")


def article() -> str:
    """What the page of that name must look like."""
    body = (
        f'<div class="aside">Signed in as Åsa Öberg</div><h1>{TITLE}</h1>'
        f"<p>{'Lorem ipsum dolor sit amet, ' * 12}</p><p>{'<em>consetetur</em> ' * 9}</p>"
    )
    return HEAD.format(title=TITLE, body=body, footer="Written by Åsa Öberg")


def squeezed(text: str) -> str:
    """A page without what engines do in different ways: blanks, and how they escape."""
    return re.sub(r"\s+", "", html.unescape(text))


@dataclass(frozen=True)
class TemplateJob:
    """A page rendered again and again, in a process of its own."""

    name: str
    title: str
    page: str
    expected: Callable[[], str]
    contestants: tuple[str, ...] = CONTESTANTS
    group: str = "Templates"
    figures: tuple[Figure, ...] = (Figure("time", "µs/page", higher_is_better=False),)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        program = str(SERVERS / "templates.py")
        command = [contestant.python, program, contestant.name, self.page, str(effort.seconds)]
        output = output_of(
            pinned(command, effort.server_cpu), limit=effort.seconds + MARGIN, env=environment()
        )
        told = json.loads(output)
        if squeezed(told["output"]) != squeezed(self.expected()):
            raise RuntimeError(f"renders another page: {told['output'][:200]}")
        return {"time": float(told["seconds"]) * 1e6}


JOBS: tuple[Job, ...] = (
    TemplateJob(
        "template-table", "A table of 50 rows of escaped cells, in a layout", "table.html", table
    ),
    TemplateJob(
        "template-article", "An article: blocks, an include, conditions", "article.html", article
    ),
)
