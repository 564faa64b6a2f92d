"""A cluster of Dask's: scheduler, two workers and a client, which speak over WebSockets."""

import asyncio
import logging

from distributed import Client, Scheduler, Worker


async def main():
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False, protocol="ws") as scheduler:
        address = scheduler.address
        async with (
            Worker(address, nthreads=2) as one,
            Worker(address, nthreads=2) as two,
            Client(address, asynchronous=True) as client,
        ):
            await work(client, one, two)


async def work(client, one, two):
    squares = client.map(lambda number: number * number, range(200))
    print("RESULT sum:", await client.submit(sum, squares))
    big = client.submit(lambda: b"x" * 3_000_000, workers=[one.address], pure=False)
    print("RESULT moved:", await client.submit(len, big, workers=[two.address]))
    (data,) = await client.scatter([b"y" * 3_000_000])
    print("RESULT scattered:", len(await data))
    try:
        await client.submit(lambda: 1 / 0)
    except ZeroDivisionError as error:
        print("RESULT error:", error)


logging.disable(logging.INFO)
asyncio.run(main())
