"""Hello, world, in each of the ways in which a server can be started."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import ROOT, fetch, free_port, once, running, twistd

HELLO = ROOT / "demos" / "helloworld"
HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None

#: Sets uvloop's policy, as its users do, and then runs the program whose name follows.
ON_UVLOOP = """
import runpy, sys, warnings
warnings.simplefilter("ignore")
import asyncio, uvloop

class Policy(uvloop.EventLoopPolicy):
    def new_event_loop(self):
        print("made by uvloop", flush=True)
        return super().new_event_loop()

asyncio.set_event_loop_policy(Policy())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@once("the programs choose their reactors")
class FourWaysTests(SynchronousTestCase):
    """Each program of ``demos/helloworld`` is started, fetched from and ended."""

    def serves(self, *command: str, port: int | None = None) -> str:
        port = port or free_port()
        here = Path(self.mktemp())
        with running(list(command), here, cwd=HELLO, PORT=str(port)) as program:
            program.wait_for_port(port)
            self.assertEqual(fetch(f"http://127.0.0.1:{port}/"), "Hello, world")
            program.stop()
            self.assertNotIn("Traceback", program.stderr)
        return program.stdout

    def serves_with_twistd(self, *options: str) -> None:
        port = free_port()
        listen = f"--listen=tcp:{port}:interface=127.0.0.1"
        command = [twistd(), "--nodaemon", "--pidfile=", *options, "tornado", listen]
        self.serves(*command, "app", "hello:make_app", port=port)

    def test_ioloop_start(self) -> None:
        """``IOLoop.instance().start()``, as in Tornado's first documentation."""
        self.serves(sys.executable, "ioloop_start.py")

    def test_asyncio_run(self) -> None:
        """``asyncio.run(main())``, as in Tornado 6's."""
        self.serves(sys.executable, "asyncio_run.py")

    def test_reactor_run(self) -> None:
        """``reactor.run()``, with the server on a port of Twisted's."""
        self.serves(sys.executable, "reactor_run.py")

    def test_twistd(self) -> None:
        """``twistd``, on its default reactor."""
        self.serves_with_twistd()

    def test_twistd_on_asyncio(self) -> None:
        """``twistd --reactor=asyncio``."""
        self.serves_with_twistd("--reactor=asyncio")

    def test_twistd_on_select(self) -> None:
        """``twistd --reactor=select``."""
        self.serves_with_twistd("--reactor=select")

    def test_twistd_on_poll(self) -> None:
        """``twistd --reactor=poll``."""
        self.serves_with_twistd("--reactor=poll")

    def test_twistd_on_epoll(self) -> None:
        """``twistd --reactor=epoll``."""
        self.serves_with_twistd("--reactor=epoll")

    def test_ioloop_start_on_uvloop(self) -> None:
        """``IOLoop.instance().start()`` on uvloop's loop, where its policy is set."""
        output = self.serves(sys.executable, "-c", ON_UVLOOP, "ioloop_start.py")
        self.assertEqual(output, "made by uvloop\n")

    def test_asyncio_run_on_uvloop(self) -> None:
        """``asyncio.run(main())`` on uvloop's loop."""
        output = self.serves(sys.executable, "-c", ON_UVLOOP, "asyncio_run.py")
        self.assertEqual(output, "made by uvloop\n")

    if not sys.platform.startswith("linux"):
        test_twistd_on_epoll.skip = "epoll is Linux's"  # type: ignore[attr-defined]
    if not HAS_UVLOOP:
        test_ioloop_start_on_uvloop.skip = "uvloop is not installed"  # type: ignore[attr-defined]
        test_asyncio_run_on_uvloop.skip = "uvloop is not installed"  # type: ignore[attr-defined]
