"""A chat over WebSockets: ``python chat.py``, then two browser windows on port 8888.

Each message goes to everybody with `broadcast`, which frames it once.
"""

import asyncio
import json
import os
import signal

import txtornado.web
import txtornado.websocket

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = int(os.environ.get("PORT", "8888"))


class Room:
    """Who is there, and what was said last."""

    LIMIT = 200

    def __init__(self):
        self.members = set()
        self.messages = []

    def enter(self, member):
        self.members.add(member)
        member.write_message({"messages": self.messages})

    def leave(self, member):
        self.members.discard(member)

    def say(self, name, text):
        message = {"name": name, "text": text}
        self.messages.append(message)
        del self.messages[: -self.LIMIT]
        txtornado.websocket.broadcast(self.members, {"messages": [message]})


class PageHandler(txtornado.web.RequestHandler):
    def get(self):
        self.render("page.html")


class ChatHandler(txtornado.websocket.WebSocketHandler):
    def initialize(self, room):
        self.room = room

    def open(self):
        self.room.enter(self)

    def on_message(self, message):
        try:
            said = json.loads(message)
            name, text = str(said["name"])[:40], str(said["text"])[:1000]
        except (ValueError, KeyError, TypeError):
            self.close(1003, "not what I expected")
            return
        if text:
            self.room.say(name or "somebody", text)

    def on_close(self):
        self.room.leave(self)


def make_app():
    return txtornado.web.Application(
        [
            ("/", PageHandler),
            ("/chat", ChatHandler, {"room": Room()}),
        ],
        template_path=HERE,
        static_path=os.path.join(HERE, "static"),
        websocket_ping_interval=30,
        websocket_max_message_size=16384,
    )


async def main():
    server = make_app().listen(PORT, "127.0.0.1")
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await server.drain(1)


if __name__ == "__main__":
    asyncio.run(main())
