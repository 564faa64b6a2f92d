#!/usr/bin/env python3
"""What stack contexts cost: nothing to speak of while none is active.

Prints nanoseconds per operation, the best of several runs:

- a call of a bare Python function, for comparison;
- `stack_context.wrap` with no context active, and the call of what it gave (the same function);
- the same with contexts active;
- a turn of the loop through `IOLoop.add_callback`, and a coroutine that waits once, without and with
  a context.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from txtornado import gen
from txtornado.ioloop import IOLoop
from txtornado.stack_context import ExceptionStackContext, StackContext, wrap

COUNT = 20000


def nothing() -> None:
    pass


def best(function: Callable[[], None], runs: int = 7) -> float:
    """Nanoseconds that ``function``, which does something COUNT times, takes for each."""
    times = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        function()
        times.append((time.perf_counter_ns() - start) / COUNT)
    return min(times)


def call(function: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(COUNT):
            function()

    return run


def wrap_many() -> None:
    for _ in range(COUNT):
        wrap(nothing)


async def best_async(operation: Callable[[], object], runs: int = 7) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        for _ in range(COUNT // 20):
            await operation()
        times.append((time.perf_counter_ns() - start) / (COUNT // 20))
    return min(times)


@gen.coroutine
def wait_once():
    yield None


def turn() -> asyncio.Future:
    future = asyncio.get_running_loop().create_future()
    IOLoop.current().add_callback(future.set_result, None)
    return future


async def main() -> None:
    def show(what: str, figure: float) -> None:
        print(f"{what:52}{figure:10.0f} ns")

    assert wrap(nothing) is nothing
    show("bare call", best(call(nothing)))
    show("wrap, no context", best(wrap_many))
    show("call of what it gave", best(call(wrap(nothing))))
    show("turn of the loop, no context", await best_async(turn))
    show("coroutine that waits once, no context", await best_async(wait_once))
    for name, context in (
        ("ExceptionStackContext", ExceptionStackContext(lambda *exc_info: False)),
        ("StackContext", StackContext(contextlib.nullcontext)),
    ):
        with context:
            show(f"wrap, one {name}", best(wrap_many))
            show("call of what it gave", best(call(wrap(nothing))))
    context = ExceptionStackContext(lambda *exc_info: False)

    def in_context(operation: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            with context:
                return operation()

        return run

    show("turn of the loop, in a context", await best_async(in_context(turn)))
    show("coroutine that waits once, in a context", await best_async(in_context(wait_once)))


if __name__ == "__main__":
    asyncio.run(main())
