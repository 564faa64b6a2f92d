"""What holds for the package as a whole."""

from __future__ import annotations

import ast
import importlib.util
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import txtornado
from tests.processes import LIMIT, ROOT, environment

PACKAGE = Path(txtornado.__file__).parent
#: What an extra, or nothing but Windows, brings.
OPTIONAL = {"pycurl", "pycares", "uvloop"}

#: Imports modules one by one, and tells what became of the process.
IMPORTER = """
import asyncio, importlib, json, os, sys
import twisted.python.log, twisted.python.failure, ssl

def descriptors():
    return sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []

before = descriptors()
troubles = []
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "twisted.internet.reactor" in sys.modules:
        troubles.append(f"{name} installs a reactor")
        del sys.modules["twisted.internet.reactor"]
    if descriptors() != before:
        troubles.append(f"{name} opens descriptors")
        before = descriptors()
    if "tornado" in sys.modules:
        troubles.append(f"{name} imports tornado")
        del sys.modules["tornado"]
print(json.dumps(troubles))
"""

#: Serves a plain application, asks it once, and tells what was imported for that.
PLAIN_SERVER = """
import asyncio, json, sys
import txtornado.web

class Hello(txtornado.web.RequestHandler):
    def get(self):
        self.write("Hello")

async def main():
    server = txtornado.web.Application([("/", Hello)]).listen(0, "127.0.0.1")
    [sock] = server._sockets.values()
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
    answer = await reader.read()
    writer.close()
    print(json.dumps([answer.decode(), sorted(sys.modules)]))

asyncio.run(main())
"""
#: What a server needs for some requests or settings only; each takes long to import, or much memory.
NOT_AT_START = {
    *("csv", "curses", "doctest", "gzip", "importlib.resources", "logging.handlers", "mimetypes"),
    *("pdb", "treq", "twisted.names", "twisted.trial", "twisted.web", "unittest"),
    *(f"txtornado.{name}" for name in ("auth", "httpclient", "locale", "template", "websocket")),
}


def modules() -> Iterator[str]:
    """The names of all modules of the package that can be imported here."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "txtornado."):
        name = found.name
        if name.startswith("txtornado.plugins") or name.endswith("__main__"):
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as e:
            if e.name not in OPTIONAL:
                raise
        else:
            yield name


def sources() -> Iterator[Path]:
    yield from PACKAGE.rglob("*.py")
    if (ROOT / "plugins").is_dir():
        yield from (ROOT / "plugins").glob("*.py")
        yield from (ROOT / "twisted").rglob("*.py")


class HouseTests(SynchronousTestCase):
    """Rules that no single module can break without being noticed."""

    def test_imports_are_harmless(self) -> None:
        """Importing any module installs no reactor, makes no event loop and opens no descriptor."""
        names = list(modules())
        self.assertIn("txtornado.web", names)
        command = [sys.executable, "-c", IMPORTER, *names]
        output = subprocess.check_output(command, env=environment(), timeout=LIMIT)
        self.assertEqual(json.loads(output), [])

    def test_plain_server_imports(self) -> None:
        """A plain server is up and answers without importing what it makes no use of."""
        command = [sys.executable, "-c", PLAIN_SERVER]
        output = subprocess.check_output(command, env=environment(), timeout=LIMIT)
        answer, imported = json.loads(output)
        self.assertTrue(answer.endswith("Hello"), answer)
        self.assertEqual(NOT_AT_START.intersection(imported), set())

    def test_independent_of_tornado(self) -> None:
        """No module imports the original, not even somewhere inside of a function."""
        for path in sources():
            for node in ast.walk(ast.parse(path.read_bytes())):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module or ""]
                self.assertNotIn("tornado", [name.partition(".")[0] for name in names], str(path))

    def test_lazy_modules(self) -> None:
        """The modules that ``import txtornado`` promises are there when they are asked for."""
        for name in txtornado.__all__:
            if name not in unfinished():
                self.assertIsNotNone(getattr(txtornado, name))
        self.assertRaises(AttributeError, getattr, txtornado, "nosuch")

    def test_exported_names(self) -> None:
        """Whatever a module lists in ``__all__`` is in it, once; public modules have such a list."""
        for name in modules():
            module = sys.modules[name]
            exported = getattr(module, "__all__", None)
            public = not any(part.startswith("_") for part in name.split("."))
            self.assertTrue(exported is not None or not public or module.__path__, name)
            for item in exported or ():
                self.assertTrue(hasattr(module, item), f"{name}.{item}")
            self.assertEqual(len(exported or ()), len(set(exported or ())), name)

    def test_small_files(self) -> None:
        """No file grows past 800 lines."""
        for path in sources():
            self.assertLessEqual(len(path.read_bytes().splitlines()), 800, str(path))

    def test_described(self) -> None:
        """Every module says why it is there."""
        for path in sources():
            tree = ast.parse(path.read_bytes())
            self.assertTrue(not tree.body or ast.get_docstring(tree), str(path))

    def test_readme(self) -> None:
        """The README names every public module of Tornado's, as there or as not there yet."""
        text = (ROOT / "README.rst").read_text()
        for name in txtornado.__all__:
            if name not in ("platform", "version", "version_info"):
                self.assertIn(f"``{name}``", text)

    def test_unfinished_modules(self) -> None:
        """The README names as missing what is missing, and nothing else."""
        missing = unfinished()
        self.assertTrue(missing)
        specs = {name: importlib.util.find_spec(f"txtornado.{name}") for name in missing}
        there = {name for name, spec in specs.items() if spec is not None and spec.origin}
        self.assertEqual(there, set())


def unfinished() -> set[str]:
    """The modules that the README says are not there yet."""
    text = (ROOT / "README.rst").read_text()
    (listing,) = re.findall(r"^Not there yet: ((?:[^\n]+\n)+)", text, re.MULTILINE)
    return set(re.findall(r"``([\w.]+)``", listing))
