"""The part of a request and its response that is the same whoever carries them."""

import inspect
from collections.abc import Awaitable
from io import BytesIO
from typing import Any

from txtornado.concurrent import as_future
from txtornado.httpclient._digest import find_challenge
from txtornado.httpclient._redirect import is_redirect
from txtornado.httpclient._request import HTTPRequest
from txtornado.httpclient._target import Target
from txtornado.httpclient._trace import RequestTrace, tell
from txtornado.httputil import HTTPHeaders

__all__ = ["Exchange"]


class Exchange:
    """One request, and its response as it comes in.

    Implementations define `perform` and `close`, and call `head_received` and `body_received`.

    Attributes:
        request: what is asked for.
        target: where.
        code: the status of the response.
        reason: its reason phrase.
        headers: its headers.
        chunks: its body, unless a ``streaming_callback`` has it.
        follow: whether another request comes after it, so that no callback hears of this one: it
            is a redirect, or a challenge to authenticate.
        challenge: the parameters of such a challenge.
        stage: where it stands: ``"connecting"``, ``"sending"``, ``"waiting"`` or ``"reading"``.
        trace: is told of the stages.
        started: when it began, on the loop's clock.
        connected: when the connection stood.
    """

    code: int
    reason: str
    headers: HTTPHeaders

    def __init__(
        self, request: HTTPRequest, target: Target, trace: RequestTrace | None = None
    ) -> None:
        self.request = request
        self.target = target
        self.trace = trace
        self.chunks: list[bytes] = []
        self.follow = False
        self.challenge: dict[str, str] | None = None
        self.stage = "connecting"
        self.started = self.connected = 0.0

    async def perform(self) -> None:
        """Connect, send the request and take in the whole response.

        Raises:
            HTTPTimeoutError: the time for connecting is over.
            HTTPStreamClosedError: the connection was closed before the response was complete, or
                had to be because the response is malformed or too long.
            OSError: there is no connection to be had, or it broke.
            Exception: what the request's callbacks raised.
        """
        raise NotImplementedError(f"{type(self).__name__} must define perform()")

    def close(self) -> None:
        """The exchange is over, complete or not; called once."""

    def head_received(self, version: str, code: int, reason: str, headers: HTTPHeaders) -> None:
        """The head of the final response is there."""
        self.stage = "reading"
        self.code = code
        self.reason = reason
        self.headers = headers
        request = self.request
        if self.trace is not None:
            tell(self.trace, "head", request, code, headers)
        if code == 401 and request.auth_mode == "digest" and self._has_answer():
            self.challenge = find_challenge(headers)
        self.follow = self.challenge is not None or bool(
            request.follow_redirects
            and (request.max_redirects or 0) > 0
            and is_redirect(code, headers)
        )
        if request.header_callback is not None and not self.follow:
            request.header_callback(f"{version} {code} {reason}\r\n")
            for name, value in headers.get_all():
                request.header_callback(f"{name}: {value}\r\n")
            request.header_callback("\r\n")

    def _has_answer(self) -> bool:
        known = self.target.username is not None or self.request.auth_username is not None
        # One that has an answer already was refused.
        return known and "Authorization" not in self.request.headers

    def body_received(self, chunk: bytes) -> Awaitable[None] | None:
        """A part of the body is there; the next one is to wait for what is returned."""
        if self.trace is not None:
            tell(self.trace, "body", self.request, len(chunk))
        if self.follow:
            return None
        if self.request.streaming_callback is None:
            self.chunks.append(chunk)
            return None
        outcome: Any = self.request.streaming_callback(chunk)
        return as_future(outcome) if inspect.isawaitable(outcome) else None

    def body(self) -> BytesIO:
        """The body that was collected."""
        return BytesIO(b"".join(self.chunks))
