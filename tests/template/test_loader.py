"""Where templates come from."""

import os
import threading

from twisted.trial.unittest import SynchronousTestCase

from txtornado.template import BaseLoader, DictLoader, Loader, ParseError, Template


class FilesMixin:
    def write(self, files):
        """A directory with these files."""
        root = os.path.abspath(self.mktemp())
        for name, text in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(text.encode())
        return root


class LoaderTests(FilesMixin, SynchronousTestCase):
    def test_files(self):
        """Templates are files below the root, in UTF-8, whatever the environment's encoding."""
        root = self.write({"a.txt": "h\u00e9 {% include d/b.txt %}", "d/b.txt": "{{ '\u00e9' }}"})
        self.assertEqual(Loader(root).load("a.txt").generate(), "h\u00e9 \u00e9".encode())

    def test_root(self):
        """The root is kept as an absolute path."""
        self.assertEqual(Loader("some").root, os.path.abspath("some"))

    def test_resolve(self):
        """Relative names are relative to the asking template while that stays below the root."""
        resolve = Loader("/srv/root").resolve_path
        for name, parent, expected in (
            ("a.html", None, "a.html"),
            ("a.html", "b.html", "a.html"),
            ("a.html", "d/b.html", "d/a.html"),
            ("./a.html", "d/b.html", "d/a.html"),
            ("../a.html", "d/b.html", "a.html"),
            ("../x/a.html", "d/e/b.html", "d/x/a.html"),
            ("/etc/x", "d/b.html", "/etc/x"),
            ("a.html", "/abs/b.html", "a.html"),
            ("a.html", "<string>", "a.html"),
            ("../../a.html", "d/b.html", "../../a.html"),
            ("../root2/a.html", "b.html", "../root2/a.html"),
        ):
            self.assertEqual(resolve(name, parent), expected, (name, parent))

    def test_not_a_fence(self):
        """As documented, a name that leads out of the root is opened where it leads."""
        root = self.write({"root/a": "{% include ../b %}", "b": "outside"})
        loader = Loader(os.path.join(root, "root"))
        self.assertEqual(loader.load("a").generate(), b"outside")
        self.assertEqual(loader.load(os.path.join(root, "b")).generate(), b"outside")

    def test_missing(self):
        """A file that is not there is the error that opening it raises."""
        self.assertRaises(FileNotFoundError, Loader(self.write({"a": ""})).load, "b")

    def test_broken(self):
        """A file that is no template is an error with its name in it, each time."""
        loader = Loader(self.write({"d/a": "\n{{"}))
        for _ in range(2):
            error = self.assertRaises(ParseError, loader.load, "d/a")
            self.assertEqual((error.filename, error.lineno), ("d/a", 2))

    def test_reset(self):
        """After ``reset`` files are read again."""
        root = self.write({"a": "1{% include b %}", "b": "1"})
        loader = Loader(root)
        self.assertEqual(loader.load("a").generate(), b"11")
        for name in "ab":
            with open(os.path.join(root, name), "w") as file:
                file.write({"a": "2{% include b %}", "b": "2"}[name])
        self.assertEqual(loader.load("a").generate(), b"11")
        loader.reset()
        self.assertEqual(loader.load("a").generate(), b"22")


class DictLoaderTests(SynchronousTestCase):
    def test_dict(self):
        """The dict is the loader's, and can be changed."""
        loader = DictLoader({"a": "1"})
        loader.dict["b"] = "2"
        self.assertEqual(loader.load("b").generate(), b"2")

    def test_missing(self):
        """A name that is not there is a KeyError."""
        self.assertRaises(KeyError, DictLoader({"a": "{% include b %}"}).load, "a")

    def test_resolve(self):
        """Relative names are relative to the asking template."""
        resolve = DictLoader({}).resolve_path
        for name, parent, expected in (
            ("a", None, "a"),
            ("x/../a", None, "x/../a"),
            ("a", "d/b", "d/a"),
            ("../a", "d/b", "a"),
            ("../../a", "d/b", "../a"),
            ("/a", "d/b", "/a"),
            ("a", "/d/b", "a"),
            ("a", "<string>", "a"),
        ):
            self.assertEqual(resolve(name, parent), expected, (name, parent))

    def test_name_beyond_ascii(self):
        """Names may have any characters."""
        self.assertEqual(
            DictLoader({"t\u00e9st.html": "x"}).load("t\u00e9st.html").generate(), b"x"
        )


class BaseLoaderTests(SynchronousTestCase):
    def test_cache(self):
        """A template is compiled once, under its resolved name, and known in ``templates``."""
        loader = DictLoader({"d/a": "x", "d/b": "{% include a %}"})
        self.assertIs(loader.load("d/a"), loader.load("d/a"))
        self.assertIs(loader.load("a", parent_path="d/b"), loader.load("d/a"))
        self.assertEqual(list(loader.templates), ["d/a"])
        self.assertIs(loader.load("d/b").loader, loader)

    def test_namespace(self):
        """What a loader adds to the namespace goes before the defaults, arguments before that."""
        loader = DictLoader({"a": "{{ x }}{% raw squeeze %}"}, namespace={"x": 1, "squeeze": 2})
        self.assertEqual(loader.load("a").generate(), b"12")
        self.assertEqual(loader.load("a").generate(x=3), b"32")
        loader.namespace["x"] = 4
        self.assertEqual(loader.load("a").generate(), b"42")

    def test_own_loader(self):
        """A loader of one's own says how names are resolved and templates made."""

        class Upper(BaseLoader):
            def resolve_path(self, name, parent_path=None):
                return name.upper()

            def _create_template(self, name):
                return Template(f"{{# #}}{name}", name=name, loader=self)

        self.assertEqual(Upper().load("a").generate(), b"A")
        self.assertRaises(NotImplementedError, BaseLoader().load, "a")

    def test_threads(self):
        """Threads that load the same templates at once get the same objects."""
        files = {"base": "{% block x %}{% end %}"}
        files |= {f"p{n}": "{% extends base %}{% block x %}{{ y }}{% end %}" for n in range(20)}
        loader = DictLoader(files)
        start = threading.Barrier(4)
        results = []

        def load():
            start.wait(30)
            results.append([loader.load(f"p{n}") for n in range(20)])

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(len(results), 4)
        for templates in zip(*results, strict=True):
            self.assertEqual(len(set(map(id, templates))), 1)
