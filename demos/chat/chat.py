"""A chat over long polling: ``python chat.py``, then two browser windows on port 8888.

A page asks for news with the number of the last message that it has seen; a request that finds
none waits until there is one.  What `Room` does has nothing to do with the web.
"""

import asyncio
import os
import signal

import txtornado.web

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = int(os.environ.get("PORT", "8888"))


class Room:
    """The last messages, numbered, and those who wait for the next."""

    LIMIT = 200

    def __init__(self):
        self.messages = []
        self.count = 0
        self.news = asyncio.Condition()

    async def say(self, name, text):
        async with self.news:
            self.count += 1
            self.messages.append({"number": self.count, "name": name, "text": text})
            del self.messages[: -self.LIMIT]
            self.news.notify_all()

    async def after(self, number):
        """The messages after ``number``, once there are any."""
        async with self.news:
            await self.news.wait_for(lambda: self.count > number)
            return [message for message in self.messages if message["number"] > number]


class PageHandler(txtornado.web.RequestHandler):
    def get(self):
        self.render("page.html")


class SayHandler(txtornado.web.RequestHandler):
    def initialize(self, room):
        self.room = room

    async def post(self):
        text = self.get_body_argument("text")[:1000]
        if text:
            await self.room.say(self.get_body_argument("name", "")[:40] or "somebody", text)
        self.set_status(204)


class NewsHandler(txtornado.web.RequestHandler):
    def initialize(self, room):
        self.room = room

    async def get(self):
        try:
            number = int(self.get_query_argument("after"))
        except ValueError:
            raise txtornado.web.HTTPError(400, "after is not a number")
        self.waiting = asyncio.ensure_future(self.room.after(number))
        try:
            messages = await self.waiting
        except asyncio.CancelledError:
            return
        self.write({"messages": messages})

    def on_connection_close(self):
        self.waiting.cancel()


def make_app():
    room = Room()
    return txtornado.web.Application(
        [
            ("/", PageHandler),
            ("/say", SayHandler, {"room": room}),
            ("/news", NewsHandler, {"room": room}),
        ],
        template_path=HERE,
        static_path=os.path.join(HERE, "static"),
        xsrf_cookies=True,
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
