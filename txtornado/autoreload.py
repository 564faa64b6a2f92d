"""Restarts the program when one of its source files changes, for development.

``Application(autoreload=True)``, which ``debug=True`` implies, calls `start`: the loop then looks
twice a second whether the source of an imported module has changed (or a file given to `watch`)
and replaces the process by a new one, with the same command line, interpreter options included.
Requests under way are lost.

A file that was saved with a syntax error does not take the server down: the error is logged, and
the restart waits until the file compiles.  What fails while the program starts is caught by the
wrapper, ``python -m txtornado.autoreload`` (see `main`), which goes well together with debug mode.

None of this is for several processes (`txtornado.process.fork_processes`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from txtornado.ioloop import IOLoop, PeriodicCallback
from txtornado.log import gen_log

__all__ = ["add_reload_hook", "main", "start", "stop", "wait", "watch"]

_DEFAULT_CHECK_TIME = 500  # milliseconds

_hooks: list[Callable[[], Any]] = []
_checks: weakref.WeakKeyDictionary[IOLoop, PeriodicCallback] = weakref.WeakKeyDictionary()

# Where the command line's relative paths lead from.
try:
    _start_directory = os.getcwd()
except OSError:  # it was removed
    _start_directory = os.curdir


def start(
    check_time: float | IOLoop | None = _DEFAULT_CHECK_TIME, io_loop: IOLoop | float | None = None
) -> None:
    """Begins to watch, on the current loop; a second call on a loop changes nothing.

    Args:
        check_time: milliseconds from one look at the files to the next.
        io_loop: the loop, in Tornado before 5.0; there it was the first argument, where it is
            still understood.
    """
    if isinstance(check_time, IOLoop) or (check_time is None and io_loop is not None):
        check_time, io_loop = io_loop, check_time
    loop = io_loop if isinstance(io_loop, IOLoop) else IOLoop.current()
    if loop in _checks:
        return
    if _checks:
        gen_log.warning("autoreload started on a second IOLoop of this process")
    interval = check_time if isinstance(check_time, int | float) else _DEFAULT_CHECK_TIME
    _checks[loop] = PeriodicCallback(_reload_on_change, interval, io_loop=loop)
    _checks[loop].start()


def stop(io_loop: IOLoop | None = None) -> None:
    """Ends what `start` began; ours.

    Args:
        io_loop: the loop that watches; the current one when None.
    """
    loop = io_loop or IOLoop.current(instance=False)
    check = _checks.pop(loop, None) if loop is not None else None
    if check is not None:
        check.stop()


def wait() -> None:
    """Blocks until a watched file changes, then restarts the process.

    For the end of a script such as a test runner; see also `main`.
    """
    while True:
        _reload_on_change()
        time.sleep(_DEFAULT_CHECK_TIME / 1000)


def watch(filename: str) -> None:
    """Watches a file, too, or all files in a directory (ours) and below.

    The sources of imported modules are watched without being asked for.  A template or a static
    file need not be watched to be served anew in debug mode.

    Args:
        filename: its path.
    """
    _watcher.extra.add(os.path.abspath(filename))


def add_reload_hook(fn: Callable[[], Any]) -> None:
    """Has ``fn()`` called before the process is replaced.

    Files and sockets need no hook: Python's are closed by the system then.
    """
    _hooks.append(fn)


_Stamp = tuple[int, int, int]


class _Watcher:
    """Notices which files have changed since it first saw them."""

    def __init__(self) -> None:
        self.extra: set[str] = set()
        self._seen: dict[str, _Stamp] = {}
        self._broken: set[str] = set()

    def changed(self) -> str | None:
        """A file that has changed, once all that have can be compiled; None otherwise."""
        changed = [path for path in self._paths() if self._differs(path)]
        if not changed:
            return None
        suspects = self._broken.union(changed)
        self._broken = {path for path in suspects if _reported_as_broken(path)}
        return None if self._broken else changed[0]

    def _paths(self) -> Iterator[str]:
        for module in list(sys.modules.values()):
            # Odd objects live in sys.modules; some import things when asked for attributes.
            if isinstance(module, types.ModuleType):
                path = module.__dict__.get("__file__")
                if isinstance(path, str):
                    yield path
        for path in list(self.extra):
            if not os.path.isdir(path):
                yield path
            for directory, _, names in os.walk(path):
                yield from (os.path.join(directory, name) for name in names)

    def _differs(self, path: str) -> bool:
        try:
            status = os.stat(path)
        except OSError:
            return False  # in the middle of being saved, or in a zip archive
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        before = self._seen.get(path)
        self._seen[path] = stamp
        return before is not None and before != stamp


_watcher = _Watcher()


def _reported_as_broken(path: str) -> bool:
    if not path.endswith(".py"):
        return False
    try:
        with open(path, "rb") as f:
            compile(f.read(), path, "exec", dont_inherit=True)
    except OSError:
        return False
    except (SyntaxError, ValueError) as error:
        text = "".join(traceback.format_exception_only(error)).rstrip()
        gen_log.error("%s modified, but not restarting:\n%s", path, text)
        return True
    return False


def _reload_on_change() -> None:
    path = _watcher.changed()
    if path is not None:
        gen_log.info("%s modified; restarting server", path)
        _reload()


def _reload() -> NoReturn:
    """Replaces the process by a new one with its command line."""
    for hook in _hooks:
        try:
            hook()
        except Exception:
            gen_log.exception("Exception in reload hook %r", hook)
    if hasattr(signal, "setitimer"):
        # A timer outlives the program it was set for, and its handler does not.
        signal.setitimer(signal.ITIMER_REAL, 0)
    _give_back_pid_file()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    with contextlib.suppress(OSError):
        os.chdir(_start_directory)
    command = [sys.executable, *sys.orig_argv[1:]]
    if sys.platform == "win32":
        # There exec starts another process and lets the caller's shell go on.
        subprocess.Popen(command)
        os._exit(0)
    os.execv(sys.executable, command)


def _give_back_pid_file() -> None:
    """Removes the file in which twistd notes its process id.

    The next twistd, in the same process, would take it for another server that runs.
    """
    path = "twistd.pid"
    for index, argument in enumerate(sys.argv):
        if argument.startswith("--pidfile"):
            path = argument.partition("=")[2] or "".join(sys.argv[index + 1 : index + 2])
    with contextlib.suppress(OSError, ValueError):
        with open(path) as f:
            ours = int(f.read(100)) == os.getpid()
        if ours:
            os.remove(path)


_USAGE = """\
Usage:
  python -m txtornado.autoreload [--until-success] -m module [arguments]
  python -m txtornado.autoreload [--until-success] path/to/script.py [arguments]

Runs the script, and again whenever one of its files changes; with --until-success
(since 6.3) no more once it has ended with status 0.
"""


def main() -> None:
    """The command ``python -m txtornado.autoreload``: a script that runs again when it changes.

    ::

        python -m txtornado.autoreload -m package.module [arguments]
        python -m txtornado.autoreload path/to/script.py [arguments]

    Unlike `wait` at the end of the script this also survives what goes wrong on the way there,
    such as a syntax error.  With ``--until-success`` first it ends when the script has ended with
    status 0.
    """
    arguments = sys.argv[1:]
    until_success = arguments[:1] == ["--until-success"]
    if until_success:
        del arguments[0]
    as_module = arguments[:1] == ["-m"]
    if as_module:
        del arguments[0]
    if not arguments or (arguments[0].startswith("-") and not as_module):
        sys.stderr.write(_USAGE)
        sys.exit(1)
    _register_alias()
    sys.argv = arguments
    succeeded = _run(arguments[0], as_module)
    if not (until_success and succeeded):
        wait()


def _register_alias() -> None:
    """Makes this module known under the name it was started by, if that is another package's.

    By ``"tornado.autoreload" in sys.modules`` a script tells that the wrapper runs it, where
    ``tornado`` is a package of stand-ins for this one.
    """
    options = sys.orig_argv[1:]
    if "-m" in options:
        alias = "".join(options[options.index("-m") + 1 :][:1])
        if alias.endswith(".autoreload"):
            sys.modules.setdefault(alias, sys.modules[__name__])


def _run(script: str, as_module: bool) -> bool:
    """Runs the script in this process; whether it ended well."""
    try:
        if as_module:
            _watch_module(script)
            runpy.run_module(script, run_name="__main__", alter_sys=True)
        else:
            watch(script)
            runpy.run_path(script, run_name="__main__")
    except SystemExit as error:
        return _exited(error.code)
    except Exception as error:
        _watch_culprits(error)
        gen_log.error("Script exited with uncaught exception", exc_info=True)
        return False
    gen_log.info("Script exited normally")
    return True


def _exited(code: Any) -> bool:
    if isinstance(code, str):  # sys.exit("why")
        print(code, file=sys.stderr)
        code = 1
    gen_log.info("Script exited with status %s", code or 0)
    return not code


def _watch_module(name: str) -> None:
    with contextlib.suppress(Exception):  # runpy says what is wrong with it
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(name + ".__main__")
        if spec is not None and spec.origin is not None:
            watch(spec.origin)


def _watch_culprits(error: BaseException) -> None:
    """Watches the files that the error passed through: a module that fails is not in sys.modules."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, SyntaxError) and cause.filename:
            watch(cause.filename)
        for frame in traceback.extract_tb(cause.__traceback__):
            if os.path.isfile(frame.filename):
                watch(frame.filename)
        cause = cause.__cause__ or cause.__context__


if __name__ == "__main__":
    # By its real name: the script, when it imports this module, gets the same one.
    from txtornado import autoreload

    autoreload.main()
