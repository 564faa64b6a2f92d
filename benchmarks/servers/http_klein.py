"""HTTP on Klein."""

import json

from _common import CHUNK, CHUNKS, HEADING, ROWS, jinja_environment, options
from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.web import server, static
from zope.interface import implementer

options = options()
app = Klein()
jinja = jinja_environment()


@app.route("/")
def hello(request):
    return "Hello, world"


@app.route("/api/items/<int:number>")
def item(request, number):
    request.setHeader("Content-Type", "application/json")
    args, session = request.args, request.getCookie(b"session")
    return json.dumps(
        {
            "item": number,
            "page": int(args.get(b"page", [b"1"])[0]),
            "sort": args.get(b"sort", [b"name"])[0].decode(),
            "tags": [tag.decode() for tag in args.get(b"tag", [])],
            "session": session and session.decode(),
        }
    )


@app.route("/page")
def page(request):
    return jinja.get_template("page.html").render(heading=HEADING, rows=ROWS)


@app.route("/form", methods=["POST"])
def form(request):
    return b"Thanks, " + request.args[b"name"][0] + b" of " + request.args[b"town"][0]


@app.route("/upload", methods=["POST"])
def upload(request):
    return str(len(request.args[b"file"][0]))


@implementer(IPullProducer)
class Chunks:
    def __init__(self, request):
        self.request, self.left, self.done = request, CHUNKS, Deferred()
        request.registerProducer(self, False)

    def resumeProducing(self):
        self.left -= 1
        self.request.write(CHUNK)
        if not self.left:
            self.request.unregisterProducer()
            self.done.callback(b"")

    def stopProducing(self):
        self.left = 0


@app.route("/stream")
def stream(request):
    return Chunks(request).done


@app.route("/body", methods=["POST"])
def body(request):
    return str(len(request.content.read()))


@app.route("/static/", branch=True)
def files(request):
    return static.File(options.static)


def section(request, item):
    return item


for number in range(options.routes):
    app.route(f"/section{number}/<item>")(section)


class Site(server.Site):
    def log(self, request):
        """The others keep no log of requests either."""


port = reactor.listenTCP(0, Site(app.resource()), interface="127.0.0.1", backlog=1024)
print(port.getHost().port, flush=True)
reactor.run()
