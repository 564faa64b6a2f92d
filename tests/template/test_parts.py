"""The parts that templates are made with, each by itself."""

import ast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.template.lexer import Kind, tokenize
from txtornado.template.listing import Listing
from txtornado.template.parser import parse
from txtornado.template.python import PythonReader, bound_names
from txtornado.template.source import Source


class LexerTests(SynchronousTestCase):
    def tokens(self, text):
        return [(each.kind, text[each.start : each.end]) for each in tokenize(Source("t", text))]

    def test_kinds(self):
        """Text, expressions and directives, in order; comments are none of them."""
        self.assertEqual(
            self.tokens("a{{ b }}{% c %}{# d #}e{{!f"),
            [
                (Kind.TEXT, "a"),
                (Kind.EXPRESSION, " b "),
                (Kind.DIRECTIVE, " c "),
                (Kind.TEXT, "e"),
                (Kind.TEXT, "{{"),
                (Kind.TEXT, "f"),
            ],
        )

    @given(st.text("a{ }\n"))
    def test_text_without_tags(self, text):
        """Text in which no tag opens is one token, which is all of it."""
        text = text.replace("{{", "{ {").replace("{{", "{ {")
        expected = [(Kind.TEXT, text)] if text else []
        self.assertEqual(self.tokens(text), expected)


class SourceTests(SynchronousTestCase):
    @given(st.text("a\u00e9\u20ac\U0001f600\n ", min_size=1), st.data())
    def test_positions(self, text, data):
        """A piece cut out knows the line and the byte it starts at, in whatever order it is cut."""
        source = Source("t", text)
        for _ in range(3):
            start = data.draw(st.integers(0, len(text) - 1))
            end = data.draw(st.integers(start, len(text)))
            code = source.cut(start, end)
            self.assertEqual(code.text, text[start:end].strip())
            if code.text:
                line = text.split("\n")[code.line - 1].encode()
                first = code.text.split("\n")[0].encode()
                self.assertEqual(line[code.column : code.column + len(first)], first)


class PythonReaderTests(SynchronousTestCase):
    def test_positions(self):
        """Each part of an expression has the template's line and byte."""
        text = "\n\u00e9 {{ first +\n  (second) }}"
        source = Source("t", text)
        code = source.cut(text.index("first") - 1, text.index(" }}"))
        tree = PythonReader(source).expression(code, 100)
        names = {
            node.id: (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
            for node in ast.walk(tree)
            if isinstance(node, ast.Name)
        }
        self.assertEqual(names, {"first": (102, 6, 102, 11), "second": (103, 3, 103, 9)})

    def test_heads(self):
        """The head of a loop and of a clause stand where they stand in the template."""
        source = Source("t", "{% for x in y %}{% except A as b %}")
        loop = PythonReader(source).loop(source.cut(7, 13))
        self.assertEqual((loop.target.col_offset, loop.iter.col_offset), (7, 12))
        handler = PythonReader(source).handler(source.cut(26, 32))
        self.assertEqual((handler.type.lineno, handler.type.col_offset), (1, 26))

    def test_bound_names(self):
        """Every way in which Python binds a name is seen."""
        for text, names in (
            ("a = b", "a"),
            ("a, (b, *c) = d", "abc"),
            ("a[b] = c", ""),
            ("import a.x, y as b", "ab"),
            ("from x import a, y as b", "ab"),
            ("(a := b)", "a"),
            ("[a for a in b]", "a"),
            ("lambda a, *b, c=d: e", "abc"),
            ("def a(b): c = 1", "abc"),
            ("class a: b = 1", "ab"),
            ("del a", "a"),
            ("global a", "a"),
            ("try: pass\nexcept E as a: pass", "a"),
        ):
            self.assertEqual(set(bound_names(ast.parse(text))), set(names), text)


class ListingTests(SynchronousTestCase):
    def test_places(self):
        """Lines keep their numbers in the first file; a line that came in twice is there twice."""
        one, two = Source("one", "a\nb"), Source("two", "c")
        listing = Listing(one)
        self.assertEqual(listing.place(one, 2, 2, ()), 0)
        self.assertEqual(listing.place(two, 1, 1, ("one:1",)), 2)
        self.assertEqual(listing.place(two, 1, 1, ("one:1",)), 2)
        self.assertEqual(listing.place(two, 1, 1, ("one:2",)), 3)
        self.assertEqual(
            listing.text(), "a\nb  # one:2\nc  # two:1 (via one:1)\nc  # two:1 (via one:2)\n"
        )
        self.assertEqual(
            [listing.locate(line) for line in (0, 1, 2, 3, 4, 5)],
            [("one", 1), ("one", 1), ("one", 2), ("two", 1), ("two", 1), ("two", 1)],
        )


class ParserTests(SynchronousTestCase):
    def test_tree(self):
        """A file's tree has its nodes with their lines, its escape function and its parent."""
        file = parse(
            Source("t", "{% extends 'b' %}\n{% autoescape f %}{% if x %}\n{{ y }}{% end %}"),
            whitespace="all",
            autoescape=None,
        )
        self.assertEqual(file.extends.name, "b")
        self.assertEqual(file.autoescape, "f")
        self.assertEqual([type(node).__name__ for node in file.body], ["Text", "Compound"])
        condition = file.body[1]
        self.assertEqual((condition.keyword, condition.line), ("if", 2))
        self.assertEqual([node.line for node in condition.clauses[0].body], [2, 3])
