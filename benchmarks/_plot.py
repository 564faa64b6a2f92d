"""A run as a drawing (SVG), readable on light and on dark ground.

Bars tell how good each contestant is when txtornado is 1, the longer the better, with the numbers
themselves beside them; one that would be many times as long as ours is cut, and has a point.  What
tells how something grows is drawn as lines, on a logarithmic axis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from benchmarks._model import OURS, Figure, Result
from benchmarks._record import Record
from benchmarks._statistics import ratios, rounds, summary
from benchmarks._tables import number, times

__all__ = ["Scale", "drawing", "ticks"]

WIDTH = 940
MARGIN = 24
#: Of bars: where they begin, how long they may get, and how high one is.
LEFT, SPAN, BAR = 150, 540, 13
#: Of lines: the height of a panel, and of one of two side by side the width.
HEIGHT, HALF = 230, (WIDTH - 3 * MARGIN) // 2
#: Bars of more than so many times ours are cut.
FAR = 6.0
#: A job of more figures than so many has its bars named after the one that is drawn.
MANY = 4

COLOURS = {
    "txtornado": "#2f7de1",
    "tornado": "#e8833a",
    "aiohttp": "#2ba884",
    "starlette": "#a468d5",
    "twisted.web": "#d9506b",
    "twisted": "#d9506b",
    "klein": "#9c7a63",
    "ceiling": "#8c939c",
}
OTHER_COLOURS = ("#00a3c4", "#b59a00", "#d264a8", "#6f9b3c", "#7a83d8")

STYLE = """
  svg { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
  .ground { fill: #ffffff; } text { fill: #24292f; font-size: 11.5px; }
  .title { font-size: 20px; font-weight: 600; } .group { font-size: 15px; font-weight: 600; }
  .job { font-size: 12.5px; font-weight: 600; } .faint { fill: #646c76; }
  .grid { stroke: #8b949e; stroke-opacity: .3; } .one { stroke: #24292f; stroke-opacity: .7; }
  .line { fill: none; stroke-width: 2; }
  text { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } text { fill: #e6edf3; stroke: #0d1117; } .faint { fill: #9aa4af; }
    .one { stroke: #e6edf3; }
  }
"""


@dataclass(frozen=True)
class Scale:
    """Values on a length, in pixels."""

    low: float
    high: float
    length: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return share * self.length


def ticks(scale: Scale, about: int = 6) -> list[float]:
    """Round numbers on a scale."""
    if scale.logarithmic:
        first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
        steps = (1, 2, 5) if scale.high / scale.low <= 120 else (1,)
        found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [value for value in found if scale.low * 0.999 <= value <= scale.high * 1.001]
    rough = (scale.high - scale.low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
    return [step * i for i in range(math.ceil(scale.low / step), int(scale.high / step + 1e-9) + 1)]


class Canvas:
    """Elements, and how far down they reach."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = float(MARGIN)

    def add(self, name: str, content: str = "", **attributes: object) -> None:
        words = "".join(
            f" {key.rstrip('_').replace('_', '-')}={quoteattr(_shown(value))}"
            for key, value in attributes.items()
        )
        self.parts.append(f"<{name}{words}>{escape(_clean(content))}</{name}>")

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        self.add("text", words, x=x, y=y, class_=kind, text_anchor=anchor)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _shown(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else _clean(str(value))


def _clean(words: str) -> str:
    """Without the characters that XML has no place for."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", words)


def drawing(record: Record) -> str:
    """The whole run."""
    results = [result for result in record.results if set(result.values) - {OURS}]
    canvas = Canvas()
    canvas.y += 16
    canvas.text(MARGIN, canvas.y, "txtornado beside its peers", "title")
    about = record.about
    where = [about[name] for name in ("processor", "kernel", "date") if name in about]
    count = about.get("rounds", "several")
    where.append("one round" if count == "1" else f"medians of {count} rounds")
    canvas.y += 20
    canvas.text(MARGIN, canvas.y, " · ".join(where), "faint")
    colours = _colours(results)
    _legend(canvas, colours)
    for group in dict.fromkeys(result.group for result in results):
        members = [result for result in results if result.group == group]
        bars = [result for result in members if not result.axis]
        lines = [result for result in members if result.axis]
        canvas.y += 34
        canvas.text(MARGIN, canvas.y, group, "group")
        if bars:
            _bars(canvas, bars, colours)
        for first in range(0, len(lines), 2):
            _lines(canvas, lines[first : first + 2], colours)
    return _document(canvas)


def _document(canvas: Canvas) -> str:
    height = round(canvas.y + MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">\n<title>txtornado beside its peers</title>\n'
        f'<style>{STYLE}</style>\n<rect class="ground" width="{WIDTH}" height="{height}"/>'
    )
    return "\n".join([head, *canvas.parts, "</svg>"]) + "\n"


def _colours(results: Sequence[Result]) -> dict[str, str]:
    names = dict.fromkeys(name for result in results for name in result.values)
    others = [name for name in names if name not in COLOURS]
    return {
        name: COLOURS.get(name) or OTHER_COLOURS[others.index(name) % len(OTHER_COLOURS)]
        for name in names
    }


def _legend(canvas: Canvas, colours: dict[str, str]) -> None:
    canvas.y += 24
    x = float(MARGIN)
    for name, colour in colours.items():
        width = 24 + 7 * len(name)
        if x > MARGIN and x + width > WIDTH - MARGIN:
            x, canvas.y = float(MARGIN), canvas.y + 18
        canvas.add("rect", x=x, y=canvas.y - 9, width=11, height=11, rx=2, fill=colour)
        canvas.text(x + 16, canvas.y, name)
        x += width + 12


# Bars


@dataclass(frozen=True)
class Bar:
    name: str
    #: How many times as good as we.
    good: float
    words: str


def _measured(result: Result) -> Iterator[Bar]:
    figure = result.figures[0]
    for name in result.values:
        values, each = rounds(result, name, figure), ratios(result, name, figure)
        if values and each:
            ours = summary(each).median
            good = 1 / ours if ours else math.inf
            words = f"{number(summary(values).median)} {figure.unit}"
            yield Bar(name, good, words if name == OURS else f"{words} ({times(good)})")


def _bars(canvas: Canvas, results: Sequence[Result], colours: dict[str, str]) -> None:
    jobs = [(result, list(_measured(result))) for result in results]
    scale = _bar_scale([bar.good for _, bars in jobs for bar in bars])
    top = canvas.y + 8
    ink, canvas.parts = canvas.parts, []
    for result, bars in jobs:
        canvas.y += 26
        canvas.text(MARGIN, canvas.y, _bars_title(result), "job")
        canvas.y += 7
        for bar in bars:
            _bar(canvas, bar, scale, colours[bar.name])
        if not bars:
            canvas.text(LEFT, canvas.y + 10, f"nothing to compare: {OURS} failed", "faint")
            canvas.y += BAR
    bottom = canvas.y + 6
    canvas.parts, bars_ink = ink, canvas.parts
    for value in ticks(scale):
        x = LEFT + scale(value)
        canvas.line(x, top, x, bottom, "one" if value == 1 else "grid")
        canvas.text(x, bottom + 14, f"{value:g}", "faint", "middle")
    canvas.parts += bars_ink
    canvas.y = bottom + 30
    canvas.text(LEFT, canvas.y, "times as good as txtornado: longer is better", "faint")


def _bars_title(result: Result) -> str:
    """The job's title, and which of its figures is drawn where there are many."""
    count = len(result.figures)
    if count <= MANY:
        return result.title
    return f"{result.title}: {result.figures[0].name} (one of {count} figures)"


def _bar_scale(values: Sequence[float]) -> Scale:
    return Scale(0.0, min(max([*values, 1.0]), FAR) * 1.04, SPAN)


def _bar(canvas: Canvas, bar: Bar, scale: Scale, colour: str) -> None:
    length = max(scale(min(bar.good, FAR)), 1.5)
    kind = "" if bar.name == OURS else "faint"
    middle = canvas.y + BAR - 3
    canvas.text(LEFT - 8, middle, bar.name, kind, "end")
    canvas.add("rect", x=LEFT, y=canvas.y, width=length, height=BAR - 2, rx=1.5, fill=colour)
    if bar.good > FAR:
        end, half = LEFT + length, (BAR - 2) / 2
        points = f"{end},{canvas.y} {end + half},{canvas.y + half} {end},{canvas.y + BAR - 2}"
        canvas.add("polygon", points=points, fill=colour)
        length += half
    canvas.text(LEFT + length + 6, middle, bar.words, kind)
    canvas.y += BAR + 1


# Lines


def _lines(canvas: Canvas, results: Sequence[Result], colours: dict[str, str]) -> None:
    for number_, result in enumerate(results):
        _panel(canvas, result, MARGIN + number_ * (HALF + MARGIN), colours)
    canvas.y += HEIGHT + 92


def _panel(canvas: Canvas, result: Result, x: float, colours: dict[str, str]) -> None:
    top, left, width = canvas.y + 46, x + 58, HALF - 70
    canvas.text(x, canvas.y + 22, result.title, "job")
    unit = result.figures[0].unit
    words = "more" if result.figures[0].higher_is_better else "less"
    canvas.text(x, canvas.y + 37, f"{unit}, logarithmic; {words} is better", "faint")
    points = {name: list(_points(result, name, result.figures)) for name in result.values}
    values = [value for each in points.values() for _, value in each if value > 0]
    if not values:
        return
    scale = Scale(min(values) / 1.25, max(values) * 1.25, HEIGHT, True)
    for value in ticks(scale):
        y = top + HEIGHT - scale(value)
        canvas.line(left, y, left + width, y, "grid")
        canvas.text(left - 6, y + 4, f"{value:,g}", "faint", "end")
    step = width / max(len(result.figures) - 1, 1)
    for place, figure in enumerate(result.figures):
        canvas.text(left + place * step, top + HEIGHT + 16, figure.name, "faint", "middle")
    canvas.text(left + width / 2, top + HEIGHT + 32, result.axis, "faint", "middle")
    for name, each in reversed(points.items()):
        where = [
            (left + place * step, top + HEIGHT - scale(value)) for place, value in each if value > 0
        ]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in where)
        canvas.add("polyline", points=path, class_="line", stroke=colours[name])
        for px, py in where:
            canvas.add("circle", cx=px, cy=py, r=3, fill=colours[name])


def _points(result: Result, name: str, figures: Sequence[Figure]) -> Iterator[tuple[int, float]]:
    for place, figure in enumerate(figures):
        values = rounds(result, name, figure)
        if values:
            yield place, summary(values).median
