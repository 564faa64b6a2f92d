"""Start lines and header blocks: bytes to objects, and objects to bytes.

One regular expression reads a whole head and refuses everything that is not HTTP; what it lets
through needs no further check per header.  Only when it does not match is the head looked at line
by line, to say what is wrong with it.  All patterns are possessive, so that they take linear time.

A connection's requests mostly repeat each other's headers byte by byte; `HeaderBlock` is therefore
what the engine keeps of the last one, and parses only when the bytes have changed.  Connections whose
headers are the same share one (`header_block`): thousands of idle ones keep little.

What is laxer than RFC 9112 asks: a bare LF may end a line of a head (section 2.2 allows that), and
clients unfold folded headers (section 5.2; servers refuse them).
"""

from __future__ import annotations

import functools
import re

from txtornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPOutputError,
    RequestStartLine,
    ResponseStartLine,
)

__all__ = [
    "CR_OR_LF_RE",
    "DIGITS",
    "HEAD_END",
    "HEXDIGITS",
    "MAX_1XX_RESPONSES",
    "MAX_KEPT_BLOCK",
    "REQUEST_HEAD",
    "REQUEST_LINE",
    "RESPONSE_HEAD",
    "STATUS_LINE",
    "TRAILERS",
    "HeadTooLargeError",
    "HeaderBlock",
    "encode_head",
    "explain_request",
    "explain_response",
    "header_block",
    "is_transfer_encoding_chunked",
    "parse_hex_int",
    "parse_int",
    "parse_output_length",
    "unfold",
]

#: How many interim responses a client takes before the final one.
MAX_1XX_RESPONSES = 10

#: Blocks of headers up to this size are remembered from one message to the next.
MAX_KEPT_BLOCK = 2048

CR_OR_LF_RE = re.compile(b"\r|\n")
DIGITS = re.compile(r"[0-9]+")
HEXDIGITS = re.compile(r"[0-9a-fA-F]+")

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_FIELD = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+"

REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]++) HTTP/1\.([01])\r?\n")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*+))?\r?\n")
_BLOCK = rb"((?:" + _FIELD + rb"\r?\n)*+)\r?\n"
REQUEST_HEAD = re.compile(REQUEST_LINE.pattern + _BLOCK)
RESPONSE_HEAD = re.compile(STATUS_LINE.pattern + _BLOCK)
#: The end of a chunked body, after the last chunk's size; here only CRLF ends a line.
TRAILERS = re.compile(rb"(?:" + _FIELD + rb"\r\n)*+\r\n")
HEAD_END = re.compile(rb"\n\r?\n")

_ONE_FIELD = re.compile(_FIELD + rb"\r?\n?")
_FIELDS = re.compile(r"([^:\n]++):[ \t]*+([^\r\n]*+)\r?\n")
_FOLD = re.compile(rb"[ \t]*\r?\n[ \t]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")

# RFC 9110, section 7.2.  A comma, which RFC 3986 allows in names, is not allowed here: it is what
# two Host headers look like when somebody before us has joined them.
_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})*+|\[[0-9A-Za-z:.%\-_~]++\])(?::[0-9]*+)?"
)


class HeadTooLargeError(HTTPInputError):
    """A head exceeds ``max_header_size``; answered with status 431 (RFC 6585, section 5)."""

    status = "431 Request Header Fields Too Large"


def parse_int(s: str) -> int:
    """The value of a string of ASCII digits.

    Raises:
        ValueError: there is anything else in it; `int` would take signs, underscores, white space
            and other scripts' digits.
    """
    if DIGITS.fullmatch(s) is None:
        raise ValueError(f"not a decimal integer: {s!r}")
    return int(s)


def parse_hex_int(s: str) -> int:
    """The value of a string of hexadecimal digits.

    Raises:
        ValueError: there is anything else in it.
    """
    if HEXDIGITS.fullmatch(s) is None:
        raise ValueError(f"not a hexadecimal integer: {s!r}")
    return int(s, 16)


def is_transfer_encoding_chunked(headers: HTTPHeaders) -> bool:
    """Whether a message with these headers has a chunked body.

    Raises:
        HTTPInputError: there is another transfer coding, or a Content-Length besides.  Both are
            ways to make two parsers disagree on where a message ends (RFC 9112, section 6.3).
    """
    coding = headers.get("Transfer-Encoding")
    if coding is None:
        return False
    if "Content-Length" in headers:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
    if coding.lower() != "chunked":
        raise HTTPInputError(f"Unsupported Transfer-Encoding {coding}")
    return True


def _content_length(headers: HTTPHeaders, is_client: bool) -> int | None:
    """The Content-Length, or None when there is none.

    Clients take a list of identical values for one (RFC 9110, section 8.6, leaves that open);
    servers refuse it.
    """
    value = headers.get("Content-Length")
    if value is None:
        return None
    if "," in value:
        values = set(re.split(r",[ \t]*", value))
        if len(values) != 1:
            raise HTTPInputError(f"Multiple unequal Content-Lengths: {value!r}")
        if not is_client:
            raise HTTPInputError(f"Multiple Content-Lengths: {value!r}")
        value = values.pop()
    try:
        return parse_int(value)
    except ValueError:
        raise HTTPInputError(f"Only integer Content-Length is allowed: {value!r}") from None


class HeaderBlock:
    """A parsed block of headers and what the engine must know of it.

    Attributes:
        headers: the headers; whoever gets them gets a copy.
        chunked: whether the body is chunked.
        content_length: of the body, None when it is not given.
        connection: the lower-case options of the Connection header.
        expect_continue: whether ``Expect: 100-continue`` is among the headers.
        host_error: what is wrong with the Host header, if anything; ``no_host`` when there is none.
        source: the bytes.
        last: the last head with these headers that may come again, and its start line.
    """

    __slots__ = (
        "chunked",
        "connection",
        "content_length",
        "expect_continue",
        "headers",
        "host_error",
        "last",
        "no_host",
        "source",
    )

    def __init__(self, block: bytes, is_client: bool) -> None:
        self.source = block
        # In one object: several threads may have the block.
        self.last: tuple[bytes, RequestStartLine | ResponseStartLine] | None = None
        pairs = _FIELDS.findall(block.decode("latin-1"))
        if b" \r" in block or b"\t\r" in block or b" \n" in block or b"\t\n" in block:
            pairs = [(name, value.rstrip(" \t")) for name, value in pairs]
        self.headers = headers = HTTPHeaders.from_pairs(pairs)
        self.chunked = is_transfer_encoding_chunked(headers)
        self.content_length = _content_length(headers, is_client)
        options = headers.get("Connection")
        self.connection: tuple[str, ...] = ()
        if options is not None:
            self.connection = tuple([each.strip(" \t") for each in options.lower().split(",")])
        self.expect_continue = (headers.get("Expect") or "").lower() == "100-continue"
        self.no_host = False
        self.host_error: str | None = None
        if not is_client:
            self._check_host()

    def _check_host(self) -> None:
        hosts = self.headers.get_list("Host")
        if not hosts:
            self.no_host = True
        elif len(hosts) > 1:
            self.host_error = "Multiple Host headers"
        elif _HOST.fullmatch(hosts[0]) is None:
            self.host_error = f"Invalid Host header: {hosts[0]!r}"


@functools.lru_cache(64)
def _shared_block(block: bytes, is_client: bool) -> HeaderBlock:
    return HeaderBlock(block, is_client)


def header_block(block: bytes, is_client: bool) -> HeaderBlock:
    """The `HeaderBlock` of these bytes, one for all connections unless it is large."""
    if len(block) > MAX_KEPT_BLOCK:
        return HeaderBlock(block, is_client)
    return _shared_block(block, is_client)


def unfold(head: bytes) -> bytes:
    """``head`` with each folded header on one line (RFC 9112, section 5.2).

    A status line cannot be folded, and what is folded into it belongs to no header.
    """
    end = head.find(b"\n") + 1
    if head[end : end + 1] in (b" ", b"\t"):
        return head
    return head[:end] + _FOLD.sub(b" ", head[end:])


def explain_request(head: bytes) -> str:
    """What is wrong with the beginning of ``head``, which `REQUEST_HEAD` did not match."""
    if REQUEST_LINE.match(head) is None:
        return "Malformed HTTP request line"
    return _explain_fields(head)


def explain_response(head: bytes) -> str:
    """What is wrong with the beginning of ``head``, which `RESPONSE_HEAD` did not match."""
    if STATUS_LINE.match(head) is None:
        return "Malformed HTTP status line"
    return _explain_fields(head)


def _explain_fields(head: bytes) -> str:
    for line in head.split(b"\n")[1:]:
        line = line.removesuffix(b"\r")
        if _ONE_FIELD.fullmatch(line) or not line:
            continue
        if line[:1] in (b" ", b"\t"):
            return "header line folding is not supported"
        if b":" not in line:
            return "no colon in header line"
        name, _, value = line.partition(b":")
        if _CONTROL.search(value):
            return f"control character in header {name.decode('latin-1')!r}"
        return f"invalid header name {name.decode('latin-1')!r}"
    return "malformed headers"


# ---------------------------------------------------------------------------------- output


def parse_output_length(value: str) -> int:
    """The Content-Length that an application is about to send.

    Raises:
        HTTPOutputError: it is no number.
    """
    try:
        return parse_int(value)
    except ValueError:
        raise HTTPOutputError(f"Content-Length must be an integer, not {value!r}") from None


_STATUS_LINES: dict[tuple[object, object], str] = {}
_MAX_STATUS_LINES = 200


def _first_line(start_line: RequestStartLine | ResponseStartLine, is_client: bool) -> str:
    """The first line with its CRLF; the version is ours, whatever ``start_line`` says."""
    if is_client:
        line = f"{start_line[0]} {start_line[1]} HTTP/1.1\r\n"
        if line.count(" ") != 2 or line.count("\r") != 1 or line.count("\n") != 1:
            raise ValueError(f"Illegal characters in request line: {line!r}")
        return line
    key = (start_line[1], start_line[2])
    try:
        return _STATUS_LINES[key]
    except KeyError:
        pass
    line = f"HTTP/1.1 {int(key[0])} {key[1]}\r\n"
    if line.count("\r") != 1 or line.count("\n") != 1 or "\0" in line:
        raise ValueError(f"Illegal characters (CR or LF) in reason: {key[1]!r}")
    if len(_STATUS_LINES) < _MAX_STATUS_LINES:
        _STATUS_LINES[key] = line
    return line


def encode_head(
    start_line: RequestStartLine | ResponseStartLine,
    headers: HTTPHeaders,
    extra: str,
    is_client: bool,
) -> bytes:
    """A head as bytes, its empty line included.

    Args:
        start_line: method and target, or status and reason; its version does not count.
        headers: the application's headers.
        extra: complete header lines of our own, each with its CRLF.
        is_client: whether this is a request.

    Raises:
        ValueError: a header or the start line has line ends or NUL in it, which would make more
            headers of it (response splitting), or characters beyond latin-1.
    """
    lines = _header_lines(headers)
    block = "".join(lines)
    count = block.count("\n")
    if count != len(lines) or block.count("\r") != count or "\0" in block:
        raise ValueError(_illegal_header(lines))
    return f"{_first_line(start_line, is_client)}{block}{extra}\r\n".encode("latin-1")


def _header_lines(headers: HTTPHeaders) -> list[str]:
    try:
        return [name + ": " + value + "\r\n" for name, value in headers.get_all()]
    except TypeError:  # somebody assigned something other than a str, such as bytes
        return [f"{name}: {_text(value)}\r\n" for name, value in headers.get_all()]


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _illegal_header(lines: list[str]) -> str:
    for line in lines:
        text = line[:-2]
        if "\n" in text or "\r" in text or "\0" in text:
            return f"Illegal characters (CR or LF) in header: {text!r}"
    return "Illegal characters in headers"
