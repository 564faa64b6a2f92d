"""HTTP clients: one interface, several implementations.

`AsyncHTTPClient` is the interface; calling it makes an instance of the implementation that
`AsyncHTTPClient.configure` chose.  An implementation may as well be used by its own name:

* `txtornado.treq_httpclient.TreqAsyncHTTPClient`, the default: connections that are kept in
  Twisted's pool, proxies, and other people's agents and treq clients;
* `txtornado.simple_httpclient.SimpleAsyncHTTPClient`: a connection for each request;
* ``txtornado.curl_httpclient.CurlAsyncHTTPClient``, on libcurl.

`HTTPClient` is the same for programs without a running loop, and
``python -m txtornado.httpclient URL`` for the command line.

How it is laid out: the interface is in ``_client``, with what goes in (``_request``) and what
comes out (``_response``).  What implementations share stands beside it, for them to build on:
the queue, the time limits and the way through redirects (``_queue``), one hop of it
(``_exchange``) and how txtornado's own engine carries it (``_wire``), and the plain functions that say where a URL leads (``_target``), what the head
says (``_head``), how TLS is done (``_tls``) and what a redirect makes of a request
(``_redirect``).
"""

from txtornado.httpclient._blocking import HTTPClient
from txtornado.httpclient._client import AsyncHTTPClient
from txtornado.httpclient._main import main
from txtornado.httpclient._request import HTTPRequest, _RequestProxy
from txtornado.httpclient._response import HTTPClientError, HTTPError, HTTPResponse
from txtornado.httpclient._trace import RequestTrace

__all__ = [
    "AsyncHTTPClient",
    "HTTPClient",
    "HTTPClientError",
    "HTTPError",
    "HTTPRequest",
    "HTTPResponse",
    "RequestTrace",
    "_RequestProxy",
    "main",
]
