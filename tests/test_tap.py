"""``twistd tornado``: its command line, what it serves, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import time
import urllib.error
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.processes import LIMIT, Program, environment, fetch, free_port, once, running, twistd
from txtornado import tap
from txtornado.interfaces import IApplicationPlugin
from txtornado.testing import AsyncHTTPSTestCase
from txtornado.web import Application

#: A module with things that can be served, and others that cannot.
MODULE = """
from txtornado.web import Application, RequestHandler

class Hello(RequestHandler):
    def get(self):
        self.write(f"{self.request.protocol} {self.request.remote_ip}")

class Broken(RequestHandler):
    def get(self):
        raise ValueError("the secret")

def make_app():
    return Application([("/", Hello), ("/broken", Broken)])

application = make_app()

class Apps:
    inner = application

def respond(request):
    pass

def make_function():
    return respond

def raises():
    raise ValueError("no\\ngood")

def exits():
    raise SystemExit("leaving")

def needs(argument):
    pass

def nothing():
    pass

three = 3

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]
"""


class FolderTestCase(SynchronousTestCase):
    """Has a folder with a module in it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.write("tap_sample.py", MODULE)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(text))


class LoadTests(FolderTestCase):
    """How an application is found."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(sys, "path", list(sys.path))
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        self.addCleanup(sys.modules.pop, "tap_sample", None)

    def refused(self, reference: str, load: Any = tap.load_factory) -> str:
        return str(self.assertRaises(tap.CannotServe, load, reference))

    def test_factory(self) -> None:
        """A function is called for the application."""
        self.assertIsInstance(tap.load_factory("tap_sample:make_app"), Application)

    def test_application(self) -> None:
        """An application is taken as it is, also from inside of something."""
        application = tap.load_factory("tap_sample:application")
        self.assertIs(application, sys.modules["tap_sample"].application)
        self.assertIs(tap.load_factory("tap_sample:Apps.inner"), application)

    def test_function(self) -> None:
        """A factory may return a function that takes requests."""
        function = tap.load_factory("tap_sample:make_function")
        self.assertIs(function, sys.modules["tap_sample"].respond)

    def test_no_such_module(self) -> None:
        """A module that is not there is named."""
        self.assertEqual(
            self.refused("nosuch:f"), "cannot import 'nosuch': No module named 'nosuch'"
        )

    def test_import_within(self) -> None:
        """When a module imports one that is not there, its line is told."""
        self.write("importer.py", "import os\nimport nosuch\n")
        message = self.refused("importer:f")
        self.assertIn("cannot import 'importer': No module named 'nosuch' (", message)
        self.assertTrue(message.endswith("importer.py:2)"), message)

    def test_module_raises(self) -> None:
        """So is the line of an exception while the module is imported."""
        self.write("raiser.py", "x = 1\n1 / 0\n")
        message = self.refused("raiser:f")
        self.assertIn("importing 'raiser' raised ZeroDivisionError: division by zero (", message)
        self.assertTrue(message.endswith("raiser.py:2)"), message)

    def test_syntax_error(self) -> None:
        """A syntax error tells its line itself."""
        self.write("broken.py", "x = (\n")
        self.assertEqual(
            self.refused("broken:f"),
            "importing 'broken' raised SyntaxError: '(' was never closed (broken.py, line 1)",
        )

    def test_no_such_name(self) -> None:
        """A name that the module lacks is named."""
        self.assertEqual(
            self.refused("tap_sample:Apps.outer"), "module 'tap_sample' has no 'Apps.outer'"
        )

    def test_factory_raises(self) -> None:
        """An exception of the factory is told with its line, and so is its leaving."""
        message = self.refused("tap_sample:raises")
        self.assertIn("tap_sample:raises raised ValueError: no\ngood (", message)
        self.assertIn("tap_sample.py:", message)
        self.assertIn("raised SystemExit: leaving (", self.refused("tap_sample:exits"))

    def test_factory_with_arguments(self) -> None:
        """A factory that needs arguments is one that raises."""
        self.assertIn("missing 1 required", self.refused("tap_sample:needs"))

    def test_no_application(self) -> None:
        """What can not be served is shown."""
        self.assertEqual(
            self.refused("tap_sample:nothing"),
            "tap_sample:nothing returned None, which is no application",
        )
        self.assertEqual(
            self.refused("tap_sample:three"), "tap_sample:three is no application but 3"
        )


class OptionsTests(FolderTestCase):
    """The command line."""

    def parse(self, *words: str) -> tap.Options:
        options = tap.Options()
        options.parseOptions(list(words))
        return options

    def refused(self, *words: str) -> str:
        """The line that is printed, and nothing else."""
        stream = io.StringIO()
        self.patch(sys, "__stderr__", stream)
        error = self.assertRaises(SystemExit, self.parse, *words)
        self.assertEqual(error.code, 1)
        (line,) = stream.getvalue().splitlines()
        return line

    def test_defaults(self) -> None:
        """Without arguments the demonstration is served."""
        options = self.parse()
        self.assertEqual(options.subCommand, "demo")
        self.assertEqual(options["listen"], [])
        self.assertEqual(options["grace"], 10.0)
        self.assertFalse(options["xheaders"] or options["debug"])

    def test_listen(self) -> None:
        """Endpoints add up."""
        options = self.parse("--listen", "tcp:1", "-l", "unix:/tmp/x")
        self.assertEqual(options["listen"], ["tcp:1", "unix:/tmp/x"])

    def test_subcommands(self) -> None:
        """Each plugin is a subcommand with arguments of its own."""
        options = self.parse("--grace=2.5", "static", "--index=x.html", str(self.folder))
        self.assertEqual(options["grace"], 2.5)
        self.assertEqual(options.subOptions["index"], "x.html")
        self.assertEqual(options.subOptions["folder"], str(self.folder))
        self.assertEqual(self.parse("wsgi", "-t3", "a:b").subOptions["threads"], 3)
        self.assertEqual(self.parse("app", "a:b").subOptions["factory"], "a:b")

    def test_bad_endpoint(self) -> None:
        """What is no endpoint is refused with the reason."""
        self.assertIn("'nosuch:1' is no endpoint: Unknown endpoint", self.refused("-l", "nosuch:1"))
        self.assertIn("'tcp:x' is no endpoint", self.refused("--listen=tcp:x"))
        self.assertIn("'tcp' is no endpoint", self.refused("--listen=tcp"))
        self.assertIn("No such file", self.refused("--listen=ssl:443:privateKey=nosuch.pem"))

    def test_bad_arguments(self) -> None:
        """Every other mistake is told in one line, too."""
        for words, part in {
            ("--grace=x",): "could not convert",
            ("--nosuch",): "--nosuch",
            ("nosuch",): "Unknown command: nosuch",
            ("app",): "Wrong number of arguments",
            ("app", "module"): "'module' is not of the form MODULE:FACTORY",
            ("app", ":f"): "':f' is not of the form",
            ("wsgi", "m:"): "'m:' is not of the form",
            ("wsgi", "-t0", "m:f"): "at least one thread",
            ("static", "/nosuch"): "'/nosuch' is not a folder",
        }.items():
            line = self.refused(*words)
            self.assertIn(part, line)
            self.assertTrue(line.startswith("twistd tornado: "), line)


class PluginTests(SynchronousTestCase):
    """The plugins of ``twistd``, and those of its subcommand."""

    def test_twistd_plugin(self) -> None:
        """``twistd`` finds the command."""
        from twisted.plugins import txtornado_plugin  # type: ignore[attr-defined]

        maker = txtornado_plugin.tornado
        self.assertTrue(verifyObject(IServiceMaker, maker))
        self.assertEqual(maker.tapname, "tornado")
        self.assertIs(maker.options, tap.Options)
        self.assertIs(maker.makeService, tap.makeService)

    def test_subcommands(self) -> None:
        """What comes with txtornado provides the interface."""
        found = tap.plugins()
        self.assertLessEqual({"app", "demo", "static", "wsgi"}, set(found))
        for name, plugin in found.items():
            self.assertTrue(verifyObject(IApplicationPlugin, plugin))
            self.assertTrue(IPlugin.providedBy(plugin))
            self.assertEqual(plugin.name, name)
            self.assertTrue(plugin.options().getUsage())

    def test_is_light(self) -> None:
        """The list of ``twistd``'s commands is made without importing any of txtornado."""
        program = """
            import json, sys
            from twisted.application.service import IServiceMaker
            from twisted.plugin import getPlugins
            names = [plugin.tapname for plugin in getPlugins(IServiceMaker)]
            ours = [name for name in sys.modules if name.startswith("txtornado")]
            print(json.dumps(["tornado" in names, ours, "twisted.internet.reactor" in sys.modules]))
        """
        self.assertEqual(self.run_python(program), [True, [], False])

    def test_help_is_light(self) -> None:
        """The command's help is printed without importing the server or the framework."""
        program = """
            import json, sys
            from txtornado.tap import Options
            text = Options().getUsage()
            heavy = ["web", "httpserver", "ioloop", "wsgi", "demo", "template", "autoreload"]
            found = [name for name in heavy if f"txtornado.{name}" in sys.modules]
            print(json.dumps(["wsgi" in text, found, "twisted.internet.reactor" in sys.modules]))
        """
        self.assertEqual(self.run_python(program), [True, [], False])

    def run_python(self, program: str) -> Any:
        output = subprocess.check_output(
            [sys.executable, "-c", textwrap.dedent(program)], env=environment(), timeout=LIMIT
        )
        return json.loads(output)


class ThirdPartyTests(FolderTestCase):
    """Other distributions' subcommands."""

    def test_dropped_in(self) -> None:
        """A module in a folder ``txtornado/plugins`` on the path adds a subcommand."""
        package = self.folder / "txtornado" / "plugins"
        package.mkdir(parents=True)
        (package / "third.py").write_text(THIRD)
        command = [twistd(), "tornado", "--help"]
        path = os.pathsep.join([environment()["PYTHONPATH"], str(self.folder)])
        output = subprocess.check_output(command, env=environment(PYTHONPATH=path), timeout=LIMIT)
        self.assertIn(b"Serve the third thing.", output)
        self.assertIn(b"Serve a small demonstration.", output)


THIRD = """
from twisted.plugin import IPlugin
from twisted.python import usage
from zope.interface import implementer
from txtornado.interfaces import IApplicationPlugin

@implementer(IPlugin, IApplicationPlugin)
class Third:
    name = "third"
    description = "Serve the third thing."
    options = usage.Options

    def application(self, options):
        return print

third = Third()
"""


@once("the programs run in processes of their own")
class ProcessTests(FolderTestCase):
    """``twistd`` as a process."""

    def command(self, *words: str, reactor: str = "", pidfile: str = "--pidfile=") -> list[str]:
        options = [f"--reactor={reactor}"] if reactor else []
        return [twistd(), "--nodaemon", pidfile, *options, "tornado", *words]

    def started(self, *words: str, **options: str) -> tuple[Program, str]:
        """A server that runs; and its address."""
        port = free_port()
        listen = f"--listen=tcp:{port}:interface=127.0.0.1"
        program = self.enter(running(self.command(listen, *words, **options), self.folder))
        program.wait_for_port(port)
        return program, f"http://127.0.0.1:{port}"

    def enter(self, context: Any) -> Any:
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def ended(self, *words: str, **options: str) -> str:
        """What a server that cannot serve has to say."""
        program = self.enter(running(self.command(*words, **options), self.folder))
        self.assertEqual(program.wait(), 1)
        (line,) = program.stderr.splitlines()
        self.assertNotIn("Traceback", program.stdout)
        self.assertTrue(line.startswith("twistd tornado: "), line)
        return line.partition(": ")[2]

    # -- what it serves ------------------------------------------------------------------

    def test_demo(self) -> None:
        """Without arguments it is the demonstration, and a signal ends it in good order."""
        program, url = self.started()
        self.assertEqual(fetch(url + "/hello"), "Hello, world\n")
        program.stop()
        self.assertEqual(program.stderr, "")
        self.assertIn("200 GET /hello (127.0.0.1)", program.stdout)
        self.assertNotIn("Traceback", program.stdout)

    def test_default_port(self) -> None:
        """Without ``--listen`` the port is 8888."""
        self.assertEqual(tap.DEFAULT_ENDPOINT, "tcp:8888")

    def test_app(self) -> None:
        """``app`` serves the user's application, errors without their tracebacks."""
        _, url = self.started("app", "tap_sample:make_app")
        self.assertEqual(fetch(url, **{"X-Real-IP": "192.0.2.7"}), "http 127.0.0.1")
        error = self.assertRaises(urllib.error.HTTPError, fetch, url + "/broken")
        self.assertNotIn("the secret", str(error.read()))
        error.close()

    def test_xheaders(self) -> None:
        """``--xheaders`` believes a proxy."""
        _, url = self.started("--xheaders", "app", "tap_sample:make_app")
        headers = {"X-Real-IP": "192.0.2.7", "X-Forwarded-Proto": "https"}
        self.assertEqual(fetch(url, **headers), "https 192.0.2.7")

    def test_static(self) -> None:
        """``static`` serves the files of a folder."""
        site = self.folder / "site"
        site.mkdir()
        (site / "index.html").write_text("the index")
        (site / "other.txt").write_text("another file")
        _, url = self.started("static", "site")
        self.assertEqual(fetch(url + "/"), "the index")
        self.assertEqual(fetch(url + "/other.txt"), "another file")
        error = self.assertRaises(urllib.error.HTTPError, fetch, url + "/../tap_sample.py")
        self.assertIn(error.code, (403, 404))
        error.close()

    def test_wsgi(self) -> None:
        """``wsgi`` serves a WSGI application."""
        _, url = self.started("wsgi", "tap_sample:wsgi")
        self.assertEqual(fetch(url + "/some/path"), "/some/path")

    def test_several_endpoints(self) -> None:
        """Each ``--listen`` is served, of whatever kind."""
        path = os.path.relpath(self.folder / "socket")
        self.assertLess(len(path), 100)
        _, url = self.started("--listen=unix:socket", "app", "tap_sample:make_app")
        self.assertEqual(fetch(url), "http 127.0.0.1")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LIMIT)
            client.connect(path)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with client.makefile("rb") as file:
                self.assertTrue(file.read().endswith(b"\r\n\r\nhttp 0.0.0.0"))

    def test_tls(self) -> None:
        """An endpoint with TLS is served as ``https``."""
        port = free_port()
        files = AsyncHTTPSTestCase.default_ssl_options()
        listen = f"ssl:{port}:interface=127.0.0.1:privateKey={files['keyfile']}"
        listen += f":certKey={files['certfile']}"
        _, url = self.started(f"--listen={listen}", "app", "tap_sample:make_app")
        fetch(url)  # by then the other port is open, too
        context = ssl.create_default_context(cafile=files["certfile"])
        context.check_hostname = False
        with (
            socket.create_connection(("127.0.0.1", port), LIMIT) as plain,
            context.wrap_socket(plain) as client,
        ):
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with client.makefile("rb") as file:
                self.assertTrue(file.read().endswith(b"\r\n\r\nhttps 127.0.0.1"))

    def test_debug(self) -> None:
        """``--debug`` shows tracebacks, and starts anew when a module changes."""
        program, url = self.started("--debug", "app", "tap_sample:make_app")
        error = self.assertRaises(urllib.error.HTTPError, fetch, url + "/broken")
        self.assertIn("the secret", str(error.read()))
        error.close()
        changed = MODULE + "\nHello.get = lambda self: self.write('changed')\n"
        body = ""
        while body != "changed":
            # Again and again: the first state that it sees is what it compares with.
            changed += "#"
            self.write("tap_sample.py", changed)
            self.assertIsNone(program.process.poll(), program.stderr)
            with contextlib.suppress(OSError):
                body = fetch(url)
            time.sleep(0.1)
        self.assertIn("tap_sample.py modified; restarting server", program.stdout)
        program.stop()
        self.assertNotIn("Traceback", program.stderr)

    # -- how it ends ---------------------------------------------------------------------

    def test_stop_with_requests(self) -> None:
        """When it stops, a short request is answered; one without an end is cut off."""
        self.check_stop("epoll" if sys.platform.startswith("linux") else "select")

    def test_stop_with_requests_on_asyncio(self) -> None:
        """So it is under the asyncio reactor."""
        self.check_stop("asyncio")

    def check_stop(self, reactor: str) -> None:
        self.write("slow.py", SLOW)
        program, url = self.started("--grace=0.5", "app", "slow:app", reactor=reactor)
        port = int(url.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as short,
            socket.create_connection(("127.0.0.1", port)) as endless,
        ):
            short.sendall(b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n")
            endless.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            while program.stdout.count("has begun") < 2:
                self.assertIsNone(program.process.poll(), program.stderr)
                time.sleep(0.02)
            program.process.send_signal(signal.SIGTERM)
            with short.makefile("rb") as file:
                answer = file.read()
            self.assertIn(b"\r\nConnection: close\r\n", answer)
            self.assertTrue(answer.endswith(b"done"))
            with endless.makefile("rb") as file:
                lines = file.read()
            self.assertIn(b"tick", lines)
            self.assertFalse(lines.endswith(b"0\r\n\r\n"))
        program.wait()
        self.assertEqual(program.stderr, "")

    def test_cannot_serve_on_epoll(self) -> None:
        """Mistakes are told in one line, under the epoll reactor."""
        self.check_mistakes("epoll")

    def test_cannot_serve_on_asyncio(self) -> None:
        """Mistakes are told in one line, under the asyncio reactor."""
        self.check_mistakes("asyncio")

    def check_mistakes(self, reactor: str) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            for words, reason in {
                ("app", "nosuch:app"): "cannot import 'nosuch'",
                ("app", "tap_sample:raises"): "tap_sample:raises raised ValueError: no good",
                ("--listen=nosuch:1",): "'nosuch:1' is no endpoint",
                (f"--listen={port}",): f"cannot listen on {port}: Address already in use",
            }.items():
                self.assertIn(reason, self.ended(*words, reactor=reactor, pidfile="--pidfile=pid"))
                self.assertFalse((self.folder / "pid").exists())

    def test_pid_file(self) -> None:
        """The process's number is noted while it runs, and not longer."""
        program, url = self.started(pidfile="--pidfile=pid")
        fetch(url)  # signals are handled only when the reactor runs
        self.assertEqual((self.folder / "pid").read_text(), str(program.process.pid))
        program.stop()
        self.assertFalse((self.folder / "pid").exists())

    def test_in_the_background(self) -> None:
        """Without ``--nodaemon`` the command itself still tells that a port is in use."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            words = [twistd(), "--pidfile=pid", "--logfile=log", "tornado", f"--listen={port}"]
            program = self.enter(running(words, self.folder))
            self.assertEqual(program.wait(), 1)
        self.assertIn(f"cannot listen on {port}: Address already in use", program.stderr)
        self.assertFalse((self.folder / "pid").exists())


SLOW = """
import asyncio
from txtornado.web import Application, RequestHandler

class Short(RequestHandler):
    async def get(self):
        print("short has begun")
        while not self.settings["server"]().closing:
            await asyncio.sleep(0.01)
        self.write("done")

class Endless(RequestHandler):
    async def get(self):
        print("endless has begun")
        while True:
            self.write("tick")
            await self.flush()
            await asyncio.sleep(0.01)

class Closing:
    closing = False

def app():
    from twisted.internet import reactor

    state = Closing()
    reactor.addSystemEventTrigger("before", "shutdown", setattr, state, "closing", True)
    return Application([("/short", Short), ("/endless", Endless)], server=lambda: state)
"""
