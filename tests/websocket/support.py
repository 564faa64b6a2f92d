"""Frames by hand, and a WebSocket client on bytes in memory."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from txtornado.testing import MemoryServer
from txtornado.web import Application
from txtornado.websocket import WebSocketHandler

# Keeps Python's handler of last resort from printing each refusal.
logging.getLogger("tornado.access").addHandler(logging.NullHandler())

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
MASK = b"\x01\x02\x03\x04"


def masked(data: bytes, key: bytes = MASK) -> bytes:
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def frame(first: int, payload: bytes, mask: bytes | None = MASK) -> bytes:
    """A frame, written down from the RFC."""
    bit = 0 if mask is None else 0x80
    size = len(payload)
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 1 << 16:
        head = bytes([first, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + size.to_bytes(8, "big")
    return head + payload if mask is None else head + mask + masked(payload, mask)


def parse(data: bytes) -> list[tuple[int, bytes]]:
    """The whole frames in ``data`` (first byte and payload), which must not be masked."""
    frames = []
    while data:
        first, size, start = data[0], data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        assert size < 1 << 63 and len(data) >= start + size, data
        frames.append((first, data[start : start + size]))
        data = data[start + size :]
    return frames


def close(code: int, reason: str = "") -> bytes:
    return code.to_bytes(2, "big") + reason.encode()


async def end(connection: Any) -> None:
    """Close a client's connection, and wait until nothing is left of it."""
    connection.close()
    while not connection.stream.closed():
        await asyncio.sleep(0)


class Recorder(WebSocketHandler):
    """Writes down what happens to it; an instance of it is in `instances` until it is closed."""

    instances: list[Any] = []

    def open(self, *args: str, **kwargs: str) -> Any:
        self.events: list[Any] = []
        Recorder.instances.append(self)

    def on_message(self, message: str | bytes) -> Any:
        self.events.append(message)

    def on_ping(self, data: bytes) -> None:
        self.events.append(("ping", data))

    def on_pong(self, data: bytes) -> None:
        self.events.append(("pong", data))

    def on_close(self) -> None:
        self.events.append(("close", self.close_code, self.close_reason))


class Client:
    """A client's end: handshake done, frames in and out."""

    def __init__(self, server: MemoryServer, path: str = "/", **headers: str) -> None:
        self.server = server
        self.wire = server.connect()
        head = HANDSHAKE | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
        self.wire.send(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        response, _, self._rest = self.wire.received().partition(b"\r\n\r\n")
        status, *fields = response.decode().split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {
            name.lower(): value for name, _, value in (field.partition(": ") for field in fields)
        }

    def send(self, first: int, payload: bytes) -> None:
        self.wire.send(frame(first, payload))

    def received(self) -> list[tuple[int, bytes]]:
        data, self._rest = self._rest + self.wire.received(), b""
        return parse(data)

    @property
    def closed(self) -> bool:
        return self.wire.closed


def serve(test: Any, handler: type = Recorder, arguments: Any = None, **settings: Any) -> Any:
    """A server with ``handler`` at ``/``, closed with the test."""
    Recorder.instances.clear()
    server = MemoryServer(Application([("/", handler, arguments or {})], **settings))
    test.addCleanup(server.close)
    return server
