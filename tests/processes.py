"""Programs under test, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import txtornado

#: The checkout; also when the tests run on an installed package.
ROOT = Path(__file__).resolve().parent.parent
#: Where ``txtornado`` was imported from.
PACKAGES = Path(txtornado.__file__).resolve().parent.parent

#: Seconds after which a process that says nothing is given up.
LIMIT = 60.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def twistd() -> str:
    """The script of this interpreter's environment."""
    found = shutil.which("twistd", path=os.path.dirname(sys.executable))
    assert found, "twistd is not beside the interpreter"
    return found


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that is to import the same ``txtornado``."""
    return {**os.environ, "PYTHONPATH": str(PACKAGES), "PYTHONDONTWRITEBYTECODE": "1", **more}


def fetch(url: str, data: bytes | None = None, **headers: str) -> str:
    """The body of a page."""
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, timeout=LIMIT) as response:
        return str(response.read(), "utf-8")


class Program:
    """A process, its output in files of ``folder``."""

    def __init__(self, command: list[str], folder: Path, cwd: Path, env: dict[str, str]) -> None:
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, cwd=cwd, env=env)

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    def wait_for_port(self, port: int) -> None:
        """Wait until the process accepts connections."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return
            time.sleep(0.02)
        raise AssertionError(f"it does not serve:\n{self.stdout}\n{self.stderr}")

    def wait(self) -> int:
        """Wait for the end; the exit status."""
        return self.process.wait(LIMIT)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; the exit status."""
        self.process.send_signal(number)
        return self.wait()


@contextlib.contextmanager
def running(
    command: list[str], folder: Path, *, cwd: Path | None = None, **env: str
) -> Iterator[Program]:
    """Start ``command`` in ``cwd``, by default ``folder``; it is ended at the end at the latest.

    Its output is kept in ``folder``, which is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = Program(command, folder, cwd or folder, environment(**env))
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()
