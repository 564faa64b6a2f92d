"""The TLS settings of a request."""

import functools
import os
import ssl
from typing import Any

from txtornado.httpclient._request import HTTPRequest

__all__ = ["ssl_options_of"]


def ssl_options_of(request: HTTPRequest) -> dict[str, Any] | ssl.SSLContext:
    """The context (or dict) with which to connect to ``request``'s server.

    Contexts are kept: reading the system's certificates takes tens of milliseconds.  A
    certificate file that has changed is read anew.

    Raises:
        OSError: a certificate file cannot be read.
        ssl.SSLError: it is not one.
    """
    if request.ssl_options is not None:
        return request.ssl_options
    files = (request.ca_certs, request.client_cert, request.client_key)
    return _context(bool(request.validate_cert), *files, tuple(map(_modified, files)))


def _modified(path: str | None) -> int | None:
    return None if path is None else os.stat(path).st_mtime_ns


@functools.lru_cache(maxsize=16)
def _context(
    validate: bool,
    ca_certs: str | None,
    client_cert: str | None,
    client_key: str | None,
    modified: tuple[int | None, ...],
) -> ssl.SSLContext:
    if validate:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_certs)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if ca_certs is not None:
            context.load_verify_locations(cafile=ca_certs)
    if client_cert is not None:
        context.load_cert_chain(client_cert, client_key)
    return context
