"""The programs in ``demos`` that have no tests of their own."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import LIMIT, ROOT, fetch, free_port, running


class DemosTests(SynchronousTestCase):
    """Each is started, and does what it is there for."""

    def test_tcpecho(self) -> None:
        """The echo server sends lines back, and goes on when a client has left."""
        port = free_port()
        command = [sys.executable, str(ROOT / "demos/tcpecho/tcpecho.py")]
        with running(command, Path(self.mktemp()), PORT=str(port)) as program:
            program.wait_for_port(port)
            for _ in range(2):
                with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
                    client.sendall(b"one\ntwo\nthr")
                    with client.makefile("rb") as file:
                        self.assertEqual([file.readline(), file.readline()], [b"one\n", b"two\n"])
            program.stop()
            self.assertNotIn("Traceback", program.stderr)

    def test_mixed(self) -> None:
        """Each way of waiting comes to the same result."""
        port = free_port()
        command = [sys.executable, str(ROOT / "demos/mixed/mixed.py")]
        with running(command, Path(self.mktemp()), PORT=str(port)) as program:
            program.wait_for_port(port)
            lines = fetch(f"http://127.0.0.1:{port}/?host=127.0.0.1").splitlines()
            program.stop()
        expected = [f"{way}: 127.0.0.1" for way in ("twisted", "tornado", "asyncio")]
        self.assertEqual(lines, expected)
