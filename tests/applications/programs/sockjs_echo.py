"""An echo over SockJS: by WebSocket, and by polling."""

import json

import sockjs.tornado
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import websocket_connect


class Echo(sockjs.tornado.SockJSConnection):
    def on_open(self, info):
        print("RESULT open:", info.ip)

    def on_message(self, message):
        self.send(message)

    def on_close(self):
        print("RESULT closed")


async def main():
    (socket,) = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application(sockjs.tornado.SockJSRouter(Echo, "/echo").urls))
    server.add_socket(socket)
    at = f"127.0.0.1:{socket.getsockname()[1]}/echo"

    websocket = await websocket_connect(f"ws://{at}/000/first/websocket")
    print("RESULT websocket:", await websocket.read_message())
    await websocket.write_message(json.dumps(["hello"]))
    print("RESULT websocket:", await websocket.read_message())
    websocket.close()
    await websocket.read_message()

    client, poll = AsyncHTTPClient(), f"http://{at}/000/second/xhr"
    print("RESULT info:", json.loads((await client.fetch(f"http://{at}/info")).body)["websocket"])
    print("RESULT poll:", (await client.fetch(poll, method="POST", body="")).body)
    waiting = client.fetch(poll, method="POST", body="")
    await client.fetch(poll + "_send", method="POST", body='["polled"]')
    print("RESULT poll:", (await waiting).body)
    server.stop()


IOLoop.current().run_sync(main)
