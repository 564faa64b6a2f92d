#!/usr/bin/env python3
"""Sets the checkout up, and serves or tests it.

    python3 dev.py serve     the demonstration, on http://localhost:8888
    python3 dev.py test      the tests (arguments go to trial)
    python3 dev.py run CMD   any command of the environment

Needs Python 3.11 or later with pip and venv, and nothing else.  The first run makes a
virtual environment in ``.venv`` and installs the checkout into it; later ones find it there.
What the tests need is added when they run for the first time.
"""

import hashlib
import os
import subprocess
import sys
import venv

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
STAMP = os.path.join(VENV, "installed-from")
#: The extras of the package that the tests need, and those that some of them are skipped without.
TEST, INTEROP = "test", "test,interop"
#: A change to one of these means that the environment must be brought up to date.
SOURCES = ("pyproject.toml", "setup.py")


def fingerprint() -> str:
    """What the environment depends on, in one word."""
    digest = hashlib.sha256(f"{sys.version} {VENV}".encode())
    for name in SOURCES:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def set_up(for_tests: bool) -> None:
    """Make or refresh the environment, if there is a need to."""
    wanted = fingerprint()
    found = stamps()
    if wanted not in found:
        print(f"Setting up {VENV} …", flush=True)
        venv.create(VENV, with_pip=True, clear=True)
        install()
        add_to_path()
        stamp(wanted)
        found = []
    if for_tests and TEST not in found:
        print("Installing what the tests need …", flush=True)
        try:
            install(INTEROP)
        except subprocess.CalledProcessError:
            install(TEST)
            print("Not all of it could be installed: some tests will be skipped.", flush=True)
        stamp(wanted, TEST)


def stamps() -> list[str]:
    """What the environment was made from, and what was added."""
    try:
        with open(STAMP) as file:
            return file.read().split()
    except OSError:
        return []


def stamp(*words: str) -> None:
    with open(STAMP, "w") as file:
        file.write(" ".join(words))


def install(extras: str = "") -> None:
    """Install the checkout, with extras."""
    pip = [os.path.join(BIN, "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    subprocess.run([*pip, "-e", f"{ROOT}[{extras}]" if extras else ROOT], check=True)


def add_to_path() -> None:
    """Have the environment find the checkout.

    twistd looks for its subcommands in ``twisted/plugins`` below each entry of sys.path, where an
    editable install does not put the checkout.
    """
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.check_output([os.path.join(BIN, "python"), "-c", query], text=True)
    with open(os.path.join(packages.strip(), "txtornado-checkout.pth"), "w") as file:
        file.write(ROOT + "\n")


def command(words: list[str]) -> list[str]:
    """The command line for what was asked."""
    what, rest = (words[0], words[1:]) if words else ("help", [])
    if what == "serve":
        twistd = os.path.join(BIN, "twistd")
        return [twistd, "--nodaemon", "--pidfile=", "tornado", *rest]
    if what == "test":
        return [os.path.join(BIN, "trial"), *(rest or ["tests"])]
    if what == "run" and rest:
        return [os.path.join(BIN, rest[0]), *rest[1:]]
    sys.exit((__doc__ or "").strip())


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs on any Python
        sys.exit("txtornado needs Python 3.11 or later; this is " + sys.version.split()[0])
    line = command(sys.argv[1:])
    try:
        set_up(for_tests=sys.argv[1] != "serve")
    except subprocess.CalledProcessError as e:
        sys.exit(f"The environment could not be set up: {e}")
    os.chdir(ROOT)
    if os.name == "nt":
        sys.exit(subprocess.call(line))
    os.execv(line[0], line)


if __name__ == "__main__":
    main()
