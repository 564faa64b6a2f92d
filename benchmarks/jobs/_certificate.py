"""A certificate for servers that are measured with TLS."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["certificate"]

_COMMAND = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"


@contextlib.contextmanager
def certificate() -> Iterator[tuple[str, str]]:
    """The files of a self-signed certificate and of its key, made for the occasion."""
    if shutil.which("openssl") is None:
        raise RuntimeError("the jobs with TLS need the program openssl, to make a certificate")
    with tempfile.TemporaryDirectory() as folder:
        cert, key = str(Path(folder) / "cert.pem"), str(Path(folder) / "key.pem")
        command = [*_COMMAND.split(), "-keyout", key, "-out", cert]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        yield cert, key
