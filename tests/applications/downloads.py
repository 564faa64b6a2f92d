"""What the tests fetch from the package index, kept in the user's cache folder.

Everything goes through pip and has its version pinned, archives their checksum too.  What cannot
be fetched raises `NotAvailable`, which says why.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import SkipTest

__all__ = ["SOURCES", "NotAvailable", "cache", "packages", "source"]

#: Seconds for one call of pip.
LIMIT = 400

REQUIREMENTS = Path(__file__).with_name("requirements.txt")

#: The source distributions that are used: name, version and SHA-256.  That of Tornado is the last
#: with the demos in it.
SOURCES = {
    "tornado": ("6.1", "33c6e81d7bd55b468d2e793517c909b139960b6c790a60b7991b9b6b76fb9791"),
    "flower": ("2.2.0", "c4f4751942ff8b5069e6604a136e073b860971b7658859bdc61da1dc17a4bb32"),
    "jupyter-server": (
        "2.21.1",
        "a8960aa29263f6041283e97d4756b099fb49b767baab6371891ecb1bd40a63df",
    ),
    "terminado": ("0.18.1", "de09f2c4b85de4765f7714688fff57d3e75bad1f909b589fde880460c753fd2e"),
    "tornado-swagger": (
        "1.7.0",
        "afe93600c2dac4f699ac1edd00f374a03ac5cff8ba8ebf522598d8aa58eac6f0",
    ),
}


class NotAvailable(SkipTest):
    """Something cannot be fetched."""


def cache() -> Path:
    """The folder where everything is kept: ``txtornado-tests`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "txtornado-tests"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotAvailable(f"no place to keep downloads in: {error}; set XDG_CACHE_HOME") from error
    return folder


def source(name: str, into: Path) -> Path:
    """Unpack a source distribution into the folder ``into``; the folder it has in there."""
    archive = _archive(name)
    with tarfile.open(archive) as tar:
        top = tar.getnames()[0].partition("/")[0]
        tar.extractall(into, filter="data")
    return into / top


@functools.cache
def packages() -> Path:
    """A folder to import the packages of ``requirements.txt`` from, Tornado among them."""
    key = f"{sys.implementation.cache_tag} {REQUIREMENTS.read_text()}"
    name = "packages-" + hashlib.sha256(key.encode()).hexdigest()[:16]

    def install(folder: Path) -> Path:
        _pip("install", "--target", str(folder / name), "--requirement", str(REQUIREMENTS))
        return folder / name

    return _kept(name, install)


@functools.cache
def _archive(name: str) -> Path:
    version, checksum = SOURCES[name]

    def download(folder: Path) -> Path:
        wanted = folder / "wanted.txt"
        wanted.write_text(f"{name}=={version} --hash=sha256:{checksum}\n")
        got = folder / "got"
        options = ["--no-deps", "--require-hashes", "--no-binary", name]
        _pip("download", *options, "--dest", str(got), "--requirement", str(wanted))
        return next(got.iterdir())

    archive = _kept(f"{name}-{version}.tar.gz", download)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != checksum:
        raise AssertionError(f"{archive} is not what it should be: remove it")
    return archive


def _kept(name: str, make: Callable[[Path], Path]) -> Path:
    """The file or folder ``name`` of the cache; made in a temporary folder when it is missing."""
    path = cache() / name
    with _locked(name):
        if not path.exists():
            folder = Path(tempfile.mkdtemp(dir=cache()))
            try:
                make(folder).rename(path)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    return path


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Let only one process at a time make ``name``."""
    try:
        import fcntl
    except ImportError:
        raise NotAvailable("downloads are guarded with flock, which this system lacks") from None
    with (cache() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


_failures: list[str] = []


def _pip(*arguments: str) -> None:
    if _failures:  # the next call would have to wait for the same
        raise NotAvailable(_failures[0])
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["--quiet", "--retries", "1", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        _failures.append(f"pip {arguments[0]} was not done in {LIMIT} seconds")
        raise NotAvailable(_failures[0]) from None
    if done.returncode == 0:
        return
    if "DO NOT MATCH THE HASHES" in done.stderr:
        raise AssertionError(done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    reason = (lines or done.stderr.splitlines() or ["pip says nothing"])[-1]
    _failures.append(f"pip {arguments[0]} failed, there may be no package index: {reason}")
    raise NotAvailable(_failures[0])
