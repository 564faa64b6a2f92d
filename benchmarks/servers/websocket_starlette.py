"""WebSockets on Starlette, under uvicorn with the implementation that it takes by itself.

``/echo`` sends back what comes, ``/all`` so many messages to everybody as the message says, after
the greeting "ready".
"""

import uvicorn
from _common import listener
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

everybody = set()


async def echo(ws):
    await ws.accept()
    try:
        while True:
            await ws.send_text(await ws.receive_text())
    except WebSocketDisconnect:
        pass


async def to_all(ws):
    await ws.accept()
    everybody.add(ws)
    try:
        await ws.send_text("ready")
        while True:
            for _ in range(int(await ws.receive_text())):
                for other in list(everybody):
                    await other.send_text("x" * 64)
    except WebSocketDisconnect:
        pass
    finally:
        everybody.discard(ws)


app = Starlette(routes=[WebSocketRoute("/echo", echo), WebSocketRoute("/all", to_all)])
listener = listener()
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, loop="asyncio", log_level="error", access_log=False)
uvicorn.Server(config).run(sockets=[listener])
