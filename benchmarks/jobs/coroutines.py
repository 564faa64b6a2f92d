"""What coroutines, queues, locks and stack contexts cost, without any network."""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmarks._model import Contestant, Effort, Figure, Job
from benchmarks._processes import SERVERS, environment, output_of, pinned

__all__ = ["JOBS", "OperationsJob"]

#: Of load, with which the full number of operations is tried.
FULL_SECONDS = 4.0
OPERATIONS = (
    "call without waiting",
    "yield finished",
    "call that yields finished",
    "call three deep",
    "yield moment",
    "call that waits",
    "wait for future",
    "await coroutine that waits",
    "yield native",
    "yield list of ten",
    "yield finished list of ten",
    "raise and catch",
    "sleep zero",
    "queue nowait",
    "queue put get",
    "queue handover",
    "priority queue",
    "lock free",
    "lock free yield",
    "lock acquire release",
    "lock contended",
    "semaphore free",
    "event set",
    "condition",
)
CONTEXTS = (
    "bare call",
    "wrap",
    "call of the wrapped",
    "turn of the loop",
    "coroutine that waits",
    "turn of the loop in a context",
    "coroutine that waits in a context",
    "wrap in ExceptionStackContext",
    "call of the wrapped in ExceptionStackContext",
    "wrap in StackContext",
    "call of the wrapped in StackContext",
)


@dataclass(frozen=True)
class OperationsJob:
    """The processor time of many small operations, as a program measures it in itself."""

    name: str
    title: str
    program: str
    operations: tuple[str, ...]
    contestants: tuple[str, ...]
    unit: str = "µs"
    group: str = "Coroutines"

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(Figure(name, self.unit, higher_is_better=False) for name in self.operations)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        share = str(min(1.0, effort.seconds / FULL_SECONDS))
        program = str(SERVERS / self.program)
        command = pinned([contestant.python, program, contestant.name, share], effort.server_cpu)
        done: dict[str, float] = json.loads(output_of(command, limit=120, env=environment()))
        return {name: done[name] for name in self.operations}


JOBS: tuple[Job, ...] = (
    OperationsJob(
        "coroutines",
        "Coroutines, queues and locks",
        "coroutines.py",
        OPERATIONS,
        ("txtornado", "tornado"),
    ),
    OperationsJob(
        "stack-contexts", "Stack contexts", "stack_contexts.py", CONTEXTS, ("txtornado",), "ns"
    ),
)
