"""Programs of contestants as child processes: started, pinned, watched, and always ended.

A server runs in a session of its own, so that all its processes are found again: they are added up
when its time and memory are told, and none outlives the ``with`` block.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from benchmarks._model import Contestant, Effort

__all__ = [
    "SERVERS",
    "Server",
    "environment",
    "output_of",
    "pinned",
    "processors",
    "running",
    "server",
    "settle",
]

CHECKOUT = Path(__file__).resolve().parent.parent
SERVERS = CHECKOUT / "benchmarks" / "servers"
#: Seconds until a server must have said its port, and until it must have ended when asked to.
START_LIMIT = 30.0
END_LIMIT = 3.0
#: A server that uses less than this share of a processor for so many seconds is at rest.
IDLE, PAUSE = 0.1, 0.3

_PIN = (
    "import os, sys; os.sched_setaffinity(0, map(int, sys.argv[1].split(','))); "
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


class Server:
    """A program that has told the port on which it listens.

    pid
        of its first process.
    port
        of 127.0.0.1.
    """

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    def cpu_seconds(self) -> float:
        """Processor time so far, the system's included, of all its processes."""
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(int(each[11]) + int(each[12]) for each in _session(self.pid)) / ticks

    def resident(self) -> int:
        """Bytes of memory, of all its processes."""
        return sum(int(each[21]) for each in _session(self.pid)) * os.sysconf("SC_PAGE_SIZE")


def settle(running: Server) -> None:
    """Wait until a server's processes do nothing any more, as all of them have started."""
    deadline = time.monotonic() + START_LIMIT
    before = -1.0
    while (now := running.cpu_seconds()) - before > IDLE * PAUSE and time.monotonic() < deadline:
        before = now
        time.sleep(PAUSE)


def _session(leader: int) -> Iterator[list[str]]:
    """``/proc/PID/stat`` of each process of a session, from the third field (the state) on."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader:
                    yield fields


def pinned(command: list[str], *cpus: int) -> list[str]:
    """The command, kept to one processor or several where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        return command
    where = ",".join(map(str, cpus))
    if taskset := shutil.which("taskset"):
        return [taskset, "-c", where, *command]
    return [sys.executable, "-c", _PIN, where, *command]


def processors() -> tuple[int, int]:
    """A processor for the server and one for the load: the same one if there is no other."""
    if hasattr(os, "sched_getaffinity"):
        found = sorted(os.sched_getaffinity(0))
    else:
        found = list(range(os.cpu_count() or 1))
    return found[0], found[-1]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables without Python's own, and the checkout where Python looks first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(CHECKOUT), **(extra or {})}


def output_of(
    command: list[str], *, limit: float, env: Mapping[str, str] | None = None, cwd: str = "/"
) -> str:
    """What a command prints.  It is ended if it takes longer than ``limit`` seconds.

    :raises RuntimeError: if it does that, or fails, with the end of what it complains of.
    """
    with running(command, env=env, cwd=cwd) as (process, complaints):
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{_said(command)} took longer than {limit:g} s") from None
        if process.returncode:
            raise RuntimeError(_failure(command, process.returncode, complaints))
    return output


@contextlib.contextmanager
def running(
    command: list[str], *, env: Mapping[str, str] | None = None, cwd: str = "/"
) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A command in a session of its own, which is ended, whatever happens, with the block.

    Yields the process, with a pipe for its output, and the file of what it complains of.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            errors="replace",
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
        )
        try:
            yield process, complaints
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End every process of the session: asked first, then made to."""
    try:
        if process.poll() is None:
            _signal(process.pid, signal.SIGTERM)
            process.wait(END_LIMIT)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal(process.pid, signal.SIGKILL)
        process.wait()
        _gone(process.pid)
        if process.stdout is not None:
            process.stdout.close()


def _gone(leader: int) -> None:
    """Wait until no process of a session runs any more: those that were killed do at once."""
    deadline = time.monotonic() + END_LIMIT
    while any(each[0] not in "ZX" for each in _session(leader)) and time.monotonic() < deadline:
        time.sleep(0.005)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


@contextlib.contextmanager
def server(
    contestant: Contestant,
    program: str,
    *arguments: str,
    effort: Effort,
    env: dict[str, str] | None = None,
    cpus: Sequence[int] = (),
) -> Iterator[Server]:
    """A contestant's server, pinned to the server's processor.

    It is a file of ``benchmarks/servers``, and prints the port as its first line once it listens.

    :param arguments: of the program.
    :param env: variables beside those of `environment`.
    :param cpus: other processors to keep to.
    :raises RuntimeError: if it ends or says nothing, with the end of what it complains of.
    """
    command = [contestant.python, str(SERVERS / program), *arguments]
    where = pinned(command, *(cpus or (effort.server_cpu,)))
    with running(where, env=environment(env)) as (process, complaints):
        line = _first_line(process, START_LIMIT)
        if not line.strip().isdigit():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_LIMIT if not line else 0)
            raise RuntimeError(_failure(command, process.poll(), complaints))
        yield Server(process.pid, int(line))


def _first_line(process: subprocess.Popen[str], limit: float) -> str:
    """What the process prints first; nothing if it ends or the time is up before."""
    assert process.stdout is not None
    deadline = time.monotonic() + limit
    os.set_blocking(process.stdout.fileno(), False)
    got = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while b"\n" not in got and (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                data = os.read(process.stdout.fileno(), 4096)
                if not data:
                    break
                got += data
    return got.partition(b"\n")[0].decode(errors="replace")


def _failure(command: list[str], status: int | None, complaints: IO[str]) -> str:
    complaints.seek(0)
    lines = complaints.read()[-4000:].strip().splitlines()
    how = "did not say its port" if not status else f"ended with status {status}"
    return f"{_said(command)} {how}: {' / '.join(lines[-3:]) or 'it said nothing'}"


def _said(command: list[str]) -> str:
    return " ".join(Path(part).name if part.startswith("/") else part for part in command)[:200]
