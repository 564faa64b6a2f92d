"""Files for `StaticFileHandler`: which may be served, what is in them, what was cached.

Nothing here knows of requests; errors are `HTTPError`, with the path as the client wrote
it in the message for the log.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, MutableMapping
from typing import NamedTuple

from txtornado.web._errors import HTTPError

__all__ = [
    "ContentCache",
    "Resolver",
    "Stamp",
    "VersionCache",
    "check_inside",
    "hash_chunks",
    "read_chunks",
    "resolve_inside",
    "stamp_of",
    "stat_regular_file",
]

# Opens nothing and only names a file, so that devices and pipes are left alone.
_O_PATH: int = getattr(os, "O_PATH", 0)
# Paths that cannot lead anywhere else than they seem to.
_PLAIN_PATH = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*")

CHUNK = 128 * 1024  # bytes read at a time
_RACY = 2.0  # seconds in which a file may change without its time stamp showing it


#: What tells one state of a file from another: inode, size, time of modification.
Stamp = tuple[int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """The `Stamp` in a result of ``stat``."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def with_separator(folder: str) -> str:
    """``folder`` as the prefix of the paths in it."""
    return folder if folder.endswith(os.path.sep) else folder + os.path.sep


_prefixes: dict[str, str] = {}  # of absolute folders


def prefix_of(folder: str) -> str:
    """The prefix of the paths in ``folder``, which may be relative, as written."""
    known = _prefixes.get(folder)
    if known is not None:
        return known
    prefix = with_separator(os.path.abspath(folder))
    if os.path.isabs(folder) and len(_prefixes) < 1000:
        _prefixes[folder] = prefix
    return prefix


def join(root: str, path: str) -> str:
    """The absolute path of ``path``, as written, in ``root``."""
    if _PLAIN_PATH.fullmatch(path):
        return prefix_of(root) + path  # what the other line would come to
    return os.path.abspath(os.path.join(root, path))


def check_inside(root: str, absolute_path: str, shown: str) -> None:
    """Check that ``absolute_path``, as written, lies in ``root``.

    Raises:
        HTTPError: 403, when it does not; 404, for a path that no file system takes.
    """
    if "\0" in absolute_path:
        raise HTTPError(404, "%r holds a null byte", shown)
    prefix = prefix_of(root)
    if not with_separator(absolute_path).startswith(prefix):
        raise HTTPError(403, "%s is not in root static directory", shown)
    if os.name == "nt" and ":" in absolute_path[len(prefix) :]:
        raise HTTPError(403, "%s is not a file", shown)  # an alternate data stream


def resolve_inside(absolute_path: str, allowed: Iterable[str], shown: str) -> str:
    """Follow symbolic links, which must lead into one of the folders ``allowed``.

    Returns:
        The path without links. That is checked at this moment only; whoever may replace
        files in the folder between this and the opening of the file is not held off.

    Raises:
        HTTPError: 403, whether or not the target exists.
    """
    try:
        resolved = real_path(absolute_path)
    except OSError:
        raise HTTPError(403, "%s is not in root static directory", shown) from None
    inside = with_separator(resolved)
    for folder in allowed:
        # There are no links in the resolved path, so a folder it starts with as written
        # needs no resolving; others, reached through a link themselves, do.
        if inside.startswith(prefix_of(folder)):
            return resolved
        if inside.startswith(with_separator(os.path.realpath(folder))):
            return resolved
    raise HTTPError(403, "%s is not in root static directory", shown)


def real_path(path: str) -> str:
    """``path`` without symbolic links, as `os.path.realpath` finds it.

    Linux tells where an open file is, which takes three calls whatever the path.
    """
    if _O_PATH:
        try:
            descriptor = os.open(path, _O_PATH | os.O_CLOEXEC)
        except OSError:
            return os.path.realpath(path)
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            pass  # there is no /proc
        finally:
            os.close(descriptor)
    return os.path.realpath(path)


class Resolved(NamedTuple):
    """Where a path led, and the state of the file there."""

    path: str
    status: os.stat_result
    seen: float


class Resolver:
    """`resolve_inside` and `stat_regular_file` in one, with one look at the file if it is known.

    What a path led to is believed for a second, and as long as the same file is there in the same
    state (that of its links and its owner included), so that links set to other files show at once.
    """

    TRUSTED = 1.0  # seconds
    KEPT = 1000

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Resolved] = {}

    def find(self, absolute_path: str, root: str, shown: str) -> Resolved:
        """Raises as the two functions do."""
        known = self._known.get((absolute_path, root))
        now = time.monotonic()
        if known is not None and now - known.seen < self.TRUSTED:
            try:
                status = os.stat(absolute_path)
            except (OSError, ValueError):
                pass
            else:
                before = known.status
                if (
                    status.st_ino == before.st_ino
                    and status.st_dev == before.st_dev
                    and status.st_ctime_ns == before.st_ctime_ns
                ):
                    return known
        path = resolve_inside(absolute_path, (root,), shown)
        status = stat_regular_file(path, shown)
        found = Resolved(path, status, now)
        if len(self._known) >= self.KEPT:
            self._known.clear()
        self._known[absolute_path, root] = found
        return found


def stat_regular_file(absolute_path: str, shown: str) -> os.stat_result:
    """``stat`` a file that can be read to an end.

    Raises:
        HTTPError: 404, when there is nothing; 403, for folders, devices, pipes and sockets,
            which may block or never end.
    """
    try:
        status = os.stat(absolute_path)
    except (OSError, ValueError):
        raise HTTPError(404) from None
    if not stat.S_ISREG(status.st_mode):
        raise HTTPError(403, "%s is not a file", shown)
    return status


def read_chunks(absolute_path: str, start: int | None, end: int | None) -> Iterator[bytes]:
    """The bytes from ``start`` up to ``end`` (not included) of a file, in pieces."""
    with open(absolute_path, "rb") as file:
        if start:
            file.seek(start)
        remaining = None if end is None else end - (start or 0)
        while remaining is None or remaining > 0:
            chunk = file.read(CHUNK if remaining is None else min(CHUNK, remaining))
            if not chunk:
                return
            if remaining is not None:
                remaining -= len(chunk)
            yield chunk


def hash_chunks(chunks: Iterable[bytes], max_size: int) -> str:
    """SHA-512 of the joined ``chunks``, in hexadecimal.

    Raises:
        ValueError: they are more than ``max_size`` bytes, of which no more are read.
    """
    digest, size = hashlib.sha512(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > max_size:
            raise ValueError(f"content is larger than {max_size} bytes")
        digest.update(chunk)
    return digest.hexdigest()


class VersionCache(MutableMapping[str, str | None]):
    """Versions by path, the most recently used last; used from several threads.

    An entry counts only while the file is as it was (its `Stamp`); None stands for a
    resource that is no file, and for versions that could not be determined.

    Subclasses of handlers use it as the dict that it is in Tornado, without stamps.
    """

    #: How many entries that are set without a limit may make it.
    LIMIT = 10000

    def __init__(self) -> None:
        self.entries: OrderedDict[str, tuple[Stamp | None, str | None]] = OrderedDict()
        self._lock = threading.Lock()

    def look_up(self, path: str, stamp: Stamp | None) -> tuple[bool, str | None]:
        """Whether there is an entry, and its version."""
        with self._lock:
            entry = self.entries.get(path)
            if entry is None or entry[0] != stamp:
                return False, None
            self.entries.move_to_end(path)
            return True, entry[1]

    def keep(self, path: str, stamp: Stamp | None, version: str | None, limit: int) -> None:
        """Keep a version, and no more than ``limit`` in all."""
        with self._lock:
            self.entries[path] = stamp, version
            self.entries.move_to_end(path)
            while len(self.entries) > limit:
                self.entries.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self.entries.clear()

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.entries))

    def __getitem__(self, path: str) -> str | None:
        return self.entries[path][1]

    def __setitem__(self, path: str, version: str | None) -> None:
        self.keep(path, None, version, self.LIMIT)

    def __delitem__(self, path: str) -> None:
        with self._lock:
            del self.entries[path]


class ContentCache:
    """The content of small files that are asked for again and again.

    An entry is good while ``stat`` shows the file unchanged. Files modified within the
    last two seconds are not kept, since they may change again within the resolution of
    their time stamp.
    """

    def __init__(self, max_file: int = 64 * 1024, max_total: int = 8 * 1024 * 1024) -> None:
        self.max_file = max_file
        self.max_total = max_total
        self.total = 0
        self.entries: OrderedDict[str, tuple[Stamp, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str, stamp: Stamp) -> bytes | None:
        """The content, if it is here and the file is still at ``stamp``."""
        entry = self.entries.get(path)
        if entry is None or entry[0] != stamp:
            return None
        return entry[1]

    def load(self, path: str) -> bytes:
        """Read a file, and keep its content if it is small and settled; may block."""
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
        settled = time.time() - status.st_mtime > _RACY
        if settled and len(content) == status.st_size <= self.max_file:
            self._put(path, stamp_of(status), content)
        return content

    def _put(self, path: str, stamp: Stamp, content: bytes) -> None:
        with self._lock:
            if (old := self.entries.pop(path, None)) is not None:
                self.total -= len(old[1])
            self.entries[path] = stamp, content
            self.total += len(content)
            while self.total > self.max_total:
                _, (_, dropped) = self.entries.popitem(last=False)
                self.total -= len(dropped)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self.entries.clear()
            self.total = 0
