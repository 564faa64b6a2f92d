"""Jobs on contestants in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks._model import OURS, Contestant, Effort, Job, Result

__all__ = ["Progress", "chosen", "in_turn", "run"]

#: Is told the job, the contestant, the number of the round from 1 on, and what came of it.
Progress = Callable[[Job, str, int, "dict[str, float] | str"], None]


def in_turn(contestants: Sequence[Contestant], rounds: int) -> Iterator[tuple[int, Contestant]]:
    """Everyone once in each round, every other time backwards: nobody is always first."""
    for number in range(rounds):
        yield from ((number + 1, each) for each in contestants[:: -1 if number % 2 else 1])


def run(
    result: Result,
    job: Job,
    contestants: Sequence[Contestant],
    effort: Effort,
    rounds: int,
    progress: Progress = lambda job, name, number, outcome: None,
) -> None:
    """Measure a job, so many rounds; what comes is put into ``result`` at once.

    A contestant that fails is not tried again, and the others go on.
    """
    for number, contestant in in_turn(contestants, rounds):
        name = contestant.name
        if name in result.failures:
            continue
        try:
            measured = job.measure(contestant, effort)
            missing = [figure.name for figure in job.figures if figure.name not in measured]
            if missing:
                raise RuntimeError(f"did not measure {', '.join(missing)}")
        except (OSError, RuntimeError, ValueError) as error:
            result.failures[name] = " ".join(str(error).split()) or type(error).__name__
            progress(job, name, number, result.failures[name])
            continue
        for figure, value in measured.items():
            result.values.setdefault(name, {}).setdefault(figure, []).append(value)
        progress(job, name, number, measured)


def chosen(job: Job, python: str, names: Sequence[str]) -> list[Contestant]:
    """Those that do a job: ours, and of the others the wanted ones (all, if none is named)."""
    return [
        Contestant(name, python)
        for name in job.contestants
        if name == OURS or not names or name in names
    ]
