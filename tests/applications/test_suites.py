"""Test suites of packages that depend on Tornado: what passes there passes here."""

from __future__ import annotations

from pathlib import Path

from twisted.python import log
from twisted.trial.unittest import SynchronousTestCase

from tests.applications.comparison import HOWS, compare, passed
from tests.applications.downloads import SOURCES, source
from tests.processes import ROOT, once

PYTEST = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--timeout=60"]
PYTEST += ["-q", "--color=no", "--tb=short", "-W", "default"]

JUPYTER = ["pytest_jupyter.jupyter_server", "pytest_console_scripts", "flaky.flaky_pytest_plugin"]

#: How many tests of each package pass, to the knowledge of ``docs/embedding.rst``.
KNOWN = {"terminado": 4, "tornado-swagger": 25, "flower": 353, "jupyter-server": 132}


@once("the packages' tests choose theirs")
class SuiteTests(SynchronousTestCase):
    """One test for each package, all of them with both."""

    def compare(self, name: str, *arguments: str) -> None:
        """Run tests of a package; those that pass with Tornado must pass with txtornado."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        report = str(folder / "{how}.xml")
        command = [*PYTEST, f"--basetemp={folder}/{{how}}", f"--junitxml={report}", *arguments]
        output = compare(folder, source(name, folder), *command)
        names = {how: passed(Path(report.format(how=how))) for how in HOWS}
        counts = {how: len(found) for how, found in names.items()}
        log.msg(f"{name} {SOURCES[name][0]}: {counts}")
        self.assertEqual(
            names["tornado"] - names["txtornado"], set(), output["txtornado"][-20_000:]
        )
        self.assertGreaterEqual(counts["tornado"], KNOWN[name], output["tornado"][-20_000:])

    def test_terminado(self) -> None:
        """terminado: terminals over WebSockets.  The other tests wait for silence, for a minute."""
        names = ["CommonTests::test_basic", "NamedTermTests::test_new"]
        names += ["SingleTermTests", "UniqueTermTests::test_large_io_doesnt_hang"]
        self.compare("terminado", *[f"tests/basic_test.py::{name}" for name in names])

    def test_tornado_swagger(self) -> None:
        """tornado-swagger: documentation of routes.  The other tests want files it comes without."""
        self.compare("tornado-swagger", "tests/test_setup.py", "tests/test_model_parameter.py")

    def test_flower(self) -> None:
        """flower: Celery's monitor, with its views, its API and its logins."""
        self.compare("flower", "tests/unit")

    def test_jupyter_server(self) -> None:
        """Jupyter's server: pages, logins, files, WebSockets, extensions, a kernel."""
        options = [word for plugin in JUPYTER for word in ("-p", plugin)]
        tests = ["tests/base", "tests/test_files.py", "tests/test_view.py"]
        tests += ["tests/auth/test_login.py", "tests/auth/test_identity.py"]
        tests += ["tests/services/events", "tests/extension/test_handler.py"]
        self.compare("jupyter-server", *options, *tests)


class DocumentationTests(SynchronousTestCase):
    """The table of ``docs/embedding.rst``."""

    def test_counts(self) -> None:
        """It has the counts that are checked here."""
        text = (ROOT / "docs" / "embedding.rst").read_text()
        for name, count in KNOWN.items():
            version = SOURCES[name][0]
            self.assertRegex(text, rf"(?m)^{name} {version} .* {count} +{count}\n")
