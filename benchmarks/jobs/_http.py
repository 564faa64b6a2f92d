"""HTTP servers of all contestants, what they are asked, and what they must answer."""

from __future__ import annotations

import contextlib
import html
import http.client
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks._model import Contestant, Effort
from benchmarks._processes import Server, server
from benchmarks._wrk import Request, Throughput, load

__all__ = [
    "FRAMEWORKS",
    "JSON",
    "JSON_ANSWER",
    "KIBIBYTE",
    "MEBIBYTE",
    "PROGRAMS",
    "Check",
    "answer",
    "check",
    "contents",
    "form",
    "json_value",
    "page",
    "serving",
    "static_files",
    "stream",
    "text",
    "throughput",
    "upload",
]

#: Program and arguments of each.
PROGRAMS = {
    "txtornado": ("http_tornado.py", "txtornado"),
    "tornado": ("http_tornado.py", "tornado"),
    "aiohttp": ("http_aiohttp.py",),
    "starlette": ("http_starlette.py",),
    "twisted.web": ("http_twisted.py",),
    "klein": ("http_klein.py",),
    "ceiling": ("http_ceiling.py",),
}
#: Those that can do everything.
FRAMEWORKS = tuple(name for name in PROGRAMS if name != "ceiling")
ANSWER_LIMIT = 20.0
#: Seconds from which on an answer is slow.
SLOW = 0.1
#: Seconds of load at most, where answers are so slow that more of it is needed.
LOAD_LIMIT = 20.0

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
FILES = {"1k.bin": KIBIBYTE, "16k.bin": 16 * KIBIBYTE, "10m.bin": 10 * MEBIBYTE}

#: What a browser of today sends with every request.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "http://127.0.0.1/items",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.1.123456.789",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}

#: Looks at a body: whether it is the right one.
Check = Callable[[bytes], bool]


def contents(size: int) -> bytes:
    """Bytes of a file or a body: always the same ones, and nothing that repeats itself soon."""
    return b"".join(b"%15d\n" % number for number in range(size // 16))


@contextlib.contextmanager
def static_files() -> Iterator[Path]:
    """A folder of files of several sizes, which have been there for a while."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        for file, size in FILES.items():
            (folder / file).write_bytes(contents(size))
            os.utime(folder / file, (10**9, 10**9))
        yield folder


@contextlib.contextmanager
def serving(
    contestant: Contestant, effort: Effort, *options: str, cpus: Sequence[int] = ()
) -> Iterator[Server]:
    """The contestant's HTTP server."""
    program, *arguments = PROGRAMS[contestant.name]
    with server(contestant, program, *arguments, *options, effort=effort, cpus=cpus) as running:
        yield running


def throughput(
    running: Server, request: Request, right: Check, effort: Effort, *, connections: int = 32
) -> Throughput:
    """Check an answer, warm up, and measure.

    Where an answer takes long, so do these: each connection is to have some.
    """
    each = min(check(running, request, right) for _ in range(3))
    least = min(connections * each, LOAD_LIMIT / 3) if each > SLOW else 0.0
    for seconds in (max(effort.seconds / 4, 2 * least), max(effort.seconds, 3 * least)):
        done = load(running, request, connections=connections, seconds=seconds, cpu=effort.load_cpu)
    return done


def answer(running: Server, request: Request) -> bytes:
    """The body that comes when it is asked once.

    :raises RuntimeError: unless the status is 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=ANSWER_LIMIT)
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise RuntimeError(f"no answer to {request.method} {request.path}: {error!r}") from None
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"{request.method} {request.path}: status {response.status}")
    return body


def check(running: Server, request: Request, right: Check) -> float:
    """Ask once, and tell how many seconds it took.

    :raises RuntimeError: unless the answer is 200 with the right body.
    """
    start = time.perf_counter()
    body = answer(running, request)
    took = time.perf_counter() - start
    if not right(body):
        raise RuntimeError(
            f"{request.method} {request.path}: wrong answer of {len(body)} bytes, {body[:60]!r}"
        )
    return took


# Requests and answers


def text(expected: str | bytes) -> Check:
    wanted = expected.encode() if isinstance(expected, str) else expected
    return lambda body: body == wanted


def json_value(expected: object) -> Check:
    def right(body: bytes) -> bool:
        try:
            return bool(json.loads(body) == expected)
        except ValueError:
            return False

    return right


def page(body: bytes) -> bool:
    """Whether it is the template page.  Engines differ in blanks, and in how they escape."""
    rows = "".join(f"{number}Name <{number}>Tom & Jerry's note {number}" for number in range(50))
    wanted = f"Fifty & one rowsFifty & one rows{rows}"
    told = html.unescape(re.sub(r"<[^>]*>", "", body.decode()))
    return _squeezed(told) == _squeezed(wanted)


def _squeezed(words: str) -> str:
    return re.sub(r"\s+", "", words)


#: A request with arguments, and what a browser sends.
JSON = Request("/api/items/42?page=3&sort=price&tag=new&tag=sale", headers=BROWSER)
JSON_ANSWER = json_value(
    {
        "item": 42,
        "page": 3,
        "sort": "price",
        "tags": ["new", "sale"],
        "session": "0123456789abcdef0123456789abcdef",
    }
)


def form() -> Request:
    """A form of three fields, as a browser sends it."""
    body = b"name=Ada+Lovelace&town=London&message=" + b"Hello+there%21+" * 10
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return Request("/form", "POST", {**BROWSER, **kind}, body)


def upload(size: int = 10 * MEBIBYTE) -> Request:
    """A file in a form, as a browser sends it."""
    boundary = "----geckoformboundary8d8e5c1a7f3b4e6d9c2a1b0f"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\nA file\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="data.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + contents(size) + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return Request("/upload", "POST", {**BROWSER, **kind}, body)


def stream() -> bytes:
    """What the streaming response has in it."""
    return (b"x" * 1023 + b"\n") * 64
