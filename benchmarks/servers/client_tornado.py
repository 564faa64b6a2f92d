"""An HTTP client with Tornado's API, asking as fast as it can.

    client_tornado.py PACKAGE MODULE CLASS URL REQUESTERS SECONDS

Prints how many requests were made in how many seconds, and of processor time, as JSON.
"""

import asyncio
import importlib
import json
import sys
import time

package, module, name, url, requesters, seconds = sys.argv[1:]
implementation = getattr(importlib.import_module(f"{package}.{module}"), name)
IOLoop = importlib.import_module(package + ".ioloop").IOLoop


async def ask(client, seconds):
    count, until = 0, time.perf_counter() + seconds

    async def requester():
        nonlocal count
        while time.perf_counter() < until:
            response = await client.fetch(url)
            if response.body != b"hello":
                raise SystemExit(f"wrong answer: {response.body!r}")
            count += 1

    await asyncio.gather(*[requester() for _ in range(int(requesters))])
    return count


async def main():
    client = implementation(force_instance=True, max_clients=int(requesters))
    await ask(client, float(seconds) / 4)
    wall, spent = time.perf_counter(), time.process_time()
    count = await ask(client, float(seconds))
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    client.close()
    print(json.dumps({"requests": count, "seconds": wall, "processor": spent}))


IOLoop().run_sync(main)
