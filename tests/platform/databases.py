"""Database servers for tests, each started for one of them and ended with it."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest

from tests.processes import LIMIT, free_port, running

#: Where Debian has what is not for the path of everybody.
_POSTGRES = "/usr/lib/postgresql/*/bin"


def _program(name: str, folders: str = "") -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), *sorted(glob.glob(folders))])
    found = shutil.which(name, path=path)
    if found is None:
        raise SkipTest(f"{name} is not installed")
    return found


@contextlib.contextmanager
def redis_server() -> Iterator[int]:
    """A Redis server that keeps nothing; its port on 127.0.0.1."""
    port = free_port()
    command = [_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with tempfile.TemporaryDirectory() as folder, running(command, Path(folder)) as program:
        program.wait_for_port(port)
        yield port
        program.stop()


@contextlib.contextmanager
def postgres_server() -> Iterator[int]:
    """A PostgreSQL server for the user ``postgres``, without password; its port on 127.0.0.1."""
    initdb, postgres = _program("initdb", _POSTGRES), _program("postgres", _POSTGRES)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        user = _unprivileged(folder)
        data = f"{folder}/data"
        settings = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [initdb, "-D", data, *settings],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            timeout=LIMIT,
            **user,
        )
        command = [postgres, "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"]
        with running(command, Path(folder), user=user) as program:
            program.wait_for("ready to accept connections")
            yield port
            program.stop(signal.SIGINT)  # at once, whoever is connected


def _unprivileged(folder: str) -> dict[str, Any]:
    """Who owns the folder and runs the server, for PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise SkipTest("PostgreSQL does not run as root, and there is no user postgres or nobody")
