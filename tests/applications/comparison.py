"""One command twice: with Tornado, and with txtornado in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.applications.downloads import packages
from tests.processes import PACKAGES, environment

__all__ = ["HOWS", "compare", "passed"]

#: Seconds for one side.
LIMIT = 240

#: What comes before the arguments.
HOWS = {"tornado": [sys.executable], "txtornado": [sys.executable, "-m", "txtornado", "run"]}


def compare(folder: Path, cwd: Path, *arguments: str, **env: str) -> dict[str, str]:
    """Run both sides at once, in ``cwd``; what they print, by name.

    ``{how}`` in an argument becomes the side's name.  Output is kept in ``folder``.

    Raises:
        AssertionError: one does not end.
    """
    path = os.pathsep.join([str(packages()), str(PACKAGES)])
    env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env}
    processes, outputs = {}, {}
    try:
        for how, start in HOWS.items():
            outputs[how] = folder / f"{how}.out"
            command = start + [argument.format(how=how) for argument in arguments]
            with outputs[how].open("wb") as out:
                processes[how] = subprocess.Popen(
                    command,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    cwd=cwd,
                    env=environment(**env, PYTHONPATH=path),
                    start_new_session=True,
                )
        for how, process in processes.items():
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"{how}: still running\n{tail(outputs[how])}") from None
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
    return {how: output.read_text(errors="replace") for how, output in outputs.items()}


def tail(path: Path) -> str:
    """The end of what was printed."""
    return path.read_text(errors="replace")[-10_000:]


def passed(report: Path) -> set[str]:
    """The names of the tests that passed, from a report in JUnit's format; none without one."""
    if not report.exists():
        return set()
    return {
        f"{case.get('classname')}::{case.get('name')}"
        for case in ElementTree.parse(report).iter("testcase")
        if not {"failure", "error", "skipped"} & {child.tag for child in case}
    }
