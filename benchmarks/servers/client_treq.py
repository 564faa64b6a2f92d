"""treq, asking as fast as it can: ``client_treq.py URL REQUESTERS SECONDS``.

Prints how many requests were made in how many seconds, and of processor time, as JSON.
"""

import json
import sys
import time

from treq.client import HTTPClient
from twisted.internet import defer, task
from twisted.web.client import Agent, HTTPConnectionPool

url, requesters, seconds = sys.argv[1:]


async def ask(client, seconds):
    count, until = 0, time.perf_counter() + seconds

    async def requester():
        nonlocal count
        while time.perf_counter() < until:
            response = await client.get(url)
            body = await response.content()
            if response.code != 200 or body != b"hello":
                raise SystemExit(f"wrong answer: {response.code} {body!r}")
            count += 1

    work = [defer.ensureDeferred(requester()) for _ in range(int(requesters))]
    await defer.gatherResults(work, consumeErrors=True)
    return count


async def main(reactor):
    pool = HTTPConnectionPool(reactor)
    # Twisted keeps two for a host by itself.
    pool.maxPersistentPerHost = int(requesters)
    client = HTTPClient(Agent(reactor, pool=pool))
    await ask(client, float(seconds) / 4)
    wall, spent = time.perf_counter(), time.process_time()
    count = await ask(client, float(seconds))
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    await pool.closeCachedConnections()
    print(json.dumps({"requests": count, "seconds": wall, "processor": spent}))


task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
