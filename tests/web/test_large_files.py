"""Large static files over a real connection: the system sends them where it can."""

from __future__ import annotations

import gzip
import os
import socket
from typing import Any

from twisted.internet.threads import deferToThread

from txtornado.httpserver import HTTPServer
from txtornado.iostream import BaseIOStream
from txtornado.log import gen_log
from txtornado.netutil import bind_sockets
from txtornado.testing import ExpectLog, ReactorTestCase
from txtornado.web import Application, OutputTransform, StaticFileHandler

from .test_static import Folder

SIZE = 5 << 20


class Shouting(OutputTransform):
    """A transform of the application's own."""

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        return chunk.upper()


class LargeFileTests(Folder, ReactorTestCase):
    timeout = 30

    def setUp(self) -> None:
        super().setUp()
        self.content = os.urandom(SIZE // 2) * 2
        self.put("large.bin", self.content)
        self.put("large.txt", self.content.hex().encode())
        self.files: list[tuple[int, int]] = []
        send_file = BaseIOStream.send_file

        def note(stream: Any, file: Any, offset: int = 0, count: Any = None) -> Any:
            self.files.append((offset, count))
            return send_file(stream, file, offset, count)

        self.patch(BaseIOStream, "send_file", note)

    def serve(self, app: Application) -> tuple[str, int]:
        (sock,) = bind_sockets(0, "127.0.0.1")
        address: tuple[str, int] = sock.getsockname()
        server = HTTPServer(app)
        server.add_sockets([sock])
        self.addCleanup(server.stop)
        return address

    async def ask(self, address: tuple[str, int], *requests: str) -> bytes:
        """Everything that comes back to these requests on one connection."""

        def talk() -> bytes:
            with socket.create_connection(address, 20) as client:
                client.sendall("".join(requests).encode())
                received = bytearray()
                while data := client.recv(1 << 20):
                    received += data
            return bytes(received)

        return await deferToThread(talk)

    def request(self, name: str, *headers: str, method: str = "GET", last: bool = True) -> str:
        lines = [f"{method} /s/{name} HTTP/1.1", "Host: x", *headers]
        if last:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""])

    async def test_whole(self) -> None:
        """A large file is handed to the stream, and the connection goes on after it."""
        address = self.serve(self.app())
        received = await self.ask(
            address,
            self.request("large.bin", last=False),
            self.request("a.txt"),
        )
        head, _, rest = received.partition(b"\r\n\r\n")
        self.assertIn(b"\r\nContent-Length: %d\r\n" % SIZE, head + b"\r\n")
        self.assertEqual(rest[:SIZE], self.content)
        self.assertTrue(rest[SIZE:].startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual(self.files, [(0, SIZE)])

    async def test_range(self) -> None:
        """So is a part of one."""
        headers = "Range: bytes=1000000-2999999"
        received = await self.ask(self.serve(self.app()), self.request("large.bin", headers))
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 206 "))
        self.assertEqual(body, self.content[1000000:3000000])
        self.assertEqual(self.files, [(1000000, 2000000)])

    async def test_head(self) -> None:
        """Who asks for the head gets no file."""
        request = self.request("large.bin", method="HEAD")
        received = await self.ask(self.serve(self.app()), request)
        self.assertTrue(received.endswith(b"\r\n\r\n"))
        self.assertIn(b"Content-Length: %d\r\n" % SIZE, received)
        self.assertEqual(self.files, [])

    async def test_old_client(self) -> None:
        """A client of HTTP/1.0 gets the same."""
        request = "GET /s/large.bin HTTP/1.0\r\n\r\n"
        received = await self.ask(self.serve(self.app()), request)
        self.assertEqual(received.partition(b"\r\n\r\n")[2], self.content)
        self.assertEqual(self.files, [(0, SIZE)])

    async def test_compression(self) -> None:
        """What is compressed on its way is not sent as it is; what is not worth it, is."""
        app = Application([("/s/(.*)", StaticFileHandler, {"path": self.root})], gzip=True)
        address = self.serve(app)
        request = self.request("large.txt", "Accept-Encoding: gzip")
        received = await self.ask(address, request.replace("HTTP/1.1", "HTTP/1.0"))
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Encoding: gzip", head)
        self.assertEqual(gzip.decompress(body), self.content.hex().encode())
        self.assertEqual(self.files, [])
        received = await self.ask(address, self.request("large.bin", "Accept-Encoding: gzip"))
        self.assertEqual(received.partition(b"\r\n\r\n")[2], self.content)
        self.assertEqual(self.files, [(0, SIZE)])

    async def test_transform(self) -> None:
        """A transform of the application's sees every byte."""
        app = self.app()
        app.add_transform(Shouting)
        received = await self.ask(self.serve(app), self.request("large.txt"))
        body = received.partition(b"\r\n\r\n")[2]
        self.assertEqual(body, self.content.hex().upper().encode())
        self.assertEqual(self.files, [])

    async def test_overridden_write(self) -> None:
        """So does a handler that has a say in what is written."""

        class Handler(StaticFileHandler):
            def write(self, chunk: Any) -> None:
                super().write(chunk.upper() if isinstance(chunk, bytes) else chunk)

        received = await self.ask(self.serve(self.app(Handler)), self.request("large.txt"))
        body = received.partition(b"\r\n\r\n")[2]
        self.assertEqual(body, self.content.hex().upper().encode())
        self.assertEqual(self.files, [])

    async def test_gone(self) -> None:
        """A file that cannot be opened after all is an error, and no half of a response."""

        class Handler(StaticFileHandler):
            def set_extra_headers(self, path: str) -> None:
                assert self.absolute_path is not None
                os.unlink(self.absolute_path)

            def log_exception(self, *args: Any) -> None:
                pass

        received = await self.ask(self.serve(self.app(Handler)), self.request("large.bin"))
        self.assertTrue(received.startswith(b"HTTP/1.1 500 "), received[:40])
        self.assertEqual(self.files, [])

    async def test_shrunk(self) -> None:
        """A file that is shorter than it said ends the connection, with one line in the log."""

        class Handler(StaticFileHandler):
            def get_content_size(self) -> int:
                return super().get_content_size() + 10

        address = self.serve(self.app(Handler))
        with ExpectLog(
            gen_log, ".*large.bin is shorter than it was: the file ended 10 bytes before"
        ):
            received = await self.ask(address, self.request("large.bin"))
        self.assertEqual(received.partition(b"\r\n\r\n")[2], self.content)

    async def test_becomes_a_pipe(self) -> None:
        """A pipe in place of the file holds nobody up: the connection ends."""

        class Handler(StaticFileHandler):
            def set_extra_headers(self, path: str) -> None:
                assert self.absolute_path is not None
                os.unlink(self.absolute_path)
                os.mkfifo(self.absolute_path)

            def log_exception(self, *args: Any) -> None:
                pass

        received = await self.ask(self.serve(self.app(Handler)), self.request("large.bin"))
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % SIZE, head)
        self.assertEqual(body, b"")
