"""The seams of txtornado, stated with ``zope.interface``."""

from typing import Any

from zope.interface import Attribute, Interface

__all__ = ["IApplicationPlugin", "IStreamConsumer", "IUpgradedConnection"]


class IStreamConsumer(Interface):
    """Takes the bytes of an `txtornado.iostream.IOStream` in push mode."""

    def data_received(data: bytes) -> None:
        """``data`` came in; never empty."""

    def stream_closed(error: BaseException | None) -> None:
        """The stream is closed, for ``error`` unless it ended in an orderly way.

        Called once, after the last ``data_received``.
        """


class IUpgradedConnection(Interface):
    """A connection that began as HTTP and is something else now, a WebSocket say.

    A server that ends gracefully wants to know of these, see `HTTPServer.adopt`.
    """

    def shut_down() -> None:
        """The server ends: say so to the peer, in whatever way the protocol has, and close."""

    def abort() -> None:
        """Close at once."""


class IApplicationPlugin(Interface):
    """A subcommand of ``twistd tornado``: an object in a module of ``txtornado.plugins``.

    It provides `twisted.plugin.IPlugin` as well.
    """

    name: str = Attribute("The subcommand's name.")
    description: str = Attribute("One line for the command's help.")

    def options() -> Any:
        """A new `twisted.python.usage.Options` for the subcommand's own arguments."""

    def application(options: Any) -> Any:
        """What to serve: anything that `txtornado.httpserver.HTTPServer` takes.

        Raises `txtornado.tap.CannotServe`, with a sentence for the user, when there is
        nothing to serve.
        """
