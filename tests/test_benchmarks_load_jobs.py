"""The jobs of the benchmarks that use the load generator: that they measure at all."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Sequence

from twisted.trial.unittest import SkipTest

from tests.conversations import LoadTestCase, load
from tests.processes import once

# isort: split
from benchmarks._model import Contestant, Effort, Job
from benchmarks._processes import processors
from benchmarks.jobs import clients, coroutines, idle, streams, websockets
from benchmarks.load import check

#: What a contestant's name does not say about what it imports.
MODULES = {"starlette": ("starlette", "uvicorn"), "twisted.web": (), "twisted": (), "asyncio": ()}


def missing(contestant: str) -> list[str]:
    """The modules that this interpreter has not, and the contestant needs."""
    names = MODULES.get(contestant, (contestant,))
    return [name for name in names if importlib.util.find_spec(name) is None]


@once("the contestants run in processes of their own")
class JobTests(LoadTestCase):
    """Short measurements, of which only that they succeed is looked at."""

    def setUp(self) -> None:
        super().setUp()
        here, there = processors()
        self.effort = Effort(seconds=0.05, share=0.01, server_cpu=here, load_cpu=there)

    def measure(self, job: Job, contestant: str = "txtornado") -> None:
        found = job.measure(Contestant(contestant, sys.executable), self.effort)
        for figure in job.figures:
            # So few connections may do with the memory that is there.
            least = -1e6 if figure.name == "memory" else 0
            self.assertGreater(found[figure.name], least, f"{job.name} {contestant} {figure.name}")

    def measure_all(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self.assertEqual(job.contestants[0], "txtornado")
            self.measure(job)

    def measure_peers(self, job: Job) -> None:
        """Those of the job's peers that can be imported here."""
        peers: Sequence[str] = [name for name in job.contestants[1:] if not missing(name)]
        if not peers:
            raise SkipTest(f"none of {', '.join(job.contestants[1:])} is installed")
        for name in peers:
            self.measure(job, name)

    def test_streams(self) -> None:
        """Lines and bulk come over plain streams."""
        self.measure_all(job for job in streams.JOBS if not job.name.endswith("-tls"))
        self.measure_peers(streams.JOBS[0])

    def test_secure_streams(self) -> None:
        """Lines and bulk come through TLS."""
        if not load.has_tls():
            raise SkipTest("OpenSSL's header files are not installed (libssl-dev)")
        self.measure_all(job for job in streams.JOBS if job.name.endswith("-tls"))
        self.measure_peers(streams.JOBS[4])

    def test_no_tls(self) -> None:
        """Where the load generator has no TLS, those jobs say what to install."""
        self.patch(load, "has_tls", lambda: False)
        error = self.assertRaises(RuntimeError, self.measure, streams.JOBS[4])
        self.assertIn("libssl-dev", str(error))

    def test_websockets(self) -> None:
        """Messages are echoed, compressed, broadcast, and timed."""
        self.measure_all(websockets.JOBS)

    def test_websocket_peers(self) -> None:
        """Peers echo and broadcast as well."""
        for job in websockets.JOBS:
            if job.name in ("websocket-deflate", "broadcast"):
                self.measure_peers(job)

    def test_idle(self) -> None:
        """Idle connections are kept by everybody."""
        for job in idle.JOBS:
            self.measure(job)
            self.measure_peers(job)

    def test_clients(self) -> None:
        """The clients ask."""
        self.measure(clients.JOBS[0])
        self.measure_peers(clients.JOBS[0])
        self.measure(clients.JOBS[1])

    def test_curl_client(self) -> None:
        """So does the one that is on libcurl, where that is there."""
        if missing("pycurl"):
            raise SkipTest("pycurl is not installed")
        self.measure(clients.JOBS[2])

    def test_coroutines(self) -> None:
        """Coroutines, queues, locks and contexts are measured."""
        self.measure_all(coroutines.JOBS)

    def test_check(self) -> None:
        """The load's own speed is told for each kind of load, beside a contestant's."""
        contestants = [Contestant("txtornado", sys.executable)]
        speeds = list(check.check(contestants, self.effort))
        expected = [(case.name, peer) for case in check.CASES for peer in ("C", "txtornado")]
        self.assertEqual([(speed.case, speed.peer) for speed in speeds], expected)
        self.assertTrue(all(speed.rate > 0 for speed in speeds))

    def test_table(self) -> None:
        """The table tells what an answer costs on either side, and what more could be asked."""
        speeds = [
            check.Speed("echo", "C", 9000, 0.9, 100, 50),
            check.Speed("echo", "slow", 3000, 0.25, 83, 332),
        ]
        _, first, second = check.table(speeds)
        self.assertEqual(first.split(), ["echo", "C", "9,000", "90%", "100.00", "50.00", "0.5x"])
        self.assertEqual(second.split(), ["slow", "3,000", "25%", "83.00", "332.00", "4.0x"])
