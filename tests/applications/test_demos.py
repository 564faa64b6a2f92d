"""Tornado's own demos, unchanged, driven by clients.

They are in the source distribution of Tornado 6.1, which is fetched; nothing of it is kept here.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from tests.applications.downloads import cache, source
from tests.processes import LIMIT, Program, free_port, once, running, twistd
from txtornado.ioloop import IOLoop
from txtornado.websocket import WebSocketClientConnection, websocket_connect

RUN = [sys.executable, "-m", "txtornado", "run"]

#: The port that the receiver of files has in it, and its uploader too.
UPLOAD_PORT = 8888


class Browser:
    """Sends requests, one at a time, with the cookies that it got."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        self.cookies: dict[str, str] = {}

    def fetch(self, method: str, path: str, body: bytes | None = None, **headers: str) -> str:
        """The body of the response, whose status must be 200."""
        status, text = self.ask(method, path, body, **headers)
        if status != 200:
            raise AssertionError(f"{method} {path}: {status}\n{text}")
        return text

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str]:
        """Status and body of the response."""
        self.send(method, path, body, **headers)
        return self.receive()

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> None:
        """Send a request; `receive` waits for the response."""
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        self.connection.request(method, path, body, headers)

    def receive(self) -> tuple[int, str]:
        """Status and body of the response."""
        response = self.connection.getresponse()
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response.status, response.read().decode()

    def post(self, path: str, **fields: str) -> dict[str, Any]:
        """Send a form, with the token against forgery; what comes back."""
        self.send_form(path, **fields)
        return dict(json.loads(self.receive()[1]))

    def send_form(self, path: str, **fields: str) -> None:
        """The first half of `post`."""
        body = urlencode({**fields, "_xsrf": self.cookies["_xsrf"]}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.send("POST", path, body, **headers)


@once("the demos choose theirs")
class DemoTests(SynchronousTestCase):
    """Each demo does what it is there to show."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.demos = source("tornado", self.folder) / "demos"

    @contextlib.contextmanager
    def serving(self, *command: str, port: int, ends_on: int = signal.SIGTERM) -> Iterator[Program]:
        """Start a server in the folder of its script; it must end when it is told to."""
        script = self.demos / next(part for part in command if part.endswith((".py", ":make_app")))
        with running(list(command), self.folder / f"out{port}", cwd=script.parent) as program:
            program.wait_for_port(port)
            yield program
            self.assertIn(program.stop(ends_on), (0, -ends_on), program.stderr)
        self.check(program)

    def demo(self, script: str, *arguments: str) -> list[str]:
        return [*RUN, str(self.demos / script), *arguments]

    def check(self, program: Program) -> None:
        """Nothing went wrong."""
        for sign in ("Traceback", "Error", "WARNING", "was never awaited"):
            self.assertNotIn(sign, program.stderr)

    def run_demo(self, script: str, *arguments: str) -> str:
        """Run a program to its end; what it prints."""
        folder = self.folder / "client"
        with running(self.demo(script, *arguments), folder, cwd=self.demos) as program:
            self.assertEqual(program.wait(), 0, program.stderr)
            self.check(program)
            return program.stdout

    # -- the demos ----------------------------------------------------------------------

    def test_hello(self) -> None:
        """Hello, world."""
        port = free_port()
        with self.serving(*self.demo("helloworld/helloworld.py", f"--port={port}"), port=port):
            browser = Browser(port)
            for _ in range(2):
                self.assertEqual(browser.fetch("GET", "/"), "Hello, world")
            self.assertEqual(browser.ask("GET", "/nowhere")[0], 404)
            browser.connection.close()

    def test_interrupted(self) -> None:
        """Ctrl-C ends a server as it does under Tornado: with a KeyboardInterrupt."""
        port = free_port()
        command = self.demo("helloworld/helloworld.py", f"--port={port}", "--logging=none")
        with running(command, self.folder / "out") as program:
            program.wait_for_port(port)
            browser = Browser(port)  # a port may listen before there is a loop to interrupt
            browser.fetch("GET", "/")
            browser.connection.close()
            status = program.stop(signal.SIGINT)
        self.assertIn(status, (-signal.SIGINT, 128 + signal.SIGINT))
        self.assertEqual(program.stderr.count("Traceback"), 1, program.stderr)
        self.assertEqual(program.stderr.splitlines()[-1], "KeyboardInterrupt")

    def test_chat(self) -> None:
        """Two who wait for news get the message that one of them posts, and only with a token."""
        port = free_port()
        with self.serving(*self.demo("chat/chatdemo.py", f"--port={port}"), port=port):
            writer, readers = Browser(port), [Browser(port), Browser(port)]
            for browser in (writer, *readers):
                self.assertIn("_xsrf", browser.fetch("GET", "/"))
            self.assertEqual(writer.ask("POST", "/a/message/new", b"body=forged")[0], 403)
            for browser in readers:
                browser.send_form("/a/message/updates")
            # What was sent before these two is being waited on when they are answered.
            for _ in range(2):
                self.assertNotIn("hello", Browser(port).fetch("GET", "/"))
            posted = writer.post("/a/message/new", body="<hello>")
            for browser in readers:
                self.assertEqual(json.loads(browser.receive()[1]), {"messages": [posted]})
            self.assertEqual(posted["body"], "<hello>")
            self.assertIn("&lt;hello&gt;", posted["html"])
            later = writer.post("/a/message/new", body="later")
            news = readers[0].post("/a/message/updates", cursor=posted["id"])
            self.assertEqual(news, {"messages": [later]})
            self.assertIn("&lt;hello&gt;", Browser(port).fetch("GET", "/"))
            self.assertIn("/a/message/updates", writer.fetch("GET", "/static/chat.js"))

    def test_websocket_chat(self) -> None:
        """Both who are connected get what one of them says."""
        port = free_port()
        with self.serving(*self.demo("websocket/chatdemo.py", f"--port={port}"), port=port) as demo:
            loop = IOLoop(make_current=False)
            self.addCleanup(loop.close)
            said = loop.run_sync(lambda: self.talk(port), timeout=LIMIT)
            self.assertIn(said, Browser(port).fetch("GET", "/"))
            self.assertIn("sending message to 2 waiters", demo.stderr)

    async def talk(self, port: int) -> str:
        """Two connections; the HTML of what one says."""
        url = f"ws://127.0.0.1:{port}/chatsocket"
        both: list[WebSocketClientConnection] = [
            await websocket_connect(url, compression_options={}) for _ in range(2)
        ]
        await both[0].write_message(json.dumps({"body": "hello & so on"}))
        heard = [json.loads(str(await connection.read_message())) for connection in both]
        self.assertEqual(heard[0], heard[1])
        self.assertEqual(heard[0]["body"], "hello & so on")
        for connection in both:
            connection.close()
            self.assertIsNone(await connection.read_message())
        return str(heard[0]["html"]).strip()

    def test_file_upload(self) -> None:
        """The uploader sends files to the receiver, as a form and one by one."""
        small, large = self.folder / "small.txt", self.folder / "large.bin"
        small.write_bytes(b"some text")
        large.write_bytes(bytes(range(256)) * 4000)
        with self.upload_port():
            command = self.demo("file_upload/file_receiver.py")
            with self.serving(*command, port=UPLOAD_PORT) as receiver:
                uploader = "file_upload/file_uploader.py"
                self.assertIn("code=200", self.run_demo(uploader, str(small), str(large)))
                put = self.run_demo(uploader, "--put", str(small), str(large))
                self.assertEqual(put.count("code=200"), 2)
                log = receiver.stderr
        self.assertIn(f'POST "{small}" "text/plain" 9 bytes', log)
        self.assertIn(f'POST "{large}" "application/octet-stream" 1024000 bytes', log)
        self.assertIn('PUT "small.txt" "text/plain" 9 bytes', log)
        self.assertIn('PUT "large.bin" "application/octet-stream" 1024000 bytes', log)

    @contextlib.contextmanager
    def upload_port(self) -> Iterator[None]:
        """The port is free, and other runs of these tests leave it alone."""
        import fcntl

        with (cache() / "upload-port.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("", UPLOAD_PORT))
                except OSError as error:
                    self.skipTest(f"port {UPLOAD_PORT}, which the demo has in it: {error}")
            yield

    def test_file_receiver_under_twistd(self) -> None:
        """The receiver's application is served by twistd, on the epoll or the select reactor."""
        for reactor in ("epoll", "select") if sys.platform == "linux" else ("select",):
            port = free_port()
            command = [twistd(), "--nodaemon", "--pidfile=", f"--reactor={reactor}", "tornado"]
            command += ["--as-tornado", "--listen", f"tcp:{port}:interface=127.0.0.1"]
            command += ["app", "file_receiver:make_app"]
            with running(command, self.folder / reactor, cwd=self.demos / "file_upload") as program:
                program.wait_for_port(port)
                browser = Browser(port)
                self.assertEqual(browser.fetch("PUT", "/file.bin", bytes(300_000)), "OK")
                form = (
                    b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
                    b"\r\ncontent\r\n--x--\r\n"
                )
                headers = {"Content-Type": "multipart/form-data; boundary=x"}
                self.assertEqual(browser.fetch("POST", "/post", form, **headers), "OK")
                browser.connection.close()
                # Twisted ends by the signal that stopped it.
                self.assertIn(program.stop(), (0, -signal.SIGTERM))
            output = program.stdout + program.stderr
            self.assertIn("300000 bytes", output)
            self.assertIn('POST "a.txt"', output)
            self.assertNotIn("Traceback", output)

    def test_webspider(self) -> None:
        """The spider visits each page of a site once, several at a time, and comes to its end."""
        (self.folder / "drive.py").write_text(
            "import sys\n"
            "from tornado.ioloop import IOLoop\n"
            "sys.path.insert(0, sys.argv[2])\n"
            "import webspider\n"
            "webspider.base_url = sys.argv[1]\n"
            "IOLoop.current().run_sync(webspider.main)\n"
        )
        with Site(pages=40) as site:
            command = [*RUN, "drive.py", site.url, str(self.demos / "webspider")]
            with running(command, self.folder) as program:
                self.assertEqual(program.wait(), 0, program.stderr)
        self.check(program)
        fetched = re.findall(r"^fetched (\S+)$", program.stdout, re.MULTILINE)
        self.assertEqual(len(fetched), 41)
        self.assertEqual(sorted(site.visited), sorted({*site.visited}))
        self.assertRegex(program.stdout, r"fetched 41 URLs")
        self.assertRegex(program.stdout, r"Unable to fetch 1 URLS")

    def test_tcpecho(self) -> None:
        """The client has its line sent back by the server, again and again."""
        port = free_port()
        command = self.demo("tcpecho/server.py", f"--port={port}")
        with running(command, self.folder / "out") as server:
            server.wait_for_port(port)
            for message in ("ping", "grüße " * 1000):
                message = message.strip()
                output = self.run_demo(
                    "tcpecho/client.py",
                    f"--port={port}",
                    f"--message={message}",
                    "--host=127.0.0.1",
                )
                self.assertIn(f"Response from server: {message}", output)
            self.assertEqual(server.stop(), -signal.SIGTERM)
        self.assertIn("Received bytes: b'ping\\n'", server.stderr)
        self.assertNotIn("Traceback", server.stderr)


class Site:
    """A site of pages that link to each other, to a missing one and to other places."""

    def __init__(self, pages: int) -> None:
        self.visited: list[str] = []
        self._gate = Barrier(2)
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site._serve(self, pages)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/docs/"

    def __enter__(self) -> Site:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler, pages: int) -> None:
        self.visited.append(request.path)
        name = request.path.removeprefix("/docs/")
        if name and not name.startswith("page"):
            request.send_error(404)
            return
        if name:
            self._meet()
        links = [f"page{number}.html#part" for number in range(pages)]
        links += ["../outside.html", "missing.html", "http://127.0.0.1:1/elsewhere"]
        body = "".join(f'<a href="{link}">x</a><a name="y">' for link in links).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _meet(self) -> None:
        """Hold a request up until another one is there: who asks for one at a time gets nothing."""
        self._gate.wait(LIMIT)
