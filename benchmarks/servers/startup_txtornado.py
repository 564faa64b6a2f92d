"""For ``twistd -n tornado app startup_txtornado:make_app``."""

from txtornado import web


class HelloHandler(web.RequestHandler):
    def get(self):
        self.write("Hello, world")


def make_app():
    return web.Application([(r"/", HelloHandler)])
