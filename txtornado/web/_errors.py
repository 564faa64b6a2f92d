"""The exceptions that end a request, and the error page they turn into.

Everything here works without a request: `error_page` returns the default page as text,
`clean_reason` decides what may stand in a status line.
"""

import re
import traceback
from collections.abc import Callable
from typing import Any

from txtornado import httputil
from txtornado.escape import xhtml_escape

__all__ = [
    "Finish",
    "HTTPError",
    "MissingArgumentError",
    "clean_reason",
    "error_page",
    "traceback_page",
]

# RFC 9112 section 4 without the tab, which no browser shows, and without "<", because
# reasons end up in error pages of applications that forget to escape them.
_REASON = re.compile(r"[\x20-\x3b\x3d-\x7e\x80-\xff]*")


class HTTPError(Exception):
    """Ends a request with an HTTP error response.

    ``log_message`` goes to the log, never to the client (unless ``serve_traceback`` is on);
    it may hold ``%s`` placeholders, filled with the remaining positional arguments.
    ``reason`` (keyword, since Tornado 3.1) replaces the standard phrase of the status line.
    """

    def __init__(
        self, status_code: int = 500, log_message: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        self.status_code = status_code
        self._log_message = log_message
        self.args = args
        self.reason: str | None = kwargs.get("reason")

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with ``args``, which here are format arguments.
        return _rebuild, (type(self), self.args), self.__dict__

    @property
    def log_message(self) -> str | None:
        """The message as a format string, whether or not there are arguments to fill in."""
        if self._log_message is not None and not self.args:
            return self._log_message.replace("%", "%%")
        return self._log_message

    def get_message(self) -> str | None:
        """The finished message for the log (since Tornado 6.5)."""
        if self._log_message is not None and self.args:
            return self._log_message % self.args
        return self._log_message

    def __str__(self) -> str:
        text = f"HTTP {self.status_code}: {self.reason or standard_reason(self.status_code)}"
        message = self.get_message()
        return f"{text} ({message})" if message else text


class Finish(Exception):
    """Ends a request quietly: what was written so far is sent, no error page is made.

    An argument (since Tornado 4.3) is passed on to `RequestHandler.finish`.
    """


class MissingArgumentError(HTTPError):
    """`RequestHandler.get_argument` found no such argument: a 400 (since Tornado 3.1)."""

    def __init__(self, arg_name: str) -> None:
        super().__init__(400, f"Missing argument {arg_name}")
        self.arg_name = arg_name


def _rebuild(cls: type[HTTPError], args: tuple[Any, ...]) -> HTTPError:
    error = cls.__new__(cls)
    error.args = args
    return error


def standard_reason(status_code: int) -> str:
    """The reason phrase for ``status_code``, ``Unknown`` when there is none."""
    return httputil.responses.get(status_code, "Unknown")


def clean_reason(reason: str) -> str:
    """Return ``reason`` if it may stand in a status line and a page, else ``Unknown``."""
    return reason if _REASON.fullmatch(reason) else "Unknown"


def error_page(status_code: int, reason: str) -> str:
    """The default error page: one line of HTML."""
    text = f"{status_code}: {xhtml_escape(reason)}"
    return f"<html><title>{text}</title><body>{text}</body></html>"


def traceback_page(exc_info: Any) -> str:
    """The error page of debug mode: the traceback as plain text."""
    return "".join(traceback.format_exception(*exc_info))


def reason_for(arguments: dict[str, Any]) -> str | None:
    """The reason that the arguments of ``send_error`` give, by themselves or by exception."""
    reason: str | None = arguments.get("reason")
    if "exc_info" in arguments:
        error = arguments["exc_info"][1]
        if isinstance(error, HTTPError) and error.reason:
            return error.reason
    return reason


def call_error_html(
    get_error_html: Callable[..., str], status_code: int, arguments: dict[str, Any]
) -> str:
    """Make an error page the way of Tornado 2.0, with the exception being handled."""
    exc_info = arguments.pop("exc_info", None)
    if exc_info is None:
        return get_error_html(status_code, **arguments)
    try:
        raise exc_info[1]
    except BaseException as error:
        return get_error_html(status_code, exception=error, **arguments)
