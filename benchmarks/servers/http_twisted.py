"""HTTP on twisted.web."""

import json
import socket
import sys

from _common import CHUNK, CHUNKS, HEADING, ROWS, options
from twisted.internet import protocol, reactor
from twisted.internet.interfaces import IPullProducer
from twisted.web import resource, server, static
from twisted.web.template import Element, TagLoader, renderElement, renderer, tags
from zope.interface import implementer

options = options()


class Hello(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"Hello, world"


class Items(resource.Resource):
    def getChild(self, name, request):
        return Item(int(name))


class Item(resource.Resource):
    isLeaf = True

    def __init__(self, number):
        super().__init__()
        self.number = number

    def render_GET(self, request):
        request.setHeader("Content-Type", "application/json")
        args, session = request.args, request.getCookie(b"session")
        data = {
            "item": self.number,
            "page": int(args.get(b"page", [b"1"])[0]),
            "sort": args.get(b"sort", [b"name"])[0].decode(),
            "tags": [tag.decode() for tag in args.get(b"tag", [])],
            "session": session and session.decode(),
        }
        return json.dumps(data).encode()


class Table(Element):
    loader = TagLoader(
        tags.html(
            "\n",
            tags.head(tags.title(render="heading")),
            "\n",
            tags.body(
                "\n",
                tags.h1(render="heading"),
                "\n",
                tags.table("\n", tags.transparent(render="rows")),
                "\n",
            ),
            "\n",
        )
    )

    @renderer
    def heading(self, request, tag):
        return tag(HEADING)

    @renderer
    def rows(self, request, tag):
        return [[tags.tr([tags.td(str(cell)) for cell in row]), "\n"] for row in ROWS]


class Page(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        return renderElement(request, Table())


class Form(resource.Resource):
    isLeaf = True

    def render_POST(self, request):
        return b"Thanks, " + request.args[b"name"][0] + b" of " + request.args[b"town"][0]


class Upload(resource.Resource):
    isLeaf = True

    def render_POST(self, request):
        return b"%d" % len(request.args[b"file"][0])


@implementer(IPullProducer)
class Chunks:
    def __init__(self, request):
        self.request, self.left = request, CHUNKS

    def resumeProducing(self):
        self.left -= 1
        self.request.write(CHUNK)
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self):
        self.left = 0


class Stream(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        request.registerProducer(Chunks(request), False)
        return server.NOT_DONE_YET


class Body(resource.Resource):
    isLeaf = True

    def render_POST(self, request):
        return b"%d" % len(request.content.read())


class Section(resource.Resource):
    def getChild(self, name, request):
        return static.Data(name, "text/plain")


class Site(server.Site):
    def log(self, request):
        """The others keep no log of requests either."""


root = resource.Resource()
root.putChild(b"", Hello())
api = resource.Resource()
api.putChild(b"items", Items())
root.putChild(b"api", api)
root.putChild(b"page", Page())
root.putChild(b"form", Form())
root.putChild(b"upload", Upload())
root.putChild(b"stream", Stream())
root.putChild(b"body", Body())
root.putChild(b"static", static.File(options.static))
for number in range(options.routes):
    root.putChild(b"section%d" % number, Section())


def main():
    if options.adopt is not None:
        reactor.adoptStreamPort(options.adopt, socket.AF_INET, Site(root))
    else:
        port = reactor.listenTCP(0, Site(root), interface="127.0.0.1", backlog=1024)
        print(port.getHost().port, flush=True)
        for _ in range(options.processes - 1):
            number = port.fileno()
            command = [sys.executable, __file__, *sys.argv[1:], "--adopt", str(number)]
            files = {0: 0, 1: 1, 2: 2, number: number}
            reactor.spawnProcess(
                protocol.ProcessProtocol(), command[0], command, None, childFDs=files
            )
    reactor.run()


main()
