"""The examples of the documents: Tornado 0.2's overview, 2.3's chapters 1.5, 1.10, 1.11 and 2.3.

Texts are as printed there, apart from line ends that the print lost.
"""

import doctest
import os
import unittest
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from tests.template import render, render_files
from txtornado import template
from txtornado.template import DictLoader, Loader, Template, whitespace


class DocstringTests(SynchronousTestCase):
    def test_examples_hold(self):
        """Every example in the package's docstrings does what it says."""
        result = unittest.TestResult()
        for module in (whitespace, template.template):
            doctest.DocTestSuite(module).run(result)
        self.assertGreaterEqual(result.testsRun, 2)
        self.assertEqual((result.failures, result.errors), ([], []))


class OverviewTests(SynchronousTestCase):
    PAGE = """\
<html>
<head>
<title>{{ title }}</title>
</head>
<body>
<ul>
{% for item in items %}
<li>{{ escape(item) }}</li>
{% end %}
</ul>
</body>
</html>
"""

    def test_first_page(self):
        """The first page of both documents: a title and a list."""
        output = render(self.PAGE, title="My title", items=["Item 1", "Item 2", "Item 3"])
        self.assertIn(b"<title>My title</title>", output)
        self.assertEqual(output.count(b"<li>Item "), 3)

    def test_explicit_escape(self):
        """In 0.2's days, without autoescape, ``escape()`` in the template did it."""
        page = Template(self.PAGE, autoescape=None)
        output = page.generate(title="<i>", items=["<b>"])
        self.assertIn(b"<title><i></title>", output)
        self.assertIn(b"<li>&lt;b&gt;</li>", output)

    def test_statements_and_expressions(self):
        """``{% if len(items) > 2 %}`` and ``{{ items[0] }}``."""
        self.assertEqual(
            render("{% if len(items) > 2 %}{{ items[0] }}{% end %}", items=[7, 8, 9]), b"7"
        )

    def test_passed_function(self):
        """Functions are passed to a template as arguments, methods among them."""

        class MainHandler:
            def get(self):
                return render("{{ add(1, 2) }}", add=self.add)

            def add(self, x, y):
                return x + y

        self.assertEqual(MainHandler().get(), b"3")

    def test_localized_page(self):
        """Chapter 1.10's localized page."""
        page = """\
<html>
<head>
<title>FriendFeed - {{ _("Sign in") }}</title>
</head>
<body>
<form action="{{ request.path }}" method="post">
<div>{{ _("Username") }} <input type="text" name="username"/></div>
<div>{{ _("Password") }} <input type="password" name="password"/></div>
<div><input type="submit" value="{{ _("Sign in") }}"/></div>
{% module xsrf_form_html() %}
</form>
</body>
</html>
"""
        output = render(
            page,
            _=lambda text: f"<{text}>",
            request=SimpleNamespace(path="/a?b&c"),
            _tt_modules=SimpleNamespace(xsrf_form_html=lambda: '<input name="_xsrf"/>'),
        ).decode()
        self.assertIn("<title>FriendFeed - &lt;Sign in&gt;</title>", output)
        self.assertIn('<form action="/a?b&amp;c"', output)
        self.assertIn('<input name="_xsrf"/>', output)

    def test_translated_plural(self):
        """Chapter 1.10's plural: the translation is chosen, then filled in."""
        text = (
            '{{ _("A person liked this", "%(num)d people liked this",\n'
            'len(people)) % {"num": len(people)} }}'
        )

        def translate(message, plural, count):
            return message if count == 1 else plural

        self.assertEqual(render(text, _=translate, people=[1]), b"A person liked this")
        self.assertEqual(render(text, _=translate, people=[1, 2]), b"2 people liked this")

    def test_template_module(self):
        """Chapter 1.11's module that is a template, with its resources and its own namespace."""
        files = {
            "home.html": '{% module Template("module-entry.html", show_comments=True) %}',
            "module-entry.html": '{{ set_resources(embedded_css=".entry { margin-bottom: 1em; }") }}'
            "<!-- {{ show_comments }} -->",
        }
        loader = DictLoader(files)
        resources = {}

        def set_resources(**kwargs):
            resources.update(kwargs)
            return ""

        def render_module(name, **kwargs):
            return loader.load(name).generate(set_resources=set_resources, **kwargs)

        output = loader.load("home.html").generate(
            _tt_modules=SimpleNamespace(Template=render_module), set_resources=None
        )
        self.assertEqual(output, b"<!-- True -->")
        self.assertEqual(resources, {"embedded_css": ".entry { margin-bottom: 1em; }"})


class ReferenceTests(SynchronousTestCase):
    BASE = """\
<html>
<head>
<title>{% block title %}Default title{% end %}</title>
</head>
<body>
<ul>
{% for student in students %}
{% block student %}
<li>{{ escape(student.name) }}</li>
{% end %}
{% end %}
</ul>
</body>
</html>
"""
    BOLD = """\
{% extends "base.html" %}

{% block title %}A bolder title{% end %}

{% block student %}
<li><span style="bold">{{ escape(student.name) }}</span></li>
{% end %}
"""

    def test_basic_usage(self):
        """``Template(...).generate(...)``, and the same from a directory."""
        t = template.Template("<html>{{ myvalue }}</html>")
        self.assertEqual(t.generate(myvalue="XXX"), b"<html>XXX</html>")
        folder = self.mktemp()
        os.mkdir(folder)
        with open(os.path.join(folder, "test.html"), "w") as file:
            file.write("<html>{{ myvalue }}</html>")
        loader = Loader(folder)
        self.assertEqual(loader.load("test.html").generate(myvalue="XXX"), b"<html>XXX</html>")

    def test_base_and_bold(self):
        """The page of students, and the bolder one that extends it."""
        files = {"base.html": self.BASE, "bold.html": self.BOLD}
        students = [SimpleNamespace(name="Ann"), SimpleNamespace(name="B & C")]
        base = render_files(files, "base.html", students=students)
        self.assertIn(b"<title>Default title</title>", base)
        self.assertIn(b"<li>Ann</li>", base)
        bold = render_files(files, "bold.html", students=students)
        self.assertIn(b"<title>A bolder title</title>", bold)
        self.assertIn(b'<li><span style="bold">Ann</span></li>', bold)
        # Escaped twice: by escape(), and by the page.
        self.assertIn(b"B &amp;amp; C", bold)

    def test_any_expression(self):
        """A list comprehension in the head of a loop."""
        text = (
            "{% for student in [p for p in people if p.student and p.age > 23] %}\n"
            "<li>{{ escape(student.name) }}</li>\n"
            "{% end %}"
        )
        people = [
            SimpleNamespace(name=name, student=student, age=age)
            for name, student, age in (("a", True, 24), ("b", True, 23), ("c", False, 30))
        ]
        self.assertEqual(render(text, people=people), b"\n<li>a</li>\n")

    def test_apply(self):
        """``{% apply linkify %}``."""
        text = "{% apply linkify %}{{name}} said: {{message}}{% end %}"
        self.assertEqual(
            render(text, name="Ann", message="http://a.example/"),
            b'Ann said: <a href="http://a.example/">http://a.example/</a>',
        )

    def test_autoescape(self):
        """Both forms of ``{% autoescape %}``."""
        self.assertEqual(render("{% autoescape xhtml_escape %}{{ x }}", x="<"), b"&lt;")
        self.assertEqual(render("{% autoescape None %}{{ x }}", x="<"), b"<")

    def test_blocks(self):
        """The page with a title of its own."""
        files = {
            "base.html": "<title>{% block title %}Default title{% end %}</title>",
            "mypage.html": '{% extends "base.html" %}{% block title %}My page title{% end %}',
        }
        self.assertEqual(render_files(files, "mypage.html"), b"<title>My page title</title>")

    def test_module(self):
        """``{% module Template("foo.html", arg=42) %}``."""
        seen = []

        def render_module(name, **kwargs):
            seen.append((name, kwargs))
            return b"<b>"

        self.assertEqual(
            render(
                '{% module Template("foo.html", arg=42) %}',
                _tt_modules=SimpleNamespace(Template=render_module),
            ),
            b"<b>",
        )
        self.assertEqual(seen, [("foo.html", {"arg": 42})])

    def test_multi_line_tags(self):
        """2.0: directives may span lines, ``{#`` may hold others, unicode literals work."""
        text = "{% if x\n  %}{# {% if y %} #}{{ u'\u00e9' }}{% end\n%}"
        self.assertEqual(render(text, x=1), "\u00e9".encode())
