"""``twistd tornado demo``: what ``twistd tornado`` serves when nothing else is named."""

from typing import Any

from twisted.plugin import IPlugin
from twisted.python import usage
from zope.interface import implementer

from txtornado.interfaces import IApplicationPlugin


class DemoOptions(usage.Options):
    """``demo`` takes no arguments."""

    synopsis = "demo"
    longdesc = "Serve a small demonstration: a greeting, a form and a live clock."


@implementer(IPlugin, IApplicationPlugin)
class Demo:
    """The subcommand ``demo``."""

    name = "demo"
    description = "Serve a small demonstration."
    options = DemoOptions

    def application(self, options: usage.Options) -> Any:
        from txtornado.demo import make_app

        return make_app()


demo = Demo()
