"""`SimpleAsyncHTTPClient`: an HTTP/1.1 client on txtornado's own engine and streams.

How a request travels: `SimpleAsyncHTTPClient` keeps the queue (``_client``); a request that
has its turn is one task that makes an exchange (``_exchange``) for the URL and for each
redirect (``_redirect``) after it.  What goes over the wire is decided by plain functions:
where to connect to (``_target``), what the head says (``_head``), how TLS is done (``_tls``).
"""

from txtornado.simple_httpclient._client import SimpleAsyncHTTPClient
from txtornado.simple_httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError

__all__ = ["HTTPStreamClosedError", "HTTPTimeoutError", "SimpleAsyncHTTPClient"]
