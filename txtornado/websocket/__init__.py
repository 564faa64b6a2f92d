"""WebSockets: messages in both directions, over a connection that began as HTTP (RFC 6455).

`WebSocketHandler` is the server's side, `websocket_connect` the client's.  `prepare_message` and
`broadcast` send one message to many; `ProtocolHandler` and `WebSocketEndpoint` let any Twisted
protocol run over a WebSocket.

How it is laid out: the protocol is a state machine without I/O (``_engine``, with ``_frames``,
``_deflate`` and ``_headers`` below it); ``_shell`` moves bytes and messages between it, a stream
and a handler, and knows the order of things; ``_protocol`` puts RFC 6455 into that shell,
``_draft76`` the protocol of 2010; ``_handler`` and ``_client`` are what applications meet.

Sources: Tornado 2.3's documentation, chapter 4.4; Tornado 6's ``tornado.websocket``; RFC 6455;
RFC 7692 for compression.
"""

from txtornado.websocket._client import WebSocketClientConnection, websocket_connect
from txtornado.websocket._errors import WebSocketClosedError, WebSocketError
from txtornado.websocket._handler import WebSocketHandler
from txtornado.websocket._prepared import PreparedMessage, broadcast, prepare_message
from txtornado.websocket._protocol import WebSocketProtocol13, de_dupe_gen_log
from txtornado.websocket._shell import WebSocketProtocol
from txtornado.websocket._twisted_side import (
    ProtocolHandler,
    WebSocketEndpoint,
    WebSocketTransport,
)
from txtornado.websocket._whole_messages import (
    _DecompressTooLargeError as _DecompressTooLargeError,
)
from txtornado.websocket._whole_messages import (
    _PerMessageDeflateCompressor as _PerMessageDeflateCompressor,
)
from txtornado.websocket._whole_messages import (
    _PerMessageDeflateDecompressor as _PerMessageDeflateDecompressor,
)

__all__ = [
    "PreparedMessage",
    "ProtocolHandler",
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketEndpoint",
    "WebSocketError",
    "WebSocketHandler",
    "WebSocketProtocol",
    "WebSocketProtocol13",
    "WebSocketTransport",
    "broadcast",
    "de_dupe_gen_log",
    "prepare_message",
    "websocket_connect",
]
