"""`StaticFileHandler`: files from a folder, with everything browsers ask of them."""

from __future__ import annotations

import datetime
import functools
import os
import threading
from asyncio import Future
from collections.abc import Awaitable, Iterator
from typing import IO, Any
from urllib.parse import urlencode

from txtornado import httputil
from txtornado.concurrent import done_future
from txtornado.iostream import StreamClosedError
from txtornado.log import gen_log
from txtornado.web import _execution, _staticfiles
from txtornado.web._errors import HTTPError
from txtornado.web._handler import RequestHandler
from txtornado.web._headers import convert_value
from txtornado.web._ranges import Range, parse_date, range_applies, requested_range
from txtornado.web._staticfiles import ContentCache, Resolver, Stamp, VersionCache, stamp_of
from txtornado.web._transforms import is_idle
from txtornado.web._urls import is_protocol_relative

__all__ = ["StaticFileHandler"]

_INLINE = 4096  # files up to this many bytes are read on the reactor's thread
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_contents = ContentCache()
_resolver = Resolver()


class StaticFileHandler(RequestHandler):
    """Serves files below ``path``; route it with a group for the file's path.

    With ``default_filename`` folders are served by that file. Symbolic links may lead only
    into ``allowed_symlink_directory``, a folder or a list of them (since Tornado 6.5.9), by
    default ``path`` itself. With ``precompressed`` (ours) ``name.br`` and ``name.gz`` beside
    a file are sent to browsers that take them.

    To change the URLs override `make_static_url`, `parse_url_path`, `get_cache_time` and
    `get_version`; to serve from elsewhere than the file system `get_content`,
    `get_content_size`, `get_modified_time`, `get_absolute_path` and
    `validate_absolute_path` (all since 3.1).

    Small files are kept in memory as long as ``stat`` shows them unchanged; the others are
    read in threads.
    """

    #: Seconds that versioned files may be cached: ten years.
    CACHE_MAX_AGE = 86400 * 365 * 10
    #: Larger files, in bytes, get no version and no etag (since 6.6).
    MAX_VERSION_CONTENT_SIZE = 64 * 1024 * 1024
    #: So many versions are kept (since 6.6).
    MAX_CACHED_VERSIONS = 10000

    allowed_symlink_directory: str | list[str] | None = None
    precompressed = False
    path: str
    root: str
    absolute_path: str | None
    modified: datetime.datetime | None
    default_filename: str | None = None

    _static_hashes = VersionCache()
    #: Not taken here, but by subclasses that keep something of their own (Jupyter's, livereload's).
    _lock = threading.Lock()
    _stat_result: os.stat_result | None = None
    _content_encoding: str | None = None
    _plain_path: str | None = None
    _etag: tuple[str | None, str | None] | None = None

    def initialize(  # type: ignore[override]
        self,
        path: str,
        default_filename: str | None = None,
        allowed_symlink_directory: str | list[str] | None = None,
        precompressed: bool = False,
    ) -> None:
        self.root = path
        self.default_filename = default_filename
        self.allowed_symlink_directory = allowed_symlink_directory
        self.precompressed = precompressed

    @classmethod
    def reset(cls) -> None:
        """Forget all versions and contents."""
        cls._static_hashes.clear()
        _contents.clear()

    # --- Serving ---------------------------------------------------------------------

    def head(self, path: str) -> Awaitable[None]:
        """As `get`, without the body."""
        return self.get(path, include_body=False)

    def get(self, path: str, include_body: bool = True) -> Awaitable[None]:
        """Serve the file at ``path``; to be awaited.

        Where something is left to be done the result is a coroutine: there are decorators that
        await nothing else (Jupyter's).
        """
        self.path = self.parse_url_path(path)
        absolute_path = self.get_absolute_path(self.root, self.path)
        self.absolute_path = self.validate_absolute_path(self.root, absolute_path)
        if self.absolute_path is None:
            return done_future()
        if self.precompressed:
            self._choose_precompressed()
        if self._version_takes_time():
            return self._get_later(include_body)
        rest = self._respond(include_body)
        return done_future() if rest is None else rest

    async def _get_later(self, include_body: bool) -> None:
        await _in_thread(self._get_cached_version, self.absolute_path)
        rest = self._respond(include_body)
        if rest is not None:
            await rest

    def _respond(self, include_body: bool) -> _execution.Rest | None:
        """Set status and headers, write the body if it is at hand, else return the writing."""
        self.modified = self.get_modified_time()
        if include_body and self._is_plain() and self._write_plain():
            return None
        self.set_headers()
        self._conditions_checked = True
        if self.should_return_304():
            self.set_status(304)
            return None
        size = self.get_content_size()
        wanted = self._range(size)
        if wanted is None:
            return None
        start, end = wanted
        if include_body:
            return self._write_body(start, end, size)
        self.set_header("Content-Length", _length(start, end, size))
        return None

    def _is_plain(self) -> bool:
        """Whether a whole file is wanted, unconditionally, and no hook has a say in it."""
        request, cls = self.request, type(self)
        headers = request.headers
        return not (
            request.method != "GET"
            or request.query
            or self._transforms
            or self.precompressed
            or self._made_headers is not None
            or "If-None-Match" in headers
            or "If-Modified-Since" in headers
            or "Range" in headers
            or (cls is not _ours and self._has_hooks())
        )

    def _has_hooks(self) -> bool:
        """Whether a subclass has a say in the headers or the content."""
        cls = type(self)
        return (
            cls.set_headers is not _ours.set_headers
            or cls.set_extra_headers is not _ours.set_extra_headers
            or cls.set_header is not _ours.set_header
            or cls.set_etag_header is not _ours.set_etag_header
            or cls.check_etag_header is not _ours.check_etag_header
            or cls.compute_etag is not _ours.compute_etag
            or cls.should_return_304 is not _ours.should_return_304
            or cls.get_cache_time is not _ours.get_cache_time
            or cls.get_content_size is not _ours.get_content_size
            or cls.flush is not _ours.flush
            or not self._reads_files()
        )

    def _write_plain(self) -> bool:
        """Write a file that is in memory, without making headers; False if it is not."""
        assert self.absolute_path is not None
        content = _contents.get(self.absolute_path, stamp_of(self._stat()))
        etag = self.compute_etag()
        if content is None or etag is None or self.modified is None:
            return False
        self._plain_type = convert_value(self.get_content_type())
        date = _http_date(self.modified)
        self._plain_more = f"Accept-Ranges: bytes\r\nEtag: {etag}\r\nLast-Modified: {date}\r\n"
        self._conditions_checked = True
        self.write(content)
        return True

    def _range(self, size: int) -> tuple[int | None, int | None] | None:
        """The part to serve; None when it cannot be satisfied (and a 416 is set)."""
        header = self.request.headers.get("Range")
        if not header or not range_applies(self.request, self._headers.get("Etag"), self.modified):
            return None, None
        wanted: Range | None = requested_range(header, size)
        if wanted is None or wanted == (0, size):
            # Chrome refuses to play audio that comes as a 206 for "bytes=0-".
            return None, None
        if wanted.start >= wanted.end:
            self.set_status(416)
            self.set_header("Content-Type", "text/plain")
            self.set_header("Content-Range", f"bytes */{size}")
            return None
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {wanted.start}-{wanted.end - 1}/{size}")
        return wanted.start, wanted.end

    def _write_body(self, start: int | None, end: int | None, size: int) -> _execution.Rest | None:
        """Write the content if it is at hand, else return what writes it."""
        path = self.absolute_path
        assert path is not None
        if not self._reads_files():
            self.set_header("Content-Length", _length(start, end, size))
            content = self.get_content(path, start, end)
            return self._write_chunks(iter([content] if isinstance(content, bytes) else content))
        if size > _contents.max_file:
            length = _length(start, end, size)
            self.set_header("Content-Length", length)
            return self._write_large(path, start, end, length)
        content = _contents.get(path, stamp_of(self._stat()))
        if content is None:
            if size > _INLINE:
                return self._write_loaded(path, start, end)
            content = _contents.load(path)
        self._write_part(content, start, end)
        # Transforms treat a body in one piece otherwise (gzip leaves short ones alone), and
        # files are to be treated alike whatever their size.
        return self._flushed() if self._transforms else None

    async def _flushed(self) -> None:
        await self.flush()

    def _write_part(self, content: bytes, start: int | None, end: int | None) -> None:
        if end is not None or start is not None:
            content = content[start:end]
        # The file may have changed since it was measured.
        self.set_header("Content-Length", len(content))
        self.write(content)

    async def _write_loaded(self, path: str, start: int | None, end: int | None) -> None:
        self._write_part(await _in_thread(_contents.load, path), start, end)
        if self._transforms:
            await self.flush()

    async def _write_large(
        self, path: str, start: int | None, end: int | None, length: int
    ) -> None:
        if type(self).write is _ours.write and type(self).flush is _ours.flush:
            # It was looked at a moment ago: what the system has to know for this is in memory.
            with open(path, "rb", buffering=0, opener=_open_at_once) as file:  # noqa: ASYNC230
                self.flush()  # the headers, on which transforms decide whether they do anything
                idle = all(map(is_idle, self._transforms))
                if idle and await self._sent(file, start or 0, length):
                    return
        await self._write_chunks_from_thread(self.get_content(path, start, end))

    async def _sent(self, file: IO[bytes], start: int, length: int) -> bool:
        """Whether the connection has sent the file, or was closed over it."""
        write_file = getattr(self.request.connection, "write_file", None)
        try:
            sent = write_file and write_file(file, start, length)
            if sent is not None:
                await sent
        except StreamClosedError:
            return True
        except EOFError as error:
            gen_log.warning("%s is shorter than it was: %s", self.absolute_path, error)
            return True
        return sent is not None

    async def _write_chunks(self, chunks: Iterator[bytes]) -> None:
        for chunk in chunks:
            try:
                self.write(chunk)
                await self.flush()
            except StreamClosedError:
                return

    async def _write_chunks_from_thread(self, chunks: Any) -> None:
        try:
            while (chunk := await _in_thread(next, chunks, None)) is not None:
                self.write(chunk)
                await self.flush()
        except StreamClosedError:
            return
        finally:
            await _in_thread(chunks.close)

    def _reads_files(self) -> bool:
        """Whether content comes from the file system, and not from an override."""
        return getattr(type(self).get_content, "__func__", None) is _our_get_content

    def _version_takes_time(self) -> bool:
        """Whether the version is yet to be hashed from a file that takes long to read."""
        status = self._stat_result
        if status is None or status.st_size <= _INLINE:
            return False
        assert self.absolute_path is not None
        known, _ = self._static_hashes.look_up(self.absolute_path, stamp_of(status))
        if known:
            return False
        cls = type(self)
        return (
            self._reads_files()
            and not self._versions_are_overridden()
            and getattr(cls.get_content_version, "__func__", None) is _our_get_content_version
            and cls.compute_etag is StaticFileHandler.compute_etag
        )

    # --- Headers ---------------------------------------------------------------------

    def compute_etag(self) -> str | None:
        """The version in quotes, for parts of the file too (since 3.1)."""
        assert self.absolute_path is not None
        if self._etag is None or self._etag[0] != self.absolute_path:
            status = self._stat_result
            if status is None or self._versions_are_overridden():
                version = self._get_cached_version(self.absolute_path)
            else:
                version = self._version_of(self.absolute_path, stamp_of(status))
            self._etag = self.absolute_path, f'"{version}"' if version else None
        return self._etag[1]

    def set_headers(self) -> None:
        """Set the headers for content and caching (since 3.1)."""
        self.set_header("Accept-Ranges", "bytes")
        self.set_etag_header()
        if self.modified is not None:
            self.set_header("Last-Modified", _http_date(self.modified))
        content_type = self.get_content_type()
        if content_type:
            self.set_header("Content-Type", content_type)
        if self._content_encoding is not None:
            self.set_header("Content-Encoding", self._content_encoding)
        if self.precompressed:
            self.add_header("Vary", "Accept-Encoding")
        cache_time = self.get_cache_time(self.path, self.modified, content_type)
        if cache_time > 0:
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=cache_time)
            self.set_header("Expires", expires)
            self.set_header("Cache-Control", f"max-age={cache_time}")
        self.set_extra_headers(self.path)

    def should_return_304(self) -> bool:
        """Whether the browser has the file already (since 3.1; RFC 9110 section 13.2.2)."""
        headers = self.request.headers
        if headers.get("If-None-Match"):
            return self.check_etag_header()
        since = headers.get("If-Modified-Since")
        if since is None or self.modified is None:
            return False
        return _not_after(self.modified, since)

    def get_content_type(self) -> str:
        """The type by the file's name (since 3.1)."""
        assert self.absolute_path is not None
        return _content_type(self._plain_path or self.absolute_path)

    def set_extra_headers(self, path: str) -> None:
        """Override to add headers."""

    def get_cache_time(self, path: str, modified: datetime.datetime | None, mime_type: str) -> int:
        """Override: seconds to cache, 0 to leave it to the browser.

        By default `CACHE_MAX_AGE` for requests with the argument ``v``.
        """
        return self.CACHE_MAX_AGE if "v" in self.request.arguments else 0

    # --- Where the file is -----------------------------------------------------------

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """The place of ``path`` in ``root`` (since 3.1).

        Raises:
            HTTPError: 403, when that is outside (since 6.6).
        """
        absolute_path = _staticfiles.join(root, path)
        _staticfiles.check_inside(root, absolute_path, path)
        return absolute_path

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Check the path and return the file's, or None after a redirect (since 3.1)."""
        _staticfiles.check_inside(root, absolute_path, self.path)
        if self.default_filename is None and self.allowed_symlink_directory is None:
            found = _resolver.find(absolute_path, root, self.path)
            self._stat_result = found.status
            return found.path
        allowed = self.allowed_symlink_directory or root
        folders = [allowed] if isinstance(allowed, str) else list(allowed)
        resolved = _staticfiles.resolve_inside(absolute_path, folders, self.path)
        if self.default_filename is not None and os.path.isdir(resolved):
            request_path = self.request.path
            if not request_path.endswith("/"):
                if is_protocol_relative(request_path):
                    raise HTTPError(403, "cannot redirect path with two initial slashes")
                self.redirect(request_path + "/", permanent=True)
                return None
            resolved = os.path.join(resolved, self.default_filename)
            resolved = _staticfiles.resolve_inside(resolved, folders, self.path)
        self._stat_result = _staticfiles.stat_regular_file(resolved, self.path)
        return resolved

    def _choose_precompressed(self) -> None:
        """Serve a compressed neighbour of the file if there is one for this browser."""
        assert self.absolute_path is not None
        accepted = self.request.headers.get("Accept-Encoding", "")
        offered = {
            item.partition(";")[0].strip()
            for item in accepted.split(",")
            if not item.replace(" ", "").endswith((";q=0", ";q=0.0", ";q=0.00", ";q=0.000"))
        }
        for encoding, suffix in _ENCODINGS:
            if encoding not in offered:
                continue
            try:
                path = self.validate_absolute_path(self.root, self.absolute_path + suffix)
            except HTTPError:
                continue
            self._plain_path, self.absolute_path = self.absolute_path, path
            self._content_encoding = encoding
            return

    def _stat(self) -> os.stat_result:
        if self._stat_result is None:
            assert self.absolute_path is not None
            self._stat_result = os.stat(self.absolute_path)
        return self._stat_result

    def get_content_size(self) -> int:
        """The size of the whole content in bytes (since 3.1)."""
        return self._stat().st_size

    def get_modified_time(self) -> datetime.datetime | None:
        """When the file was modified, to the second, or None (since 3.1)."""
        return datetime.datetime.fromtimestamp(int(self._stat().st_mtime), datetime.UTC)

    @classmethod
    def get_content(cls, abspath: str, start: int | None = None, end: int | None = None) -> Any:
        """The content from ``start`` up to ``end``: bytes, or an iterator of bytes (since 3.1).

        Raises:
            HTTPError: ``abspath`` is no regular file (since 6.6).
        """
        _staticfiles.stat_regular_file(abspath, abspath)
        return _staticfiles.read_chunks(abspath, start, end)

    # --- URLs and versions -----------------------------------------------------------

    @classmethod
    def make_static_url(
        cls, settings: dict[str, Any], path: str, include_version: bool = True
    ) -> str:
        """The URL of ``path``, with its version unless told otherwise."""
        url: str = settings.get("static_url_prefix", "/static/") + path
        if not include_version:
            return url
        version = cls.get_version(settings, path)
        return f"{url}?{urlencode({'v': version})}" if version else url

    def parse_url_path(self, url_path: str) -> str:
        """Make a path of the file system from that of the URL."""
        return url_path if os.path.sep == "/" else url_path.replace("/", os.path.sep)

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """The version of a file for its URL, None if it cannot be told."""
        return cls._get_cached_version(cls.get_absolute_path(settings["static_path"], path))

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """The version of the content at ``abspath``: a SHA-512 hash (since 3.1).

        Raises:
            ValueError: it is larger than `MAX_VERSION_CONTENT_SIZE` (since 6.6).
        """
        limit = cls.MAX_VERSION_CONTENT_SIZE
        if getattr(cls.get_content, "__func__", None) is _our_get_content:
            size = _staticfiles.stat_regular_file(abspath, abspath).st_size
            if size > limit:  # which is no reason to read the first of it
                raise ValueError(f"content is larger than {limit} bytes")
        content = cls.get_content(abspath)
        chunks = [content] if isinstance(content, bytes) else content
        return _staticfiles.hash_chunks(chunks, limit)

    @classmethod
    def _get_cached_version(cls, abs_path: str) -> str | None:
        """The version of the file; not documented, but overridden nevertheless (livereload)."""
        return cls._version_of(abs_path)

    @classmethod
    def _versions_are_overridden(cls) -> bool:
        return getattr(cls._get_cached_version, "__func__", None) is not _our_get_cached_version

    @classmethod
    def _version_of(cls, abs_path: str, stamp: Stamp | None = None) -> str | None:
        if stamp is None:
            try:
                stamp = stamp_of(os.stat(abs_path))
            except (OSError, ValueError):
                pass  # not a file, or not there
        known, version = cls._static_hashes.look_up(abs_path, stamp)
        if known:
            return version
        try:
            version = cls.get_content_version(abs_path)
        except Exception as error:
            gen_log.error("Could not open static file %r: %s", abs_path, error)
            version = None
        cls._static_hashes.keep(abs_path, stamp, version, cls.MAX_CACHED_VERSIONS)
        return version


_ours = StaticFileHandler
_our_get_content = StaticFileHandler.__dict__["get_content"].__func__
_our_get_cached_version = StaticFileHandler.__dict__["_get_cached_version"].__func__
_our_get_content_version = StaticFileHandler.__dict__["get_content_version"].__func__


def _length(start: int | None, end: int | None, size: int) -> int:
    return (size if end is None else end) - (start or 0)


def _open_at_once(path: str, flags: int) -> int:
    """Open what should be a file, without waiting if it has become a pipe meanwhile."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _in_thread(function: Any, *args: Any) -> Future[Any]:
    from txtornado.ioloop import IOLoop

    return IOLoop.current().run_in_executor(None, function, *args)


@functools.lru_cache(1024)
def _http_date(moment: datetime.datetime) -> str:
    return httputil.format_timestamp(moment)


@functools.lru_cache(1024)
def _content_type(path: str) -> str:
    import mimetypes

    mime_type, encoding = mimetypes.guess_type(path)
    if encoding == "gzip":
        return "application/gzip"
    if encoding is not None or mime_type is None:
        return "application/octet-stream"
    return mime_type


def _not_after(modified: datetime.datetime, since: str) -> bool:
    moment = parse_date(since)
    if moment is None:
        return False
    if modified.tzinfo is None:
        modified = modified.replace(tzinfo=datetime.UTC)
    return modified <= moment
