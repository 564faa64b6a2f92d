"""Tornado's documented API, implemented anew on Twisted.

Every public module of Tornado has a module of the same name here.  They are imported
when first asked for (``import txtornado; txtornado.web.Application`` works), and
importing any of them neither installs a reactor nor creates an event loop.
"""

import contextlib
import importlib
import sys
from types import FrameType, ModuleType

from txtornado._standin import install_as_tornado as install_as_tornado
from txtornado._version import version as version
from txtornado._version import version_info as version_info

# Modules only: each can be imported by its name.
__all__ = [
    "auth",
    "autoreload",
    "concurrent",
    "curl_httpclient",
    "escape",
    "gen",
    "http1connection",
    "httpclient",
    "httpserver",
    "httputil",
    "ioloop",
    "iostream",
    "locale",
    "locks",
    "log",
    "netutil",
    "options",
    "platform",
    "process",
    "queues",
    "routing",
    "simple_httpclient",
    "stack_context",
    "tcpclient",
    "tcpserver",
    "template",
    "testing",
    "util",
    "web",
    "websocket",
    "wsgi",
]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _import_from_facade(name, sys._getframe(1))
    return importlib.import_module(f"{__name__}.{name}")


def _import_from_facade(name: str, caller: FrameType) -> None:
    """Have a package that offers this one under another name know its submodule ``name``.

    Such a package hands unknown attributes on to us from a ``__getattr__`` of its own.  Whoever
    uses one finds it in ``sys.modules`` afterwards, as with any package whose modules come when
    they are asked for.
    """
    facade = caller.f_globals
    if caller.f_code.co_name == "__getattr__" and "__path__" in facade:
        package = facade["__name__"]
        if package != __name__:
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(f"{package}.{name}")
