"""txtornado under Tornado's name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import LIMIT, environment, fetch, free_port, running, twistd

#: A package that is called tornado, for tests of what happens when it is there.
REAL = "version = 'the real one'\n"


class ProgramCase(SynchronousTestCase):
    """A test case that runs programs in a folder of their own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path.resolve()

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )

    def output(self, *arguments: str) -> list[str]:
        done = self.python(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()


class InstallAsTornado(ProgramCase):
    """`install_as_tornado`."""

    def test_same_modules(self) -> None:
        """Modules, packages and what is in them are the same under both names."""
        lines = self.output(
            "-c",
            "import txtornado\n"
            "txtornado.install_as_tornado()\n"
            "import txtornado.web, tornado, tornado.web, tornado.platform.asyncio\n"
            "from tornado import gen, ioloop\n"
            "from tornado.platform.twisted import TornadoReactor\n"
            "import txtornado.gen, txtornado.platform.asyncio\n"
            "print(tornado is txtornado)\n"
            "print(tornado.web is txtornado.web, gen is txtornado.gen)\n"
            "print(tornado.platform.asyncio is txtornado.platform.asyncio)\n"
            "print(tornado.web.Application is txtornado.web.Application)\n"
            "print(txtornado.web.__spec__.name, txtornado.web.__name__)\n",
        )
        self.assertEqual(lines[:4], ["True", "True True", "True", "True"])
        self.assertEqual(lines[4], "txtornado.web txtornado.web")

    def test_version(self) -> None:
        """Programs that ask which Tornado it is are told the newest whose API is there."""
        lines = self.output(
            "-c",
            "import txtornado\n"
            "mine = txtornado.version\n"
            "txtornado.install_as_tornado()\n"
            "import tornado\n"
            "assert tornado.version_info >= (6, 1, 0), tornado.version_info\n"
            "print(tornado.version == '.'.join(map(str, tornado.version_info[:3])))\n"
            "from txtornado._version import version\n"
            "print(version == mine)\n",
        )
        self.assertEqual(lines, ["True", "True"])

    def test_order(self) -> None:
        """It does not matter which name was imported first."""
        lines = self.output(
            "-c",
            "import txtornado\n"
            "txtornado.install_as_tornado()\n"
            "import tornado.locks, txtornado.locks\n"
            "print(tornado.locks is txtornado.locks)\n"
            "import importlib; print(importlib.reload(txtornado.locks) is tornado.locks)\n",
        )
        self.assertEqual(lines, ["True", "True"])

    def test_unknown_module(self) -> None:
        """What txtornado has not cannot be imported, under the name that was asked for."""
        done = self.python(
            "-c", "import txtornado; txtornado.install_as_tornado(); import tornado.nothing"
        )
        self.assertIn("No module named 'tornado.nothing'", done.stderr)

    def test_before_the_real_one(self) -> None:
        """It comes before a tornado that is installed."""
        self.write("tornado/__init__.py", REAL)
        lines = self.output(
            "-c",
            "import txtornado; txtornado.install_as_tornado(); txtornado.install_as_tornado()\n"
            "import tornado; print(tornado is txtornado)\n",
        )
        self.assertEqual(lines, ["True"])

    def test_refused(self) -> None:
        """When tornado is imported already it says so, and changes nothing."""
        self.write("tornado/__init__.py", REAL)
        lines = self.output(
            "-c",
            "import tornado, txtornado\n"
            "try:\n"
            "    txtornado.install_as_tornado()\n"
            "except RuntimeError as e:\n"
            "    print(e)\n"
            "import tornado; print(tornado.version)\n",
        )
        self.assertIn("imported already", lines[0])
        self.assertIn("python -m txtornado run", lines[0])
        self.assertEqual(lines[1], "the real one")


class Run(ProgramCase):
    """``python -m txtornado run``."""

    def run_it(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "txtornado", *arguments)

    def test_script(self) -> None:
        """A script sees its own arguments, name and folder, and txtornado as tornado."""
        self.write("tornado/__init__.py", REAL)
        self.write("neighbour.py", "name = 'neighbour'\n")
        self.write(
            "script.py",
            "import sys, neighbour, tornado\n"
            "print(__name__, sys.argv[1:], tornado.__name__, neighbour.name)\n"
            "sys.exit(3)\n",
        )
        done = self.run_it("run", "script.py", "--port=1", "x")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stdout, "__main__ ['--port=1', 'x'] txtornado neighbour\n")

    def test_module(self) -> None:
        """``-m`` runs a module."""
        self.write("package/__main__.py", "import sys, tornado.web\nprint(sys.argv[1:])\n")
        done = self.run_it("run", "-m", "package", "a")
        self.assertEqual(done.stdout, "['a']\n", done.stderr)

    def test_nothing_to_run(self) -> None:
        """Bad command lines are answered with status 2 and how it is done."""
        for arguments in ([], ["run"], ["walk", "x.py"], ["run", "-m"], ["run", "--x"]):
            done = self.run_it(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("usage:", done.stderr)
        done = self.run_it("run", "missing.py")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no 'missing.py'", done.stderr)

    def test_help_and_version(self) -> None:
        """Help and version are told."""
        self.assertIn("usage:", self.run_it("--help").stdout)
        self.assertTrue(self.run_it("--version").stdout.startswith("txtornado "))

    def test_server(self) -> None:
        """A program written for Tornado serves, and ends on Ctrl-C as it does there."""
        self.write(
            "hello.py",
            "import asyncio\n"
            "import tornado\n"
            "from tornado.options import define, options\n"
            "define('port', default=0)\n"
            "class Hello(tornado.web.RequestHandler):\n"
            "    def get(self):\n"
            "        self.write('Hello, ' + tornado.__name__)\n"
            "async def main():\n"
            "    tornado.options.parse_command_line()\n"
            "    tornado.web.Application([('/', Hello)]).listen(options.port, '127.0.0.1')\n"
            "    await asyncio.Event().wait()\n"
            "asyncio.run(main())\n",
        )
        port = free_port()
        command = [sys.executable, "-m", "txtornado", "run", "hello.py", f"--port={port}"]
        with running(command, self.folder) as program:
            program.wait_for_port(port)
            self.assertEqual(fetch(f"http://127.0.0.1:{port}/"), "Hello, txtornado")
            program.stop()


class Twistd(ProgramCase):
    """``twistd tornado --as-tornado``."""

    def test_application(self) -> None:
        """An application that imports tornado is served."""
        self.write(
            "application.py",
            "import tornado.web\n"
            "class Hello(tornado.web.RequestHandler):\n"
            "    def get(self):\n"
            "        self.write('Hello, ' + tornado.__name__)\n"
            "def make():\n"
            "    return tornado.web.Application([('/', Hello)])\n",
        )
        port = free_port()
        command = [twistd(), "-n", "--pidfile=", "tornado", "--as-tornado"]
        command += ["--listen", f"tcp:{port}:interface=127.0.0.1", "app", "application:make"]
        with running(command, self.folder) as program:
            program.wait_for_port(port)
            self.assertEqual(fetch(f"http://127.0.0.1:{port}/"), "Hello, txtornado")
            program.stop()
