"""Programs that use packages which depend on Tornado: they do the same on both."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.applications.comparison import compare
from tests.processes import once

PROGRAMS = Path(__file__).with_name("programs")


@once("the programs choose theirs")
class ProgramTests(SynchronousTestCase):
    """Each program of ``programs``."""

    def check(self, name: str, *expected: str) -> None:
        """What a program says of its results is this, on both sides."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        for how, output in compare(folder, folder, str(PROGRAMS / f"{name}.py")).items():
            said = [line[7:] for line in output.splitlines() if line.startswith("RESULT ")]
            self.assertEqual(said, list(expected), f"{how}:\n{output}")

    def test_bokeh(self) -> None:
        """Bokeh: a page, and a session over a WebSocket in which a callback runs on the server."""
        self.check("bokeh_session", "page: 200 True", "slider: 1", "label: 1 -> 7")

    def test_dask(self) -> None:
        """Dask: a scheduler, workers and a client over WebSockets, with messages of megabytes."""
        self.check(
            "dask_cluster",
            "sum: 2646700",
            "moved: 3000000",
            "scattered: 3000000",
            "error: division by zero",
        )

    def test_sockjs(self) -> None:
        """sockjs-tornado: an echo by WebSocket and by long polling."""
        self.check(
            "sockjs_echo",
            "open: 127.0.0.1",
            "websocket: o",
            'websocket: a["hello"]',
            "closed",
            "info: True",
            "open: 127.0.0.1",
            "poll: b'o\\n'",
            "poll: b'a[\"polled\"]\\n'",
        )

    def test_livereload(self) -> None:
        """livereload: a page with its script in it, and word of a change by WebSocket."""
        self.check(
            "livereload_site", "page: 200 True", "script: 200 True", "hello: hello", "news: reload"
        )
