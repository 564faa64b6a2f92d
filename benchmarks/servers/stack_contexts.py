"""What stack contexts cost, little while none is active: ``stack_contexts.py PACKAGE SHARE``.

Prints nanoseconds of processor time per operation by name, as JSON; ``SHARE`` is how many
operations of the full count are tried.  Tornado dropped stack contexts in version 6.
"""

import asyncio
import contextlib
import importlib
import json
import sys
import time

package, share = sys.argv[1:]
gen = importlib.import_module(package + ".gen")
IOLoop = importlib.import_module(package + ".ioloop").IOLoop
stack_context = importlib.import_module(package + ".stack_context")
wrap = stack_context.wrap

COUNT = max(20, round(20000 * float(share)))
#: Of so many tries the best counts.
TRIES = 5


def nothing():
    pass


def best(operation):
    """Nanoseconds of one call."""
    times = []
    for _ in range(TRIES):
        start = time.process_time()
        for _ in range(COUNT):
            operation()
        times.append(time.process_time() - start)
    return min(times) / COUNT * 1e9


async def best_awaited(operation):
    """Nanoseconds until what one call gives is done."""
    count, times = COUNT // 20, []
    for _ in range(TRIES):
        start = time.process_time()
        for _ in range(count):
            await operation()
        times.append(time.process_time() - start)
    return min(times) / count * 1e9


@gen.coroutine
def wait_once():
    yield None


def turn():
    future = asyncio.get_running_loop().create_future()
    IOLoop.current().add_callback(future.set_result, None)
    return future


def in_context(operation):
    context = stack_context.ExceptionStackContext(lambda *exc_info: False)

    def run():
        with context:
            return operation()

    return run


async def main():
    figures = {
        "bare call": best(nothing),
        "wrap": best(lambda: wrap(nothing)),
        "call of the wrapped": best(wrap(nothing)),
        "turn of the loop": await best_awaited(turn),
        "coroutine that waits": await best_awaited(wait_once),
        "turn of the loop in a context": await best_awaited(in_context(turn)),
        "coroutine that waits in a context": await best_awaited(in_context(wait_once)),
    }
    for context in (
        stack_context.ExceptionStackContext(lambda *exc_info: False),
        stack_context.StackContext(contextlib.nullcontext),
    ):
        with context:
            name = type(context).__name__
            figures[f"wrap in {name}"] = best(lambda: wrap(nothing))
            figures[f"call of the wrapped in {name}"] = best(wrap(nothing))
    print(json.dumps(figures))


asyncio.run(main())
