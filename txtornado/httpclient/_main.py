"""The command line of ``python -m txtornado.httpclient``."""

import sys

from txtornado.httpclient._blocking import HTTPClient
from txtornado.httpclient._response import HTTPClientError

__all__ = ["main"]


def main() -> None:
    """Fetch the URLs of the command line and print their headers or bodies.

    ``--print_headers``, ``--print_body=false``, ``--follow_redirects=false``,
    ``--validate_cert=false`` and ``--proxy_host``, ``--proxy_port`` choose what is done.  Bodies
    go to standard output byte for byte.  A response that is not 2xx is printed as well; any
    other error ends the program with its message.
    """
    from txtornado.options import define, options, parse_command_line

    define("print_headers", type=bool, default=False)
    define("print_body", type=bool, default=True)
    define("follow_redirects", type=bool, default=True)
    define("validate_cert", type=bool, default=True)
    define("proxy_host", type=str)
    define("proxy_port", type=int)
    urls = parse_command_line()
    client = HTTPClient()
    try:
        for url in urls:
            try:
                response = client.fetch(
                    url,
                    follow_redirects=options.follow_redirects,
                    validate_cert=options.validate_cert,
                    proxy_host=options.proxy_host,
                    proxy_port=options.proxy_port,
                )
            except HTTPClientError as error:
                if error.response is None:
                    raise
                response = error.response
            if options.print_headers:
                print(response.headers)
            if options.print_body:
                sys.stdout.flush()
                sys.stdout.buffer.write(response.body)
                sys.stdout.buffer.flush()
                if sys.stdout.isatty() and not response.body.endswith(b"\n"):
                    print()
    finally:
        client.close()
