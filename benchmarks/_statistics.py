"""What the numbers of several rounds say."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks._model import CEILING, OURS, Figure, Result

__all__ = ["Summary", "Verdict", "is_peer", "ratio", "ratios", "rounds", "summary", "verdicts"]


@dataclass(frozen=True)
class Summary:
    """A median, and the quartiles around it."""

    low: float
    median: float
    high: float


def summary(values: Sequence[float]) -> Summary:
    """Median and quartiles; with one value that is all of them.

    :raises ValueError: without any value.
    """
    if not values:
        raise ValueError("nothing was measured")
    if len(values) == 1:
        return Summary(values[0], values[0], values[0])
    return Summary(*statistics.quantiles(values, n=4, method="inclusive"))


def ratio(ours: float, theirs: float, higher_is_better: bool) -> float:
    """How many times as good we are as they.

    Two zeros are alike; one alone is better or worse beyond all bounds.
    """
    good, bad = (ours, theirs) if higher_is_better else (theirs, ours)
    if bad:
        return good / bad
    return float("inf") if good else 1.0


def rounds(result: Result, contestant: str, figure: Figure) -> list[float]:
    """A contestant's values of a figure, one for each round; none if it failed at once."""
    return result.values.get(contestant, {}).get(figure.name, [])


def ratios(result: Result, contestant: str, figure: Figure) -> list[float]:
    """How many times as good as a contestant we were, round by round.

    Both were measured within minutes then: what else the machine did met both.
    """
    pairs = zip(rounds(result, OURS, figure), rounds(result, contestant, figure), strict=False)
    return [ratio(ours, theirs, figure.higher_is_better) for ours, theirs in pairs]


def is_peer(name: str) -> bool:
    """Whether a contestant is neither we, in whatever variant, nor a bound."""
    return name != CEILING and name.partition("-")[0] != OURS


@dataclass(frozen=True)
class Verdict:
    """How we stand in one figure of one job.

    best
        the best of the peers.
    ratio
        how many times as good as that one we are.
    behind, level
        the peers that are better, and those of which that cannot be said: the quartiles of the
        ratios have 1 between them.
    """

    result: Result
    figure: Figure
    best: str
    ratio: Summary
    behind: tuple[str, ...]
    level: tuple[str, ...]


def verdicts(results: Sequence[Result]) -> Iterator[Verdict]:
    """One for each figure of each job in which we and a peer were measured."""
    for result in results:
        for figure in result.figures:
            found = {
                peer: summary(values)
                for peer in result.values
                if is_peer(peer) and (values := ratios(result, peer, figure))
            }
            if found:
                best = min(found, key=lambda peer: found[peer].median)
                yield Verdict(
                    result,
                    figure,
                    best,
                    found[best],
                    tuple(peer for peer, each in found.items() if each.high < 1),
                    tuple(peer for peer, each in found.items() if each.low <= 1 <= each.high),
                )
