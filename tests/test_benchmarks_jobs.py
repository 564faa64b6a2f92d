"""The benchmarks' programs: child processes, HTTP servers, and the jobs that load these."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import shutil
import sys
import textwrap
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.conversations import LoadTestCase
from tests.processes import once

# isort: split
from benchmarks import _peers, _processes, _rounds, _wrk
from benchmarks._model import Contestant, Effort, Figure, Job, Result
from benchmarks.jobs import _http, all_jobs, growth, http, latency, startup, templates

REASON = "it runs programs in processes of their own"


@once(REASON)
class ProcessTests(SynchronousTestCase):
    """Programs as child processes."""

    def setUp(self) -> None:
        here, there = _processes.processors()
        self.effort = Effort(server_cpu=here, load_cpu=there)

    def program(self, text: str) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_text(textwrap.dedent(text))
        return str(path)

    def serving(
        self, text: str, *arguments: str
    ) -> contextlib.AbstractContextManager[_processes.Server]:
        contestant = Contestant("fake", sys.executable)
        return _processes.server(contestant, self.program(text), *arguments, effort=self.effort)

    def assertGone(self, pid: int) -> None:
        """A process is not there, or is a corpse that init has not buried yet."""
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        self.assertIn(state, "ZX")

    WAITING = """
        import signal
        print(4711, flush=True)
        signal.pause()
    """

    def test_server(self) -> None:
        """A server has a port, processor time and memory, and is gone after the block."""
        with self.serving(self.WAITING) as running:
            self.assertEqual(running.port, 4711)
            self.assertGreater(running.resident(), 1 << 20)
            self.assertGreaterEqual(running.cpu_seconds(), 0)
            self.assertEqual(os.sched_getaffinity(running.pid), {self.effort.server_cpu})
        self.assertGone(running.pid)

    def test_arguments(self) -> None:
        """It gets its arguments, and finds the checkout's packages."""
        text = """
            import signal, sys, txtornado
            print(sys.argv[1], flush=True)
            signal.pause()
        """
        with self.serving(text, "815") as running:
            self.assertEqual(running.port, 815)

    def test_error_in_block(self) -> None:
        """It is gone also if the block ends with an error, or is interrupted."""
        for error in (ValueError, KeyboardInterrupt):
            with self.assertRaises(error), self.serving(self.WAITING) as running:
                raise error
            self.assertGone(running.pid)

    def test_processes_of_its_own(self) -> None:
        """Its own child processes count, and go with it, also if it leaves them behind."""
        text = """
            import os, signal
            if not os.fork():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                print(os.getpid(), flush=True)
            while True:
                signal.pause()
        """
        with self.serving(text) as running:
            child = running.port
            alone = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1])
            self.assertGreater(running.resident(), alone * os.sysconf("SC_PAGE_SIZE"))
        self.assertGone(running.pid)
        self.assertGone(child)

    def test_stubborn(self) -> None:
        """One that does not end when asked to is killed."""
        self.patch(_processes, "END_LIMIT", 0.1)
        text = """
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print(1, flush=True)
            while True:
                signal.pause()
        """
        with self.serving(text) as running:
            pass
        self.assertGone(running.pid)

    def test_failing(self) -> None:
        """One that ends at once is an error with the status and the end of what it said."""
        with (
            self.assertRaisesRegex(RuntimeError, "ended with status 1: .*no such luck"),
            self.serving("raise SystemExit('no such luck')"),
        ):
            self.fail("it did not listen")

    def test_nonsense(self) -> None:
        """One that says something else than a port is an error."""
        with (
            self.assertRaisesRegex(RuntimeError, "did not say its port"),
            self.serving("import signal\nprint('hello', flush=True)\nsignal.pause()"),
        ):
            self.fail("it did not listen")

    def test_silent(self) -> None:
        """One that says nothing in its time is an error, and gone."""
        self.patch(_processes, "START_LIMIT", 0.2)
        self.patch(_processes, "END_LIMIT", 0.1)
        with (
            self.assertRaisesRegex(RuntimeError, "did not say its port"),
            self.serving("import signal\nsignal.pause()"),
        ):
            self.fail("it did not listen")

    def test_no_interpreter(self) -> None:
        """An interpreter that is not there is a failure like others."""
        contestant = Contestant("fake", "/nowhere/python")
        with (
            self.assertRaises((RuntimeError, OSError)),
            _processes.server(contestant, "x.py", effort=self.effort),
        ):
            self.fail("it did not listen")

    def test_output(self) -> None:
        """A command's output comes back; failing and taking too long are errors."""
        python = [sys.executable, "-c"]
        self.assertEqual(_processes.output_of([*python, "print(1)"], limit=60), "1\n")
        with self.assertRaisesRegex(RuntimeError, "status 3"):
            _processes.output_of([*python, "raise SystemExit(3)"], limit=60)
        with self.assertRaisesRegex(RuntimeError, r"longer than 0\.2 s"):
            _processes.output_of([*python, "import signal; signal.pause()"], limit=0.2)

    def test_pinned_without_taskset(self) -> None:
        """Where there is no ``taskset``, Python pins."""
        self.patch(_processes.shutil, "which", lambda name: None)
        program = "import os; print(sorted(os.sched_getaffinity(0)))"
        cpus = sorted(os.sched_getaffinity(0))
        command = _processes.pinned([sys.executable, "-c", program], *cpus)
        self.assertEqual(_processes.output_of(command, limit=60), f"{cpus}\n")

    def test_variables(self) -> None:
        """Python's own variables are not handed on to those who are measured."""
        self.patch(os, "environ", {**os.environ, "PYTHONDEVMODE": "1", "HOME": "/home/ada"})
        found = _processes.environment({"MORE": "1"})
        self.assertNotIn("PYTHONDEVMODE", found)
        self.assertEqual((found["HOME"], found["MORE"]), ("/home/ada", "1"))
        self.assertTrue(Path(found["PYTHONPATH"], "txtornado").is_dir())


TINY = """
    import http.server, sys, threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/hang":
                threading.Event().wait()
            self.send_response(404 if self.path == "/gone" else 200)
            self.end_headers()
            self.wfile.write(b"tiny")

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
"""


@dataclasses.dataclass
class TinyJob:
    """One answer of a tiny server, of which ``paths`` says where each contestant is asked."""

    program: str
    paths: dict[str, str]
    name: str = "tiny"
    title: str = "Tiny"
    group: str = "Tests"
    figures: tuple[Figure, ...] = (Figure("rate", "requests/s"),)
    asked: list[str] = dataclasses.field(default_factory=list)

    @property
    def contestants(self) -> tuple[str, ...]:
        return tuple(self.paths)

    def measure(self, contestant: Contestant, effort: Effort) -> dict[str, float]:
        contestant = dataclasses.replace(contestant, python=sys.executable)
        with _processes.server(contestant, self.program, effort=effort) as running:
            self.asked.append(str(running.pid))
            request = _wrk.Request(self.paths[contestant.name])
            return {"rate": 1 / _http.check(running, request, _http.text("tiny"))}


@once(REASON)
class TinyTests(SynchronousTestCase):
    def test_failing_and_hanging(self) -> None:
        """A contestant with a wrong answer or none fails with a sentence; the others go on."""
        self.patch(_http, "ANSWER_LIMIT", 3.0)
        program = Path(self.mktemp()).absolute()
        program.write_text(textwrap.dedent(TINY))
        paths = {"txtornado": "/", "gone": "/gone", "hanging": "/hang", "last": "/"}
        job = TinyJob(str(program), paths)
        here, there = _processes.processors()
        found, effort = Result.of(job), Effort(server_cpu=here, load_cpu=there)
        _rounds.run(found, job, _rounds.chosen(job, "python", []), effort, 2)
        self.assertEqual(
            {name: len(each["rate"]) for name, each in found.values.items()},
            {"txtornado": 2, "last": 2},
        )
        self.assertIn("status 404", found.failures["gone"])
        self.assertIn("no answer to GET /hang", found.failures["hanging"])
        self.assertEqual(len(job.asked), 6)
        for pid in job.asked:
            self.assertFalse(os.path.exists(f"/proc/{pid}"))


class LoadTests(SynchronousTestCase):
    """What wrk is told, and what it says."""

    def test_script(self) -> None:
        """Whatever is in a header is one string of wrk's language."""
        request = _wrk.Request("/", "POST", {"X": 'a "b" \\ c'}, b"body")
        lines = _wrk.script(request, Path("/tmp/body")).splitlines()
        self.assertEqual(lines[0], 'wrk.method = "POST"')
        self.assertEqual(lines[1], 'wrk.headers["X"] = "a \\"b\\" \\\\ c"')
        self.assertEqual(lines[2], 'wrk.body = io.open("/tmp/body", "rb"):read("*a")')

    def test_read(self) -> None:
        """Rate and processor time for a request come from what it counted."""
        output = "  400 requests in 2.00s, 1MB read\nRequests/sec:    199.50\n"
        self.assertEqual(_wrk._read(output, 0.2, 0.5), _wrk.Throughput(199.5, 500, 0.5))

    def test_wrong_answers(self) -> None:
        """Wrong answers, broken connections and silence are errors."""
        counted = "400 requests in 2.00s\nRequests/sec: 200\n"
        for output, words in (
            (counted + "  Non-2xx or 3xx responses: 5\n", "Non-2xx"),
            (counted + "  Socket errors: connect 0, read 3, write 0, timeout 0\n", "read 3"),
            ("  0 requests in 2.00s\nRequests/sec: 0.00\n", "no answer"),
            ("", "no answer"),
        ):
            with self.assertRaisesRegex(RuntimeError, words):
                _wrk._read(output, 1, 1)


class JobTests(SynchronousTestCase):
    """The jobs as they are told, and that each contestant's servers give the right answers."""

    def setUp(self) -> None:
        here, there = _processes.processors()
        self.effort = Effort(seconds=0.05, share=0.01, server_cpu=here, load_cpu=there)

    def test_names(self) -> None:
        """Jobs have names of their own, ours comes first, and figures have names of their own."""
        jobs = all_jobs()
        names = [job.name for job in jobs]
        self.assertEqual(len(names), len(set(names)))
        for job in jobs:
            self.assertEqual(job.contestants[0], "txtornado", job.name)
            figures = [figure.name for figure in job.figures]
            self.assertEqual(len(figures), len(set(figures)), job.name)
            self.assertTrue(set(getattr(job, "needs", ())) <= set(_peers.PROGRAMS), job.name)

    def test_page(self) -> None:
        """The check of the template page takes no other page."""
        self.assertFalse(_http.page(b"<h1>Fifty &amp; one rows</h1>"))

    def test_checks(self) -> None:
        """The checks of bodies take the right ones only."""
        self.assertTrue(_http.text("a")(b"a"))
        self.assertFalse(_http.text("a")(b"b"))
        self.assertTrue(_http.json_value({"a": 1})(b'{ "a": 1 }'))
        self.assertFalse(_http.json_value({"a": 1})(b"not json"))

    def answers(self, name: str, *modules: str) -> None:
        for module in modules:
            if importlib.util.find_spec(module) is None:
                raise SkipTest(f"{name} is compared where {module} is installed")
        contestant = Contestant(name, sys.executable)
        with (
            _http.static_files() as folder,
            _http.serving(
                contestant, self.effort, "--static", str(folder), "--routes", "3"
            ) as running,
        ):
            for job in http.JOBS:
                if name in job.contestants and isinstance(job, http.HTTPJob):
                    _http.check(running, job.request, job.right)
            if name in _http.FRAMEWORKS:
                post = _wrk.Request("/body", "POST", {}, b"x" * 99)
                _http.check(running, post, _http.text("99"))
                _http.check(running, _wrk.Request("/section2/page"), _http.text("page"))

    @once(REASON)
    def test_txtornado(self) -> None:
        """txtornado's server answers every request as it should."""
        self.answers("txtornado")

    @once(REASON)
    def test_tornado(self) -> None:
        """Tornado's server answers every request as it should."""
        self.answers("tornado", "tornado")

    @once(REASON)
    def test_aiohttp(self) -> None:
        """aiohttp's server answers every request as it should."""
        self.answers("aiohttp", "aiohttp", "jinja2")

    @once(REASON)
    def test_starlette(self) -> None:
        """Starlette's server answers every request as it should."""
        self.answers("starlette", "starlette", "uvicorn", "httptools", "jinja2", "python_multipart")

    @once(REASON)
    def test_twisted(self) -> None:
        """twisted.web's server answers every request as it should."""
        self.answers("twisted.web")

    @once(REASON)
    def test_klein(self) -> None:
        """Klein's server answers every request as it should."""
        self.answers("klein", "klein", "jinja2")

    @once(REASON)
    def test_ceiling(self) -> None:
        """The ceiling gives its one answer."""
        self.answers("ceiling")

    @once(REASON)
    def test_processes(self) -> None:
        """A server of several processes has so many, and they answer."""
        contestant = Contestant("txtornado", sys.executable)
        for count in growth.PROCESSES[1:3]:
            options = ("--processes", str(count))
            with _http.serving(contestant, self.effort, *options) as running:
                _processes.settle(running)
                _http.check(running, _http.JSON, _http.JSON_ANSWER)
                self.assertEqual(len(list(_processes._session(running.pid))), count + 1)

    @once(REASON)
    def test_startup(self) -> None:
        """Start-up is measured by command and by script."""
        for job in startup.JOBS:
            found = job.measure(Contestant("txtornado", sys.executable), self.effort)
            self.assertGreater(found["time"], 0, job.name)

    @once(REASON)
    def test_startup_failure(self) -> None:
        """A command that ends instead of listening is an error with what it said."""
        job = startup.CommandJob("x", "X", {"txtornado": ("-c", "raise SystemExit('no port')")})
        with self.assertRaisesRegex(RuntimeError, "did not answer: no port"):
            job.measure(Contestant("txtornado", sys.executable), self.effort)

    @once(REASON)
    def test_templates(self) -> None:
        """Pages are the expected ones, and another page is an error."""
        contestant = Contestant("txtornado", sys.executable)
        for job in templates.JOBS:
            self.assertGreater(job.measure(contestant, self.effort)["time"], 0)
        wrong = dataclasses.replace(templates.JOBS[0], expected=templates.article)  # type: ignore[type-var]
        with self.assertRaisesRegex(RuntimeError, "renders another page"):
            wrong.measure(contestant, self.effort)


@once(REASON)
class MeasuredTests(LoadTestCase):
    """Short measurements, of which only that they succeed is looked at."""

    def setUp(self) -> None:
        super().setUp()
        here, there = _processes.processors()
        self.effort = Effort(seconds=0.05, share=0.01, server_cpu=here, load_cpu=there)

    def measure(self, job: Job) -> None:
        if "wrk" in getattr(job, "needs", ()) and not shutil.which("wrk"):
            raise SkipTest("wrk is not installed")
        found = job.measure(Contestant("txtornado", sys.executable), self.effort)
        for figure in job.figures:
            self.assertGreater(found[figure.name], 0, figure.name)

    def test_http(self) -> None:
        """Requests and processor time are counted under wrk's load."""
        self.measure(http.JOBS[0])

    def test_latency(self) -> None:
        """Percentiles come from the load at a fixed rate."""
        self.measure(latency.JOBS[0])

    def test_growth(self) -> None:
        """Growth is measured at each of its points."""
        self.patch(growth, "ROUTES", (1, 2))
        figures = growth.RoutesJob().figures[:1]
        self.measure(growth.RoutesJob(figures=figures))
