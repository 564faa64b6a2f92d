"""The command line of ``python -m txtornado.httpclient``."""

import contextlib
import sys
from typing import Any

from txtornado.httpclient._blocking import HTTPClient
from txtornado.httpclient._response import HTTPClientError, HTTPResponse

__all__ = ["main"]

#: Options and their types and defaults: what is printed, and what goes into the request.
SHOWN: dict[str, tuple[type, Any]] = {"print_headers": (bool, False), "print_body": (bool, True)}
FETCHED: dict[str, tuple[type, Any]] = {
    "follow_redirects": (bool, True),
    "validate_cert": (bool, True),
    "proxy_host": (str, None),
    "proxy_port": (int, None),
}


def main() -> None:
    """Fetch the URLs of the command line and print their headers or bodies.

    ``--print_headers``, ``--print_body=false``, ``--follow_redirects=false``,
    ``--validate_cert=false`` and ``--proxy_host``, ``--proxy_port`` choose what is done.  Bodies
    go to standard output byte for byte.  A response that is not 2xx is printed as well; any
    other error ends the program with its message.
    """
    from txtornado.options import define, options, parse_command_line

    for name, (kind, default) in {**SHOWN, **FETCHED}.items():
        define(name, type=kind, default=default)
    urls = parse_command_line()
    chosen = {name: options[name] for name in FETCHED}
    with contextlib.closing(HTTPClient()) as client:
        for url in urls:
            show(fetch(client, url, chosen), options.print_headers, options.print_body)


def fetch(client: HTTPClient, url: str, chosen: dict[str, Any]) -> HTTPResponse:
    """The response to a GET, whatever its status."""
    try:
        return client.fetch(url, **chosen)
    except HTTPClientError as error:
        if error.response is None:
            raise
        return error.response


def show(response: HTTPResponse, headers: bool, body: bool) -> None:
    """Print what was asked for of a response."""
    if headers:
        print(response.headers)
    if not body:
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(response.body)
    sys.stdout.buffer.flush()
    if sys.stdout.isatty() and not response.body.endswith(b"\n"):
        print()
