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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

import txtornado
from tests.matrix import ELSEWHERE, RUNS_UNDER

#: The checkout; also when the tests run on an installed package.
ROOT = Path(__file__).resolve().parent.parent
#: Where ``txtornado`` was imported from.
PACKAGES = Path(txtornado.__file__).resolve().parent.parent

#: Seconds after which a process that says nothing is given up.
LIMIT = 60.0


_Test = TypeVar("_Test", bound=Callable[..., Any])


def once(reason: str) -> Callable[[_Test], _Test]:
    """Decorator of a test, or of a test case, that costs much and knows nothing of the reactor.

    Where the tests run under several reactors, ``tests/matrix.py``, it runs under the first alone.

    Args:
        reason: why this process's reactor has no part in it.
    """

    def decorate(test: _Test) -> _Test:
        skip = elsewhere(reason)
        if skip is not None and getattr(test, "skip", None) is None:
            test.skip = skip  # type: ignore[attr-defined]
        return test

    return decorate


def elsewhere(reason: str) -> str | None:
    """Why to skip such a test here, for test cases that `once` is not for; or None."""
    kind = os.environ.get(ELSEWHERE)
    return None if kind is None else f"{RUNS_UNDER}{kind}: {reason}"


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


def run_beside(command: list[str], **options: Any) -> Deferred[subprocess.CompletedProcess[bytes]]:
    """What `subprocess.run` returns, while the reactor serves the process.

    In a thread: reactors' own processes need SIGCHLD, which uvloop keeps to itself.
    """
    options.setdefault("capture_output", True)
    return deferToThread(subprocess.run, command, timeout=LIMIT, **options)


def interruptible() -> None:
    """Take SIGINT as usual: what a shell has started in the background ignores it.

    And so would its children; for ``preexec_fn``, or a program that begins.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Program:
    """A process, its output in files of ``folder``."""

    def __init__(self, command: list[str], folder: Path, **options: Any) -> None:
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=err, preexec_fn=interruptible, **options
            )

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    def wait_for_port(self, port: int) -> None:
        """Wait until the process accepts connections."""

        def accepts() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return True
            return False

        self._wait_until(accepts)

    def wait_for(self, text: str) -> None:
        """Wait until the process has printed something."""
        self._wait_until(lambda: text in self.stdout or text in self.stderr)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if condition():
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
    command: list[str],
    folder: Path,
    *,
    cwd: Path | None = None,
    user: dict[str, Any] | None = None,
    **env: str,
) -> Iterator[Program]:
    """Start ``command`` in ``cwd``, by default ``folder``; it is ended at the end at the latest.

    Its output is kept in ``folder``, which is made.  ``user`` has what `subprocess.Popen` is told
    of another user.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = Program(command, folder, cwd=cwd or folder, env=environment(**env), **(user or {}))
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()
