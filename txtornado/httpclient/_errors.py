"""Errors of a client that got no response, as the status 599 that they always had."""

from txtornado.httpclient._response import HTTPClientError

__all__ = ["HTTPStreamClosedError", "HTTPTimeoutError"]


class HTTPTimeoutError(HTTPClientError):
    """A time limit was over; the message says which, and what was being done (since 5.1).

    Attributes:
        stage: where the request stood: ``"in queue"``, ``"connecting"``, ``"sending"``,
            ``"waiting"`` for the response, or ``"reading"`` it; ours.
    """

    def __init__(self, message: str, stage: str = "connecting") -> None:
        super().__init__(599, message=message)
        self.stage = stage

    def __str__(self) -> str:
        return self.message or "Timeout"

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.message, self.stage)


class HTTPStreamClosedError(HTTPClientError):
    """The connection was closed before the response was complete (since 5.1).

    Where the cause is known (a `ConnectionResetError`, an `ssl.SSLError`), that is raised
    instead.
    """

    def __init__(self, message: str) -> None:
        super().__init__(599, message=message)

    def __str__(self) -> str:
        return self.message or "Stream closed"

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self.message,)
