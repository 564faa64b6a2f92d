"""Tornado's documented API, implemented anew on Twisted.

Every public module of Tornado has a module of the same name here.  They are imported
when first asked for (``import txtornado; txtornado.web.Application`` works), and
importing any of them neither installs a reactor nor creates an event loop.
"""

import importlib
from types import ModuleType

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
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
