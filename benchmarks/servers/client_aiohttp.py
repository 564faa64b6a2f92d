"""aiohttp's client, asking as fast as it can: ``client_aiohttp.py URL REQUESTERS SECONDS``.

Prints how many requests were made in how many seconds, and of processor time, as JSON.
"""

import asyncio
import json
import sys
import time

import aiohttp

url, requesters, seconds = sys.argv[1:]


async def ask(session, seconds):
    count, until = 0, time.perf_counter() + seconds

    async def requester():
        nonlocal count
        while time.perf_counter() < until:
            async with session.get(url) as response:
                response.raise_for_status()
                body = await response.read()
            if body != b"hello":
                raise SystemExit(f"wrong answer: {body!r}")
            count += 1

    await asyncio.gather(*[requester() for _ in range(int(requesters))])
    return count


async def main():
    async with aiohttp.ClientSession() as session:
        await ask(session, float(seconds) / 4)
        wall, spent = time.perf_counter(), time.process_time()
        count = await ask(session, float(seconds))
        wall, spent = time.perf_counter() - wall, time.process_time() - spent
    print(json.dumps({"requests": count, "seconds": wall, "processor": spent}))


asyncio.run(main())
