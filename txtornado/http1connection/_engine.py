"""HTTP/1.x without I/O: bytes in, events out; messages in, bytes out.

`HTTP1Engine` is one connection, seen by a server or a client.  The shell around it (``_channel``)
owns the stream: it hands over what comes in (`HTTP1Engine.receive_data`), asks what that means
(`HTTP1Engine.next_event`) and sends the bytes that the sending methods return.  The engine asks for
nothing, waits for nothing and calls nobody, so that pausing is simply not asking.

What an event carries stands in attributes (``start_line`` and ``headers`` for heads,
``buffer.data`` for body data), which saves an object per event.  The moves are those of
``_states``; where a message of one piece makes several at once, the state is set directly.
"""

from __future__ import annotations

import re
from typing import NoReturn

from txtornado.http1connection._bodies import (
    Body,
    Buffer,
    ChunkedBody,
    LengthBody,
    UntilCloseBody,
)
from txtornado.http1connection._heads import (
    HEAD_END,
    MAX_1XX_RESPONSES,
    MAX_KEPT_BLOCK,
    REQUEST_HEAD,
    REQUEST_LINE,
    RESPONSE_HEAD,
    STATUS_LINE,
    HeaderBlock,
    HeadTooLargeError,
    encode_head,
    explain_request,
    explain_response,
    header_block,
    parse_output_length,
    unfold,
)
from txtornado.http1connection._parameters import DEFAULT_CHUNK_SIZE, DEFAULT_MAX_HEADER_SIZE
from txtornado.http1connection._states import (
    RECEIVING,
    SENDING,
    Event,
    State,
    next_state,
)
from txtornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPOutputError,
    RequestStartLine,
    ResponseStartLine,
)

__all__ = ["CONTINUE", "HTTP1Engine"]

#: The interim response to ``Expect: 100-continue``.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_VERSIONS = {b"1": "HTTP/1.1", b"0": "HTTP/1.0"}
_METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")}
_FIRST_BYTE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")
# The enum's members as globals: one look-up less on the way of every request.
_IDLE, _BODY, _DONE = State.IDLE, State.BODY, State.DONE
_NO_HEADERS = HTTPHeaders()


class HTTP1Engine:
    """One HTTP/1.x connection without I/O.

    Args:
        is_client: our role.
        max_header_size: the most bytes of a head.
        chunk_size: the most bytes of one `Event.DATA`.
        keep_alive: whether we want more than one exchange.

    Attributes:
        receiving: the `State` of the peer's message.
        sending: the `State` of ours.
        keep_alive: whether the connection outlives this exchange, as far as is known.
        start_line: of the last `Event.HEAD` or `Event.INFO`.
        headers: of the same, for the receiver to keep; not there any more in the next exchange.
        buffer: what came in and is not spent; ``buffer.data`` belongs to the last `Event.DATA`.
        received: how many times bytes came in; says whether the peer is alive.
        switched: whether our message agreed to another protocol: what follows is not HTTP.
    """

    __slots__ = (
        "_block",
        "_bodiless",
        "_body",
        "_chunk_size",
        "_chunking",
        "_infos",
        "_keep_alive_wanted",
        "_last_head",
        "_line_checked",
        "_max_header_size",
        "_method",
        "_owed",
        "_peer_is_1_1",
        "_scanned",
        "buffer",
        "headers",
        "is_client",
        "keep_alive",
        "received",
        "receiving",
        "sending",
        "start_line",
        "switched",
    )

    start_line: RequestStartLine | ResponseStartLine
    headers: HTTPHeaders

    def __init__(
        self,
        is_client: bool,
        *,
        max_header_size: int = DEFAULT_MAX_HEADER_SIZE,
        chunk_size: int = DEFAULT_CHUNK_SIZE,
        keep_alive: bool = True,
    ) -> None:
        self.is_client = is_client
        self.receiving = _IDLE
        self.sending = _IDLE
        self.buffer = Buffer()
        self.received = 0
        self.switched = False
        self.keep_alive = self._keep_alive_wanted = keep_alive
        self._max_header_size = max_header_size
        self._chunk_size = chunk_size
        self._last_head: bytes | None = None  # of a request that may come again
        self._block: HeaderBlock | None = None
        self._body: Body | None = None
        self._method = ""
        self._peer_is_1_1 = True
        self._scanned = 0  # bytes of an incomplete head that hold no end of it
        self._line_checked = False
        self._infos = 0
        self._bodiless = False  # the message we send has a head only, whatever is written
        self._chunking = False
        self._owed: int | None = None  # bytes still to be sent for our Content-Length

    @property
    def role(self) -> str:
        """``"client"`` or ``"server"``."""
        return "client" if self.is_client else "server"

    # ------------------------------------------------------------------------ receiving

    def receive_data(self, data: bytes) -> None:
        """Take bytes that came in."""
        self.received += 1
        self.buffer.append(data)

    def receive_again(self, data: bytes) -> bool:
        """Take bytes that came in; True if they are just the last request once more.

        Then they are a head without a body, and `next_event` has nothing to find out:
        what it would have said is `Event.HEAD`.  The common case on a kept connection.
        """
        self.received += 1
        buffer = self.buffer
        if (
            data != self._last_head
            or self.receiving is not _IDLE
            or buffer.pos < len(buffer.bytes)
            or self._block.content_length  # type: ignore[union-attr]
        ):
            buffer.append(data)
            return False
        self.headers = self._block.headers.copy()  # type: ignore[union-attr]
        self.receiving = _DONE
        return True

    def receive_eof(self) -> None:
        """Take note that nothing more comes in."""
        self.buffer.eof = True

    def next_event(self) -> Event:
        """What the bytes so far mean.

        Returns:
            `Event.NEED_DATA` when they are used up, `Event.PAUSED` when the message is at its end
            and `next_exchange` is due, `Event.YIELD` when it is another connection's turn, else
            what happened.  After `Event.HEAD` the message is complete if `receiving` is
            `State.DONE`; otherwise `start_body` comes next.

        Raises:
            HTTPInputError: the peer broke the rules; the connection is of no use any more.
        """
        receiving = self.receiving
        if receiving is _IDLE:
            return self._read_head()
        if receiving is _BODY:
            assert self._body is not None
            event = self._body.read(self.buffer)
            if event is Event.END:
                self.receiving = _DONE
                self._body = None
            elif event is Event.EOF:
                self.receiving = State.CLOSED
            return event
        return Event.PAUSED

    def start_body(self, limit: int) -> None:
        """Begin to read the body whose head came before.

        Raises:
            HTTPInputError: it is known to be longer than ``limit`` bytes.
        """
        if self._body is not None:
            self._body.start(limit)

    def take_body(self) -> bytes | None:
        """The whole body, if it came together with its head; the message is complete then.

        None when `next_event` has to tell it piece by piece.
        """
        body = self._body
        if type(body) is not LengthBody:
            return None
        data = body.take_all(self.buffer)
        if data is not None:
            self.receiving = _DONE
            self._body = None
        return data

    @property
    def expects_continue(self) -> bool:
        """Whether the peer waits for `CONTINUE` before it sends the body."""
        block = self._block
        return (
            block is not None
            and block.expect_continue
            and self.receiving is _BODY
            and self.sending is _IDLE
            and self._peer_is_1_1
            and not len(self.buffer)
        )

    @property
    def mid_head(self) -> bool:
        """Whether a head has begun and is not complete."""
        return self.receiving is _IDLE and len(self.buffer) > 0

    def _read_head(self) -> Event:
        buffer = self.buffer
        data, pos = buffer.bytes, buffer.pos
        if pos >= len(data):
            return self._no_head()
        last_head = self._last_head
        if last_head is not None and not pos and data.startswith(last_head):
            return self._same_head(len(last_head))
        if data[pos] < 14 and not self.is_client:  # RFC 9112, section 2.2: empty lines before it
            while data.startswith((b"\n", b"\r\n"), pos):
                pos += 1 if data[pos] == 10 else 2
            buffer.pos = pos
            if data[pos:] in (b"", b"\r"):
                return self._no_head()
        if self._scanned and HEAD_END.search(data, pos + max(self._scanned - 3, 0)) is None:
            return self._head_incomplete(data, pos)
        match = (RESPONSE_HEAD if self.is_client else REQUEST_HEAD).match(data, pos)
        if match is None:
            end = HEAD_END.search(data, pos)
            if end is None:
                return self._head_incomplete(data, pos)
            match = self._second_reading(data[pos : end.end()])
            buffer.pos = end.end()
        else:
            buffer.pos = match.end()
        if buffer.pos - pos > self._max_header_size:
            raise HeadTooLargeError("headers too large")
        self._scanned = 0
        self._line_checked = False
        if self.is_client:
            return self._response(match)
        self._last_head = None
        event = self._request(match)
        if (
            not pos
            and self.keep_alive
            and self._peer_is_1_1
            and type(self._body) is not ChunkedBody
        ):
            size = buffer.pos
            if size <= MAX_KEPT_BLOCK:
                self._keep_head(data if size == len(data) else data[:size])
        return event

    def _keep_head(self, head: bytes) -> None:
        """Remember the request that has just come; connections that have the same share it."""
        block = self._block
        assert block is not None
        last = block.last
        if last is None or last[0] != head:
            last = block.last = head, self.start_line
        self._last_head, self.start_line = last

    def _same_head(self, end: int) -> Event:
        """The last request's head has come again: all that was found out about it holds."""
        block = self._block
        assert block is not None
        self.buffer.pos = end
        if self._scanned:
            self._scanned = 0
            self._line_checked = False
        self.headers = block.headers.copy()
        if block.content_length:
            self._body = LengthBody(block.content_length, self._chunk_size)
            self.receiving = _BODY
        else:
            self.receiving = _DONE
        return Event.HEAD

    def _no_head(self) -> Event:
        if self.buffer.eof:
            self.receiving = State.CLOSED
            return Event.EOF
        return Event.NEED_DATA

    def _head_incomplete(self, data: bytes, pos: int) -> Event:
        size = len(data) - pos
        if size > self._max_header_size:
            raise HeadTooLargeError("headers too large")
        if not self._line_checked:
            self._check_first_line(data, pos)
        self._scanned = size
        return self._no_head() if self.buffer.eof else Event.NEED_DATA

    def _check_first_line(self, data: bytes, pos: int) -> None:
        """Refuse what cannot become a head, without waiting for the end of it."""
        if b"\n" in data[pos:]:
            line = STATUS_LINE if self.is_client else REQUEST_LINE
            if line.match(data, pos) is None:
                self._malformed(data[pos:])
            self._line_checked = True
        elif _FIRST_BYTE.match(data, pos) is None:
            self._malformed(data[pos:])

    def _second_reading(self, head: bytes) -> re.Match[bytes]:
        """Unfold headers for a client; everything else that did not match is an error."""
        match = RESPONSE_HEAD.fullmatch(unfold(head)) if self.is_client else None
        if match is None:
            self._malformed(head)
        return match

    def _malformed(self, head: bytes) -> NoReturn:
        explain = explain_response if self.is_client else explain_request
        raise HTTPInputError(explain(head))

    def _take_block(self, block_bytes: bytes) -> HeaderBlock:
        block = self._block
        if block is None or block_bytes != block.source:
            block = self._block = header_block(block_bytes, self.is_client)
        self.headers = block.headers.copy()
        return block

    def _request(self, match: re.Match[bytes]) -> Event:
        method, target, minor, block_bytes = match.groups()
        name = _METHODS.get(method) or method.decode("latin-1")
        self._method = name
        self.start_line = RequestStartLine(name, target.decode("latin-1"), _VERSIONS[minor])
        block = self._take_block(block_bytes)
        if minor == b"1":
            if block.no_host:
                raise HTTPInputError("Missing Host header")
            self._peer_is_1_1 = True
            if "close" in block.connection:
                self.keep_alive = False
        else:
            self._peer_is_1_1 = False
            if "keep-alive" not in block.connection:
                self.keep_alive = False
        if block.host_error is not None:
            raise HTTPInputError(block.host_error)
        if block.chunked:
            self._body = ChunkedBody(self._chunk_size, self._max_header_size)
            self.receiving = _BODY
        elif block.content_length:
            self._body = LengthBody(block.content_length, self._chunk_size)
            self.receiving = _BODY
        else:
            self.receiving = _DONE
        return Event.HEAD

    def _response(self, match: re.Match[bytes]) -> Event:
        minor, code_bytes, reason, block_bytes = match.groups()
        code = int(code_bytes)
        self.start_line = ResponseStartLine(
            _VERSIONS[minor], code, (reason or b"").decode("latin-1")
        )
        block = self._take_block(block_bytes)
        if 100 <= code < 200 and code != 101:
            return self._interim(code, block)
        if "close" in block.connection or (minor == b"0" and "keep-alive" not in block.connection):
            self.keep_alive = False
        if code == 204 and (block.content_length or block.chunked):
            raise HTTPInputError("Response with code 204 should not have body")
        if code == 101:
            self.keep_alive = False
        if self._response_has_no_body(code):
            self.receiving = _DONE
            return Event.HEAD
        self.receiving = _BODY
        if block.chunked:
            self._body = ChunkedBody(self._chunk_size, self._max_header_size)
        elif block.content_length is not None:
            self._body = LengthBody(block.content_length, self._chunk_size)
        else:
            self._body = UntilCloseBody(self._chunk_size)
            self.keep_alive = False
        return Event.HEAD

    def _interim(self, code: int, block: HeaderBlock) -> Event:
        self._infos += 1
        if self._infos > MAX_1XX_RESPONSES:
            raise HTTPInputError("Too many 1xx responses")
        if block.chunked or block.content_length:
            raise HTTPInputError(f"Response with code {code} should not have body")
        self._line_checked = False
        return Event.INFO

    def _response_has_no_body(self, code: int) -> bool:
        """RFC 9112, section 6.3, rules 1 and 2."""
        return (
            code in (101, 204, 304)
            or self._method == "HEAD"
            or (self._method == "CONNECT" and 200 <= code < 300)
        )

    # -------------------------------------------------------------------------- sending

    def send_head(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        length: int | None = None,
    ) -> bytes:
        """The head of our message, with what is needed to tell where the message ends.

        Args:
            start_line: its version does not count.
            headers: the application's; not changed.
            length: of the body, when it is known though ``headers`` do not say it.

        Raises:
            HTTPOutputError: ``Content-Length`` is no number.
            ValueError: there are line ends in a header (see `encode_head`).
            ProtocolStateError: a head was sent before.
        """
        if self.sending is not _IDLE:
            next_state(SENDING, self.role, self.sending, Event.HEAD)
        extra = (
            self._frame_request(start_line, headers, length)  # type: ignore[arg-type]
            if self.is_client
            else self._frame_response(start_line[1], headers, length)  # type: ignore[arg-type]
        )
        head = encode_head(start_line, headers, extra, self.is_client)
        if self.is_client or not 100 <= start_line[1] < 200 or start_line[1] == 101:  # type: ignore[operator]
            self.sending = _BODY
        return head

    def _frame_request(
        self, start_line: RequestStartLine, headers: HTTPHeaders, length: int | None
    ) -> str:
        self._method = method = start_line[0]
        self._bodiless = self._chunking = False
        self._owed = None
        extra = ""
        given = headers.get("Content-Length")
        coding = headers.get("Transfer-Encoding")
        if given is not None:
            self._owed = parse_output_length(given)
        elif coding is not None:
            self._chunking = coding.lower() == "chunked"
        elif length:
            self._owed = length
            extra = f"Content-Length: {length}\r\n"
        elif method in ("POST", "PUT", "PATCH"):
            self._chunking = True
            extra = "Transfer-Encoding: chunked\r\n"
        connection = headers.get("Connection")
        if connection is not None and "close" in connection.lower():
            self.keep_alive = False
        elif connection is None and not self.keep_alive:
            extra += "Connection: close\r\n"
        return extra

    def _frame_response(self, code: int, headers: HTTPHeaders, length: int | None) -> str:
        extra = ""
        self._bodiless = self._chunking = False
        self._owed = None
        given = headers.get("Content-Length")
        if given is not None:
            self._owed = parse_output_length(given)
        if code == 101 or (self._method == "CONNECT" and 200 <= code < 300):
            self.switched = True
        if self._response_has_no_body(code) or 100 <= code < 200:
            self._bodiless = True
            self._owed = None
            if code != 204 and given is None and length and code >= 200:
                extra = f"Content-Length: {length}\r\n"
        elif given is None and "Transfer-Encoding" not in headers:
            if length is not None:
                self._owed = length
                extra = f"Content-Length: {length}\r\n"
            elif self._peer_is_1_1:
                self._chunking = True
                extra = "Transfer-Encoding: chunked\r\n"
            else:
                self.keep_alive = False
        connection = headers.get("Connection")
        if connection is not None:
            if "close" in connection.lower():
                self.keep_alive = False
        elif not self.keep_alive:
            if self._peer_is_1_1 and code >= 200:
                extra += "Connection: close\r\n"
        elif not self._peer_is_1_1:
            extra += "Connection: Keep-Alive\r\n"
        return extra

    def send_data(self, chunk: bytes) -> bytes:
        """A part of our body as it goes over the wire.

        Without a head before it, ``chunk`` is (a part of) a message that the application has
        encoded itself, as before Tornado 4.0.

        Raises:
            HTTPOutputError: it exceeds the Content-Length.
            ProtocolStateError: the message is at its end.
        """
        sending = self.sending
        if sending is not _BODY:
            if sending is _IDLE:
                self.sending = State.RAW
                self._bodiless = self._chunking = False
                self._owed = None
            else:
                next_state(SENDING, self.role, sending, Event.DATA)
            return chunk
        if self._bodiless or not chunk:
            return b""
        if self._owed is not None:
            self._owed -= len(chunk)
            if self._owed < 0:
                raise HTTPOutputError("Tried to write more data than Content-Length")
        if self._chunking:
            return b"%x\r\n%b\r\n" % (len(chunk), chunk)
        return chunk

    def send_elsewhere(self, size: int) -> bool:
        """Take note that the next ``size`` bytes of our body are sent by somebody else.

        Returns:
            False, and does nothing, if they could not go out as they are, all of them.
        """
        if self.sending is not _BODY or self._bodiless or self._owed is None or size > self._owed:
            return False
        self._owed -= size
        return True

    def finish(self) -> bytes:
        """End our message; returns what still has to be sent for that.

        Raises:
            HTTPOutputError: less than the Content-Length was sent.
            ProtocolStateError: it was at its end before.
        """
        if self._owed:
            raise HTTPOutputError(f"Tried to write {self._owed} bytes less than Content-Length")
        self.sending = next_state(SENDING, self.role, self.sending, Event.END)
        if self._chunking and not self._bodiless:
            return b"0\r\n\r\n"
        return b""

    def send_message(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        body: bytes,
    ) -> bytes:
        """A whole message as bytes: `send_head`, `send_data` and `finish` in one.

        Raises what they raise.
        """
        if (
            self.sending is _IDLE
            and not self.is_client
            and self._peer_is_1_1
            and self.keep_alive
            and self._method not in ("HEAD", "CONNECT")
            and headers.get("Content-Length") == str(len(body))
            and not ("Connection" in headers or "Transfer-Encoding" in headers)
            and 200 <= start_line[1] not in (204, 304)  # type: ignore[operator]
        ):  # the head says everything, and all of it is true
            head = encode_head(start_line, headers, "", False)
            self.sending = _DONE
            return head + body
        head = self.send_head(start_line, headers, len(body))
        if self._bodiless:
            self.sending = _DONE
            return head
        if self._owed == len(body):
            self._owed = 0
            self.sending = _DONE
            return head + body
        return head + self.send_data(body) + self.finish()

    def send_encoded(self) -> bool:
        """Take note that a whole response is sent which was encoded elsewhere.

        Returns:
            False, and does nothing, if its head would have to depend on this exchange.
        """
        if (
            self.sending is not _IDLE
            or not self._peer_is_1_1
            or not self.keep_alive
            or self._method in ("HEAD", "CONNECT")
        ):
            return False
        self.sending = _DONE
        return True

    # ------------------------------------------------------------------------ exchanges

    def next_exchange(self) -> None:
        """Begin the next exchange.

        Raises:
            ProtocolStateError: one of the messages of this one is not at its end.
        """
        if self.receiving is not _DONE:
            next_state(RECEIVING, self.role, self.receiving, Event.NEXT)
        if self.sending is not _DONE:
            next_state(SENDING, self.role, self.sending, Event.NEXT)
        self.receiving = self.sending = _IDLE
        self.keep_alive = self._keep_alive_wanted
        # Idle connections are many, and may be so for long: what is done with is let go.
        self.headers = _NO_HEADERS
        buffer = self.buffer
        if buffer.data:
            buffer.data = b""
        if buffer.pos and buffer.pos == len(buffer.bytes):
            buffer.bytes = b""
            buffer.pos = 0
        if self._last_head is None:
            self._infos = 0
            if self._block is not None and len(self._block.source) > MAX_KEPT_BLOCK:
                self._block = None

    def last_exchange(self) -> None:
        """Want no more exchanges than the present one, or the next if there is none."""
        self.keep_alive = self._keep_alive_wanted = False

    def switch(self) -> bytes:
        """Leave the connection to another protocol; returns the bytes that belong to it."""
        self.receiving = next_state(RECEIVING, self.role, self.receiving, Event.SWITCH)
        self.sending = next_state(SENDING, self.role, self.sending, Event.SWITCH)
        return self.buffer.take(len(self.buffer))
