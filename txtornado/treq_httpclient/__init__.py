"""`TreqAsyncHTTPClient`: Tornado's client interface on Twisted's HTTP client and its pool.

The bytes are spoken by ``twisted.web.client``, over connections that are kept and shared
(`HTTPConnectionPool`); treq users can work on the same pool (`TreqAsyncHTTPClient.treq`).

How it is laid out: connections are txtornado's own streams in the form of a Twisted endpoint
(``_transport``), so that time limits, name resolution, TLS contexts and proxies are the same in
all clients; ``_bodies`` has the request's body as a producer and the response's as a protocol,
with decompression and limits; ``_exchange`` puts one request together.
"""

from txtornado.treq_httpclient._client import TreqAsyncHTTPClient

__all__ = ["TreqAsyncHTTPClient"]
