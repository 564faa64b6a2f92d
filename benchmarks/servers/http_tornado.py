"""HTTP on Tornado's API: ``http_tornado.py PACKAGE``, txtornado or tornado."""

import asyncio
import importlib

from _common import CHUNK, CHUNKS, HEADING, ROWS, options, templates

options = options("package")
httpserver = importlib.import_module(options.package + ".httpserver")
netutil = importlib.import_module(options.package + ".netutil")
process = importlib.import_module(options.package + ".process")
template = importlib.import_module(options.package + ".template")
web = importlib.import_module(options.package + ".web")


class HelloHandler(web.RequestHandler):
    def get(self):
        self.write("Hello, world")


class ItemHandler(web.RequestHandler):
    def get(self, item):
        self.write(
            {
                "item": int(item),
                "page": int(self.get_argument("page", "1")),
                "sort": self.get_argument("sort", "name"),
                "tags": self.get_arguments("tag"),
                "session": self.get_cookie("session"),
            }
        )


class PageHandler(web.RequestHandler):
    def get(self):
        self.render("page.html", heading=HEADING, rows=ROWS)


class FormHandler(web.RequestHandler):
    def post(self):
        self.write("Thanks, " + self.get_argument("name") + " of " + self.get_argument("town"))


class UploadHandler(web.RequestHandler):
    def post(self):
        self.write(str(len(self.request.files["file"][0]["body"])))


class StreamHandler(web.RequestHandler):
    async def get(self):
        for _ in range(CHUNKS):
            self.write(CHUNK)
            await self.flush()


class BodyHandler(web.RequestHandler):
    def post(self):
        self.write(str(len(self.request.body)))


class SectionHandler(web.RequestHandler):
    def get(self, item):
        self.write(item)


routes = [
    (r"/", HelloHandler),
    (r"/api/items/([0-9]+)", ItemHandler),
    (r"/page", PageHandler),
    (r"/form", FormHandler),
    (r"/upload", UploadHandler),
    (r"/stream", StreamHandler),
    (r"/body", BodyHandler),
]
routes += [(rf"/section{number}/([^/]+)", SectionHandler) for number in range(options.routes)]
loader = template.DictLoader(templates("{% end %}", "{% end %}"))
application = web.Application(routes, static_path=options.static, template_loader=loader)


async def main(sockets):
    httpserver.HTTPServer(application).add_sockets(sockets)
    await asyncio.Event().wait()


sockets = netutil.bind_sockets(0, "127.0.0.1", backlog=1024)
print(sockets[0].getsockname()[1], flush=True)
if options.processes > 1:
    process.fork_processes(options.processes)
asyncio.run(main(sockets))
