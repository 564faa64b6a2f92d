"""WebSockets on the library ``websockets``.

``/echo`` sends back what comes, ``/all`` so many messages to everybody as the message says, after
the greeting "ready".
"""

import asyncio

from websockets.asyncio.server import broadcast, serve

everybody = set()


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def to_all(ws):
    everybody.add(ws)
    try:
        await ws.send("ready")
        async for message in ws:
            for _ in range(int(message)):
                broadcast(everybody, "x" * 64)
    finally:
        everybody.discard(ws)


async def handle(ws):
    await (to_all if ws.request.path == "/all" else echo)(ws)


async def main():
    async with serve(handle, "127.0.0.1", 0, backlog=1024) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
