"""livereload serves a folder, and tells a client over a WebSocket when a file changes."""

import asyncio
import json
import os
import tempfile

import livereload.handlers
from livereload import Server
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from tornado.websocket import websocket_connect

socket, port = bind_unused_port()
socket.close()


async def client(folder):
    page = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/index.html")
    print("RESULT page:", page.code, b"livereload.js" in page.body)
    script = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/livereload.js")
    print("RESULT script:", script.code, len(script.body) > 10_000)
    websocket = await websocket_connect(f"ws://127.0.0.1:{port}/livereload")
    hello = {"command": "hello", "protocols": ["http://livereload.com/protocols/official-7"]}
    await websocket.write_message(json.dumps(hello))
    print("RESULT hello:", json.loads(await websocket.read_message())["command"])
    await websocket.write_message(json.dumps({"command": "info", "url": page.effective_url}))
    heard = asyncio.ensure_future(websocket.read_message())
    while not heard.done():  # the first looks of the watcher take stock
        with open(os.path.join(folder, "index.html"), "a") as file:
            file.write("<p>more</p>")
        await asyncio.wait([heard], timeout=0.3)
    print("RESULT news:", json.loads(heard.result())["command"])
    websocket.close()
    IOLoop.current().stop()


with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "index.html"), "w") as file:
        file.write("<html><head></head><body></body></html>")
    server = Server()
    server.watch(folder)
    livereload.handlers.LiveReloadHandler.DEFAULT_RELOAD_TIME = 0.2
    IOLoop.current().add_callback(client, folder)
    server.serve(port=port, root=folder)
