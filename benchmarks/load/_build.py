"""The program in C, built when it is first needed and kept for later."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["BuildError", "build", "has_tls"]

SOURCES = Path(__file__).parent
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra")
#: How it may be built: with OpenSSL where its header files are, else without TLS.
VARIANTS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("-DWITH_TLS",), ("-lssl", "-lcrypto")),
    ((), ()),
)


class BuildError(RuntimeError):
    """The load generator cannot be built here; the text says what is missing."""


def default_folder() -> Path:
    """Where programs are kept that can be built again."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "txtornado-benchmarks"


def compiler() -> str:
    """The C compiler: ``$CC``, or what is called ``cc``, ``gcc`` or ``clang``.

    :raises BuildError: if there is none.
    """
    if not sys.platform.startswith("linux"):
        raise BuildError("the load generator needs epoll, so it is for Linux only")
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        found = name and shutil.which(name)
        if found:
            return found
    raise BuildError(
        "the load generator is written in C, and there is no compiler: install one "
        "(Debian: apt-get install gcc libc6-dev), or name it in the environment variable CC"
    )


@functools.cache
def build(folder: Path | None = None) -> Path:
    """The program; it is compiled if the folder has none of these sources.

    :param folder: where it is kept; by default the user's cache folder.
    :raises BuildError: if it cannot be compiled, with what the compiler says.
    """
    folder = folder or default_folder()
    texts = [path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]"))]
    digest = hashlib.sha256(b"\0".join([*texts, *map(str.encode, FLAGS)])).hexdigest()[:16]
    program = folder / f"load-{digest}"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _compile(compiler(), program)
    return program


def _compile(cc: str, program: Path) -> None:
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder) / "load"
        for flags, libraries in VARIANTS:
            trouble = _try([cc, *FLAGS, *flags, "-o", str(made), *sources, *libraries])
            if trouble is None:
                os.replace(made, program)
                return
    raise BuildError(f"{cc} cannot build the load generator:\n{trouble}")


def _try(command: Sequence[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return (done.stderr or done.stdout).strip() if done.returncode else None


@functools.cache
def has_tls() -> bool:
    """Whether the load generator can speak TLS: it can if OpenSSL's header files were there."""
    output = subprocess.check_output([build(), "features"], text=True, timeout=10)
    return bool(json.loads(output)["tls"])
