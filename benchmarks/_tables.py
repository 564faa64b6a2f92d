"""What is printed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from benchmarks._model import CEILING, OURS, Figure, Result
from benchmarks._record import Record
from benchmarks._statistics import (
    Summary,
    Verdict,
    is_peer,
    ratio,
    ratios,
    rounds,
    summary,
    verdicts,
)

__all__ = ["LEGEND", "changes", "number", "report", "table", "times", "told_verdict", "warnings"]

#: Above this share of its processor, the load may be what was measured.
BUSY = 0.95


def number(value: float) -> str:
    """Three digits that count, thousands apart."""
    size = abs(value)
    if size >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if size >= 10 else f"{value:,.2f}" if size >= 1 else f"{value:,.3f}"


def times(value: float) -> str:
    """A ratio."""
    if value == float("inf"):
        return "∞"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Columns: the first to the left, the others to the right; a last one of words to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        if not rows[0][-1]:
            cells[-1] = rest[-1]
        lines.append((indent + "  ".join([first.ljust(widths[0]), *cells])).rstrip())
    return "\n".join(lines)


def table(result: Result) -> str:
    """One job: a row for each contestant, and for each figure median, quartiles and ratio.

    After a single round there are no quartiles.
    """
    lines = f"{result.title} [{result.name}]"
    if result.values:
        several = any(
            len(rounds(result, name, figure)) > 1
            for name in result.values
            for figure in result.figures
        )
        head = [""]
        for figure in result.figures:
            head += [_heading(result, figure), *(["quartiles"] if several else []), "ratio"]
        rows = [[name, *_cells(result, name, several)] for name in result.values]
        lines += "\n" + aligned([head, *rows])
    return lines + _failures(result)


def _failures(result: Result) -> str:
    return "".join(f"\n  {name} failed: {words}" for name, words in result.failures.items())


def _heading(result: Result, figure: Figure) -> str:
    """The unit, and the figure's name where that says more."""
    units = [each.unit for each in result.figures]
    return figure.unit if units.count(figure.unit) == 1 else f"{figure.name}, {figure.unit}"


def _cells(result: Result, name: str, several: bool) -> Iterator[str]:
    for figure in result.figures:
        values, each = rounds(result, name, figure), ratios(result, name, figure)
        yield number(summary(values).median) if values else "-"
        if several:
            yield _between(summary(values), number) if len(values) > 1 else ""
        yield times(summary(each).median) if each and name != OURS else ""


def _between(found: Summary, told: Callable[[float], str]) -> str:
    """The quartiles."""
    return f"{told(found.low)}–{told(found.high)}"


def long_table(result: Result) -> str:
    """A job of many figures: a row for each of these, and a column for each contestant.

    Behind a median stands half of the distance of the quartiles, in percent of it.
    """
    names = list(result.values)
    peers = [name for name in names if name != OURS]
    rows = [["", *names, *(f"/{name}" for name in peers)]]
    for figure in result.figures:
        row = [_heading(result, figure)]
        for name in names:
            values = rounds(result, name, figure)
            row.append(_with_spread(values) if values else "-")
        for name in peers:
            each = ratios(result, name, figure)
            row.append(times(summary(each).median) if each else "-")
        rows.append(row)
    lines = f"{result.title} [{result.name}]"
    if names:
        lines += "\n" + aligned(rows)
    return lines + _failures(result)


def _with_spread(values: Sequence[float]) -> str:
    found = summary(values)
    if len(values) == 1 or not found.median:
        return number(found.median)
    return f"{number(found.median)} ±{(found.high - found.low) / 2 / found.median:.0%}"


def told(result: Result) -> str:
    """One job, as it fits."""
    return long_table(result) if len(result.figures) > 3 else table(result)


def report(record: Record) -> str:
    """All tables, a heading for each group."""
    parts = []
    for group in dict.fromkeys(result.group for result in record.results):
        parts.append(f"{group}\n{'=' * len(group)}")
        parts += [told(result) for result in record.results if result.group == group]
    return "\n\n".join(parts)


LEGEND = (
    f"ratio, /name: how many times as good {OURS} is, the median over the rounds; "
    f"{CEILING} is no peer but a bound"
)


def warnings(record: Record) -> Iterator[str]:
    """Where the load was the bottleneck."""
    for result in record.results:
        for name, values in result.values.items():
            busy = values.get("load busy")
            if busy and summary(busy).median > BUSY:
                yield (
                    f"{result.name}, {name}: the load used its processor whole; "
                    "the server may be faster than that"
                )


# Verdict


def told_verdict(results: Sequence[Result]) -> tuple[str, int]:
    """How we stand against the best peer of each job and figure, and in how many we are behind."""
    found = list(verdicts(results))
    if not found:
        return f"Verdict\n=======\n\n  {OURS} and a peer were nowhere measured together", 0
    rows = [["", "best peer", "ratio", "quartiles", ""]]
    rows += [_verdict_row(each) for each in found]
    behind = [each for each in found if each.behind]
    if behind:
        last = f"{OURS} is behind a peer in {len(behind)} of {len(found)} figures"
    else:
        last = f"{OURS} is behind no peer in any of {len(found)} figures"
    return f"Verdict\n=======\n\n{aligned(rows)}\n\n{last}", len(behind)


def _verdict_row(each: Verdict) -> list[str]:
    words = []
    if each.behind:
        words.append("BEHIND " + ", ".join(each.behind))
    if each.level:
        words.append("level with " + ", ".join(each.level))
    return [
        f"{each.result.name}, {each.figure.name}",
        each.best,
        times(each.ratio.median),
        _between(each.ratio, times) if each.ratio.low < each.ratio.high else "",
        "; ".join(words) or "ahead",
    ]


# Two runs


def changes(before: Record, after: Record) -> str:
    """What became of each figure between two runs, and what is in one of them only.

    Where the machine was slower or faster, all changed: "beside peers" is our change over theirs.
    """
    older = {result.name: result for result in before.results}
    newer = {result.name: result for result in after.results}
    rows = [["", "before", "now", "times as good", "beside peers", ""]]
    for name, result in newer.items():
        if name in older:
            rows += _changed(older[name], result)
    lines = f"Since {before.about.get('date', 'then')}\n\n"
    lines += aligned(rows) if len(rows) > 1 else "  nothing was measured both times"
    for words, one, other in (("only then", older, newer), ("only now", newer, older)):
        if alone := [name for name in one if name not in other]:
            lines += f"\n  {words}: {', '.join(alone)}"
    different = [
        f"{name} {before.about[name]} -> {after.about[name]}"
        for name in ("processor", "processors", "kernel", "txtornado", "rounds", "seconds", "share")
        if name in before.about
        and before.about[name] != after.about.get(name, "")
        and name in after.about
    ]
    different += [
        f"{name} {before.packages[name]} -> {after.packages[name]}"
        for name in before.packages
        if name in after.packages and before.packages[name] != after.packages[name]
    ]
    if different:
        lines += "\n  what else is different: " + "; ".join(different)
    return lines


def _changed(before: Result, after: Result) -> Iterator[list[str]]:
    for figure in after.figures:
        found = {
            name: (summary(old), summary(new))
            for name in after.values
            if (old := rounds(before, name, figure)) and (new := rounds(after, name, figure))
        }
        change = {
            name: ratio(now.median, then.median, figure.higher_is_better)
            for name, (then, now) in found.items()
        }
        others = [value for name, value in change.items() if is_peer(name)]
        for name, (then, now) in found.items():
            beside = name == OURS and others and statistics.median(others)
            yield [
                f"{after.name}, {figure.name}, {name}",
                f"{number(then.median)} {figure.unit}",
                f"{number(now.median)} {figure.unit}",
                times(change[name]),
                times(change[name] / beside) if beside else "",
                "" if _overlap(then, now) else "better" if change[name] > 1 else "WORSE",
            ]


def _overlap(one: Summary, other: Summary) -> bool:
    return one.low <= other.high and other.low <= one.high
