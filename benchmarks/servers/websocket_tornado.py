"""WebSockets on Tornado's API: ``websocket_tornado.py PACKAGE``, txtornado or tornado.

``/echo`` and ``/coroutine`` send back what comes, ``/all`` so many messages to everybody as the
message says, after the greeting "ready".  Compression is there for those who ask for it.
"""

import asyncio
import importlib
import sys

package = sys.argv[1]
httpserver = importlib.import_module(package + ".httpserver")
netutil = importlib.import_module(package + ".netutil")
web = importlib.import_module(package + ".web")
websocket = importlib.import_module(package + ".websocket")

everybody = set()


def write_to_all(handlers, message):
    for handler in handlers:
        handler.write_message(message)


# Tornado has no function for this.
broadcast = getattr(websocket, "broadcast", write_to_all)


class Echo(websocket.WebSocketHandler):
    def get_compression_options(self):
        return {}

    def on_message(self, message):
        self.write_message(message)


class Coroutine(Echo):
    async def on_message(self, message):
        await self.write_message(message)


class All(websocket.WebSocketHandler):
    def open(self):
        everybody.add(self)
        self.write_message("ready")

    def on_close(self):
        everybody.discard(self)

    def on_message(self, message):
        for _ in range(int(message)):
            broadcast(everybody, "x" * 64)


async def main():
    routes = [("/echo", Echo), ("/coroutine", Coroutine), ("/all", All)]
    server = httpserver.HTTPServer(web.Application(routes))
    sockets = netutil.bind_sockets(0, "127.0.0.1", backlog=1024)
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
