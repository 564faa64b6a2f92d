"""What coroutines, queues and locks cost: ``coroutines.py PACKAGE SHARE``, txtornado or tornado.

Prints microseconds of processor time per operation by name, as JSON; ``SHARE`` is how many
operations of the full count are tried.
"""

import asyncio
import gc
import importlib
import json
import sys
import time

#: Of so many tries the best counts.
TRIES = 3


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


async def measure(package, share):
    figures = {}
    for name, full, function in cases(package):
        count = max(20, round(full * share))
        await function(max(10, count // 10))
        best = float("inf")
        for _ in range(TRIES):
            gc.collect()
            start = time.process_time()
            await function(count)
            best = min(best, time.process_time() - start)
        figures[name.replace("_", " ")] = best / count * 1e6
    return figures


print(json.dumps(asyncio.run(measure(sys.argv[1], float(sys.argv[2])))))
