"""Announces ``twistd tornado``; imports nothing of txtornado until it is chosen."""

from twisted.application.service import ServiceMaker

tornado = ServiceMaker(
    "txtornado",
    "txtornado.tap",
    "Serve Tornado applications (a demonstration, when nothing else is named).",
    "tornado",
)
