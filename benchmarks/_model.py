"""What is measured: contestants do jobs, and a job has one or more figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["CEILING", "OURS", "Contestant", "Effort", "Figure", "Job", "Result"]

#: The contestant that all others are compared with; ``txtornado-xyz`` are variants of it.
OURS = "txtornado"
#: A contestant that is no peer but a bound: it does not do the job, only what any server must.
CEILING = "ceiling"


@dataclass(frozen=True)
class Contestant:
    """Who is measured: a name, and the interpreter whose environment has what it needs."""

    name: str
    python: str


@dataclass(frozen=True)
class Figure:
    """One number that a job yields for every contestant.

    A ratio is always told as "how many times as good as the other", whichever way is better.  The
    plot shows the first figure of a job.
    """

    name: str
    unit: str
    higher_is_better: bool = True


@dataclass(frozen=True)
class Effort:
    """How much is spent on one measurement.

    seconds
        of load, after warming up.
    share
        of the full count where a job counts things (idle connections, bytes): 1 for a result,
        less for a quick look.
    """

    seconds: float = 4.0
    share: float = 1.0
    #: Processors for the server and for the load; the same one where there is only one.
    server_cpu: int = 0
    load_cpu: int = 1


class Job(Protocol):
    """Something that contestants do, measured in a process of their own.

    ``group`` is the heading of its table; ``contestants`` names those that can do it, the first
    of them ``txtornado``.  ``measure`` is one measurement of one contestant: it starts what is
    needed, and leaves nothing behind.  It raises ``RuntimeError`` with a sentence when the
    contestant gives wrong answers.  What it returns beside the figures is kept with the results;
    ``load busy`` there is the share of its processor that the load took.

    A job may also have ``needs``, the names of programs that it cannot do without (see
    ``_peers.PROGRAMS``): without them it is left out.  One that tells how something grows has
    ``axis``, what it is that grows: its figures, of the same unit all, are drawn as a line, their
    names along the horizontal axis.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def contestants(self) -> tuple[str, ...]: ...
    @property
    def figures(self) -> tuple[Figure, ...]: ...

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]: ...


@dataclass
class Result:
    """All rounds of one job.

    values
        for each contestant and figure, in order of the rounds.  A contestant that failed has fewer
        than the others: it is not tried again.
    failures
        for each contestant that failed a sentence.
    axis
        of a job that tells how something grows: what grows.
    """

    name: str
    title: str
    group: str
    figures: tuple[Figure, ...]
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    axis: str = ""

    @classmethod
    def of(cls, job: Job) -> Result:
        """The result of a job that has not begun."""
        return cls(job.name, job.title, job.group, job.figures, axis=str(getattr(job, "axis", "")))
