"""`CurlAsyncHTTPClient`: an HTTP client on libcurl, through pycurl.

For what libcurl does better than anybody: HTTP/2, proxies of every kind, digest authentication
with all its variants, network interfaces, servers that take HTTP lightly.  pycurl is an extra::

    pip install txtornado[curl]
    AsyncHTTPClient.configure("txtornado.curl_httpclient.CurlAsyncHTTPClient")

How a request travels: the client (``_client``) queues it and gives it a handle, which is set up
for it (``_setup``) and added to libcurl's *multi* object; the loop tells that object which sockets
are ready and when its time has come.  Meanwhile a transfer (``_transfer``) collects the response.

One rule keeps all of this simple: **no user's code runs inside libcurl**, which must not be
called from its own callbacks.  What streaming and header callbacks are to get is put aside
(``_streaming``), and handed over by the loop.  So they may send requests, cancel them and close
the client.
"""

try:
    import pycurl as _pycurl  # noqa: F401
except ImportError as error:
    raise ModuleNotFoundError(
        "txtornado.curl_httpclient needs pycurl: pip install txtornado[curl]", name="pycurl"
    ) from error

from txtornado.curl_httpclient._client import CurlAsyncHTTPClient
from txtornado.curl_httpclient._errors import CurlError, CurlTimeoutError, curl_log
from txtornado.curl_httpclient._setup import CR_OR_LF_RE
from txtornado.curl_httpclient._streaming import _CurlStreamingBuffer

__all__ = [
    "CR_OR_LF_RE",
    "CurlAsyncHTTPClient",
    "CurlError",
    "CurlTimeoutError",
    "_CurlStreamingBuffer",
    "curl_log",
]
