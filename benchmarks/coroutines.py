#!/usr/bin/env python3
"""What coroutines, queues and locks cost, in txtornado and in Tornado.

    coroutines.py                          # txtornado, microseconds per operation
    coroutines.py --package tornado        # Tornado, where this interpreter has it
    coroutines.py --against PYTHON         # both in turn; PYTHON is an interpreter with Tornado

With ``--against`` the two packages run one after the other in processes of their own,
``--rounds`` times; the table shows medians and Tornado's time divided by ours.
"""

import argparse
import asyncio
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def cases(package):
    """The name, number of operations, and coroutine function of each figure."""
    gen = importlib.import_module(package + ".gen")
    locks = importlib.import_module(package + ".locks")
    queues = importlib.import_module(package + ".queues")

    @gen.coroutine
    def plain():
        return 1
        yield

    @gen.coroutine
    def through_done():
        return (yield plain())

    @gen.coroutine
    def three_deep():
        return (yield through_done())

    @gen.coroutine
    def turn():
        yield None

    async def native():
        return 1

    async def call_without_waiting(n):
        for _ in range(n):
            plain()

    @gen.coroutine
    def yield_finished(n):
        for _ in range(n):
            yield plain()

    async def call_that_yields_finished(n):
        for _ in range(n):
            through_done()

    async def call_three_deep(n):
        for _ in range(n):
            three_deep()

    @gen.coroutine
    def yield_moment(n):
        for _ in range(n):
            yield None

    @gen.coroutine
    def call_that_waits(n):
        for _ in range(n):
            yield turn()

    @gen.coroutine
    def wait_for_future(n):
        loop = asyncio.get_running_loop()
        for _ in range(n):
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            yield future

    async def await_coroutine_that_waits(n):
        for _ in range(n):
            await turn()

    @gen.coroutine
    def yield_native(n):
        for _ in range(n):
            yield native()

    @gen.coroutine
    def yield_list_of_ten(n):
        for _ in range(n):
            yield [turn() for _ in range(10)]

    @gen.coroutine
    def yield_finished_list_of_ten(n):
        for _ in range(n):
            yield [plain() for _ in range(10)]

    async def raise_and_catch(n):
        @gen.coroutine
        def fail():
            raise ValueError
            yield

        for _ in range(n):
            try:
                await fail()
            except ValueError:
                pass

    async def sleep_zero(n):
        for _ in range(n):
            await gen.sleep(0)

    async def queue_nowait(n):
        queue = queues.Queue()
        for i in range(n):
            queue.put_nowait(i)
            queue.get_nowait()

    async def queue_put_get(n):
        queue = queues.Queue()
        for i in range(n):
            await queue.put(i)
            await queue.get()
            queue.task_done()

    async def queue_handover(n):
        queue = queues.Queue(maxsize=1)

        async def consume():
            async for _ in queue:
                queue.task_done()

        task = asyncio.ensure_future(consume())
        for i in range(n):
            await queue.put(i)
        await queue.join()
        task.cancel()

    async def priority_queue(n):
        queue = queues.PriorityQueue()
        for i in range(n):
            await queue.put(-i)
        for _ in range(n):
            await queue.get()

    async def lock_free(n):
        lock = locks.Lock()
        for _ in range(n):
            async with lock:
                pass

    @gen.coroutine
    def lock_free_yield(n):
        lock = locks.Lock()
        for _ in range(n):
            with (yield lock.acquire()):
                pass

    async def lock_acquire_release(n):
        lock = locks.Lock()
        for _ in range(n):
            await lock.acquire()
            lock.release()

    async def lock_contended(n):
        lock = locks.Lock()

        async def work():
            for _ in range(n // 10):
                async with lock:
                    await asyncio.sleep(0)

        await asyncio.gather(*[work() for _ in range(10)])

    async def semaphore_free(n):
        semaphore = locks.Semaphore(2)
        for _ in range(n):
            async with semaphore:
                pass

    async def event_set(n):
        event = locks.Event()
        event.set()
        for _ in range(n):
            await event.wait()

    async def condition(n):
        ready = locks.Condition()
        loop = asyncio.get_running_loop()
        for _ in range(n):
            loop.call_soon(ready.notify)
            await ready.wait()

    counts = {
        call_without_waiting: 20000,
        yield_finished: 20000,
        call_that_yields_finished: 10000,
        call_three_deep: 10000,
        yield_moment: 10000,
        call_that_waits: 5000,
        wait_for_future: 10000,
        await_coroutine_that_waits: 5000,
        yield_native: 5000,
        yield_list_of_ten: 500,
        yield_finished_list_of_ten: 1000,
        raise_and_catch: 5000,
        sleep_zero: 5000,
        queue_nowait: 20000,
        queue_put_get: 20000,
        queue_handover: 5000,
        priority_queue: 10000,
        lock_free: 20000,
        lock_free_yield: 10000,
        lock_acquire_release: 20000,
        lock_contended: 5000,
        semaphore_free: 20000,
        event_set: 20000,
        condition: 5000,
    }
    return [(function.__name__, count, function) for function, count in counts.items()]


async def measure(package, repeat):
    """Microseconds per operation: the best of ``repeat``, by name."""
    figures = {}
    for name, count, function in cases(package):
        await function(count // 10)
        best = float("inf")
        for _ in range(repeat):
            gc.collect()
            start = time.perf_counter()
            await function(count)
            best = min(best, time.perf_counter() - start)
        figures[name] = best / count * 1e6
    return figures


def compare(ours, theirs, rounds, repeat):
    """Run both packages in turn; all their figures by name."""
    figures = {}
    for _ in range(rounds):
        for python, package in ((ours, "txtornado"), (theirs, "tornado")):
            command = [python, __file__, "--package", package, "--repeat", str(repeat), "--json"]
            out = subprocess.run(command, capture_output=True, check=True, text=True).stdout
            for name, value in json.loads(out).items():
                figures.setdefault(name, {}).setdefault(package, []).append(value)
    return figures


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", default="txtornado", choices=["txtornado", "tornado"])
    parser.add_argument("--against", metavar="PYTHON", help="an interpreter that has Tornado")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3, help="of which the best counts")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    if args.against:
        figures = compare(sys.executable, args.against, args.rounds, args.repeat)
        print(f"{'microseconds per operation':32}{'txtornado':>11}{'Tornado':>11}{'ratio':>8}")
        for name, values in figures.items():
            ours, theirs = (statistics.median(values[p]) for p in ("txtornado", "tornado"))
            print(f"{name:32}{ours:11.3f}{theirs:11.3f}{theirs / ours:8.2f}")
        return
    if args.package == "txtornado":
        sys.path.insert(0, ROOT)
    figures = asyncio.run(measure(args.package, args.repeat))
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32}{value:11.3f}")


if __name__ == "__main__":
    main()
