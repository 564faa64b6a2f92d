"""``twistd tornado static FOLDER``: serve files."""

import os
from typing import Any

from twisted.plugin import IPlugin
from twisted.python import usage
from zope.interface import implementer

from txtornado.interfaces import IApplicationPlugin


class StaticOptions(usage.Options):
    """The arguments of ``static``."""

    synopsis = "static [--index=NAME] FOLDER"
    longdesc = "Serve the files below FOLDER, and nothing outside of it."
    optParameters = [["index", "i", "index.html", "What stands for a folder."]]

    def parseArgs(self, folder: str = ".") -> None:
        if not os.path.isdir(folder):
            raise usage.UsageError(f"{folder!r} is not a folder")
        self["folder"] = os.path.abspath(folder)


@implementer(IPlugin, IApplicationPlugin)
class Static:
    """The subcommand ``static``."""

    name = "static"
    description = "Serve the files of a folder."
    options = StaticOptions

    def application(self, options: usage.Options) -> Any:
        from txtornado.web import Application, StaticFileHandler

        where = {"path": options["folder"], "default_filename": options["index"]}
        return Application([(r"/(.*)", StaticFileHandler, where)])


static = Static()
