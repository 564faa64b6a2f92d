"""What goes wrong with an HTTP message, as two exceptions."""

__all__ = ["HTTPInputError", "HTTPOutputError"]


class HTTPInputError(Exception):
    """The peer sent a malformed request or response; the text says what is wrong.

    A server answers it with status 400.  Since Tornado 4.0.
    """


class HTTPOutputError(Exception):
    """The application is about to send a malformed message; the text says what is wrong.

    Since Tornado 4.0.
    """
