"""The programs in ``README.rst`` and ``docs``: they run."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin

from tests.processes import ROOT
from txtornado import testing
from txtornado.httputil import HTTPServerConnectionDelegate
from txtornado.interfaces import IApplicationPlugin
from txtornado.testing import ReactorTestCase


def programs(path: Path) -> list[str]:
    """The blocks of Python in a document, with as many empty lines before as keep line numbers."""
    found: list[str] = []
    block: list[str] | None = None
    for number, line in enumerate([*path.read_text().splitlines(), "end"]):
        if block is not None and line and not line.startswith(" "):
            found.append(textwrap.dedent("\n".join(block)))
            block = None
        if line.strip() == ".. code-block:: python":
            block = [""] * (number + 1)
        elif block is not None:
            block.append(line)
    return found


class DocumentationTests(ReactorTestCase):
    """Each block is a program of its own; where it has a ``main`` that is awaited."""

    def run_all(self, name: str) -> list[dict[str, Any]]:
        path = ROOT / name
        namespaces = []
        for program in programs(path):
            namespace: dict[str, Any] = {"__name__": "documented"}
            exec(compile(program, str(path), "exec"), namespace)  # noqa: S102
            namespaces.append(namespace)
        return namespaces

    def test_readme(self) -> None:
        """Each hello, world of the README makes an application, or a function that does."""
        namespaces = self.run_all("README.rst")
        self.assertEqual(len(namespaces), 3)
        for names in namespaces:
            app = names.get("application") or names.get("app") or names["make_app"]()
            self.assertIsInstance(app, HTTPServerConnectionDelegate)

    def test_readme_and_demos(self) -> None:
        """They are the programs of ``demos/helloworld``, but for the port."""
        names = ["ioloop_start.py", "asyncio_run.py", "reactor_run.py"]
        for name, documented in zip(names, programs(ROOT / "README.rst")):
            demo = (ROOT / "demos" / "helloworld" / name).read_text()
            self.assertEqual(
                self.essence(demo.partition('"""\n')[2]), self.essence(documented), name
            )

    def essence(self, program: str) -> list[str]:
        lines = [line for line in program.splitlines() if line.strip()]
        lines = [line for line in lines if line != "import os" and not line.startswith("PORT =")]
        return [line.replace("(PORT", "(8888") for line in lines]

    def test_files(self) -> None:
        """Files and folders that the documents name are there."""
        for path in [ROOT / "README.rst", *(ROOT / "docs").glob("*.rst")]:
            names = re.findall(
                r"``((?:benchmarks|demos|docs|tests|\.ci)[/\w.]*)``", path.read_text()
            )
            for name in names:
                file = ROOT / name.replace("tests.", "tests/")
                found = file.exists() or file.with_suffix(".py").exists()
                self.assertTrue(found, f"{path.name}: {name}")

    async def test_embedding(self) -> None:
        """What ``docs/embedding.rst`` claims holds, and its test case passes."""
        namespaces = self.run_all("docs/embedding.rst")
        mains = [names["main"] for names in namespaces if "main" in names]
        self.assertEqual((len(namespaces), len(mains)), (12, 6))
        for main in mains:
            self.assertTrue(inspect.iscoroutinefunction(main))
            await main()
        self.assertTrue(issubclass(namespaces[-1]["BothKinds"], testing.ReactorTestCase))

    def test_twistd(self) -> None:
        """The subcommand of ``docs/twistd.rst`` is one."""
        (names,) = self.run_all("docs/twistd.rst")
        self.assertTrue(IApplicationPlugin.providedBy(names["blog"]))
        self.assertTrue(IPlugin.providedBy(names["blog"]))
        self.assertEqual(names["blog"].options()["title"], "Blog")
