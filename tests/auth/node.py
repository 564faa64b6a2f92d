"""The certified `oidc-provider` of the npm registry, run with node.

The package is looked for in the folder that ``TXTORNADO_TEST_NODE_MODULES`` names, else in a cache
of this user, into which npm installs it once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.processes import ROOT

from .support import AuthTestCase

PACKAGE = "oidc-provider"
VERSION = "9"
LIMIT = 120  # seconds


def folder() -> Path:
    """The folder in which node finds the package.

    Raises:
        SkipTest: there is no node, or no package.
    """
    if shutil.which("node") is None:
        raise SkipTest("node is not installed")
    if given := os.environ.get("TXTORNADO_TEST_NODE_MODULES"):
        found = Path(given)
    else:
        found = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "txtornado-tests"
    if not (found / "node_modules" / PACKAGE).is_dir():
        install(found)
    return found


def install(into: Path) -> None:
    """Have npm install the package, unless another process just does."""
    if shutil.which("npm") is None:
        raise SkipTest(f"{PACKAGE} is not installed, and npm is not there")
    into.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(
            [*command, "--prefix", str(into), f"{PACKAGE}@{VERSION}"],
            capture_output=True,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise SkipTest(f"npm could not install {PACKAGE} in {LIMIT} seconds") from None
    if done.returncode != 0:
        raise SkipTest(f"npm could not install {PACKAGE}: {done.stderr.decode()[-200:]}")


class NodeProvider:
    """A running provider."""

    def __init__(self, process: subprocess.Popen[bytes], issuer: str) -> None:
        self.process = process
        self.issuer = issuer

    @classmethod
    async def start(cls, test: AuthTestCase, clients: list[dict[str, Any]]) -> NodeProvider:
        """Start a provider that knows ``clients``; it ends with the test."""
        found: NodeProvider = await deferToThread(cls._start, clients)
        test.addCleanup(deferToThread, found.stop)
        return found

    @classmethod
    def _start(cls, clients: list[dict[str, Any]]) -> NodeProvider:
        script = ROOT / "tests" / "auth" / "oidc_provider.mjs"
        process = subprocess.Popen(
            ["node", str(script), str(folder()), json.dumps(clients)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        issuer = process.stdout.readline().decode().strip()
        if not issuer:
            process.kill()
            process.communicate()
            raise SkipTest(f"{PACKAGE} did not start with this node")
        return cls(process, issuer)

    def stop(self) -> None:
        """End the provider, which ends with its input."""
        deadline = time.monotonic() + 10
        try:
            self.process.communicate(timeout=deadline - time.monotonic())
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
