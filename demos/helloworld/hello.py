"""Hello, world, for ``twistd -n tornado app hello:make_app``."""

import txtornado.web


class MainHandler(txtornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")


def make_app():
    return txtornado.web.Application([
        (r"/", MainHandler),
    ])
