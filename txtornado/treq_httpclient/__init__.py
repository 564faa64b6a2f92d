"""`TreqAsyncHTTPClient`: Tornado's client interface on the connection pool of Twisted's clients.

Connections are kept and shared in an ``HTTPConnectionPool`` of ``twisted.web.client``, which treq
users can hand on; the bytes on them are read and written by txtornado's own HTTP/1 engine, which
takes a fraction of the time.  With an agent or a treq client of the user's, those do everything.

How it is laid out: ``_kept`` makes our connections what a pool expects, ``_exchange`` puts one
request on one of them, through proxies if need be (``_proxy``); ``_foreign`` sends requests
through agents and treq clients, with bodies as producers and protocols (``_bodies``).
"""

from txtornado.treq_httpclient._client import TreqAsyncHTTPClient

__all__ = ["TreqAsyncHTTPClient"]
