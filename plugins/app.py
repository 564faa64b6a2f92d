"""``twistd tornado app MODULE:FACTORY``: serve the user's application."""

from typing import Any

from twisted.plugin import IPlugin
from twisted.python import usage
from zope.interface import implementer

from txtornado.interfaces import IApplicationPlugin


class AppOptions(usage.Options):
    """The arguments of ``app``."""

    synopsis = "app MODULE:FACTORY"
    longdesc = (
        "Serve an application.  MODULE is imported with the current directory on the path; "
        "FACTORY is a name in it, dots allowed: an Application, or a function that returns one."
    )

    def parseArgs(self, factory: str) -> None:  # type: ignore[override]
        if not all(factory.partition(":")):
            raise usage.UsageError(f"{factory!r} is not of the form MODULE:FACTORY")
        self["factory"] = factory


@implementer(IPlugin, IApplicationPlugin)
class App:
    """The subcommand ``app``."""

    name = "app"
    description = "Serve MODULE:FACTORY, an Application or a function that makes one."
    options = AppOptions

    def application(self, options: usage.Options) -> Any:
        from txtornado.tap import load_factory

        return load_factory(options["factory"])


app = App()
