"""What can go wrong on a WebSocket, in one tree."""

__all__ = ["ProtocolViolation", "WebSocketClosedError", "WebSocketError"]


class WebSocketError(Exception):
    """Something is wrong with a WebSocket, or with the way to one (Tornado 3.1)."""


class WebSocketClosedError(WebSocketError):
    """The connection is closed or closing: nothing more can be sent (Tornado 3.2)."""


class ProtocolViolation(WebSocketError):
    """The peer broke the protocol, and the connection must fail (RFC 6455, section 7.1.7).

    Attributes:
        code: the status code of the close frame that tells the peer.
        reason: what is wrong, in a few words, for the same frame.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
