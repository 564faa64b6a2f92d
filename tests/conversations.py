"""Peers for the load generator of the benchmarks, led by the tests."""

from __future__ import annotations

import contextlib
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.processes import ROOT

# The benchmarks are in the checkout, and not in what is installed.
sys.path.append(str(ROOT))

from benchmarks import load  # noqa: E402
from benchmarks.jobs._certificate import certificate  # noqa: E402
from benchmarks.load import _build  # noqa: E402

__all__ = [
    "GET",
    "LIMIT",
    "LINE",
    "LINES",
    "SOON",
    "SWITCHING",
    "Conversation",
    "LoadTestCase",
    "answers",
    "certificate",
    "frame",
    "load",
    "peer",
    "response",
    "unmasked",
]

#: Seconds that a silent peer is waited for where it is meant to be silent, and elsewhere.
SOON, LIMIT = 1.0, 30.0
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
LINE = b"a line to be sent back\r\n"
LINES = load.Exchange((LINE,), load.fixed(LINE))
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def response(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def frame(payload: bytes, first: int = 0x81) -> bytes:
    """A short frame of a server's."""
    return bytes((first, len(payload))) + payload


def unmasked(data: bytes) -> tuple[int, bytes, bytes]:
    """The first byte and the payload of a client's frame, and what comes after it."""
    size, at = data[1] & 0x7F, 2
    if size > 125:
        at = 4 if size == 126 else 10
        size = int.from_bytes(data[2:at], "big")
    key, payload = data[at : at + 4], data[at + 4 : at + 4 + size]
    plain = bytes(byte ^ key[i & 3] for i, byte in enumerate(payload))
    return data[0], plain, data[at + 4 + size :]


class Conversation(socketserver.StreamRequestHandler):
    """A connection of `peer`'s: ``server.talk`` is called with it."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, EOFError):
            self.server.talk(self)  # type: ignore[attr-defined]

    def take(self, size: int) -> bytes:
        """So many bytes; `EOFError` if the client ends before."""
        data = self.rfile.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def take_head(self) -> bytes:
        """Everything up to an empty line."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        return head

    def take_frame(self) -> tuple[int, bytes]:
        """The first byte and the payload of a short frame."""
        head = self.take(2)
        first, payload, _ = unmasked(head + self.take(4 + (head[1] & 0x7F)))
        return first, payload

    def give(self, data: bytes) -> None:
        self.wfile.write(data)

    def wait(self) -> None:
        """Say nothing until the client ends."""
        while self.rfile.read(4096):
            pass


class Peer(socketserver.ThreadingTCPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, talk: Callable[[Conversation], None]) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.talk = talk

    def handle_error(self, request: object, address: object) -> None:
        raise


@contextlib.contextmanager
def peer(talk: Callable[[Conversation], None]) -> Iterator[int]:
    """A server whose connections are led by ``talk``, in threads; its port."""
    with Peer(talk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def answers(*each: bytes, size: int = len(LINE)) -> Callable[[Conversation], None]:
    """Give these answers in turn, one for each request of that size, and then be silent."""

    def talk(client: Conversation) -> None:
        for answer in each:
            client.take(size)
            client.give(answer)
        client.wait()

    return talk


class LoadTestCase(SynchronousTestCase):
    """Builds the program, in the tests' own folder."""

    def setUp(self) -> None:
        try:
            _build.compiler()
        except load.BuildError as e:
            raise SkipTest(str(e))
        self._patch_environment("XDG_CACHE_HOME", str(Path("cache").absolute()))
        load.build()

    def _patch_environment(self, name: str, value: str) -> None:
        self.patch(_build.os, "environ", {**_build.os.environ, name: value})

    def assert_refused(self, talk: Callable[[Conversation], None], reason: str, **more: object):
        """A closed loop against this peer fails with a text that has this in it."""
        exchange = more.pop("exchange", LINES)
        options = {"connections": 1, "count": 5, "limit": LIMIT, **more}
        with peer(talk) as port, self.assertRaises(load.LoadError) as caught:
            load.closed_loop(port, exchange, **options)  # type: ignore[arg-type]
        self.assertIn(reason, str(caught.exception))
