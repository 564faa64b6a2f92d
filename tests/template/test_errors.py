"""What a mistake in a template looks like: before it runs, and while it runs."""

import linecache
import sys
import traceback
import warnings

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.processes import once
from tests.template import render
from txtornado.template import DictLoader, ParseError, Template


class ParseErrorTests(SynchronousTestCase):
    def check(self, text, message, line=1):
        error = self.assertRaises(ParseError, Template, text, name="t.html")
        self.assertEqual((error.message, error.filename, error.lineno), (message, "t.html", line))
        self.assertEqual(str(error), f"{message} at t.html:{line}")
        return error

    def test_old_signature(self):
        """Before Tornado 4.3 the message was all there was."""
        error = ParseError("oops")
        self.assertEqual((str(error), error.filename, error.lineno), ("oops at None:0", None, 0))

    def test_not_closed(self):
        """A tag that is not closed is an error of the line it opens on."""
        self.check("\n\n{{", "Missing end expression }}", 3)
        self.check("\n{{ a }\n", "Missing end expression }}", 2)
        self.check("\n{% if a }}", "Missing end block %}", 2)
        self.check("a{#\n{# #", "Missing end comment #}")

    def test_no_end(self):
        """A statement without its end is an error of the line it starts on, the innermost first."""
        self.check("\n{% if 1 %}\n{% for i in x %}\n", "Missing {% end %} block for for", 3)
        self.check("{% if 1 %}\n{% else %}\n", "Missing {% end %} block for if")
        self.check("{% block a %}", "Missing {% end %} block for block")

    def test_too_many_ends(self):
        """An end that ends nothing is an error."""
        self.check("{% if 1 %}{% end %}\n{% end %}", "Extra {% end %} block", 2)
        self.check("{% comment a %}{% end %}", "Extra {% end %} block")

    def test_empty(self):
        """Tags with nothing in them are errors."""
        self.check("\n{{ }}", "Empty expression", 2)
        self.check("{{\n}}", "Empty expression")
        self.check("{%  %}", "Empty block tag ({% %})")

    def test_unknown(self):
        """A directive that there is not is named."""
        self.check("{% unless x %}", "unknown operator: 'unless'")
        self.check("{%- if x -%}", "unknown operator: '-'")

    def test_missing(self):
        """A directive without what it needs says what it needs."""
        for directive, missing in (
            ("apply", "method name"),
            ("block", "name"),
            ("extends", "file path"),
            ("for", "variable and iterable"),
            ("from", "statement"),
            ("if", "condition"),
            ("import", "statement"),
            ("include", "file path"),
            ("module", "expression"),
            ("raw", "expression"),
            ("set", "statement"),
            ("while", "condition"),
            ("whitespace", "mode"),
        ):
            self.check(f"\n{{% {directive} %}}", f"{directive} missing {missing}", 2)

    def test_too_much(self):
        """A directive that takes nothing, but has something, is an error."""
        self.check("{% try it %}{% end %}", "try takes nothing behind it, but has 'it'")
        self.check(
            "{% if 1 %}{% else if 2 %}{% end %}", "else takes nothing behind it, but has 'if 2'"
        )
        self.check(
            "{% for i in x %}{% break 2 %}{% end %}", "break takes nothing behind it, but has '2'"
        )

    def test_clause_without_statement(self):
        """A clause outside the statements that take it is an error that names them."""
        self.check("{% else %}", "else outside a block that takes it (if, for, while, try)")
        self.check(
            "{% if 1 %}{% for i in x %}{% elif 2 %}{% end %}{% end %}",
            "elif cannot be attached to a for block, only to: if",
        )
        self.check(
            "{% if 1 %}{% block x %}{% else %}{% end %}{% end %}",
            "else cannot be attached to a block block, only to: if, for, while, try",
        )

    def test_clauses_out_of_order(self):
        """Clauses come in Python's order, and the last ones once."""
        self.check(
            "{% if 1 %}\n{% else %}\n{% elif 2 %}{% end %}",
            "elif after else (line 2) of the same block",
            3,
        )
        self.check(
            "{% try %}{% finally %}{% except %}{% end %}",
            "except after finally (line 1) of the same block",
        )
        self.check("\n{% try %}{% end %}", "try without except or finally", 2)
        self.check("{% try %}{% else %}{% finally %}{% end %}", "try with else, but without except")

    def test_jump_outside_loop(self):
        """A jump needs a loop around it, with no ``apply`` between."""
        self.check("{% if 1 %}{% break %}{% end %}", "break outside a for or while block")
        self.check(
            "{% for i in x %}{% apply f %}{% continue %}{% end %}{% end %}",
            "continue outside a for or while block",
        )
        self.check(
            "{% for i in x %}a{% else %}\n{% continue %}{% end %}",
            "Invalid Python: 'continue' not properly in loop",
            2,
        )

    def test_extends(self):
        """``extends`` stands at the top, once."""
        self.check("{% if 1 %}{% extends a %}{% end %}", "extends cannot stand within if")
        self.check(
            "{% block a %}\n{% extends a %}{% end %}", "extends cannot stand within block", 2
        )
        self.check("{% extends a %}\n{% extends b %}", "Already extends 'a' (line 1)", 2)

    def test_not_utf8(self):
        """A template in another encoding is an error that names the byte."""
        self.check(b"a\nb\xe9", "Template is not UTF-8 (byte 0xe9 at offset 3)", 2)

    def test_python(self):
        """Python that is not valid is an error of its line, and a SyntaxError too."""
        error = self.check("a\n{{ 1 + }}", "Invalid Python: invalid syntax", 2)
        self.assertIsInstance(error, SyntaxError)
        self.assertIn("{{ 1 + }}", "".join(traceback.format_exception_only(error)))
        self.check("{% for x %}{% end %}", "Invalid Python: invalid syntax")
        self.check("{% try %}{% except a b %}{% end %}", "Invalid Python: invalid syntax")
        self.check(
            "\n{{ f(1,\n  2,\n  3 4) }}",
            "Invalid Python: invalid syntax. Perhaps you forgot a comma?",
            4,
        )
        self.check("{% set x = %}", "Invalid Python: invalid syntax")
        self.check("{% raw ) + ( %}", "Invalid Python: unmatched ')'")

    def test_python_that_does_not_compile(self):
        """So is Python that parses, but does not compile."""
        self.check(
            "\n\n{% from os import * %}",
            "Invalid Python: import * only allowed at module level",
            3,
        )
        self.check("\n{{ await x }}", "Invalid Python: 'await' outside async function", 2)

    def test_leaving_the_template(self):
        """A template is neither a function to return from nor a generator."""
        self.check("{% set return 5 %}", "A template cannot return")
        self.check("{{ (yield) }}", "A template cannot yield")
        self.assertEqual(
            render("{% set f = lambda: (yield) %}{% raw type(f()).__name__ %}"), b"generator"
        )

    def test_head_cannot_smuggle(self):
        """What stands in the head of a loop or clause is that head, and no more code."""
        for text in (
            "{% for x in y: pass; z = 1 %}{% end %}",
            "{% for x in y: pass\nfor z in y %}{% end %}",
            "{% try %}{% except A: pass\nexcept B %}{% end %}",
            "{% try %}{% except A: pass\nfinally %}{% end %}",
            "{% if 1: pass\nelif 2 %}{% end %}",
        ):
            self.assertRaises(ParseError, Template, text)

    def test_in_included_file(self):
        """An error in another file names that file, even where only the whole shows it."""
        loader = DictLoader({"a": "{% include b %}", "b": "\n\n{% from os import * %}"})
        error = self.assertRaises(ParseError, loader.load, "a")
        self.assertEqual((error.filename, error.lineno), ("b", 3))
        loader = DictLoader(
            {
                "base": "\n{% block x %}{% end %}",
                "page": "{% extends base %}\n\n{% block x %}{% for i in y %}{% else %}"
                "\n{% break %}{% end %}{% end %}",
            }
        )
        error = self.assertRaises(ParseError, loader.load, "page")
        self.assertEqual((error.filename, error.lineno), ("page", 4))

    @once("templates need no reactor")
    def test_too_deep(self):
        """A template nested beyond what Python takes is an error, and not the end."""
        for count in (30, 100_000):
            text = "{% for i in x %}" * count + "{% end %}" * count
            self.assertRaises(ParseError, Template, text)
        self.assertRaises(ParseError, Template, "{{ " + "(" * 100_000 + " }}")
        self.assertRaises(ParseError, Template, "{{ " + "-" * 100_000 + "1 }}")


FRAGMENTS = st.sampled_from(
    [
        *(
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            "!",
            " ",
            "\n",
            "\r",
            "\0",
            "\x0c",
            "\u2028",
            "\ud800",
        ),
        *("if ", "elif ", "else", "for ", "in ", "while ", "try", "except ", "finally", "end"),
        *(
            "block ",
            "apply ",
            "set ",
            "import ",
            "from ",
            "raw ",
            "module ",
            "include ",
            "extends ",
        ),
        *(
            "autoescape ",
            "whitespace ",
            "comment ",
            "break",
            "continue",
            "yield ",
            "await ",
            "return ",
        ),
        *(
            "x",
            "1",
            "1e999",
            "9" * 5000,
            "x = 1",
            "x: int",
            "lambda",
            ":=",
            ",",
            ";",
            "(",
            ")",
            "'",
            '"',
        ),
        *(
            "'''",
            "\\",
            "#",
            "*",
            "**",
            "...",
            "f'{x}'",
            "as e",
            ":",
            "pass",
            "None",
            "global x",
            "@",
        ),
        *(
            "{% if x %}",
            "{% for i in x %}",
            "{% try %}",
            "{% apply f %}",
            "{% block b %}",
            "{% end %}",
        ),
        *(
            "{% except %}",
            "{% finally %}",
            "{{ x }}",
            "{% break %}",
            "{% set x = 1 %}",
            "class A",
            "def f()",
        ),
    ]
)


class AnyTextTests(SynchronousTestCase):
    def check(self, text):
        """``text`` is a template, or a ParseError that points into it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                Template(text)
            except ParseError as error:
                self.assertEqual(error.filename, "<string>")
                self.assertTrue(1 <= error.lineno <= text.count("\n") + 1, (error, error.lineno))

    @given(st.text())
    def test_any_text(self, text):
        """Any text is a template or an error with a line number, and nothing else happens."""
        self.check(text)

    @given(st.lists(FRAGMENTS, max_size=25).map("".join))
    @example("{{ x\0 }}")
    @example("{% set x = 1\0 %}")
    @example("{{ '\ud800' }}")
    @example("{{ x\r+1 }}")
    @example("{{ '''a\r\rb''' + }}")
    @example("{% for x in y %}{{ a\r\r\r }}{% end %}")
    @example("{% autoescape 1 + %}{{ x }}")
    @example("{% set global x; x: int = 1 %}")
    @example("{% set x: int; global x %}")
    def test_fragments(self, text):
        """Nor does it when the text is made of what templates are made of."""
        self.check(text)

    @given(st.binary())
    def test_any_bytes(self, data):
        """Nor with any bytes."""
        try:
            Template(data)
        except ParseError as error:
            self.assertTrue(error.lineno >= 1)


class TracebackTests(SynchronousTestCase):
    def trace(self, files, name, /, **variables):
        """The traceback, as text, of rendering a template that fails."""
        loader = DictLoader(files)
        template = loader.load(name)
        try:
            template.generate(**variables)
        except Exception:
            return traceback.format_exc()
        raise self.failureException("nothing was raised")

    def test_own_line(self):
        """A traceback shows the template's line, its number, and marks the expression in it."""
        text = self.trace({"t.html": "one\n<b>{{ a }} {{ 1/0 }}</b>\nthree"}, "t.html", a=1)
        self.assertIn(
            '  File "t.html (template)", line 2, in template\n'
            "    <b>{{ a }} {{ 1/0 }}</b>  # t.html:2\n"
            "                  ~^~\n",
            text,
        )

    def test_columns_of_text_beyond_ascii(self):
        """The mark is under the expression whatever stands before it."""
        text = self.trace({"t": "h\u00e9h\u00e9 {{ x.nothing }}!"}, "t", x=1)
        self.assertIn("    h\u00e9h\u00e9 {{ x.nothing }}!  # t:1\n            ^^^^^^^^^\n", text)

    def test_every_tag(self):
        """Whichever tag fails, its line is shown."""
        for tag in (
            "{{ 1/0 }}",
            "{% raw 1/0 %}",
            "{% set x = 1/0 %}",
            "{% if 1/0 %}{% end %}",
            "{% if 0 %}{% elif 1/0 %}{% end %}",
            "{% for x in 1/0 %}{% end %}",
            "{% while 1/0 %}{% end %}",
            "{% apply 1/0 %}{% end %}",
            "{% apply str %}{{ 1/0 }}{% end %}",
            "{% apply fail %}{% end %}",
            "{% try %}{{ nothing }}{% except 1/0 %}{% end %}",
            "{% try %}{{ nothing }}{% except %}{{ 1/0 }}{% end %}",
            "{% block b %}{{ 1/0 }}{% end %}",
            "{% module fail() %}",
            "{% autoescape fail %}{{ 1 }}",
            "{{ fail }}",
        ):

            class Fails:
                def __call__(self, *args):
                    raise ZeroDivisionError

                def __str__(self):
                    raise ZeroDivisionError

                fail = __call__

            files = {"t": f"\n\n\ntext {tag}\n{{{{ 5 }}}}"}
            text = self.trace(files, "t", fail=Fails(), _tt_modules=Fails())
            self.assertIn(f"line 4, in template\n    text {tag}  # t:4\n", text, tag)

    def test_several_lines(self):
        """An error within a tag of several lines shows the line it is on."""
        text = self.trace({"t": "{{ f(1,\n  2,\n  1/0) }}"}, "t", f=print)
        self.assertIn("line 3, in template\n    1/0) }}  # t:3\n", text)

    def test_include(self):
        """A line of an included file says through which lines it came."""
        files = {"a": "\n{% include b %}", "b": "{% include c %}", "c": "\n\n{{ 1/0 }}"}
        self.assertIn("{{ 1/0 }}  # c:3 (via b:1, a:2)\n", self.trace(files, "a"))

    def test_extends(self):
        """A line of a replaced block says so, and has its own number when it is the template's."""
        files = {
            "base": "{% block x %}{% end %}{{ 1/0 }}",
            "page": "\n{% extends base %}\n{% block x %}\n{{ a/0 }}{% end %}",
        }
        text = self.trace(files, "page", a=1)
        self.assertIn("line 4, in template\n    {{ a/0 }}{% end %}  # page:4 (via base:1)\n", text)
        files["page"] = "{% extends base %}"
        self.assertIn("# base:1\n", self.trace(files, "page"))

    def test_line_used_twice(self):
        """A line that came in two ways is shown with the way it came."""
        files = {"a": "{% include b %}\n{% include b %}", "b": "{{ 1/x.pop() }}"}
        self.assertIn("# b:1 (via a:2)\n", self.trace(files, "a", x=[0, 1]))
        self.assertIn("# b:1 (via a:1)\n", self.trace(files, "a", x=[1, 0]))

    def test_same_name(self):
        """Templates of the same name do not show each other's lines."""
        self.assertIn("{{ 1/0 }}", self.trace({"t": "{{ 1/0 }}"}, "t"))
        self.assertIn("{{ 2/0 }}", self.trace({"t": "\n{{ 2/0 }}"}, "t"))

    def test_odd_line_ends(self):
        """Characters that only some take for line ends do not shift the lines."""
        text = self.trace({"t": "a\x0cb\u2028c\x85\r\n{{ 1/0 }}\r\nd"}, "t")
        self.assertIn("line 2, in template\n    {{ 1/0 }}  # t:2\n", text)

    def test_modules(self):
        """A module that renders a template is in the traceback with both templates' lines."""
        loader = DictLoader({"base": "\n{% module T('sub') %}", "sub": "{{ 1/0 }}"})

        class Modules:
            def T(self, name):
                return loader.load(name).generate()

        try:
            loader.load("base").generate(_tt_modules=Modules())
        except ZeroDivisionError:
            text = traceback.format_exc()
        self.assertIn("# base:2\n", text)
        self.assertIn("# sub:1\n", text)

    def test_file_of_that_name(self):
        """The lines come from the template, not from a file that happens to have its name."""
        name = self.mktemp()
        with open(name, "w") as file:
            file.write("something else\n")
        self.assertIn("{{ 1/0 }}", self.trace({name: "{{ 1/0 }}"}, name))

    def test_forgotten(self):
        """What was shown is not kept once the template fails in another way."""
        self.trace({"t": "{{ 1/0 }}"}, "t")
        self.assertIn("t (template)", linecache.cache)
        self.assertRaises(ZeroDivisionError, Template("{{ 1/0 }}", name="t").generate)
        self.assertNotIn("t (template)", linecache.cache)

    def test_error_passes_unchanged(self):
        """The error that comes out is the one that was raised."""
        error = KeyError("x")

        def fail():
            raise error

        try:
            render("{{ fail() }}", fail=fail)
        except KeyError:
            self.assertIs(sys.exc_info()[1], error)
        else:
            self.fail("nothing was raised")
