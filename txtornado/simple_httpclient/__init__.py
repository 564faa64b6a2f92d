"""`SimpleAsyncHTTPClient`: an HTTP/1.1 client on txtornado's own engine and streams.

How a request travels: the queue of `txtornado.httpclient` gives it its turn; then it is one
task that makes an exchange (``_exchange``) for the URL and for each redirect after it, on a
connection of its own.
"""

from txtornado.httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError
from txtornado.simple_httpclient._client import SimpleAsyncHTTPClient

__all__ = ["HTTPStreamClosedError", "HTTPTimeoutError", "SimpleAsyncHTTPClient"]
