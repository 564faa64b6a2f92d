"""HTTP/1.x, for servers and clients (Tornado 4.0; RFC 9112).

`HTTP1ServerConnection`
    One client's connection to a server.
`HTTP1Connection`
    One exchange: what servers give to applications, and what a client makes.
`HTTP1ConnectionParameters`
    Limits and options of both.
`HTTP1Engine`
    The protocol itself, without I/O.
"""

from txtornado.http1connection._connection import HTTP1Connection
from txtornado.http1connection._engine import HTTP1Engine
from txtornado.http1connection._heads import (
    CR_OR_LF_RE,
    DIGITS,
    HEXDIGITS,
    is_transfer_encoding_chunked,
    parse_hex_int,
    parse_int,
)
from txtornado.http1connection._heads import MAX_1XX_RESPONSES as _MAX_1XX_RESPONSES
from txtornado.http1connection._parameters import HTTP1ConnectionParameters
from txtornado.http1connection._server import HTTP1ServerConnection
from txtornado.http1connection._states import ProtocolStateError

__all__ = [
    "CR_OR_LF_RE",
    "DIGITS",
    "HEXDIGITS",
    "_MAX_1XX_RESPONSES",
    "HTTP1Connection",
    "HTTP1ConnectionParameters",
    "HTTP1Engine",
    "HTTP1ServerConnection",
    "ProtocolStateError",
    "is_transfer_encoding_chunked",
    "parse_hex_int",
    "parse_int",
]
