"""A run as JSON: all values, and where they were measured."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._model import Figure, Result
from benchmarks._processes import CHECKOUT, output_of

__all__ = ["Record", "RecordError", "from_json", "machine", "read", "to_json", "write"]

FORMAT = 1


class RecordError(ValueError):
    """A file has no run in it that this tool knows; the text says why."""


@dataclass
class Record:
    """A run of the tool.

    about
        the machine, the date and how much was spent.
    packages
        the versions of everything in the environment.
    """

    about: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)


def machine() -> dict[str, str]:
    """What the numbers depend on beside the programs."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "processors": str(len(os.sched_getaffinity(0))),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "txtornado": _revision(),
    }


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "unknown"


def _revision() -> str:
    """What the checkout is, as git says; its version alone where that says nothing."""
    text = (CHECKOUT / "txtornado" / "_version.py").read_text()
    found = re.search(r"""version\s*(?::[^=]*)?=\s*["']([^"']+)""", text)
    version = found[1] if found else "unknown"
    try:
        command = ["git", "describe", "--always", "--dirty"]
        words = output_of(command, limit=10, cwd=str(CHECKOUT)).strip()
    except (OSError, RuntimeError, subprocess.SubprocessError):
        return version
    return f"{version} ({words})"


def to_json(record: Record) -> str:
    """The run as text."""
    data = {
        "format": FORMAT,
        "about": record.about,
        "packages": record.packages,
        "results": [dataclasses.asdict(result) for result in record.results],
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Record:
    """The run that a text tells of.

    :raises RecordError: if it tells of none.
    """
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise RecordError(f"it has format {data['format']}, and this is format {FORMAT}")
        return Record(
            dict(data["about"]), dict(data["packages"]), [_result(each) for each in data["results"]]
        )
    except RecordError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"it is no run of this tool ({type(error).__name__}: {error})") from None


def _result(data: dict[str, Any]) -> Result:
    figures = tuple(Figure(**each) for each in data["figures"])
    values = {
        str(name): {str(figure): [float(value) for value in each] for figure, each in told.items()}
        for name, told in data["values"].items()
    }
    return Result(
        str(data["name"]),
        str(data["title"]),
        str(data["group"]),
        figures,
        values,
        {str(name): str(words) for name, words in data["failures"].items()},
        str(data["axis"]),
    )


def read(path: Path) -> Record:
    """The run in a file.

    :raises RecordError: if the file cannot be read or has none.
    """
    try:
        return from_json(path.read_text())
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from None


def write(path: Path, record: Record) -> None:
    """Put the run into a file."""
    path.write_text(to_json(record))
