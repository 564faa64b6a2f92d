"""The language: expressions, statements, and everything else between braces."""

import os.path

from twisted.trial.unittest import SynchronousTestCase

from tests.template import render, render_files
from txtornado.template import ParseError, Template


class ExpressionTests(SynchronousTestCase):
    def test_text(self):
        """Text comes out as it is, in UTF-8."""
        self.assertEqual(render("one\n { two } } {\n"), b"one\n { two } } {\n")
        self.assertEqual(render("h\u00e9"), b"h\xc3\xa9")

    def test_empty(self):
        """A template may be empty."""
        self.assertEqual(render(""), b"")

    def test_values(self):
        """Text and bytes come out as they are, everything else as str makes it."""
        self.assertEqual(render("{{ a }}", a="caf\u00e9"), b"caf\xc3\xa9")
        self.assertEqual(render("{{ a }}", a=b"caf\xc3\xa9"), b"caf\xc3\xa9")
        self.assertEqual(render("{{ a }}", a=None), b"None")
        self.assertEqual(render("{{ a }}", a=1.5), b"1.5")
        self.assertEqual(render("{{ a }}", a=True), b"True")
        self.assertEqual(render("{{ a }}", a=[1, 2]), b"[1, 2]")

    def test_python(self):
        """An expression is any Python expression."""
        self.assertEqual(render("{{ sum(x * x for x in range(4)) }}"), b"14")
        self.assertEqual(render("{{ (lambda a, b=2: a + b)(1) }}"), b"3")
        self.assertEqual(render("{{ 'yes' if n else 'no' }}", n=0), b"no")
        self.assertEqual(render("{{ 1, 2 }}"), b"(1, 2)")
        self.assertEqual(render("{{ f'{n:03}' }}", n=7), b"007")
        self.assertEqual(render("{{ n # a remark }}", n=7), b"7")

    def test_evaluated_once(self):
        """An expression is evaluated once for each time it is put out."""
        calls = []
        self.assertEqual(render("{{ f(1) }}{% raw f(2) %}", f=calls.append), b"NoneNone")
        self.assertEqual(calls, [1, 2])

    def test_several_lines(self):
        """A tag may span lines, with or without brackets."""
        self.assertEqual(render("{{ 1 +\n 2\n}}"), b"3")
        self.assertEqual(render("{{ (1 +\n 2) }}"), b"3")
        self.assertEqual(render("{% if a and\n  b\n%}x{% end\n%}", a=1, b=1), b"x")
        self.assertEqual(render("{%\n for\n i in\n [1,\n2]\n%}{{ i }}{% end %}"), b"12")
        self.assertEqual(render("{% set s = '''a\nb''' %}{{ s }}"), b"a\nb")

    def test_raw(self):
        """``raw`` puts out a value without escaping it, bytes that are not UTF-8 included."""
        self.assertEqual(render("{% raw a %}", a="<b>"), b"<b>")
        self.assertEqual(render("{% raw '<b>' %}"), b"<b>")
        self.assertEqual(render("{% raw 5 %}"), b"5")
        self.assertEqual(render("\u00e9{% raw a %}\u00e9", a=b"\xff"), b"\xc3\xa9\xff\xc3\xa9")

    def test_surrogates(self):
        """A text that has no form in UTF-8 is an error, not a guess."""
        self.assertRaises(UnicodeEncodeError, render, "{{ a }}", a="\ud800")
        self.assertRaises(UnicodeEncodeError, render, "{% raw a %}", a="\ud800")

    def test_bytes_not_utf8(self):
        """Bytes that are not UTF-8 cannot be escaped."""
        self.assertRaises(UnicodeDecodeError, render, "{{ a }}", a=b"\xff")

    def test_many_in_a_row(self):
        """However many expressions follow each other, all come out in order."""
        text = "".join(f"{{{{ a + {n} }}}}," for n in range(1000))
        self.assertEqual(render(text, a=0).decode(), "".join(f"{n}," for n in range(1000)))

    def test_namespace(self):
        """Every template has the documented helpers and the datetime module."""
        self.assertEqual(render("{% raw escape('<') %}"), b"&lt;")
        self.assertEqual(render("{% raw xhtml_escape('<') %}"), b"&lt;")
        self.assertEqual(render("{{ url_escape('a b') }}"), b"a+b")
        self.assertEqual(render("{% raw json_encode({'a': 1}) %}"), b'{"a": 1}')
        self.assertEqual(render("{{ squeeze('a  b') }}"), b"a b")
        self.assertIn(b"<a href=", render("{% raw linkify('http://a.example/') %}"))
        self.assertEqual(render("{{ datetime.date(2000, 1, 1) }}"), b"2000-01-01")
        self.assertEqual(render("{{ datetime }}", datetime=1), b"1")

    def test_own_names_win(self):
        """Names that the generated code uses itself can be variables of the application."""
        self.assertEqual(
            render("{{ type }}{{ str }}{{ len }}{{ self_ }}", type=1, str="<", len=3, self_=4),
            b"1&lt;34",
        )


class BraceTests(SynchronousTestCase):
    def test_literal_braces(self):
        """An exclamation mark behind an opening makes it text."""
        self.assertEqual(render("{{!"), b"{{")
        self.assertEqual(render("{%! a %}"), b"{% a %}")
        self.assertEqual(render("{#! a #}"), b"{# a #}")
        self.assertEqual(render("{{ 'expr' }} {{!jquery expr}}"), b"expr {{jquery expr}}")

    def test_innermost_braces(self):
        """Of many braces in a row the innermost two count."""
        self.assertEqual(render("{{{ 1 }}}"), b"{1}")
        self.assertEqual(render("\\emph{{{{ 'x' }}}}"), b"\\emph{{x}}")

    def test_first_closing_counts(self):
        """A closing brace closes even within a string."""
        self.assertRaises(ParseError, Template, "{{ '}}' }}")

    def test_comments(self):
        """Comments come to nothing; ``{#`` may hold other tags, ``comment`` needs no end."""
        self.assertEqual(render("a{# {{ x }} {% if %} #}b"), b"ab")
        self.assertEqual(render("a{#\n\n#}b"), b"ab")
        self.assertEqual(render("a{% comment it's x %}b{% comment %}c"), b"abc")


class StatementTests(SynchronousTestCase):
    def test_if(self):
        """The first part whose condition holds comes out."""
        text = "{% if n > 5 %}big{% elif n > 2 %}middle{% elif n == 2 %}two{% else %}small{% end %}"
        self.assertEqual(
            [render(text, n=n) for n in (9, 3, 2, 1)], [b"big", b"middle", b"two", b"small"]
        )

    def test_empty_bodies(self):
        """Any body may be empty."""
        self.assertEqual(render("{% if 1 %}{% else %}{% end %}"), b"")
        self.assertEqual(render("{% for i in [1] %}{% end %}"), b"")
        self.assertEqual(render("{% try %}{% except %}{% else %}{% finally %}{% end %}"), b"")
        self.assertEqual(render("{% block a %}{% end %}"), b"")
        self.assertEqual(render("{% apply f %}{% end %}", f=lambda s: s + b"!"), b"!")

    def test_end_may_say_what(self):
        """What stands behind ``end`` is for the reader."""
        self.assertEqual(render("{% if 1 %}a{% end if %}"), b"a")

    def test_for(self):
        """``for`` unpacks, nests, and has an ``else``."""
        self.assertEqual(
            render("{% for k, (a, *b) in x %}{{ k }}{{ a }}{{ b }};{% end %}", x=[(1, (2, 3))]),
            b"12[3];",
        )
        self.assertEqual(
            render("{% for i in 'ab' %}{% for j in 'xy' %}{{ i }}{{ j }} {% end %}{% end %}"),
            b"ax ay bx by ",
        )
        self.assertEqual(render("{% for i in [] %}x{% else %}none{% end %}"), b"none")

    def test_while(self):
        """``while`` runs as long as its condition holds, and has an ``else``."""
        self.assertEqual(
            render("{% while x %}{{ x.pop() }}{% else %}.{% end %}", x=[1, 2, 3]), b"321."
        )

    def test_jumps(self):
        """``break`` and ``continue`` work within a loop, through everything but ``apply``."""
        text = (
            "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% end %}{{ i }}"
            "{% block b %}{% try %}{% if i == 3 %}{% break %}{% end %}{% finally %},{% end %}"
            "{% end %}{% end %}"
        )
        self.assertEqual(render(text), b"0,2,3,")

    def test_try(self):
        """``try`` takes all of Python's clauses; what came out before an error stays."""
        text = (
            "{% try %}a{{ 1 / n }}b{% except ZeroDivisionError as e %}[{{ e }}]"
            "{% except (TypeError, ValueError) %}type{% else %}fine{% finally %}!{% end %}"
        )
        self.assertEqual(render(text, n=1), b"a1.0bfine!")
        self.assertEqual(render(text, n=0), b"a[division by zero]!")
        self.assertEqual(render(text, n=None), b"atype!")
        self.assertRaises(NameError, render, text)

    def test_try_without_except(self):
        """``try`` with ``finally`` alone lets the error through."""
        self.assertEqual(render("{% try %}a{% finally %}b{% end %}"), b"ab")
        self.assertRaises(ZeroDivisionError, render, "{% try %}{{ 1/0 }}{% finally %}{% end %}")

    def test_set(self):
        """``set`` runs any statement: assignments of every kind, and more than one."""
        self.assertEqual(render("{% set x = 1 %}{% set x += 2 %}{{ x }}"), b"3")
        self.assertEqual(render("{% set a, b = 1, 2; c = 3 %}{{ a }}{{ b }}{{ c }}"), b"123")
        self.assertEqual(render("{% set x[0] = 5 %}{{ x }}", x=[1]), b"[5]")
        self.assertEqual(render("{% set del x[0] %}{{ x }}", x=[1]), b"[]")
        self.assertEqual(render("{% set def f(a): return a + 1 %}{{ f(1) }}"), b"2")

    def test_set_is_local(self):
        """A variable that a template sets does not outlive a rendering."""
        template = Template("{% set x = y %}{{ x }}")
        self.assertEqual((template.generate(y=1), template.generate(y=2)), (b"1", b"2"))

    def test_imports(self):
        """Both forms of import work, under other names as well."""
        self.assertEqual(render("{% import os.path %}{% raw os.path.sep %}"), os.path.sep.encode())
        self.assertEqual(
            render("{% import os.path as p, sys %}{% raw p.sep %}"), os.path.sep.encode()
        )
        self.assertEqual(
            render("{% from os.path import (basename as b,\n dirname) %}{{ b('/x/y') }}"), b"y"
        )

    def test_apply(self):
        """``apply`` gives a function the output as bytes, and takes bytes or text from it."""
        seen = []

        def upper(output):
            seen.append(output)
            return output.decode().upper()

        self.assertEqual(
            render("<{% apply upper %}h\u00e9 {{ a }}{% end %}>", upper=upper, a="<"),
            "<H\u00c9 &LT;>".encode(),
        )
        self.assertEqual(seen, ["h\u00e9 &lt;".encode()])
        self.assertEqual(render("{% apply lambda s: b'[' + s + b']' %}a{% end %}"), b"[a]")

    def test_apply_nests(self):
        """Applied functions nest, and bytes pass through them whatever they are."""
        self.assertEqual(
            render(
                "{% apply rev %}a{% apply twice %}b{% raw x %}{% end %}c{% end %}",
                rev=lambda s: s[::-1],
                twice=lambda s: s * 2,
                x=b"\xff",
            ),
            b"c\xffb\xffba",
        )

    def test_apply_scope(self):
        """What is set within ``apply`` stays in there."""
        self.assertEqual(
            render("{% set x = 1 %}{% apply f %}{% set x = 2 %}{{ x }}{% end %}{{ x }}", f=bytes),
            b"21",
        )

    def test_apply_result(self):
        """A function that returns neither text nor bytes is told so, by its name."""

        def broken(output):
            return None

        error = self.assertRaises(TypeError, render, "{% apply g %}{% end %}", g=broken)
        self.assertIn("broken() must return str or bytes", str(error))

    def test_module(self):
        """``module`` calls a method of the UI modules and does not escape what it returns."""

        class Modules:
            def Entry(self, text, big=False):
                return f"<p>{text}{big}</p>".encode()

        self.assertEqual(
            render("{% module Entry('x',\n big=True) %}", _tt_modules=Modules()), b"<p>xTrue</p>"
        )
        self.assertRaises(NameError, render, "{% module Entry() %}")

    def test_old_modules(self):
        """Tornado 0.2's form of it, ``modules.X(...)``, is an ordinary expression."""

        class Modules:
            def Entry(self, text):
                return f"<p>{text}</p>"

        template = Template("{{ modules.Entry('x') }}", autoescape=None)
        self.assertEqual(template.generate(modules=Modules()), b"<p>x</p>")

    def test_deep_nesting_within_limits(self):
        """What Python can nest, a template can nest."""
        text = "{% if 1 %}" * 90 + "x" + "{% end %}" * 90
        self.assertEqual(render(text), b"x")

    def test_shared_variables(self):
        """An included file sees the variables set before it, and sets variables itself."""
        files = {
            "a": "{% set x = 1 %}{% include b %}{{ y }}",
            "b": "{{ x }}{% set y = x + 1 %}",
        }
        self.assertEqual(render_files(files, "a"), b"12")


class TemplateTests(SynchronousTestCase):
    def test_attributes(self):
        """A template tells its name, loader, escape function and namespace."""
        template = Template("x", name="x.html", autoescape="my_escape")
        self.assertEqual(
            (template.name, template.loader, template.autoescape, template.namespace),
            ("x.html", None, "my_escape", {}),
        )
        self.assertEqual(template.file.source.text, "x")
        self.assertEqual(template.compiled.co_filename, "x.html (template)")

    def test_code(self):
        """``code`` is the Python that a template is compiled from."""
        source = Template("{% for i in x %}{{ i }}{% end %}").code
        self.assertIn("for i in x:", source)
        compile(source, "test", "exec")

    def test_bytes(self):
        """A template given as bytes is read as UTF-8."""
        self.assertEqual(render("h\u00e9 {{ '\u00e9' }}".encode()), "h\u00e9 \u00e9".encode())

    def test_rendered_many_times(self):
        """Renderings do not share anything."""
        template = Template("{% for i in x %}{{ i }}{% end %}")
        self.assertEqual(template.generate(x="ab"), b"ab")
        self.assertEqual(template.generate(x=[1]), b"1")
        self.assertRaises(NameError, template.generate)
