"""``python -m txtornado run script.py ...``: a program written for Tornado, on txtornado."""

from __future__ import annotations

import os
import runpy
import sys

from txtornado._standin import install_as_tornado
from txtornado._version import version

__all__ = ["main"]

USAGE = """\
usage: python -m txtornado run SCRIPT [ARGUMENT ...]
       python -m txtornado run -m MODULE [ARGUMENT ...]
       python -m txtornado --version

run: start a program that was written for Tornado.  "import tornado" reaches
txtornado in it, whether or not Tornado is installed."""


def main(arguments: list[str]) -> None:
    """Do what the command line says.

    Raises:
        SystemExit: nothing could be done (status 2), or the program ended so.
    """
    what, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if what == "--version":
        print(f"txtornado {version}")
    elif what in ("-h", "--help"):
        print(USAGE)
    elif what == "run" and rest[:1] == ["-m"] and len(rest) > 1:
        run_module(rest[1], rest[2:])
    elif what == "run" and rest and not rest[0].startswith("-"):
        run_script(rest[0], rest[1:])
    else:
        print(USAGE, file=sys.stderr)
        raise SystemExit(2)


def run_script(path: str, arguments: list[str]) -> None:
    """Run a script as ``python path arguments`` does."""
    if not os.path.exists(path):
        print(f"python -m txtornado run: there is no {path!r}", file=sys.stderr)
        raise SystemExit(2)
    install_as_tornado()
    sys.argv = [path, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    runpy.run_path(path, run_name="__main__")


def run_module(name: str, arguments: list[str]) -> None:
    """Run a module as ``python -m name arguments`` does."""
    install_as_tornado()
    sys.argv = [name, *arguments]
    sys.path[0] = os.getcwd()
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
