"""``twistd tornado wsgi MODULE:CALLABLE``: serve a WSGI application from threads."""

from typing import Any

from twisted.plugin import IPlugin
from twisted.python import usage
from zope.interface import implementer

from txtornado.interfaces import IApplicationPlugin


def _threads(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError("at least one thread is needed")
    return number


class WSGIOptions(usage.Options):
    """The arguments of ``wsgi``."""

    synopsis = "wsgi [--threads=N] MODULE:CALLABLE"
    longdesc = "Serve a WSGI application (PEP 3333), each request in a thread."
    optParameters = [["threads", "t", 10, "How many requests run at once.", _threads]]

    def parseArgs(self, application: str) -> None:  # type: ignore[override]
        if not all(application.partition(":")):
            raise usage.UsageError(f"{application!r} is not of the form MODULE:CALLABLE")
        self["application"] = application


@implementer(IPlugin, IApplicationPlugin)
class WSGI:
    """The subcommand ``wsgi``."""

    name = "wsgi"
    description = "Serve a WSGI application from threads."
    options = WSGIOptions

    def application(self, options: usage.Options) -> Any:
        from concurrent.futures import ThreadPoolExecutor

        from txtornado.tap import load_object
        from txtornado.wsgi import WSGIContainer

        threads = ThreadPoolExecutor(options["threads"], thread_name_prefix="wsgi")
        return WSGIContainer(load_object(options["application"]), executor=threads)


wsgi = WSGI()
