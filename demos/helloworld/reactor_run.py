"""Hello, world, in a program of Twisted's: ``python reactor_run.py``."""

import os

from twisted.internet import reactor

from txtornado.httpserver import HTTPServer
from txtornado.web import Application, RequestHandler

PORT = int(os.environ.get("PORT", "8888"))


class MainHandler(RequestHandler):
    def get(self):
        self.write("Hello, world")


app = Application([
    (r"/", MainHandler),
])

if __name__ == "__main__":
    reactor.listenTCP(PORT, HTTPServer(app))
    reactor.run()
