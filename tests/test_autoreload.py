"""Tests for `txtornado.autoreload`.

Restarts happen in processes of their own: a script that changes a file (or itself) and says on
its standard output how far it came.
"""

import os
import signal
import subprocess
import sys
import textwrap
import time
import types
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.processes import once
from txtornado import autoreload
from txtornado.ioloop import IOLoop

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(autoreload.__file__)))


class Tree:
    """A directory with files, whose times of modification are set by hand."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        os.makedirs(self.path)
        self.time = 1_000_000_000

    def __call__(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text=""):
        path = self(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(textwrap.dedent(text))
        self.time += 10
        os.utime(path, (self.time, self.time))
        return path


class WatcherTests(SynchronousTestCase):
    def setUp(self):
        self.tree = Tree(self.mktemp())
        self.watcher = autoreload._Watcher()
        self.modules = {}
        self.patch(autoreload, "sys", types.SimpleNamespace(modules=self.modules))
        self.errors = []
        self.patch(autoreload.gen_log, "error", lambda text, *args: self.errors.append(text % args))

    def module(self, name, text="a = 1"):
        path = self.tree.write(name + ".py", text)
        self.modules[name] = types.ModuleType(name)
        self.modules[name].__file__ = path
        return path

    def test_nothing_changed(self):
        """Files that stay as they are when first seen have not changed."""
        self.module("a")
        self.assertIsNone(self.watcher.changed())
        self.assertIsNone(self.watcher.changed())

    def test_module_changed(self):
        """A module whose source was saved again is named, once."""
        self.module("a")
        path = self.module("b")
        self.watcher.changed()
        self.tree.write("b.py", "a = 2")
        self.assertEqual(self.watcher.changed(), path)
        self.assertIsNone(self.watcher.changed())

    def test_same_time(self):
        """A change within the resolution of the file system's clock shows in the size."""
        path = self.module("a", "a = 1")
        self.watcher.changed()
        with open(path, "w") as f:
            f.write("a = 12345")
        os.utime(path, (self.tree.time, self.tree.time))
        self.assertEqual(self.watcher.changed(), path)

    def test_new_module(self):
        """A module that was imported since is watched from then on."""
        self.module("a")
        self.watcher.changed()
        path = self.module("b")
        self.assertIsNone(self.watcher.changed())
        self.tree.write("b.py", "a = 3")
        self.assertEqual(self.watcher.changed(), path)

    def test_odd_modules(self):
        """Modules without a file, and what is no module, are passed over untouched."""

        class Lazy:
            def __getattr__(self, name):
                raise AssertionError("touched")

        self.modules["lazy"] = Lazy()
        self.modules["none"] = None
        self.modules["builtin"] = types.ModuleType("builtin")
        self.modules["namespace"] = types.ModuleType("namespace")
        self.modules["namespace"].__file__ = None
        self.modules["zip"] = types.ModuleType("zip")
        self.modules["zip"].__file__ = "/no/such.zip/module.py"
        self.assertIsNone(self.watcher.changed())

    def test_extra_file(self):
        """Any file can be watched, also one that is not there yet."""
        path = self.tree("page.html")
        self.watcher.extra.add(path)
        self.assertIsNone(self.watcher.changed())
        self.tree.write("page.html", "{% if %}")
        self.assertIsNone(self.watcher.changed())
        self.tree.write("page.html", "{{ x }}")
        self.assertEqual(self.watcher.changed(), path)

    def test_vanished_file(self):
        """A file that is away for a moment (an editor saves it) has not changed yet."""
        path = self.module("a")
        self.watcher.changed()
        os.remove(path)
        self.assertIsNone(self.watcher.changed())
        self.tree.write("a.py")
        self.assertEqual(self.watcher.changed(), path)

    def test_directory(self):
        """A directory stands for the files below it."""
        self.tree.write("templates/a.html")
        path = self.tree.write("templates/deep/b.css")
        self.watcher.extra.add(self.tree("templates"))
        self.watcher.changed()
        self.tree.write("templates/deep/b.css", "x")
        self.assertEqual(self.watcher.changed(), path)

    def test_syntax_error(self):
        """A source that does not compile is reported, and holds the restart up until it does."""
        self.module("a")
        other = self.module("b")
        self.watcher.changed()
        self.tree.write("a.py", "a = = 1")
        self.assertIsNone(self.watcher.changed())
        self.assertEqual(len(self.errors), 1)
        self.assertIn("a.py modified, but not restarting", self.errors[0])
        self.assertIn("SyntaxError", self.errors[0])
        self.assertIsNone(self.watcher.changed())
        self.assertEqual(len(self.errors), 1)
        self.tree.write("b.py", "b = 2")
        self.assertIsNone(self.watcher.changed())
        self.tree.write("a.py", "a = 5")
        self.assertIn(self.watcher.changed(), (self.tree("a.py"), other))

    def test_not_even_text(self):
        """Rubbish in a source file is a syntax error like any other."""
        path = self.module("a")
        self.watcher.changed()
        with open(path, "wb") as f:
            f.write(b"a\x00\xff")
        self.assertIsNone(self.watcher.changed())
        self.assertEqual(len(self.errors), 1)


class StartTests(SynchronousTestCase):
    """Of the part that runs on a loop."""

    def setUp(self):
        self.loop = IOLoop(make_current=False)
        self.addCleanup(self.loop.close)
        self.patch(autoreload, "_checks", type(autoreload._checks)())
        self.made = []

        class FakeCheck:
            running = False

            def __init__(fake, callback, interval, io_loop):
                fake.callback, fake.interval, fake.io_loop = callback, interval, io_loop
                self.made.append(fake)

            def start(fake):
                fake.running = True

            def stop(fake):
                fake.running = False

        self.patch(autoreload, "PeriodicCallback", FakeCheck)

    def test_forms(self):
        """The loop and the time are told apart in every order that there was."""
        for args, kwargs, interval in (
            ((self.loop,), {}, 500),
            ((self.loop, 300), {}, 300),
            ((300, self.loop), {}, 300),
            ((None, 300), {}, 300),
            ((), {"io_loop": self.loop, "check_time": 200}, 200),
            ((), {"io_loop": None}, 500),
            ((), {}, 500),
        ):
            self.patch(IOLoop, "current", staticmethod(lambda instance=True: self.loop))
            autoreload.start(*args, **kwargs)
            check = self.made.pop()
            self.assertIs(check.io_loop, self.loop)
            self.assertEqual((check.interval, check.running), (interval, True))
            autoreload.stop(self.loop)
            self.assertFalse(check.running)

    def test_twice(self):
        """A loop is watched once, whoever starts it."""
        autoreload.start(io_loop=self.loop)
        autoreload.start(io_loop=self.loop)
        self.assertEqual(len(self.made), 1)

    def test_second_loop(self):
        """A second loop in the process is worth a warning."""
        other = IOLoop(make_current=False)
        self.addCleanup(other.close)
        autoreload.start(io_loop=self.loop)
        with self.assertLogs("tornado.general", "WARNING"):
            autoreload.start(io_loop=other)

    def test_stop_without_start(self):
        """Stopping what was never started does nothing."""
        autoreload.stop(self.loop)

    def test_check(self):
        """A change found on the loop restarts the process; none does not."""
        restarts = []
        self.patch(autoreload, "_reload", lambda: restarts.append(1))
        autoreload.start(io_loop=self.loop)
        changes = iter([None, "x.py"])
        self.patch(autoreload._watcher, "changed", lambda: next(changes))
        self.made[0].callback()
        self.assertEqual(restarts, [])
        with self.assertLogs("tornado.general", "INFO") as logs:
            self.made[0].callback()
        self.assertEqual(restarts, [1])
        self.assertIn("x.py modified; restarting server", logs.output[0])

    def test_wait(self):
        """wait() looks, sleeps and looks again, until there is a change."""
        clock = Clock()
        self.patch(time, "sleep", clock.advance)
        looks = iter([None, None, "x.py"])
        self.patch(autoreload._watcher, "changed", lambda: next(looks))

        class Restarted(Exception):
            pass

        self.patch(autoreload, "_reload", mock.Mock(side_effect=Restarted))
        self.assertRaises(Restarted, autoreload.wait)
        self.assertEqual(clock.seconds(), 1.0)

    def test_watch(self):
        """A relative path is meant from where the program is at the time."""
        self.patch(autoreload._watcher, "extra", set())
        autoreload.watch("x.html")
        self.assertEqual(autoreload._watcher.extra, {os.path.abspath("x.html")})


class ReloadTests(SynchronousTestCase):
    def setUp(self):
        self.executed = []
        self.patch(os, "execv", lambda path, args: self.executed.append((path, args)))
        self.patch(os, "chdir", lambda path: None)
        self.patch(autoreload, "_hooks", [])

    def test_command(self):
        """The same interpreter runs with the same options and arguments."""
        self.patch(sys, "orig_argv", ["python3", "-u", "-X", "dev", "-m", "app", "--port=1"])
        autoreload._reload()
        self.assertEqual(
            self.executed,
            [(sys.executable, [sys.executable, "-u", "-X", "dev", "-m", "app", "--port=1"])],
        )

    def test_hooks(self):
        """Hooks run in order before; one that fails is logged and stops nothing."""
        called = []
        autoreload.add_reload_hook(lambda: called.append(1))
        autoreload.add_reload_hook(lambda: 1 / 0)
        autoreload.add_reload_hook(lambda: called.append(self.executed[:]))
        with self.assertLogs("tornado.general", "ERROR") as logs:
            autoreload._reload()
        self.assertIn("ZeroDivisionError", logs.output[0])
        self.assertEqual(called, [1, []])
        self.assertEqual(len(self.executed), 1)

    def test_timer(self):
        """A timer, which would survive without its handler, is switched off."""
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 1000)
        autoreload._reload()
        self.assertEqual(signal.getitimer(signal.ITIMER_REAL), (0.0, 0.0))

    def pid_file(self, content, *arguments):
        path = self.mktemp()
        with open(path, "w") as f:
            f.write(content)
        self.patch(sys, "argv", ["twistd", *(a.format(path) for a in arguments)])
        autoreload._reload()
        return os.path.exists(path)

    def test_pid_file(self):
        """twistd's note of its process id is removed: the next twistd has the same id."""
        own = str(os.getpid())
        self.assertFalse(self.pid_file(own, "-n", "--pidfile={}"))
        self.assertFalse(self.pid_file(own, "--pidfile", "{}", "-n"))

    def test_foreign_pid_file(self):
        """What is not this process's note stays."""
        self.assertTrue(self.pid_file("1", "--pidfile={}"))
        self.assertTrue(self.pid_file("nonsense", "--pidfile={}"))
        self.assertTrue(self.pid_file(str(os.getpid())))
        self.pid_file("", "--pidfile=")


@once("the programs run in processes of their own")
class ProcessTests(SynchronousTestCase):
    """Whole programs."""

    def setUp(self):
        self.tree = Tree(self.mktemp())

    def run_program(self, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        path = os.pathsep.join(filter(None, [ROOT, *sys.path]))
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.tree.path,
            env={**environment, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def assertOutput(self, arguments, expected):
        run = self.run_program(*arguments)
        self.assertEqual((run.stdout, run.returncode), (expected, 0), run.stderr)

    #: Changes the file "part.py" in the first run, ends in the second.
    EDIT = """
        import os, sys
        import part
        print(part.value, *sys.argv[1:], flush=True)
        if part.value == 2:
            os._exit(0)  # past the wrapper
        with open("part.py", "w") as f:
            f.write("value = 1 + 1")
        """

    def test_on_the_loop(self):
        """A server restarts, with its arguments, when a module of its changes."""
        self.tree.write("part.py", "value = 1")
        self.tree.write(
            "main.py",
            """
            import sys
            from txtornado import autoreload
            from txtornado.ioloop import IOLoop
            import part

            def edit():
                with open("part.py", "w") as f:
                    f.write("value = 1 + 1")

            loop = IOLoop.current()
            print(part.value, *sys.argv[1:], sys.flags.optimize)
            if part.value == 1:
                autoreload.add_reload_hook(lambda: print("hook"))
                autoreload.start(check_time=10)
                autoreload._watcher.changed()
                loop.add_callback(edit)
                loop.start()
            """,
        )
        self.assertOutput(["-O", "main.py", "--x", "y"], "1 --x y 1\nhook\n2 --x y 1\n")

    def test_wait(self):
        """wait() at the end of a script runs it again after a change."""
        self.tree.write("part.py", "value = 1")
        self.tree.write("main.py", textwrap.dedent(self.EDIT) + WAIT)
        self.assertOutput(["main.py", "a"], "1 a\n2 a\n")

    def test_wrapper_with_file(self):
        """The wrapper runs a file again when it has ended and a module of it changes."""
        self.tree.write("part.py", "value = 1")
        self.tree.write("main.py", textwrap.dedent(self.EDIT) + SEEN)
        self.assertOutput(["-m", "txtornado.autoreload", "main.py", "-m", "x"], "1 -m x\n2 -m x\n")

    def test_wrapper_with_module(self):
        """The wrapper runs a package's __main__ as Python does."""
        self.tree.write("app/__init__.py")
        self.tree.write(
            "app/__main__.py",
            """
            import os, sys
            print(__name__, __spec__.name, sys.argv[1:], os.path.basename(sys.argv[0]))
            print(sys.modules["__main__"].__dict__ is globals())
            """,
        )
        expected = "__main__ app.__main__ ['--x'] __main__.py\nTrue\n"
        self.assertOutput(["-m", "app", "--x"], expected)
        self.assertOutput(
            ["-m", "txtornado.autoreload", "--until-success", "-m", "app", "--x"], expected
        )

    def test_wrapper_survives_a_syntax_error(self):
        """A module that does not compile is reported; the wrapper waits for it to be mended."""
        self.tree.write("broken.py", "a = = 1")
        self.tree.write(
            "main.py",
            """
            from txtornado import autoreload

            def mend():
                with open("broken.py", "w") as f:
                    f.write("print('mended')")

            real = autoreload._watcher.changed
            looks = []

            def changed():
                if len(looks) == 1:
                    mend()
                looks.append(1)
                return real()

            autoreload._watcher.changed = changed
            import broken
            """,
        )
        run = self.run_program("-m", "txtornado.autoreload", "--until-success", "main.py")
        self.assertEqual((run.stdout, run.returncode), ("mended\n", 0), run.stderr)
        self.assertIn("SyntaxError", run.stderr)

    def test_until_success(self):
        """With --until-success an exit with status 0 ends the wrapper, another does not."""
        self.tree.write("part.py", "value = 1")
        self.tree.write(
            "main.py",
            textwrap.dedent(self.EDIT).replace("os._exit(0)", "sys.exit(0)")
            + SEEN
            + "sys.exit('not yet')\n",
        )
        run = self.run_program("-m", "txtornado.autoreload", "--until-success", "main.py")
        self.assertEqual((run.stdout, run.returncode), ("1\n2\n", 0), run.stderr)
        self.assertEqual(run.stderr.strip(), "not yet")

    def test_wrapper_is_one_module(self):
        """The script that imports autoreload gets the wrapper's own module."""
        self.tree.write(
            "main.py",
            "import sys, txtornado.autoreload as a\nprint(a._watcher.extra == {__file__})",
        )
        self.assertOutput(
            ["-m", "txtornado.autoreload", "--until-success", self.tree("main.py")], "True\n"
        )

    def test_twistd(self):
        """Under twistd a restart finds no other server in the way, and the stop is clean."""
        self.tree.write("part.py", "value = 1")
        self.tree.write(
            "app.tac",
            """
            import os
            import part
            from twisted.application import service
            from txtornado import autoreload
            from txtornado.ioloop import IOLoop

            class Edit(service.Service):
                def startService(self):
                    print("run", part.value, os.path.exists("twistd.pid"), flush=True)
                    loop = IOLoop.current()
                    autoreload.start(check_time=10)
                    if part.value == 1:
                        autoreload._watcher.changed()
                        loop.add_callback(self.edit)
                    else:
                        loop.add_callback(loop.reactor.stop)

                def edit(self):
                    with open("part.py", "w") as f:
                        f.write("value = 1 + 1")

                def stopService(self):
                    print("stopped", flush=True)

            application = service.Application("edit")
            Edit().setServiceParent(application)
            """,
        )
        run = self.run_program("-c", TWISTD, "-noy", "app.tac", "--logfile=log")
        self.assertEqual((run.stderr, run.returncode), ("", 0))
        with open(self.tree("log")) as f:
            log = f.read()
        said = [line.rpartition("] ")[2] for line in log.splitlines() if "stdout" in line]
        self.assertEqual(said, ["run 1 True", "run 2 True", "stopped"], log)
        self.assertNotIn("Traceback", log)
        self.assertFalse(os.path.exists(self.tree("twistd.pid")))

    def test_wrapper_usage(self):
        """Without a script the wrapper says how it is used, and fails."""
        for arguments in ([], ["-m"], ["--until-success"], ["--nonsense"]):
            run = self.run_program("-m", "txtornado.autoreload", *arguments)
            self.assertEqual(run.returncode, 1)
            self.assertTrue(run.stderr.startswith("Usage:"), run.stderr)


#: Has the state before the edit seen, whatever the clock of the file system.
SEEN = textwrap.dedent("""
    from txtornado import autoreload
    autoreload._watcher._seen[os.path.abspath("part.py")] = (0, 0, 0)
    """)
TWISTD = "from twisted.scripts.twistd import run; run()"
WAIT = SEEN + "autoreload.wait()\n"
