"""Tornado's, Twisted's and asyncio's ways of waiting, in one program on Twisted's reactor.

``python mixed.py``, then http://localhost:8888/?host=localhost
"""

import asyncio
import os
import socket

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from txtornado import gen
from txtornado.httpserver import HTTPServer
from txtornado.web import Application, RequestHandler

PORT = int(os.environ.get("PORT", "8888"))


@inlineCallbacks
def twisted_way(host):
    """A coroutine of Twisted's: it returns a Deferred."""
    yield deferLater(reactor, 0.01)
    address = yield deferToThread(socket.gethostbyname, host)
    return f"twisted: {address}"


@gen.coroutine
def tornado_way(host):
    """A coroutine of Tornado's: it returns a Future, and may yield Deferreds."""
    yield gen.sleep(0.01)
    address = yield deferToThread(socket.gethostbyname, host)
    raise gen.Return(f"tornado: {address}")


async def asyncio_way(host):
    """A coroutine of Python's, on asyncio's loop, which every reactor has."""
    await asyncio.sleep(0.01)
    loop = asyncio.get_running_loop()
    address = await loop.run_in_executor(None, socket.gethostbyname, host)
    return f"asyncio: {address}"


class MainHandler(RequestHandler):
    async def get(self):
        host = self.get_query_argument("host", "localhost")
        try:
            lines = await gen.multi([twisted_way(host), tornado_way(host), asyncio_way(host)])
        except OSError as error:
            self.set_status(502)
            lines = [str(error)]
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.write("\n".join(lines))


if __name__ == "__main__":
    reactor.listenTCP(PORT, HTTPServer(Application([("/", MainHandler)])))
    reactor.run()
