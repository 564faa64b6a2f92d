"""Templates made of several files."""

from twisted.trial.unittest import SynchronousTestCase

from tests.template import render_files
from txtornado.template import DictLoader, ParseError, Template

BASE = "<{% block a %}A{% block b %}B{% end %}{% end %}|{% block c %}C{% end %}>"


class ExtendsTests(SynchronousTestCase):
    def check(self, expected, **files):
        self.assertEqual(render_files({"base": BASE, **files}, "page"), expected)

    def test_blocks_replaced(self):
        """A block takes the place of the base's block of that name; the others stay."""
        self.check(b"<AB|new>", page="{% extends base %}{% block c %}new{% end %}")

    def test_rest_ignored(self):
        """What stands outside the blocks of an extending template is left out."""
        self.check(
            b"<AB|new>",
            page="text{% set x = 1 / 0 %}{% extends 'base' %}{{ nothing }}"
            "{% block c %}new{% end %}{% block unknown %}?{% end %}",
        )

    def test_nested_blocks(self):
        """Inner and outer blocks can be replaced, alone or together."""
        self.check(b"<Anew|C>", page="{% extends base %}{% block b %}new{% end %}")
        self.check(
            b"<new|C>", page="{% extends base %}{% block a %}new{% end %}{% block b %}lost{% end %}"
        )
        self.check(
            b"<1(2)|C>", page="{% extends base %}{% block a %}1({% block b %}2{% end %}){% end %}"
        )

    def test_several_levels(self):
        """The most derived template's block wins."""
        self.check(
            b"<page|middle>",
            middle="{% extends base %}{% block a %}lost{% end %}{% block c %}middle{% end %}",
            page="{% extends middle %}{% block a %}page{% end %}",
        )

    def test_block_in_statement(self):
        """A block counts wherever in the extending template it stands."""
        self.check(b"<AB|x>", page="{% extends base %}{% if 0 %}{% block c %}x{% end %}{% end %}")
        self.check(
            b"<AB|x>", page="{% extends base %}{% apply f %}{% block c %}x{% end %}{% end %}"
        )

    def test_block_from_include(self):
        """A block of an included file counts where the inclusion stands."""
        self.check(
            b"<AB|inc>", page="{% extends base %}{% include i %}", i="{% block c %}inc{% end %}"
        )
        self.assertEqual(
            render_files(
                {
                    "base": "[{% include i %}]",
                    "i": "{% block c %}inc{% end %}",
                    "page": "{% extends base %}{% block c %}page{% end %}",
                },
                "page",
            ),
            b"[page]",
        )

    def test_last_block_wins(self):
        """Of several blocks of a name in one file the last one counts, in every place."""
        self.check(
            b"<AB|2>", page="{% extends base %}{% block c %}1{% end %}{% block c %}2{% end %}"
        )
        self.assertEqual(
            render_files({"page": "{% block a %}1{% end %}{% block a %}2{% end %}"}, "page"), b"22"
        )

    def test_variables_of_the_base(self):
        """A block sees the variables of the place it is put in."""
        files = {
            "base": "{% for i in range(3) %}{% block item %}{% end %}{% end %}",
            "page": "{% extends base %}{% block item %}{{ i * 10 }},{% end %}",
        }
        self.assertEqual(render_files(files, "page"), b"0,10,20,")

    def test_base_untouched(self):
        """A template renders the same before and after others extend it."""
        loader = DictLoader({"base": BASE, "page": "{% extends base %}{% block c %}x{% end %}"})
        before = loader.load("base").generate()
        loader.load("page")
        self.assertEqual((before, loader.load("base").generate()), (b"<AB|C>", b"<AB|C>"))


class FolderTests(SynchronousTestCase):
    def test_relative_names(self):
        """Names in a template are relative to its folder, wherever it is used from."""
        files = {
            "layout/base.html": "{% include parts/head.html %}{% block body %}{% end %}",
            "layout/parts/head.html": "head({% include ../foot.html %})",
            "layout/foot.html": "foot",
            "site/page.html": "{% extends ../layout/base.html %}"
            "{% block body %}{% include inner.html %}{% end %}",
            "site/inner.html": "inner",
            "inner.html": "wrong",
            "foot.html": "wrong",
        }
        self.assertEqual(render_files(files, "site/page.html"), b"head(foot)inner")


class IncludeTests(SynchronousTestCase):
    def test_quotes(self):
        """A name may stand in quotes of either kind, or without."""
        files = {"a": "{% include b c %}{% include 'b c' %}{% include \"b c\" %}", "b c": "1"}
        self.assertEqual(render_files(files, "a"), b"111")

    def test_within_statements(self):
        """An inclusion in a loop is run each time."""
        files = {"a": "{% for i in range(3) %}{% include b %}{% end %}", "b": "{{ i }}"}
        self.assertEqual(render_files(files, "a"), b"012")

    def test_extending_file(self):
        """A file that extends another cannot be included, and the error says what to do."""
        files = {"base": BASE, "a": "\n{% include b %}", "b": "{% extends base %}"}
        error = self.assertRaises(ParseError, render_files, files, "a")
        self.assertEqual((error.filename, error.lineno), ("a", 2))
        self.assertIn("Cannot include 'b', which extends 'base'", str(error))


class CircleTests(SynchronousTestCase):
    def check(self, files, message):
        loader = DictLoader(files)
        error = self.assertRaises(ParseError, loader.load, "a")
        self.assertEqual(str(error), message)
        # Nothing is left behind that would make the next attempt another one.
        self.assertRaises(ParseError, loader.load, "a")
        return loader

    def test_include(self):
        """Files that include each other are an error that shows the circle."""
        self.check(
            {"a": "\n{% include b %}", "b": "\n\n{% include a %}"},
            "Template includes or extends itself (a -> b -> a) at b:3",
        )

    def test_itself(self):
        """So is a file that includes itself."""
        self.check({"a": "{% include a %}"}, "Template includes or extends itself (a -> a) at a:1")

    def test_extends(self):
        """So are templates that extend each other."""
        self.check(
            {"a": "{% extends b %}", "b": "{% extends c %}", "c": "{% extends b %}"},
            "Template includes or extends itself (b -> c -> b) at c:1",
        )

    def test_mended(self):
        """Once mended, the files can be loaded."""
        loader = self.check(
            {"a": "{% include b %}", "b": "{% include a %}"},
            "Template includes or extends itself (a -> b -> a) at b:1",
        )
        loader.dict["b"] = "fine"
        self.assertEqual(loader.load("a").generate(), b"fine")

    def test_loader_without_cache(self):
        """A loader that loads in its own way is found out, too."""

        class Fresh:
            autoescape = None
            whitespace = None
            namespace = {}

            def load(self, name, parent_path=None):
                return Template("{% include a %}", name="a", loader=self)

        error = self.assertRaises(ParseError, Fresh().load, "a")
        self.assertIn("Nested too deeply", str(error))


class NoLoaderTests(SynchronousTestCase):
    def test_no_loader(self):
        """Without a loader no other file can be named."""
        for directive in ("include", "extends"):
            error = self.assertRaises(ParseError, Template, f"\n{{% {directive} a %}}", name="t")
            self.assertEqual(
                str(error), f"{{% {directive} %}} block found, but no template loader at t:2"
            )
