"""Hello, world, as Tornado's first documentation has it: ``python ioloop_start.py``."""

import os

import txtornado.ioloop
import txtornado.web

PORT = int(os.environ.get("PORT", "8888"))


class MainHandler(txtornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")


application = txtornado.web.Application([
    (r"/", MainHandler),
])

if __name__ == "__main__":
    application.listen(PORT)
    txtornado.ioloop.IOLoop.instance().start()
