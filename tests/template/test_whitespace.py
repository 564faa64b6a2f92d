"""White space between tags."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.template import DictLoader, ParseError, Template, filter_whitespace


class FilterTests(SynchronousTestCase):
    TEXT = " \t a \t b\n \n\t c\r\n\r\nd "

    def test_all(self):
        """``all`` leaves everything."""
        self.assertEqual(filter_whitespace("all", self.TEXT), self.TEXT)

    def test_single(self):
        """``single`` leaves one blank, or one line end, of each run."""
        self.assertEqual(filter_whitespace("single", self.TEXT), " a b\nc\nd ")

    def test_oneline(self):
        """``oneline`` leaves one blank of each run."""
        self.assertEqual(filter_whitespace("oneline", self.TEXT), " a b c d ")

    def test_unknown(self):
        """Another mode is an error that names those there are."""
        error = self.assertRaises(ValueError, filter_whitespace, "some", "x")
        self.assertIn("'some': use one of all, single, oneline", str(error))

    @given(st.text(" \t\n\r\x0ba\u00a0"))
    def test_settles(self, text):
        """Filtering twice is filtering once, and nothing but white space changes."""
        for mode in ("all", "single", "oneline"):
            once = filter_whitespace(mode, text)
            self.assertEqual(filter_whitespace(mode, once), once)
            self.assertEqual("".join(once.split()), "".join(text.split()))


class ModeTests(SynchronousTestCase):
    TEXT = "  a\n\n  {% if 1 %}  b{% end %}"

    def check(self, expected, **arguments):
        self.assertEqual(Template(self.TEXT, **arguments).generate(), expected)

    def test_by_name(self):
        """Templates named .html and .js are collapsed, all others kept."""
        self.check(b" a\n b", name="x.html")
        self.check(b" a\n b", name="x.js")
        self.check(b"  a\n\n    b", name="x.txt")
        self.check(b"  a\n\n    b")

    def test_argument(self):
        """The constructor's word goes before the name's."""
        self.check(b" a\n b", whitespace="single")
        self.check(b" a  b", whitespace="oneline")
        self.check(b"  a\n\n    b", name="x.html", whitespace="all")

    def test_old_argument(self):
        """Tornado 4.2's compress_whitespace still chooses; None leaves it to the name."""
        self.check(b" a\n b", compress_whitespace=True)
        self.check(b"  a\n\n    b", name="x.html", compress_whitespace=False)
        self.check(b" a\n b", name="x.html", compress_whitespace=None)

    def test_wrong_arguments(self):
        """Both arguments at once, or a mode there is not, are errors."""
        self.assertRaises(ValueError, Template, "", compress_whitespace=True, whitespace="all")
        self.assertRaises(ValueError, Template, "", whitespace="some")

    def test_loader(self):
        """A loader's mode goes before the name, and the constructor's before that."""
        loader = DictLoader({"x.html": self.TEXT}, whitespace="oneline")
        self.assertEqual(loader.load("x.html").generate(), b" a  b")
        self.check(b"  a\n\n    b", name="x.html", loader=loader, whitespace="all")

    def test_each_file_its_own(self):
        """Included files are filtered by their own names."""
        loader = DictLoader({"a.html": "  {% include b.txt %}  ", "b.txt": "\t\tb\n\n"})
        self.assertEqual(loader.load("a.html").generate(), b" \t\tb\n\n ")

    def test_pre(self):
        """Text with a <pre> in it is left alone."""
        template = Template("<pre>  a\n\n b</pre>  {{ 1 }}  c", name="x.html")
        self.assertEqual(template.generate(), b"<pre>  a\n\n b</pre>  1 c")

    def test_directive(self):
        """``whitespace`` counts from where it stands, to the end of the file or the next one."""
        template = Template(
            "{% whitespace all %}  a  {% whitespace oneline %} \n b \n {% whitespace single %}\n\n c"
        )
        self.assertEqual(template.generate(), b"  a   b \nc")

    def test_wrong_directive(self):
        """A mode that there is not is an error of that line."""
        error = self.assertRaises(ParseError, Template, "\n{% whitespace some %}")
        self.assertEqual(error.lineno, 2)

    def test_values_untouched(self):
        """What expressions put out is not filtered."""
        self.assertEqual(Template("{{ x }}", whitespace="oneline").generate(x=" \n "), b" \n ")
