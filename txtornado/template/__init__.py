"""Templates that are translated to Python (Tornado 0.2; 2.3's documentation, chapter 2.3).

    loader = Loader("/srv/site/templates")
    page = loader.load("short.html").generate(title="Departures", trains=trains)

A template is text with Python in it::

    <!-- board.html -->
    <h1>{% block heading %}{{ title }}{% end %}</h1>
    {% for train in trains %}
      <p>{% block train %}{{ train.time }}, {{ train.to }}, platform {{ train.platform }}{% end %}</p>
    {% else %}
      <p>Nothing leaves today.</p>
    {% end %}

    <!-- short.html: the same page, with one part of it told otherwise -->
    {% extends "board.html" %}
    {% block train %}{{ train.time }} {{ train.to }}{% end %}

Expressions and statements are Python, without restriction: **a template can do what the program can
do**, and belongs under the same care as its source.  Names that start with ``_tt_`` are reserved.

========================================  ==========================================================
``{{ expr }}``                            the value, escaped; text, bytes in UTF-8, or ``str()`` of it
``{% raw expr %}``                        the value, not escaped
``{# ... #}``, ``{% comment ... %}``      nothing; the first may hold other tags
``{{!``, ``{%!``, ``{#!``                 ``{{``, ``{%``, ``{#`` as text
``{% if c %} {% elif c %} {% else %}``    as in Python, up to ``{% end %}``
``{% for x in y %} {% else %}``           as in Python, up to ``{% end %}``
``{% while c %} {% else %}``              as in Python, up to ``{% end %}``
``{% break %}``, ``{% continue %}``       as in Python, within a loop
``{% try %} {% except E as e %}``         as in Python, up to ``{% end %}``, with ``{% else %}`` and
                                          ``{% finally %}``; what came out before the error stays
``{% set x = y %}``                       a local variable; any Python statement on one line
``{% import m %}``                        as in Python
``{% from m import x %}``                 as in Python
``{% apply f %}...{% end %}``             what f makes of the output between them, which it is given
                                          as bytes; variables set in there stay in there
``{% block name %}...{% end %}``          a part that an extending template may replace
``{% extends "file" %}``                  this template is that one, with its own blocks in place of
                                          those of the same name; all else here is left out
``{% include "file" %}``                  that file in place of this, with all variables seen here
``{% module Name(...) %}``                the output of a UI module (see `txtornado.web`), not escaped
``{% autoescape f %}``                    escape all expressions of this file (no other) with f, or
                                          with nothing when f is None
``{% whitespace mode %}``                 from here on, filter white space like `filter_whitespace`
========================================  ==========================================================

The function that expressions are escaped with (``xhtml_escape`` by default) can be set for a loader,
a template, a file and, with ``raw``, an expression.  It is looked up by its name in the namespace,
is given bytes and may return text or bytes.  Text that holds ``<pre>`` keeps its white space.

An error in a template's Python has a traceback that shows the template's line, with
``# sub.html:4 (via base.html:1)`` behind it when it came there by ``extends`` or ``include``.

How it works: ``lexer`` cuts the text into tags, ``parser`` makes a tree of them (``nodes``),
``codegen`` writes that tree as one Python function's syntax tree (``blocks``, ``pieces``,
``python``), ``listing`` keeps the lines for tracebacks, and ``runtime`` is what the function calls.
"""

from txtornado.template.errors import ParseError
from txtornado.template.loader import BaseLoader, DictLoader, Loader
from txtornado.template.template import Template
from txtornado.template.whitespace import filter_whitespace

__all__ = [
    "BaseLoader",
    "DictLoader",
    "Loader",
    "ParseError",
    "Template",
    "filter_whitespace",
]
