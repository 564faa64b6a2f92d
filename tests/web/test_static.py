"""`StaticFileHandler`: which files it serves, and how."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import hashlib
import os
import shutil
import tempfile
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.httputil import HTTPServerRequest
from txtornado.log import gen_log
from txtornado.testing import ExpectLog, ReactorTestCase
from txtornado.web import Application, HTTPError, RequestHandler, StaticFileHandler
from txtornado.web import _ranges as ranges
from txtornado.web import _staticfiles as files

from .support import Exchange, request

CONTENT = b"0123456789abcdefghij"
LONG_AGO = 1_500_000_000


class Folder:
    """A folder of files; a mixin for test cases."""

    def setUp(self) -> None:
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)  # type: ignore[attr-defined]
        self.root = os.path.join(self.base, "root")
        os.makedirs(os.path.join(self.root, "dir"))
        self.put("a.txt", CONTENT)
        self.put("dir/index.html", b"<p>index</p>")
        self.put("../secret.txt", b"secret")
        StaticFileHandler.reset()
        self.addCleanup(StaticFileHandler.reset)  # type: ignore[attr-defined]

    def put(self, name: str, content: bytes, modified: float = LONG_AGO) -> str:
        path = os.path.join(self.root, name)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (modified, modified))
        return path

    def app(
        self, handler: type[StaticFileHandler] = StaticFileHandler, **kwargs: Any
    ) -> Application:
        return Application([("/s/(.*)", handler, {"path": self.root, **kwargs})])

    async def get(self, name: str, app: Application | None = None, **kwargs: Any) -> Exchange:
        return await request(app or self.app(), f"/s/{name}", **kwargs).done()


class ServingTests(Folder, ReactorTestCase):
    """Content and headers."""

    async def test_file(self) -> None:
        """A file comes with type, length, etag and time of modification."""
        exchange = await self.get("a.txt")
        self.assertEqual(exchange.body, CONTENT)
        headers = exchange.headers
        self.assertEqual(headers["Content-Type"], "text/plain")
        self.assertEqual(headers["Content-Length"], "20")
        self.assertEqual(headers["Etag"], f'"{hashlib.sha512(CONTENT).hexdigest()}"')
        self.assertEqual(headers["Last-Modified"], "Fri, 14 Jul 2017 02:40:00 GMT")
        self.assertEqual(headers["Accept-Ranges"], "bytes")

    async def test_head(self) -> None:
        """HEAD answers as GET does, without the body."""
        got, head = await self.get("a.txt"), await self.get("a.txt", method="HEAD")
        self.assertEqual(head.body, b"")
        for name in ("Content-Length", "Content-Type", "Etag", "Last-Modified"):
            self.assertEqual(head.headers[name], got.headers[name])

    async def test_sizes(self) -> None:
        """Files of every size arrive whole, whole or in part, read here or in a thread."""
        for size in (0, 1, 4096, 4097, 65536, 65537, 300_000):
            content = os.urandom(size)
            self.put("file", content)
            for _ in range(2):  # the second time it may be in memory
                exchange = await self.get("file")
                self.assertEqual(exchange.body, content)
                self.assertEqual(exchange.headers["Content-Length"], str(size))
            if size > 2:
                part = await self.get("file", headers={"Range": "bytes=1-"})
                self.assertEqual(part.body, content[1:])

    async def test_changed_file(self) -> None:
        """A file that changes is served, and tagged, as it is now."""
        first = await self.get("a.txt")
        self.put("a.txt", b"other content of it!", LONG_AGO + 5)
        second = await self.get("a.txt")
        self.assertEqual(second.body, b"other content of it!")
        self.assertNotEqual(first.headers["Etag"], second.headers["Etag"])

    async def test_types(self) -> None:
        """The type goes by the name; what is compressed is not called what is in it."""
        for name, expected in (
            ("x.css", "text/css"),
            ("x.tar.gz", "application/gzip"),
            ("x.txt.bz2", "application/octet-stream"),
            ("unknown", "application/octet-stream"),
        ):
            self.put(name, b"x")
            self.assertEqual((await self.get(name)).headers["Content-Type"], expected)

    async def test_caching(self) -> None:
        """A versioned request may be cached for ten years, others as the browser likes."""
        self.assertNotIn("Cache-Control", (await self.get("a.txt")).headers)
        headers = (await self.get("a.txt?v=1")).headers
        self.assertEqual(headers["Cache-Control"], "max-age=315360000")
        self.assertIn("Expires", headers)

    async def test_not_modified(self) -> None:
        """A browser that has the file gets a 304; the etag goes before the date."""
        first = (await self.get("a.txt")).headers
        date, etag = first["Last-Modified"], first["Etag"]
        for headers, code in (
            ({"If-None-Match": etag}, 304),
            ({"If-None-Match": '"other"'}, 200),
            ({"If-None-Match": '"other"', "If-Modified-Since": date}, 200),
            ({"If-Modified-Since": date}, 304),
            ({"If-Modified-Since": "Fri, 14 Jul 2017 02:39:59 GMT"}, 200),
            ({"If-Modified-Since": "Fri, 01 Jan 1960 00:00:00 GMT"}, 200),
            ({"If-Modified-Since": "no date"}, 200),
            ({"If-None-Match": etag, "Range": "bytes=0-1"}, 304),
        ):
            self.assertEqual((await self.get("a.txt", headers=headers)).code, code, headers)

    async def test_default_filename(self) -> None:
        """A folder is served by its default file, at the path that ends in a slash."""
        app = self.app(default_filename="index.html")
        self.assertEqual((await self.get("dir/", app)).body, b"<p>index</p>")
        moved = await self.get("dir", app)
        self.assertEqual((moved.code, moved.headers["Location"]), (301, "/s/dir/"))

    async def test_robots_and_favicon(self) -> None:
        """``static_path`` serves these two at the root as well."""
        self.put("robots.txt", b"Disallow: /")
        app = Application(static_path=self.root)
        for path in ("/robots.txt", "/static/robots.txt"):
            self.assertEqual((await request(app, path).done()).body, b"Disallow: /")
        self.assertEqual((await request(app, "/favicon.ico").done()).code, 404)

    async def test_extra_headers(self) -> None:
        """A subclass adds headers, and decides how long to cache."""

        class Handler(StaticFileHandler):
            def set_extra_headers(self, path: str) -> None:
                self.set_header("X-Path", path)

            def get_cache_time(self, path: str, modified: Any, mime_type: str) -> int:
                return 60

        headers = (await self.get("a.txt", self.app(Handler))).headers
        self.assertEqual(headers["X-Path"], "a.txt")
        self.assertEqual(headers["Cache-Control"], "max-age=60")

    async def test_wrapped_get(self) -> None:
        """A subclass may await the method, or return it."""

        class Awaits(StaticFileHandler):
            async def get(self, path: str, include_body: bool = True) -> None:  # type: ignore[override]
                await super().get(path, include_body)

        class Returns(StaticFileHandler):
            def get(self, path: str, include_body: bool = True) -> Any:
                return StaticFileHandler.get(self, path, include_body)

        for handler in (Awaits, Returns):
            self.assertEqual((await self.get("a.txt", self.app(handler))).body, CONTENT)

    async def test_decorated_get(self) -> None:
        """A decorator that awaits coroutines and nothing else serves files of every size."""

        class Decorated(StaticFileHandler):
            async def get(self, path: str, include_body: bool = True) -> Any:  # type: ignore[override]
                result = super().get(path, include_body)
                return await result if asyncio.iscoroutine(result) else result

        for size in (0, 100, 100_000, 10_000_000):
            self.put("file.txt", b"x" * size)
            exchange = await self.get("file.txt", self.app(Decorated))
            self.assertEqual(exchange.body, b"x" * size)

    async def test_own_versions(self) -> None:
        """A subclass may have its own way to versions, as livereload has."""

        class Versions(StaticFileHandler):
            @classmethod
            def _get_cached_version(cls, abs_path: str) -> str | None:
                with cls._lock:
                    return str(cls._static_hashes.setdefault(abs_path, "mine"))

        for size in (10, 100_000):
            self.put("file.txt", b"x" * size)
            exchange = await self.get("file.txt", self.app(Versions))
            self.assertEqual((exchange.headers["Etag"], len(exchange.body)), ('"mine"', size))
        settings = {"static_path": self.root}
        self.assertEqual(Versions.make_static_url(settings, "a.txt"), "/static/a.txt?v=mine")
        del Versions._static_hashes[os.path.join(self.root, "file.txt")]
        self.assertEqual(list(Versions._static_hashes), [os.path.join(self.root, "a.txt")])
        Versions.reset()
        self.assertEqual(Versions._static_hashes, {})

    async def test_lock_for_subclasses(self) -> None:
        """What a subclass keeps of its own is guarded by the lock of the class, as Jupyter's is."""

        class Finder(StaticFileHandler):
            @classmethod
            def get_absolute_path(cls, root: str, path: str) -> str:
                with cls._lock:
                    return super().get_absolute_path(root, path)

        self.assertEqual((await self.get("a.txt", self.app(Finder))).body, CONTENT)

    async def test_gzip(self) -> None:
        """Static files are compressed as other responses are, however short."""
        app = self.app()
        app.transforms = Application(gzip=True).transforms
        for name in ("a.txt", "long.txt"):
            self.put("long.txt", b"x" * 100_000)
            exchange = await self.get(name, app, headers={"Accept-Encoding": "gzip"})
            self.assertEqual(exchange.headers["Content-Encoding"], "gzip")
            plain = CONTENT if name == "a.txt" else b"x" * 100_000
            self.assertEqual(gzip.decompress(exchange.body), plain)


class PrecompressedTests(Folder, ReactorTestCase):
    """Compressed neighbours of files."""

    def setUp(self) -> None:
        super().setUp()
        self.put("a.txt.gz", gzip.compress(CONTENT))
        self.put("a.txt.br", b"brotli")

    async def test_off_unless_asked(self) -> None:
        """Without the argument neighbours are just files."""
        exchange = await self.get("a.txt", headers={"Accept-Encoding": "gzip, br"})
        self.assertEqual(exchange.body, CONTENT)
        self.assertNotIn("Vary", exchange.headers)

    async def test_chosen(self) -> None:
        """The best that the browser takes is sent, under the type of the file itself."""
        app = self.app(precompressed=True)
        for accepted, encoding in (
            ("gzip, deflate, br", "br"),
            ("gzip", "gzip"),
            ("br;q=0, gzip;q=0.5", "gzip"),
            ("identity", None),
            ("", None),
        ):
            exchange = await self.get("a.txt", app, headers={"Accept-Encoding": accepted})
            self.assertEqual(exchange.headers.get("Content-Encoding"), encoding)
            self.assertEqual(exchange.headers["Content-Type"], "text/plain")
            self.assertEqual(exchange.headers["Vary"], "Accept-Encoding")
            self.assertEqual(exchange.headers["Content-Length"], str(len(exchange.body)))

    async def test_etags_differ(self) -> None:
        """Each encoding has an etag of its own."""
        app = self.app(precompressed=True)
        etags = {
            (await self.get("a.txt", app, headers={"Accept-Encoding": name})).headers["Etag"]
            for name in ("br", "gzip", "")
        }
        self.assertEqual(len(etags), 3)

    async def test_without_neighbour(self) -> None:
        """A file without one is sent as it is."""
        app = self.app(precompressed=True, default_filename="index.html")
        exchange = await self.get("dir/", app, headers={"Accept-Encoding": "br"})
        self.assertEqual(exchange.body, b"<p>index</p>")


class RangeTests(Folder, ReactorTestCase):
    """Parts of files."""

    async def test_ranges(self) -> None:
        """Every kind of range, satisfiable, not satisfiable, and nonsense."""
        for header, code, body in (
            ("bytes=0-0", 206, b"0"),
            ("bytes=2-4", 206, b"234"),
            ("bytes=15-", 206, b"fghij"),
            ("bytes=-3", 206, b"hij"),
            ("bytes=1-1000", 206, CONTENT[1:]),
            ("bytes=15", 206, b"fghij"),
            ("bytes= 1 - 2", 206, b"12"),
            ("bytes=0-", 200, CONTENT),
            ("bytes=0-1000", 200, CONTENT),
            ("bytes=-1000", 200, CONTENT),
            ("bytes=20-", 416, b""),
            ("bytes=5-4", 416, b""),
            ("bytes=-0", 416, b""),
            ("bytes=0-1,3-4", 200, CONTENT),
            ("bytes=x-y", 200, CONTENT),
            ("bytes=", 200, CONTENT),
            ("bytes=-", 200, CONTENT),
            ("lines=1-2", 200, CONTENT),
            ("bytes=" + "9" * 5000 + "-", 200, CONTENT),
        ):
            exchange = await self.get("a.txt", headers={"Range": header})
            self.assertEqual((exchange.code, exchange.body), (code, body), header)
            self.assertEqual(exchange.headers["Content-Length"], str(len(body)))
            if code == 416:
                self.assertEqual(exchange.headers["Content-Range"], "bytes */20")

    async def test_content_range(self) -> None:
        """A part says which one it is, and has the etag of the whole."""
        exchange = await self.get("a.txt", headers={"Range": "bytes=2-4"})
        self.assertEqual(exchange.headers["Content-Range"], "bytes 2-4/20")
        self.assertEqual(exchange.headers["Etag"], (await self.get("a.txt")).headers["Etag"])

    @given(st.text(max_size=30), st.integers(0, 1000))
    def test_nonsense(self, text: str, size: int) -> None:
        """No header makes an exception or a range beyond the file."""
        for header in (text, "bytes=" + text):
            wanted = ranges.requested_range(header, size)
            if wanted is not None:
                self.assertTrue(wanted.start >= 0 and wanted.end <= size)

    async def test_if_range(self) -> None:
        """``If-Range`` asks for the part only if the file is still the same."""
        first = (await self.get("a.txt")).headers
        etag, date = first["Etag"], first["Last-Modified"]
        for condition, code in (
            (etag, 206),
            (date, 206),
            (f"W/{etag}", 200),
            ('"other"', 200),
            ("Fri, 14 Jul 2017 02:40:01 GMT", 200),
            ("nonsense", 200),
            ("", 200),
        ):
            headers = {"Range": "bytes=0-1", "If-Range": condition}
            self.assertEqual((await self.get("a.txt", headers=headers)).code, code, condition)

    def test_if_range_without_date(self) -> None:
        """A resource without a date never matches one; one without a zone counts as UTC."""
        asked = HTTPServerRequest("GET", "/")
        asked.headers["If-Range"] = "Fri, 14 Jul 2017 02:40:00 GMT"
        moment = datetime.datetime(2017, 7, 14, 2, 40)
        self.assertFalse(ranges.range_applies(asked, None, None))
        self.assertTrue(ranges.range_applies(asked, None, moment))


class OutsideTests(Folder, ReactorTestCase):
    """Nothing outside of the folder is served, whatever one writes."""

    async def code(self, name: str, **kwargs: Any) -> int:
        with ExpectLog(gen_log, ".*", required=False):
            return (await self.get(name, **kwargs)).code

    async def test_traversal(self) -> None:
        """Ways out are refused in every encoding."""
        for name, code in (
            ("../secret.txt", 403),
            ("..%2fsecret.txt", 403),
            ("%2e%2e/secret.txt", 403),
            ("%2e%2e%2fsecret.txt", 403),
            ("dir/../../secret.txt", 403),
            ("/etc/passwd", 403),
            ("%2fetc/passwd", 403),
            ("..%5csecret.txt", 404),
            ("..%252fsecret.txt", 404),
            ("%c0%ae%c0%ae/secret.txt", 400),
            ("a.txt%00", 404),
            ("a.txt%00.html", 404),
            ("x" * 5000, 404),
            ("a.txt/..", 403),
            ("dir", 403),
            ("dir/", 403),
            ("", 403),
            ("missing", 404),
        ):
            self.assertEqual(await self.code(name), code, name)

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                ["..", ".", "/", "//", "\\", "dir", "secret.txt", "%2e", "\0", "a.txt", "é"]
            ),
            max_size=8,
        )
    )
    def test_any_path(self, parts: list[str]) -> None:
        """Whatever path is put together, it is refused or inside."""
        path = "/".join(parts)
        try:
            found = StaticFileHandler.get_absolute_path(self.root, path)
        except HTTPError:
            return
        self.assertTrue((found + os.sep).startswith(self.root + os.sep))

    async def test_links(self) -> None:
        """Links may lead about the folder but not out of it, unless allowed."""
        other = os.path.join(self.base, "other")
        os.mkdir(other)
        for name, target in (
            ("in.txt", os.path.join(self.root, "a.txt")),
            ("out.txt", os.path.join(self.base, "secret.txt")),
            ("dangling", os.path.join(self.base, "missing")),
            ("outdir", other),
            ("loop", "loop"),
        ):
            os.symlink(target, os.path.join(self.root, name))
        self.assertEqual(await self.code("in.txt"), 200)
        for name in ("out.txt", "dangling", "outdir", "outdir/x"):
            self.assertEqual(await self.code(name, app=self.app(default_filename="x")), 403, name)
        self.assertIn(await self.code("loop"), (403, 404))
        for allowed in (self.base, [self.root, self.base]):
            app = self.app(allowed_symlink_directory=allowed)
            self.assertEqual(await self.code("out.txt", app=app), 200)
        app = self.app(allowed_symlink_directory=[other])
        self.assertEqual(await self.code("out.txt", app=app), 403)

    async def test_replaced(self) -> None:
        """A file that has become a link out of the folder, or is gone, is not served again."""
        path, folder = os.path.join(self.root, "b.txt"), os.path.join(self.root, "folder")
        outside = os.path.join(self.base, "outside")
        for name in (folder, outside):
            os.mkdir(name)
            self.put(os.path.join(name, "c.txt"), b"c")
        self.put("b.txt", b"b")
        for name in ("b.txt", "folder/c.txt"):
            self.assertEqual(await self.code(name), 200)
            self.assertEqual(await self.code(name), 200)
        os.unlink(path)
        self.assertIn(await self.code("b.txt"), (403, 404))
        os.symlink(os.path.join(self.base, "secret.txt"), path)
        self.assertEqual(await self.code("b.txt"), 403)
        shutil.rmtree(folder)
        os.symlink(outside, folder)
        self.assertEqual(await self.code("folder/c.txt"), 403)

    async def test_linked_default_file(self) -> None:
        """The default file of a folder is held to the same."""
        os.symlink(os.path.join(self.base, "secret.txt"), os.path.join(self.root, "dir", "default"))
        app = self.app(default_filename="default")
        self.assertEqual(await self.code("dir/", app=app), 403)

    async def test_linked_root(self) -> None:
        """The folder itself may be reached through a link."""
        link = os.path.join(self.base, "link")
        os.symlink(self.root, link)
        app = Application([("/s/(.*)", StaticFileHandler, {"path": link})])
        self.assertEqual(await self.code("a.txt", app=app), 200)

    async def test_root_of_all(self) -> None:
        """The root of the file system is a folder, too."""
        app = Application([("/s/(.*)", StaticFileHandler, {"path": "/"})])
        path = quote(os.path.realpath(os.path.join(self.root, "a.txt")))
        self.assertEqual(await self.code(path, app=app), 200)

    async def test_special_files(self) -> None:
        """Pipes and devices are never opened."""
        os.mkfifo(os.path.join(self.root, "pipe"))
        self.assertEqual(await self.code("pipe"), 403)
        app = Application([("/s/(.*)", StaticFileHandler, {"path": "/dev"})])
        self.assertEqual(await self.code("zero", app=app), 403)

    async def test_open_redirect(self) -> None:
        """The redirect of a folder to its slash leads to no other host."""
        app = Application(
            static_path=self.root,
            static_url_prefix="/",
            static_handler_args={"default_filename": "index.html"},
        )
        for path in (f"//evil.example/..{self.root}/dir", "/\\evil.example/../dir"):
            with ExpectLog(gen_log, ".*two initial slashes"):
                self.assertEqual((await request(app, path).done()).code, 403)


class VersionTests(Folder, SynchronousTestCase):
    """Versions for URLs."""

    def test_url(self) -> None:
        """``static_url`` has the version, and the host if asked for."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.include_host = "host" in self.request.arguments
                self.write(self.static_url("a.txt", include_version="v" in self.request.arguments))

        app = Application([("/", Handler)], static_path=self.root)
        version = hashlib.sha512(CONTENT).hexdigest()
        self.assertEqual(request(app).text, "/static/a.txt")
        self.assertEqual(request(app, "/?v=1").text, f"/static/a.txt?v={version}")
        self.assertEqual(request(app, "/?host=1").text, "http://example.com/static/a.txt")

    def version(self, name: str, handler: type[StaticFileHandler] = StaticFileHandler) -> Any:
        return handler.get_version({"static_path": self.root}, name)

    def test_outside(self) -> None:
        """No version of a file outside of the folder is told."""
        error = self.assertRaises(HTTPError, self.version, "../secret.txt")
        self.assertEqual(error.status_code, 403)

    def test_none(self) -> None:
        """What cannot be read has none, and the log says why."""
        os.mkfifo(os.path.join(self.root, "pipe"))
        for name in ("missing", "dir", "pipe"):
            with ExpectLog(gen_log, "Could not open static file"):
                self.assertIsNone(self.version(name))

    def test_too_large(self) -> None:
        """Too large a file has none."""

        class Handler(StaticFileHandler):
            MAX_VERSION_CONTENT_SIZE = len(CONTENT) - 1

        with ExpectLog(gen_log, "Could not open static file .*larger than 19 bytes"):
            self.assertIsNone(self.version("a.txt", Handler))

    def test_hashed_once(self) -> None:
        """A file is hashed again only when it has changed, or was pushed out by others."""
        hashed: list[str] = []

        class Handler(StaticFileHandler):
            MAX_CACHED_VERSIONS = 2

            @classmethod
            def get_content_version(cls, abspath: str) -> str:
                hashed.append(os.path.basename(abspath))
                return super().get_content_version(abspath)

        self.put("b.txt", b"b")
        self.put("c.txt", b"c")
        for name in ("a.txt", "b.txt", "a.txt", "c.txt", "a.txt", "b.txt"):
            self.version(name, Handler)
        self.assertEqual(hashed, ["a.txt", "b.txt", "c.txt", "b.txt"])
        self.put("b.txt", b"B", LONG_AGO + 1)
        self.assertEqual(self.version("b.txt", Handler), hashlib.sha512(b"B").hexdigest())


class ElsewhereTests(ReactorTestCase):
    """Content that is in no file."""

    async def test_database(self) -> None:
        """A subclass serves from elsewhere by overriding what reads files."""

        class Handler(StaticFileHandler):
            contents = {"/db/a.txt": CONTENT}

            @classmethod
            def get_absolute_path(cls, root: str, path: str) -> str:
                return root + path

            def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
                if absolute_path not in self.contents:
                    raise HTTPError(404)
                return absolute_path

            @classmethod
            def get_content(cls, abspath: str, start: Any = None, end: Any = None) -> Any:
                yield cls.contents[abspath][start:end]

            def get_content_size(self) -> int:
                return len(self.contents[self.absolute_path or ""])

            def get_modified_time(self) -> None:
                return None

        app = Application([("/(.*)", Handler, {"path": "/db/"})])
        exchange = await request(app, "/a.txt").done()
        self.assertEqual(exchange.body, CONTENT)
        self.assertNotIn("Last-Modified", exchange.headers)
        self.assertEqual(exchange.headers["Etag"], f'"{hashlib.sha512(CONTENT).hexdigest()}"')
        part = await request(app, "/a.txt", headers={"Range": "bytes=-2"}).done()
        self.assertEqual((part.code, part.body), (206, b"ij"))
        self.assertEqual((await request(app, "/b").done()).code, 404)


class PathTests(Folder, SynchronousTestCase):
    """The short ways to a path come to the same as the long ones."""

    @given(st.text(st.sampled_from("ab.-_/~ é%\\"), max_size=12))
    def test_join(self, path: str) -> None:
        """A path is joined as `os.path` does it, plain or not."""
        expected = os.path.abspath(os.path.join("/srv/x", path))
        self.assertEqual(files.join("/srv/x", path), expected)
        self.assertEqual(files.join("/srv/x/", path), expected)

    def test_real_path(self) -> None:
        """Links are resolved as `os.path.realpath` does it, with and without ``/proc``."""
        os.symlink(self.root, os.path.join(self.base, "link"))
        os.symlink("a.txt", os.path.join(self.root, "relative"))
        os.symlink("missing", os.path.join(self.root, "dangling"))
        for way in (files._O_PATH, 0):
            self.patch(files, "_O_PATH", way)
            for name in ("link/a.txt", "link/relative", "link/dangling", "link/dir/../a.txt", "x"):
                path = os.path.join(self.base, name)
                self.assertEqual(files.real_path(path), os.path.realpath(path))

    def test_resolver(self) -> None:
        """Where a path leads is found out again after a second, or when the file has changed."""
        now = [100.0]
        self.patch(files.time, "monotonic", lambda: now[0])
        resolver = files.Resolver()
        path = os.path.join(self.root, "a.txt")
        found = resolver.find(path, self.root, "a.txt")
        self.assertEqual(found.path, os.path.realpath(path))
        self.assertIs(resolver.find(path, self.root, "a.txt"), found)
        self.put("a.txt", b"changed")
        changed = resolver.find(path, self.root, "a.txt")
        self.assertEqual(changed.status.st_size, 7)
        self.assertIsNot(changed, found)
        now[0] += resolver.TRUSTED
        self.assertIsNot(resolver.find(path, self.root, "a.txt"), changed)
        elsewhere = os.path.join(self.root, "dir")
        self.assertRaises(HTTPError, resolver.find, path, elsewhere, "a.txt")
        self.patch(resolver, "KEPT", 1)
        resolver.find(os.path.join(elsewhere, "index.html"), self.root, "index.html")
        self.assertEqual(len(resolver._known), 1)

    def test_prefix(self) -> None:
        """A folder's prefix ends in one separator; a relative one follows the working folder."""
        self.assertEqual(files.prefix_of("/"), "/")
        self.assertEqual(files.prefix_of("/a/../b//"), "/b/")
        self.assertEqual(files.prefix_of("b"), os.path.join(os.getcwd(), "b", ""))


class ContentCacheTests(Folder, SynchronousTestCase):
    """The memory of small files."""

    def stamp(self, path: str) -> files.Stamp:
        return files.stamp_of(os.stat(path))

    def test_kept(self) -> None:
        """A settled small file is kept while it is unchanged."""
        cache = files.ContentCache()
        path = os.path.join(self.root, "a.txt")
        self.assertIsNone(cache.get(path, self.stamp(path)))
        self.assertEqual(cache.load(path), CONTENT)
        self.assertEqual(cache.get(path, self.stamp(path)), CONTENT)
        self.put("a.txt", b"x", LONG_AGO + 1)
        self.assertIsNone(cache.get(path, self.stamp(path)))

    def test_not_kept(self) -> None:
        """Large files, and those that may still be changing, are not."""
        cache = files.ContentCache(max_file=5)
        for name, content, modified in (("big", b"123456", LONG_AGO), ("new", b"1", 4_000_000_000)):
            path = self.put(name, content, modified)
            self.assertEqual(cache.load(path), content)
            self.assertIsNone(cache.get(path, self.stamp(path)))

    def test_bounded(self) -> None:
        """It never holds more than it may."""
        cache = files.ContentCache(max_total=10)
        for number in range(5):
            cache.load(self.put(f"f{number}", b"1234"))
        self.assertEqual((cache.total, len(cache.entries)), (8, 2))
        cache.load(self.put("f4", b"12", LONG_AGO + 1))
        self.assertEqual(cache.total, 6)
        cache.clear()
        self.assertEqual((cache.total, len(cache.entries)), (0, 0))
