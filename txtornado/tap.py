"""``twistd tornado``: the command line, and the service it makes.

What can be served is pluggable: each subcommand is a plugin (see
`txtornado.interfaces.IApplicationPlugin`).  Whatever goes wrong before the server runs is
told in one line on standard error, and the process ends with status 1.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.internet.endpoints import serverFromString
from twisted.plugin import getPlugins
from twisted.python import usage

from txtornado.interfaces import IApplicationPlugin

__all__ = ["CannotServe", "Options", "load_factory", "load_object", "makeService"]

DEFAULT_ENDPOINT = "tcp:8888"
PLUGINS = "txtornado.plugins"


class CannotServe(Exception):
    """There is nothing to serve; the text says why and what to do."""


def plugins() -> dict[str, Any]:
    """The subcommands: name to plugin; of two with one name the first found stays."""
    found: dict[str, Any] = {}
    for plugin in getPlugins(IApplicationPlugin, _plugin_package()):
        found.setdefault(plugin.name, plugin)
    return found


def _plugin_package() -> ModuleType:
    try:
        return importlib.import_module(PLUGINS)
    except ModuleNotFoundError as e:
        if e.name != PLUGINS:
            raise
    # A checkout that is not installed: the folder stands beside the package.
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "plugins")
    spec = importlib.util.spec_from_file_location(
        PLUGINS, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    package = sys.modules[PLUGINS] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    # As an import would; twisted.plugin finds it by this.
    sys.modules["txtornado"].plugins = package  # type: ignore[attr-defined]
    return package


class Options(usage.Options):
    """The arguments that all subcommands share."""

    synopsis = "[options] [subcommand]"
    longdesc = "Serve a Tornado application over HTTP on any Twisted endpoint."
    optFlags = [
        ["xheaders", "x", "Trust X-Real-Ip, X-Forwarded-For and X-Forwarded-Proto (of a proxy)."],
        ["debug", "d", "Show tracebacks, log everything, restart when a module changes."],
        ["as-tornado", None, "Let the application's ``import tornado`` reach txtornado."],
    ]
    optParameters = [
        ["grace", "g", 10.0, "Seconds that requests under way get when the server stops.", float],
    ]
    defaultSubCommand = "demo"

    def __init__(self) -> None:
        self.plugins = plugins()
        self.subCommands = [
            [name, None, plugin.options, plugin.description]
            for name, plugin in sorted(self.plugins.items())
        ]
        super().__init__()  # type: ignore[no-untyped-call]
        self["listen"] = []

    def parseOptions(self, options: Any = None) -> None:
        """See `twisted.python.usage.Options`; what is wrong is told in one line."""
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as e:
            fail(f"{e} (twistd tornado --help explains)")

    def opt_listen(self, endpoint: str) -> None:
        """A Twisted endpoint (tcp:8888, tcp6:443, unix:/run/app.sock); may be repeated."""
        from twisted.internet import reactor

        try:
            serverFromString(reactor, endpoint)
        except Exception as e:
            reason = str(e) or type(e).__name__
            raise usage.UsageError(f"{endpoint!r} is no endpoint: {reason}") from e
        self["listen"].append(endpoint)

    opt_l = opt_listen


def makeService(options: Options) -> IService:
    """What ``twistd`` runs: the chosen application behind the chosen endpoints."""
    from txtornado._command import CommandService

    route_logging(logging.DEBUG if options["debug"] else logging.INFO)
    if options["as-tornado"]:
        stand_in()
    plugin = options.plugins[str(options.subCommand)]
    try:
        application = plugin.application(options.subOptions)
    except CannotServe as e:
        fail(str(e))
    if options["debug"]:
        enable_debug(application)
    return CommandService(
        application,
        options["listen"] or [DEFAULT_ENDPOINT],
        grace=options["grace"],
        xheaders=bool(options["xheaders"]),
        launcher=options.parent,
    )


def stand_in() -> None:
    """See `txtornado.install_as_tornado`."""
    from txtornado import install_as_tornado

    try:
        install_as_tornado()
    except RuntimeError as e:
        fail(str(e))


def fail(reason: str) -> NoReturn:
    """End the process with one line on its standard error."""
    complain(reason)
    raise SystemExit(1)


def complain(reason: str) -> None:
    """Print one line on the process's standard error.

    ``sys.stderr`` will not do: once ``twistd`` logs, that is the log.
    """
    if sys.__stderr__ is not None:
        print(f"twistd tornado: {' '.join(reason.split())}", file=sys.__stderr__, flush=True)


def route_logging(level: int) -> None:
    """Send the standard library's log records to Twisted's log, from ``level`` on."""
    from txtornado.log import TwistedLogHandler

    root = logging.getLogger()
    if not any(isinstance(handler, TwistedLogHandler) for handler in root.handlers):
        root.addHandler(TwistedLogHandler())
    root.setLevel(level)


def enable_debug(application: Any) -> None:
    """What ``debug=True`` does for an Application, for one that is made already."""
    from txtornado import autoreload

    settings = getattr(application, "settings", None)
    if isinstance(settings, dict):
        settings["debug"] = settings["serve_traceback"] = True
        settings.setdefault("compiled_template_cache", False)
        settings.setdefault("static_hash_cache", False)
    autoreload.start()


# -- finding the application --------------------------------------------------------------


def load_object(reference: str) -> Any:
    """The object that ``MODULE:NAME`` refers to.

    Raises:
        CannotServe: there is no such module or name, or importing it failed.
    """
    module_name, _, path = reference.partition(":")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        __import__(module_name)
    except ImportError as e:
        raise CannotServe(f"cannot import {module_name!r}: {_place(str(e), e)}") from e
    except (Exception, SystemExit) as e:
        raise CannotServe(f"importing {module_name!r} raised {_describe(e)}") from e
    found: Any = sys.modules[module_name]
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise CannotServe(f"module {module_name!r} has no {path!r}") from None
    return found


def load_factory(reference: str) -> Any:
    """The application that ``MODULE:FACTORY`` refers to, made if need be.

    Raises:
        CannotServe: it cannot be found, or made, or is nothing that can be served.
    """
    from txtornado.httputil import HTTPServerConnectionDelegate

    found = load_object(reference)
    made = found
    if isinstance(found, type) or not isinstance(found, HTTPServerConnectionDelegate):
        if not callable(found):
            raise CannotServe(f"{reference} is no application but {found!r}")
        made = _call(found, reference)
    if not isinstance(made, HTTPServerConnectionDelegate) and not callable(made):
        raise CannotServe(f"{reference} returned {made!r}, which is no application")
    return made


def _call(factory: Callable[[], Any], reference: str) -> Any:
    try:
        return factory()
    except (Exception, SystemExit) as e:
        raise CannotServe(f"{reference} raised {_describe(e)}") from e


def _describe(error: BaseException) -> str:
    """The error's kind and text, and where it comes from."""
    text = str(error)
    kind = type(error).__name__
    return _place(f"{kind}: {text}" if text else kind, error)


def _place(text: str, error: BaseException) -> str:
    """``text`` with the last line of the user's code that the error passed through."""
    frames = list(_frames(error))
    return f"{text} ({frames[-1]})" if frames else text


def _frames(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename != __file__ and not frame.filename.startswith("<frozen "):
            yield f"{frame.filename}:{frame.lineno}"
