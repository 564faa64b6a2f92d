"""TLS options, as dicts and as contexts."""

from __future__ import annotations

import socket as socket_module
import ssl
from typing import Any

__all__ = ["ssl_options_to_context", "ssl_wrap_socket"]

_KEYWORDS = frozenset({"ssl_version", "certfile", "keyfile", "cert_reqs", "ca_certs", "ciphers"})


def ssl_options_to_context(
    ssl_options: dict[str, Any] | ssl.SSLContext, server_side: bool | None = None
) -> ssl.SSLContext:
    """An `ssl.SSLContext` for a dict of options; a context is returned as it is (Tornado 3.0).

    Args:
        ssl_options: a dict with any of ``certfile``, ``keyfile``, ``cert_reqs``, ``ca_certs``,
            ``ciphers`` and ``ssl_version``, which mean what they mean to
            `ssl.SSLContext.wrap_socket`'s forerunners.
        server_side: which side the context is for (Tornado 6.2).  A client's checks
            certificates and host names unless ``cert_reqs`` says otherwise; without this
            argument nothing is checked that is not asked for.

    Raises:
        ValueError: there is another key.
    """
    if isinstance(ssl_options, ssl.SSLContext):
        return ssl_options
    unknown = set(ssl_options) - _KEYWORDS
    if unknown:
        raise ValueError(
            f"unknown ssl_options {sorted(unknown)}: use {sorted(_KEYWORDS)}, or an ssl.SSLContext"
        )
    protocol = {
        None: ssl.PROTOCOL_TLS,
        True: ssl.PROTOCOL_TLS_SERVER,
        False: ssl.PROTOCOL_TLS_CLIENT,
    }[server_side]
    context = ssl.SSLContext(ssl_options.get("ssl_version", protocol))
    if "certfile" in ssl_options:
        context.load_cert_chain(ssl_options["certfile"], ssl_options.get("keyfile"))
    if "cert_reqs" in ssl_options:
        if ssl_options["cert_reqs"] == ssl.CERT_NONE:
            # Host names cannot be checked in certificates that are not.
            context.check_hostname = False
        context.verify_mode = ssl_options["cert_reqs"]
    if "ca_certs" in ssl_options:
        context.load_verify_locations(ssl_options["ca_certs"])
    elif context.verify_mode != ssl.CERT_NONE and not server_side:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if "ciphers" in ssl_options:
        context.set_ciphers(ssl_options["ciphers"])
    # RFC 7540 and RFC 8446 do without compression, since CRIME.
    context.options |= ssl.OP_NO_COMPRESSION
    return context


def ssl_wrap_socket(
    socket: socket_module.socket,
    ssl_options: dict[str, Any] | ssl.SSLContext,
    server_hostname: str | None = None,
    server_side: bool | None = None,
    **kwargs: Any,
) -> ssl.SSLSocket:
    """Wrap a socket with `ssl_options_to_context`'s context (Tornado 3.0).

    Args:
        socket: a socket.
        ssl_options: a dict or a context.
        server_hostname: the name to ask for (SNI) and to check the certificate against.
        server_side: which side this is (Tornado 6.2).
        **kwargs: more arguments for `ssl.SSLContext.wrap_socket`.
    """
    context = ssl_options_to_context(ssl_options, server_side)
    return context.wrap_socket(
        socket, server_side=bool(server_side), server_hostname=server_hostname, **kwargs
    )
