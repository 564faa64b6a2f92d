"""Those who are measured: an environment with all of them, and the programs that load them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from benchmarks._processes import environment, output_of

__all__ = [
    "PINNED",
    "PROGRAMS",
    "PeersError",
    "default_folder",
    "fingerprint",
    "interpreter",
    "missing_programs",
    "versions",
]

#: What the environment gets: the peers, and what txtornado needs.  txtornado itself is the checkout.
PINNED = (
    # txtornado, twisted.web, Klein
    "twisted[tls]==26.10.0",
    "klein==24.8.0",
    "markupsafe==3.0.4",
    "multipart==2.0.1",
    "treq==26.7.0",
    "zope.interface==8.7",
    # others
    "tornado==6.6.1",
    "aiohttp==3.14.5",
    "starlette==1.10.0",
    "uvicorn==0.54.0",
    "httptools==0.9.0",
    "python-multipart==0.0.34",
    "websockets==17.4",
    "jinja2==3.1.6",
    "pycurl==7.49.0",
)

#: Programs of the system: what each is for, and how to get it.
PROGRAMS = {
    "wrk": ("the load of most HTTP jobs", "Debian: apt-get install wrk"),
    "cc": ("building the load generator", "Debian: apt-get install gcc libc6-dev"),
}

STAMP = "installed-from"
#: Seconds for making the environment, and for installing into it.
MAKE_LIMIT = 120.0
INSTALL_LIMIT = 900.0


class PeersError(RuntimeError):
    """The environment cannot be made; the text says what to do."""


def default_folder() -> Path:
    """The environment's place, in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "txtornado-benchmarks" / "environment"


def fingerprint(folder: Path) -> str:
    """What an environment depends on, in one word: another one must be made anew."""
    parts = (sys.version, str(folder), *PINNED)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def interpreter(folder: Path) -> str:
    """The environment's Python; the environment is made unless it is there and up to date.

    :raises PeersError: if it cannot be made, or if something else is in its place.
    """
    folder = folder.absolute()
    python = folder / "bin" / "python"
    stamp = folder / STAMP
    wanted = fingerprint(folder)
    if stamp.is_file() and stamp.read_text() == wanted:
        return str(python)
    if folder.exists() and not (stamp.exists() or not any(folder.iterdir())):
        raise PeersError(
            f"{folder} is no environment of this tool: name another with --environment"
        )
    print(f"Setting up {folder} ...", file=sys.stderr, flush=True)
    try:
        _make(folder, python)
    except (OSError, RuntimeError) as error:
        raise PeersError(
            f"the environment of the peers cannot be made: {error}.  It needs Python's venv and "
            "pip, and PyPI; --python names an interpreter that has everything already"
        ) from None
    stamp.write_text(wanted)
    return str(python)


def _make(folder: Path, python: Path) -> None:
    """Make it from nothing, for what another interpreter has left would be mixed with ours."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAMP).write_text("")  # so that one that was left half made is known as ours
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != STAMP:
            path.unlink()
    output_of([sys.executable, "-m", "venv", str(folder)], limit=MAKE_LIMIT)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    output_of([*pip, *PINNED], limit=INSTALL_LIMIT)


def versions(python: str) -> dict[str, str]:
    """All distributions that an interpreter has, with their versions.

    :raises PeersError: if it does not work.
    """
    program = (
        "import importlib.metadata as m, json, sys; "
        "print(json.dumps({'Python': sys.version.split()[0], "
        "**{d.name: d.version for d in m.distributions()}}))"
    )
    try:
        found: dict[str, str] = json.loads(
            output_of([python, "-c", program], limit=30, env=environment())
        )
    except (OSError, RuntimeError) as error:
        raise PeersError(f"{python} does not work: {error}") from None
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def missing_programs() -> dict[str, str]:
    """The system's programs that are not there: each with a sentence of what to do."""
    return {
        name: f"{name} is not there ({purpose}): install it ({how})"
        for name, (purpose, how) in PROGRAMS.items()
        if not _found(name)
    }


def _found(name: str) -> bool:
    names = (os.environ.get("CC"), "cc", "gcc", "clang") if name == "cc" else (name,)
    return any(each and shutil.which(each) for each in names)
