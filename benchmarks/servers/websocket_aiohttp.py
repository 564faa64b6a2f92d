"""WebSockets on aiohttp.

``/echo`` sends back what comes, ``/all`` so many messages to everybody as the message says, after
the greeting "ready".
"""

import asyncio

from aiohttp import web

everybody = set()


async def echo(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(message.data)
    return ws


async def to_all(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    everybody.add(ws)
    try:
        await ws.send_str("ready")
        async for message in ws:
            for _ in range(int(message.data)):
                for other in list(everybody):
                    await other.send_str("x" * 64)
    finally:
        everybody.discard(ws)
    return ws


async def main():
    app = web.Application()
    app.add_routes([web.get("/echo", echo), web.get("/all", to_all)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
