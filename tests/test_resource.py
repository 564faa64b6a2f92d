"""twisted.web in both directions: applications in resource trees, resources in applications."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from twisted.internet import defer, interfaces
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Cooperator
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase
from twisted.web import static, xmlrpc
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Site
from twisted.web.wsgi import WSGIResource
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txtornado import web
from txtornado.concurrent import as_deferred
from txtornado.httpclient import AsyncHTTPClient
from txtornado.httpserver import HTTPServer
from txtornado.iostream import StreamClosedError
from txtornado.netutil import bind_sockets
from txtornado.resource import ApplicationResource, ResourceHandler
from txtornado.websocket import WebSocketHandler, websocket_connect

BIG = b"0123456789abcdef" * 65536


class Raw(Protocol):
    """A client that sends what it is told to, and tells when the connection is over."""

    def __init__(self) -> None:
        self.data = b""
        self.waiting: list[tuple[bytes, Deferred[bytes]]] = []
        self.lost: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        for entry in list(self.waiting):
            if entry[0] in self.data:
                self.waiting.remove(entry)
                entry[1].callback(self.data)

    def until(self, what: bytes) -> Deferred[bytes]:
        """Everything, once ``what`` was in it."""
        done: Deferred[bytes] = Deferred()
        self.waiting.append((what, done))
        self.dataReceived(b"")
        return done

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(self.data)


class Case(TestCase):
    """A test case with a client for a server on `port`."""

    timeout = 30
    port: int

    async def fetch(self, path: str, **kwargs: Any) -> Any:
        client = AsyncHTTPClient(force_instance=True)
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            return await as_deferred(client.fetch(url, raise_error=False, **kwargs))
        finally:
            client.close()

    async def raw(self, data: bytes) -> Raw:
        from twisted.internet import reactor

        protocol = Raw()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), protocol)
        self.addCleanup(self.hang_up, protocol)
        protocol.transport.write(data)
        return protocol

    def hang_up(self, protocol: Raw) -> Deferred[bytes]:
        protocol.transport.abortConnection()
        return protocol.lost


# -- applications as resources ------------------------------------------------------------------


class Echo(web.RequestHandler):
    async def get(self) -> None:
        self.set_header("X-Where", self.request.path)
        self.add_header("X-Twice", "1")
        self.add_header("X-Twice", "2")
        self.write({"uri": self.request.uri, "ip": self.request.remote_ip})

    def post(self) -> None:
        self.write(self.get_body_argument("name") + self.request.host)


class Streaming(web.RequestHandler):
    async def get(self) -> None:
        self.write("first ")
        await self.flush()
        self.write("second")


class Flood(web.RequestHandler):
    """Writes until the client has had enough."""

    ended: Deferred[Any]
    #: Whether there was a wait for the client.
    waited = False

    async def get(self) -> None:
        try:
            while True:
                self.write(BIG)
                future = self.flush()
                type(self).waited |= not future.done()
                await future
        except StreamClosedError as e:
            type(self).ended.callback(e)


class Waiting(web.RequestHandler):
    begun: Deferred[None]
    gone: Deferred[None]

    async def get(self) -> None:
        type(self).begun.callback(None)
        await Deferred()

    def on_connection_close(self) -> None:
        type(self).gone.callback(None)


@web.stream_request_body
class Upload(web.RequestHandler):
    def prepare(self) -> None:
        self.sizes: list[int] = []

    async def data_received(self, chunk: bytes) -> None:
        self.sizes.append(len(chunk))

    def put(self) -> None:
        self.write({"pieces": len(self.sizes), "size": sum(self.sizes)})


class Repeat(WebSocketHandler):
    closed: Deferred[None]

    def open(self, *args: str, **kwargs: str) -> None:
        self.write_message("hello")

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))

    def on_close(self) -> None:
        type(self).closed.callback(None)


class Failing(web.RequestHandler):
    def get(self) -> None:
        raise web.HTTPError(418)

    def head(self) -> None:
        self.set_header("Content-Length", "3")


APPLICATION = web.Application(
    [
        (r"/app/echo", Echo),
        (r"/app/streaming", Streaming),
        (r"/app/flood", Flood),
        (r"/app/waiting", Waiting),
        (r"/app/upload", Upload),
        (r"/app/ws", Repeat),
        (r"/app/fail", Failing),
        (r"/echo/?", Echo),
    ]
)


class ApplicationInTree(Case):
    """`ApplicationResource` in a `twisted.web.server.Site`."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        root = Resource()
        root.putChild(b"app", ApplicationResource(APPLICATION))
        root.putChild(b"x", ApplicationResource(APPLICATION, strip_prefix=True))
        root.putChild(b"data", static.Data(b"twisted", "text/plain"))
        listening = reactor.listenTCP(0, Site(self.wrap(root)), interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port

    def wrap(self, root: Any) -> Any:
        return root

    def test_interface(self) -> None:
        """It is an `IResource`, and a leaf."""
        resource = ApplicationResource(APPLICATION)
        verifyObject(IResource, resource)
        self.assertTrue(resource.isLeaf)
        self.assertIs(resource.getChildWithDefault(b"x", None), resource)
        self.assertRaises(TypeError, resource.putChild, b"x", Resource())

    async def test_beside_others(self) -> None:
        """The tree's other resources answer as ever."""
        self.assertEqual((await self.fetch("/data")).body, b"twisted")

    async def test_get(self) -> None:
        """A handler sees the whole path and the client's address; its headers arrive."""
        response = await self.fetch("/app/echo?a=b%20c")
        self.assertEqual(response.code, 200)
        self.assertIn(b'"/app/echo?a=b%20c"', response.body)
        self.assertIn(b'"127.0.0.1"', response.body)
        self.assertEqual(response.headers["X-Where"], "/app/echo")
        self.assertEqual(response.headers.get_list("X-Twice"), ["1", "2"])
        self.assertEqual(
            response.headers.get_list("Content-Type"), ["application/json; charset=UTF-8"]
        )
        self.assertEqual(len(response.headers.get_list("Server")), 1)
        self.assertEqual(response.headers["Content-Length"], str(len(response.body)))

    async def test_strip_prefix(self) -> None:
        """``strip_prefix`` takes the resource's own place from the path."""
        response = await self.fetch("/x/echo?q")
        self.assertEqual(response.headers["X-Where"], "/echo")
        self.assertEqual((await self.fetch("/x/app/echo")).headers["X-Where"], "/app/echo")
        self.assertEqual((await self.fetch("/x/echo/")).headers["X-Where"], "/echo/")

    async def test_form(self) -> None:
        """A form's body is read and parsed."""
        response = await self.fetch("/app/echo", method="POST", body="name=J%C3%BCrgen")
        self.assertEqual(response.body.decode(), f"Jürgen127.0.0.1:{self.port}")

    async def test_streaming_request(self) -> None:
        """A handler that streams its body gets it in pieces."""
        response = await self.fetch("/app/upload", method="PUT", body=BIG)
        self.assertEqual(response.body, b'{"pieces": 16, "size": 1048576}')

    async def test_streaming_response(self) -> None:
        """A response of unknown length goes out in chunks, and keeps the connection."""
        client = await self.raw(b"GET /app/streaming HTTP/1.1\r\nHost: a\r\n\r\n")
        received = await client.until(b"\r\n0\r\n\r\n")
        self.assertIn(b"\r\n6\r\nfirst \r\n", received)
        client.transport.write(b"GET /app/echo HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.until(b"/app/echo")

    async def test_status_and_head(self) -> None:
        """Errors and HEAD are as the handler makes them."""
        self.assertEqual((await self.fetch("/app/fail")).code, 418)
        self.assertEqual((await self.fetch("/app/none")).code, 404)
        head = await self.fetch("/app/fail", method="HEAD")
        self.assertEqual((head.code, head.headers["Content-Length"]), (200, "3"))
        self.flushLoggedErrors()

    async def test_malformed(self) -> None:
        """A request that an application cannot take is answered with status 400."""
        client = await self.raw(b"GET /app/echo HTTP/1.1\r\nHost: a b\r\n\r\n")
        received = await client.until(b"\r\n\r\n")
        self.assertTrue(received.startswith(b"HTTP/1.1 400 "), received)

    async def test_client_does_not_keep_up(self) -> None:
        """``flush`` waits for a slow client, and fails when that goes away."""
        Flood.ended = Deferred()
        client = await self.raw(b"GET /app/flood HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.until(b"abcdef")
        client.transport.abortConnection()
        self.assertIsInstance(await Flood.ended, StreamClosedError)
        self.assertTrue(Flood.waited)

    async def test_client_goes(self) -> None:
        """A waiting handler's ``on_connection_close`` is called when the client goes."""
        Waiting.begun, Waiting.gone = Deferred(), Deferred()
        client = await self.raw(b"GET /app/waiting HTTP/1.1\r\nHost: a\r\n\r\n")
        await Waiting.begun
        client.transport.abortConnection()
        await Waiting.gone

    async def test_websocket(self) -> None:
        """A WebSocket takes the connection over."""
        Repeat.closed = Deferred()
        url = f"ws://127.0.0.1:{self.port}/app/ws"
        connection = await as_deferred(websocket_connect(url))
        self.assertEqual(await as_deferred(connection.read_message()), "hello")
        for message in ("text", b"bytes", BIG):
            connection.write_message(message, binary=isinstance(message, bytes))
            self.assertEqual(await as_deferred(connection.read_message()), message)
        connection.close()
        self.assertIsNone(await as_deferred(connection.read_message()))
        await Repeat.closed

    async def test_websocket_client_goes(self) -> None:
        """``on_close`` is called when the client of a WebSocket goes without a word."""
        Repeat.closed = Deferred()
        client = await self.raw(
            b"GET /app/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        received = await client.until(b"hello")
        self.assertIn(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", received)
        client.transport.abortConnection()
        await Repeat.closed


class ApplicationInKlein(ApplicationInTree):
    """`ApplicationResource` behind a route of Klein's."""

    if importlib.util.find_spec("klein") is None:
        skip = "klein is not installed"

    def wrap(self, root: Any) -> Any:
        from klein import Klein

        klein = Klein()
        for name in ("app", "x", "data"):
            child = root.children[name.encode()]
            klein.route(f"/{name}/", branch=True, endpoint=name)(lambda request, child=child: child)
            klein.route(f"/{name}", endpoint=f"{name} itself")(lambda request, child=child: child)
        return klein.resource()


# -- resources in applications ------------------------------------------------------------------


class Later(Resource):
    """Answers later, from outside of ``render``; tells of clients that go."""

    isLeaf = True
    gone: Deferred[Any]

    def render_GET(self, request: Any) -> Any:
        from twisted.internet import reactor

        if b"never" in request.args:
            request.notifyFinish().addErrback(lambda reason: self.gone.callback(None))
            request.write(b"waiting")
            return NOT_DONE_YET
        request.setResponseCode(202, b"In A While")
        request.addCookie(b"a", b"1")
        request.addCookie(b"b", b"2")
        reactor.callLater(0, request.write, b"one ")
        reactor.callLater(0.001, self.end, request)
        return NOT_DONE_YET

    def end(self, request: Any) -> None:
        request.write(b"two")
        request.finish()

    def render_POST(self, request: Any) -> bytes:
        request.setHeader(b"X-Session", request.getSession().uid)
        names = (request.args[b"name"][0], request.getHeader(b"x-header"))
        return b"|".join([*names, *request.prepath, b"at", *request.postpath])

    def render_PUT(self, request: Any) -> bytes:
        return b"%d %s" % (len(request.content.read()), type(request.content).__name__.encode())


@implementer(interfaces.IPullProducer)
class Pulled:
    def __init__(self, request: Any) -> None:
        self.request = request
        self.left = 20
        self.stopped = False
        request.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self.request.write(BIG[:10000])
        self.left -= 1
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        self.stopped = True


@implementer(interfaces.IPushProducer)
class Pushed:
    """Writes until it is paused; counts what happens to it."""

    instance: Pushed

    def __init__(self, request: Any) -> None:
        Pushed.instance = self
        self.stopped: Deferred[None] = Deferred()
        self.paused = False
        self.request = request
        request.registerProducer(self, True)
        self.cooperator = Cooperator(started=True)
        self.task = self.cooperator.cooperate(self.pieces())

    def pieces(self) -> Any:
        while True:
            self.request.write(BIG)
            yield None

    def pauseProducing(self) -> None:
        self.paused = True
        self.task.pause()

    def resumeProducing(self) -> None:
        self.task.resume()

    def stopProducing(self) -> None:
        self.task.stop()
        self.stopped.callback(None)


class Producing(Resource):
    isLeaf = True

    def __init__(self, producer: Any) -> None:
        super().__init__()
        self.producer = producer

    def render_GET(self, request: Any) -> Any:
        self.producer(request)
        return NOT_DONE_YET


class Remote(xmlrpc.XMLRPC):
    def xmlrpc_add(self, a: int, b: int) -> int:
        return a + b


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Name", environ["SCRIPT_NAME"])])
    return [environ["PATH_INFO"].encode(), b" ", body]


class ResourceInApplication(Case):
    """`ResourceHandler` in an application under our own server."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        folder = self.mktemp()
        os.makedirs(os.path.join(folder, "sub folder"))
        with open(os.path.join(folder, "big"), "wb") as file:
            file.write(BIG)
        with open(os.path.join(folder, "sub folder", "a.txt"), "wb") as file:
            file.write(b"text")
        self.later = Later()
        pool = ThreadPool(0, 1)
        pool.start()
        self.addCleanup(pool.stop)
        routes = [
            (r"/files/(.*)", static.File(folder), None),
            (r"/named/(?P<rest>.*)", static.File(folder), None),
            (r"/pre/fixed.*", static.File(folder), "/pre/fixed"),
            (r"/later.*", self.later, None),
            (r"/pull", Producing(Pulled), None),
            (r"/push", Producing(Pushed), None),
            (r"/rpc", Remote(), "/rpc"),
            (r"/wsgi.*", WSGIResource(reactor, pool, wsgi), "/wsgi"),
        ]
        application = web.Application(
            [
                (pattern, ResourceHandler, {"resource": resource, "prefix": prefix})
                for pattern, resource, prefix in routes
            ]
            + [(r"/tornado", Echo)]
        )
        server = HTTPServer(application)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self.addCleanup(lambda: as_deferred(server.close_all_connections()))
        self.addCleanup(server.stop)

    async def test_beside_others(self) -> None:
        """Other handlers answer as ever."""
        self.assertEqual((await self.fetch("/tornado")).code, 200)

    async def test_file(self) -> None:
        """A ``File`` serves files, types, ranges, directories, and 404."""
        response = await self.fetch("/files/big")
        self.assertEqual(response.body, BIG)
        self.assertEqual(response.headers["Content-Length"], str(len(BIG)))
        self.assertEqual(response.headers["Accept-Ranges"], "bytes")
        response = await self.fetch("/files/sub%20folder/a.txt", headers={"Range": "bytes=1-2"})
        self.assertEqual((response.code, response.body), (206, b"ex"))
        self.assertEqual(response.headers.get_list("Content-Type"), ["text/plain"])
        self.assertIn(b"big", (await self.fetch("/files/")).body)
        self.assertEqual((await self.fetch("/files/none")).code, 404)
        head = await self.fetch("/files/big", method="HEAD")
        self.assertEqual((head.body, head.headers["Content-Length"]), (b"", str(len(BIG))))

    async def test_prefixes(self) -> None:
        """What is looked up follows a group of the route, named or not, or the prefix."""
        for path in ("/named/sub%20folder/a.txt", "/pre/fixed/sub%20folder/a.txt"):
            self.assertEqual((await self.fetch(path)).body, b"text", path)

    async def test_later(self) -> None:
        """NOT_DONE_YET: status, cookies and body come later."""
        response = await self.fetch("/later")
        self.assertEqual((response.code, response.reason), (202, "In A While"))
        self.assertEqual(response.body, b"one two")
        self.assertEqual(response.headers.get_list("Set-Cookie"), ["a=1", "b=2"])

    async def test_body(self) -> None:
        """Forms, headers, sessions and the two halves of the path are what they are elsewhere."""
        response = await self.fetch(
            "/later/x", method="POST", body="name=n", headers={"X-Header": "h"}
        )
        self.assertEqual(response.body, b"n|h|at|later|x")
        cookie = response.headers["Set-Cookie"].split(";")[0]
        again = await self.fetch(
            "/later", method="POST", body="name=n", headers={"X-Header": "h", "Cookie": cookie}
        )
        self.assertEqual(response.headers["X-Session"], again.headers["X-Session"])
        for site in self.later_sites():
            for session in list(site.sessions.values()):
                session.expire()

    def later_sites(self) -> list[Any]:
        import gc

        from txtornado.resource._handler import _Site

        return [site for site in gc.get_objects() if type(site) is _Site]

    async def test_big_body(self) -> None:
        """A big body is kept in a file."""
        response = await self.fetch("/later", method="PUT", body=BIG)
        size, kind = response.body.split()
        self.assertEqual(int(size), len(BIG))
        self.assertNotEqual(kind, b"BytesIO")

    async def test_not_allowed(self) -> None:
        """A method that the resource has not is refused as it refuses."""
        response = await self.fetch("/later", method="DELETE")
        self.assertEqual(response.code, 501)

    async def test_pull_producer(self) -> None:
        """A pull producer is asked until it is done."""
        self.assertEqual(len((await self.fetch("/pull")).body), 200_000)

    async def test_push_producer(self) -> None:
        """A push producer is paused for a slow client, and stopped when that goes."""
        client = await self.raw(b"GET /push HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.until(b"abcdef")
        client.transport.pauseProducing()
        while not Pushed.instance.paused:
            await self.turn()
        client.transport.abortConnection()
        await Pushed.instance.stopped

    def turn(self) -> Deferred[None]:
        from twisted.internet import reactor

        done: Deferred[None] = Deferred()
        reactor.callLater(0, done.callback, None)
        return done

    async def test_client_goes(self) -> None:
        """``notifyFinish`` fails when the client goes."""
        self.later.gone = Deferred()
        client = await self.raw(b"GET /later?never=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.until(b"waiting")
        client.transport.abortConnection()
        await self.later.gone

    async def test_xmlrpc(self) -> None:
        """XML-RPC works."""
        from twisted.web.xmlrpc import Proxy

        proxy = Proxy(f"http://127.0.0.1:{self.port}/rpc".encode())
        self.assertEqual(await proxy.callRemote("add", 2, 3), 5)

    async def test_wsgi(self) -> None:
        """A `WSGIResource` works, in its threads."""
        response = await self.fetch("/wsgi/a/b", method="POST", body="body")
        self.assertEqual(response.body, b"/a/b body")
        self.assertEqual(response.headers["X-Name"], "/wsgi")

    async def test_malformed_form(self) -> None:
        """A form that is none is answered with status 400."""
        response = await self.fetch(
            "/later",
            method="POST",
            body="--x",
            headers={"Content-Type": "multipart/form-data; boundary="},
        )
        self.assertEqual(response.code, 400)


class KleinInApplication(Case):
    """A Klein application's resource in ours."""

    if importlib.util.find_spec("klein") is None:
        skip = "klein is not installed"

    async def test_klein(self) -> None:
        """Its routes answer below the prefix."""
        from klein import Klein

        klein = Klein()

        @klein.route("/hello/<name>")
        def hello(request: Any, name: str) -> Any:
            return defer.succeed(f"Hello {name}")

        application = web.Application(
            [(r"/klein/(.*)", ResourceHandler, {"resource": klein.resource()})]
        )
        server = HTTPServer(application)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self.addCleanup(lambda: as_deferred(server.close_all_connections()))
        self.addCleanup(server.stop)
        self.assertEqual((await self.fetch("/klein/hello/world")).body, b"Hello world")
        self.assertEqual((await self.fetch("/klein/none")).code, 404)
