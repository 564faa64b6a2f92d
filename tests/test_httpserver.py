"""`txtornado.httpserver`: real sockets, raw bytes."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import socket
import ssl
import urllib.request
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    UNIXClientEndpoint,
    clientFromString,
    connectProtocol,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest

from tests.http1.test_server_connection import LoggingTestCase
from tests.processes import run_beside
from txtornado.concurrent import as_deferred, new_future
from txtornado.httpserver import HTTPConnection, HTTPRequest, HTTPServer, _HTTPRequestContext
from txtornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    ResponseStartLine,
)
from txtornado.ioloop import IOLoop
from txtornado.netutil import bind_sockets, bind_unix_socket
from txtornado.testing._certificate import certificate_files
from txtornado.util import Configurable

OK = ResponseStartLine("HTTP/1.1", 200, "OK")
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class RawClient(Protocol):
    """Collects bytes; `until` waits for them."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = False
        self._waiting: list[tuple[Callable[[], bool], Deferred[bytes]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._check()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        self._check()

    def until(self, condition: Callable[[], bool]) -> Deferred[bytes]:
        done: Deferred[bytes] = Deferred()
        self._waiting.append((condition, done))
        self._check()
        return done

    def until_count(self, what: bytes, count: int = 1) -> Deferred[bytes]:
        return self.until(lambda: self.received.count(what) >= count)

    def until_lost(self) -> Deferred[bytes]:
        return self.until(lambda: self.lost)

    def _check(self) -> None:
        for entry in self._waiting[:]:
            condition, done = entry
            if condition():
                self._waiting.remove(entry)
                done.callback(self.received)

    def write(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


def respond(request: HTTPServerRequest, value: object) -> None:
    """Answer with JSON."""
    body = json.dumps(value).encode()
    headers = HTTPHeaders({"Content-Length": str(len(body)), "Content-Type": "application/json"})
    request.connection.write_headers(OK, headers, body)  # type: ignore[union-attr]
    request.connection.finish()  # type: ignore[union-attr]


def describe(request: HTTPServerRequest) -> None:
    """An application that tells what it was asked."""
    respond(
        request,
        {
            "method": request.method,
            "uri": request.uri,
            "remote_ip": request.remote_ip,
            "protocol": request.protocol,
            "body": request.body.decode("latin-1"),
            "arguments": {
                name: [value.decode() for value in values]
                for name, values in request.arguments.items()
            },
            "files": {
                name: [f.body.decode() for f in files] for name, files in request.files.items()
            },
        },
    )


class ServerTestCase(LoggingTestCase):
    """Starts servers and clients, and stops them."""

    def serve(self, application: Any = describe, **options: Any) -> HTTPServer:
        server = HTTPServer(application, **options)
        [sock] = bind_sockets(0, "127.0.0.1", socket.AF_INET)
        server.add_sockets([sock])
        self.port = sock.getsockname()[1]
        self.stop_later(server)
        return server

    def stop_later(self, server: HTTPServer) -> None:
        def stop() -> Any:
            server.stop()
            return as_deferred(server.close_all_connections())

        self.addCleanup(stop)

    def connect(self, endpoint: Any = None) -> Deferred[RawClient]:
        if endpoint is None:
            endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{self.port}")
        connecting: Deferred[RawClient] = connectProtocol(endpoint, RawClient())

        def connected(client: RawClient) -> RawClient:
            def close() -> Any:
                client.transport.abortConnection()  # type: ignore[union-attr]
                return client.until_lost()

            self.addCleanup(close)
            return client

        return connecting.addCallback(connected)

    @inlineCallbacks
    def ask(self, request: bytes = GET, endpoint: Any = None) -> Any:
        """Send ``request`` and return the JSON of the response."""
        client = yield self.connect(endpoint)
        client.write(request)
        yield client.until(lambda: client.received[-1:] == b"}")
        return json.loads(client.received.partition(b"\r\n\r\n")[2])


class ApplicationTests(ServerTestCase):
    """The forms an application can have."""

    @inlineCallbacks
    def test_function(self) -> Any:
        """A function gets the whole request, its form parsed."""
        self.serve()
        body = b"a=b&c=d"
        answer = yield self.ask(
            b"POST /path?q=r HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.assertEqual(
            (answer["method"], answer["uri"], answer["body"]), ("POST", "/path?q=r", "a=b&c=d")
        )
        self.assertEqual(answer["arguments"], {"a": ["b"], "c": ["d"], "q": ["r"]})
        self.assertEqual((answer["remote_ip"], answer["protocol"]), ("127.0.0.1", "http"))

    @inlineCallbacks
    def test_files(self) -> Any:
        """Uploaded files are there, too."""
        self.serve()
        body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\nhello\r\n--b--\r\n'
        answer = yield self.ask(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.assertEqual(answer["files"], {"f": ["hello"]})

    @inlineCallbacks
    def test_old_function(self) -> Any:
        """A function of Tornado 2.3 writes the encoded response through the request."""

        def application(request: HTTPRequest) -> None:
            message = f"You requested {request.uri}\n".encode()
            request.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(message))
            request.write(message)
            request.finish()

        self.serve(application)
        client = yield self.connect()
        client.write(GET + GET.replace(b"/ ", b"/2 "))
        yield client.until_count(b"\n", 6)
        expected = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\nYou requested /\n"
        self.assertEqual(client.received[: len(expected)], expected)
        self.assertTrue(client.received.endswith(b"You requested /2\n"))

    @inlineCallbacks
    def test_coroutine(self) -> Any:
        """A coroutine function may take its time; later requests wait for their turn."""
        gates = []

        async def application(request: HTTPServerRequest) -> None:
            gate = new_future()
            gates.append(gate)
            await gate
            respond(request, {"uri": request.uri})

        self.serve(application)
        client = yield self.connect()
        client.write(GET + GET.replace(b"/ ", b"/2 "))
        while not gates:
            yield as_deferred(_turn())
        self.assertEqual(len(gates), 1)
        gates[0].set_result(None)
        yield client.until_count(b'"/"}')
        while len(gates) < 2:
            yield as_deferred(_turn())
        gates[1].set_result(None)
        yield client.until_count(b'"/2"}')

    @inlineCallbacks
    def test_delegate(self) -> Any:
        """A delegate application sees the pieces of the request, and when the connection ends."""
        events: list[str] = []
        closed: Deferred[None] = Deferred()

        class Message(HTTPMessageDelegate):
            def __init__(self, connection: Any) -> None:
                self.connection = connection

            def headers_received(self, start_line: Any, headers: Any) -> None:
                events.append(start_line.path)

            def data_received(self, chunk: bytes) -> None:
                events.append(chunk.decode())

            def finish(self) -> None:
                self.connection.write_response(OK, HTTPHeaders(), b"{}")

        class Application(HTTPServerConnectionDelegate):
            def start_request(self, server_conn: object, request_conn: Any) -> Message:
                self.server_conn = server_conn
                return Message(request_conn)

            def on_close(self, server_conn: object) -> None:
                events.append("closed" if server_conn is self.server_conn else "who?")
                closed.callback(None)

        self.serve(Application())
        client = yield self.connect()
        client.write(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        yield client.until_count(b"{}")
        client.transport.loseConnection()
        yield closed
        self.assertEqual(events, ["/x", "abc", "closed"])

    @inlineCallbacks
    def test_bad_form(self) -> Any:
        """A form that cannot be parsed is a bad request to a function."""
        self.serve()
        client = yield self.connect()
        client.write(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\n"
            b"Content-Length: 1\r\n\r\nx"
        )
        yield client.until_lost()
        self.assertEqual(client.received, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertEqual([record.levelname for record in self.records], ["INFO"])

    @inlineCallbacks
    def test_failing_function(self) -> Any:
        """A function that raises is logged, and costs its client the connection."""

        def application(request: HTTPServerRequest) -> None:
            raise ValueError("no")

        self.serve(application)
        client = yield self.connect()
        client.write(GET)
        yield client.until_lost()
        self.assertEqual(client.received, b"")
        self.assertEqual(self.messages(), ["ERROR Uncaught exception"])


def _turn() -> Any:
    future = new_future()
    IOLoop.current().add_callback(future.set_result, None)
    return future


class ListeningTests(ServerTestCase):
    """The ways to start a server."""

    @inlineCallbacks
    def test_reactor(self) -> Any:
        """A server is a factory: the reactor can listen with it."""
        port = reactor.listenTCP(0, HTTPServer(describe), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        answer = yield self.ask()
        self.assertEqual(answer["remote_ip"], "127.0.0.1")

    @inlineCallbacks
    def test_endpoint(self) -> Any:
        """So can an endpoint."""
        server = HTTPServer(describe)
        port = yield TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(server)
        self.addCleanup(port.stopListening)
        self.stop_later(server)
        self.port = port.getHost().port
        answer = yield self.ask()
        self.assertEqual(answer["uri"], "/")

    @inlineCallbacks
    def test_unix_socket(self) -> Any:
        """Clients on a UNIX socket have no address, and are served and refused all the same."""
        path = os.path.abspath(self.mktemp())
        path = os.path.join("/tmp", f"txtornado-{os.getpid()}.sock") if len(path) > 90 else path
        server = HTTPServer(describe)
        server.add_socket(bind_unix_socket(path))
        self.stop_later(server)
        answer = yield self.ask(endpoint=UNIXClientEndpoint(reactor, path))
        self.assertEqual(answer["remote_ip"], "0.0.0.0")
        client = yield self.connect(UNIXClientEndpoint(reactor, path))
        client.write(b"garbage\r\n\r\n")
        yield client.until_lost()
        self.assertEqual(client.received, b"HTTP/1.1 400 Bad Request\r\n\r\n")

    @inlineCallbacks
    def test_no_delay(self) -> Any:
        """The parts of a response do not wait in the system for acknowledgements, with TLS or not."""
        certificate, key = certificate_files()

        def tell(request: HTTPServerRequest) -> None:
            with socket.socket(fileno=os.dup(request.connection.stream.fileno())) as sock:  # type: ignore[union-attr]
                respond(request, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        for scheme, options in (
            ("http", {}),
            ("https", {"ssl_options": {"certfile": certificate, "keyfile": key}}),
        ):
            self.serve(tell, **options)
            context = ssl.create_default_context(cafile=certificate)
            context.check_hostname = False
            url = f"{scheme}://127.0.0.1:{self.port}/"
            answer = yield deferToThread(
                lambda: urllib.request.urlopen(url, timeout=10, context=context).read()
            )
            self.assertNotEqual(json.loads(answer), 0, scheme)

    @inlineCallbacks
    def test_tls(self) -> Any:
        """With ssl_options the server speaks TLS, and requests know it."""
        certificate, key = certificate_files()
        for options in (
            {"certfile": certificate, "keyfile": key},
            _server_context(certificate, key),
        ):
            self.serve(ssl_options=options)
            context = ssl.create_default_context(cafile=certificate)
            context.check_hostname = False

            def fetch() -> Any:
                connection = http.client.HTTPSConnection(
                    "127.0.0.1", self.port, context=context, timeout=10
                )
                connection.request("GET", "/tls")
                try:
                    return json.loads(connection.getresponse().read())
                finally:
                    connection.close()

            answer = yield deferToThread(fetch)
            self.assertEqual((answer["uri"], answer["protocol"]), ("/tls", "https"))

    def test_bad_ssl_options(self) -> None:
        """Bad TLS options are an error at once, not at the first connection."""
        self.assertRaises(KeyError, HTTPServer, describe, ssl_options={"keyfile": "/missing"})
        self.assertRaises(
            (ValueError, OSError), HTTPServer, describe, ssl_options={"certfile": "/missing"}
        )

    def test_old_positions(self) -> None:
        """Tornado 2.3's third argument was the loop, and is still taken for it."""
        loop = IOLoop.current()
        for arguments in [(loop, True), (None, True)]:
            server = HTTPServer(describe, False, *arguments)
            self.assertTrue(server.xheaders)
            self.assertIsNone(server.protocol)
        server = HTTPServer(describe, False, True, None, "https")
        self.assertTrue(server.xheaders)
        self.assertEqual(server.protocol, "https")
        self.assertTrue(HTTPServer(describe, xheaders=True, io_loop=loop).xheaders)

    def test_configurable(self) -> None:
        """Another implementation can be configured."""

        class Other(HTTPServer):
            pass

        saved = HTTPServer._save_configuration()
        self.addCleanup(HTTPServer._restore_configuration, saved)
        HTTPServer.configure(Other)
        self.assertIsInstance(HTTPServer(describe), Other)
        self.assertTrue(issubclass(HTTPServer, Configurable))


def _server_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


class OptionTests(ServerTestCase):
    """The constructor's options, as far as they are not the connection's."""

    @inlineCallbacks
    def test_xheaders(self) -> Any:
        """Behind a proxy, its headers tell who the client is."""
        self.serve(xheaders=True, trusted_downstream=["5.5.5.5"])
        for headers, ip, protocol in [
            ("", "127.0.0.1", "http"),
            ("X-Real-IP: 4.4.4.4\r\nX-Scheme: https\r\n", "4.4.4.4", "https"),
            ("X-Forwarded-For: 1.1.1.1, 4.4.4.4\r\n", "4.4.4.4", "http"),
            ("X-Forwarded-For: 1.1.1.1, 4.4.4.4, 5.5.5.5\r\n", "4.4.4.4", "http"),
            ("X-Forwarded-For: 5.5.5.5\r\n", "5.5.5.5", "http"),
            ("X-Real-IP: ::1:2\r\n", "::1:2", "http"),
            ("X-Real-IP: 4.4.4.4<script>\r\n", "127.0.0.1", "http"),
            ("X-Real-IP: example.com\r\n", "127.0.0.1", "http"),
            ("X-Forwarded-Proto: http , https\r\n", "127.0.0.1", "https"),
            ("X-Forwarded-Proto: gopher\r\n", "127.0.0.1", "http"),
        ]:
            answer = yield self.ask(f"GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
            self.assertEqual((answer["remote_ip"], answer["protocol"]), (ip, protocol), headers)

    @inlineCallbacks
    def test_xheaders_of_one_request(self) -> Any:
        """What a proxy says of one request is not believed of the next."""
        self.serve(xheaders=True)
        client = yield self.connect()
        client.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Real-IP: 4.4.4.4\r\n\r\n" + GET)
        yield client.until_count(b'"remote_ip"', 2)
        self.assertIn(b"4.4.4.4", client.received)
        self.assertIn(b"127.0.0.1", client.received)

    @inlineCallbacks
    def test_xheaders_not_asked_for(self) -> Any:
        """Without the option, anybody may say anything."""
        self.serve()
        answer = yield self.ask(b"GET / HTTP/1.1\r\nHost: x\r\nX-Real-IP: 4.4.4.4\r\n\r\n")
        self.assertEqual(answer["remote_ip"], "127.0.0.1")

    @inlineCallbacks
    def test_protocol(self) -> Any:
        """The protocol can be given."""
        self.serve(protocol="https")
        answer = yield self.ask()
        self.assertEqual(answer["protocol"], "https")

    @inlineCallbacks
    def test_decompress_request(self) -> Any:
        """Compressed requests are decoded on demand."""
        self.serve(decompress_request=True)
        body = gzip.compress(b"hello")
        answer = yield self.ask(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        self.assertEqual(answer["body"], "hello")

    @inlineCallbacks
    def test_large_body_refused(self) -> Any:
        """A client that sends far too much learns why, though it is still sending."""
        self.serve(max_body_size=1000)
        client = yield self.connect()
        client.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        client.write(b"x" * 3_000_000)
        yield client.until_count(b"\r\n\r\n")
        self.assertEqual(client.received, b"HTTP/1.1 400 Bad Request\r\n\r\n")


class ConnectionTests(ServerTestCase):
    """Many connections, and the end of them."""

    @inlineCallbacks
    def test_close_all_connections(self) -> Any:
        """All connections close, idle or busy, and it is known when."""
        server = self.serve(lambda request: None)
        clients = []
        for number in range(3):
            client = yield self.connect()
            clients.append(client)
            if number:
                client.write(GET)
        while len(server._connections) < 3:
            yield as_deferred(_turn())
        yield as_deferred(server.close_all_connections())
        self.assertEqual(server._connections, set())
        for client in clients:
            yield client.until_lost()

    @inlineCallbacks
    def test_many_idle_connections(self) -> Any:
        """Idle connections, hundreds of them, do not keep others from being served."""
        server = self.serve()
        socks = []
        self.addCleanup(lambda: [sock.close() for sock in socks])
        for number in range(300):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", self.port))
            socks.append(sock)
            if number % 50 == 0:
                yield as_deferred(_turn())
        while len(server._connections) < 300:
            yield as_deferred(_turn())
        for sock in socks[::3]:
            sock.send(b"GET / HT")
        answer = yield self.ask()
        self.assertEqual(answer["uri"], "/")

    @inlineCallbacks
    def test_no_reading_client(self) -> Any:
        """A client that asks and asks and never reads makes the server keep one response."""
        handled = []

        def application(request: HTTPServerRequest) -> None:
            handled.append(request)
            request.connection.write_response(OK, HTTPHeaders(), b"x" * 8_000_000)  # type: ignore[union-attr]

        self.serve(application)
        client = yield self.connect()
        client.transport.pauseProducing()
        client.write(GET * 100)
        while not handled:
            yield as_deferred(_turn())
        self.port, port = self.port, self.port
        for _ in range(50):
            yield as_deferred(_turn())
        self.assertEqual(len(handled), 1)
        self.assertEqual(self.port, port)


class OldConnectionTests(ServerTestCase):
    """`HTTPConnection`, Tornado 2.3's connection without a server."""

    @inlineCallbacks
    def test_serves(self) -> Any:
        """It serves its stream with its callback, and writes the response."""
        from txtornado.tcpserver import TCPServer

        connections: list[HTTPConnection] = []

        def application(request: HTTPServerRequest) -> None:
            connections[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            connections[0].finish()

        class Server(TCPServer):
            def handle_stream(self, stream: Any, address: Any) -> None:
                connections.append(HTTPConnection(stream, address, application))

        server = Server()
        [sock] = bind_sockets(0, "127.0.0.1", socket.AF_INET)
        server.add_sockets([sock])
        self.addCleanup(server.stop)
        self.port = sock.getsockname()[1]
        client = yield self.connect()
        client.write(GET + GET)
        yield client.until_count(b"{}", 2)
        self.assertEqual(connections[0].address[0], "127.0.0.1")
        self.assertFalse(connections[0].xheaders)


class ContextTests(ServerTestCase):
    """What ``request.connection.context`` tells."""

    @inlineCallbacks
    def test_original_address(self) -> Any:
        """Address, family and the address before a proxy's headers are there."""
        seen: list[Any] = []

        def application(request: HTTPServerRequest) -> None:
            context = request.connection.context  # type: ignore[union-attr]
            seen.append(
                (context._orig_remote_ip, context.remote_ip, context.address_family, str(context))
            )
            describe(request)

        self.serve(application, xheaders=True)
        yield self.ask(b"GET / HTTP/1.1\r\nHost: x\r\nX-Real-IP: 4.4.4.4\r\n\r\n")
        self.assertEqual(seen, [("127.0.0.1", "4.4.4.4", socket.AF_INET, "4.4.4.4")])

    def test_names(self) -> None:
        """Its str names the client whatever kind of address it has."""
        for address, name in [("path", "path"), (b"bytes", "bytes"), (None, "None")]:
            context = _HTTPRequestContext(object(), address, None)  # type: ignore[arg-type]
            self.assertEqual(str(context), name)
            self.assertEqual(context.remote_ip, "0.0.0.0")
            self.assertEqual(context.protocol, "http")


class OtherClientTests(ServerTestCase):
    """Programs that speak HTTP in their own ways."""

    @inlineCallbacks
    def test_http_client(self) -> Any:
        """Python's http.client: several requests on a connection, one of them chunked."""
        self.serve()

        def fetch() -> list[Any]:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            answers = []
            for method, body in [("GET", None), ("POST", b"abc"), ("PUT", iter([b"de", b"f"]))]:
                connection.request(method, "/", body, encode_chunked=True)
                answers.append(json.loads(connection.getresponse().read()))
            connection.close()
            return answers

        answers = yield deferToThread(fetch)
        self.assertEqual([answer["body"] for answer in answers], ["", "abc", "def"])

    @inlineCallbacks
    def test_curl(self) -> Any:
        """curl, which waits for leave to send a large body."""
        curl = shutil.which("curl")
        if curl is None:
            raise SkipTest("needs curl")
        self.serve()
        url = f"http://127.0.0.1:{self.port}/"
        waiting = ["-s", "-H", "Expect: 100-continue", "--data-binary", "x" * 2000, url]
        done = yield run_beside([curl, *waiting, "--next", "-s", url])
        first, second = [json.loads(part + b"}}") for part in done.stdout.split(b"}}")[:2]]
        self.assertEqual(len(first["body"]), 2000)
        self.assertEqual(second["body"], "")

    @inlineCallbacks
    def run_load(self, program: str, *arguments: str) -> Any:
        """What a load generator prints that was pointed at a server of ours."""
        path = shutil.which(program)
        if path is None:
            raise SkipTest(f"needs {program}")
        self.serve()
        url = f"http://127.0.0.1:{self.port}/"
        done = yield run_beside([path, *arguments, url])
        return (done.stdout + done.stderr).decode()

    @inlineCallbacks
    def test_ab(self) -> Any:
        """ab, which speaks HTTP/1.0 with and without keep-alive."""
        for options in ((), ("-k",)):
            output = yield self.run_load("ab", "-q", "-n", "200", "-c", "4", *options)
            self.assertRegex(output, r"Complete requests: +200\n")
            self.assertRegex(output, r"Failed requests: +0\n")
        self.assertRegex(output, r"Keep-Alive requests: +200\n")

    @inlineCallbacks
    def test_h2load(self) -> Any:
        """h2load, which sends HTTP/1.1 requests in pipelines."""
        output = yield self.run_load("h2load", "--h1", "-n", "200", "-c", "4", "-m", "5")
        self.assertIn("200 succeeded, 0 failed, 0 errored, 0 timeout", output)

    @inlineCallbacks
    def test_wrk(self) -> Any:
        """wrk, which sends as fast as it can."""
        output = yield self.run_load("wrk", "-t", "1", "-c", "8", "-d", "1s")
        self.assertRegex(output, r"[1-9][0-9]* requests in")
        self.assertNotIn("Non-2xx", output)
        self.assertNotIn("Socket errors", output)
