"""Announces ``twistd --reactor=tornado``, and the same for every program that takes the option."""

from twisted.application.reactors import Reactor

tornado = Reactor(
    "tornado",
    "txtornado.platform.twisted",
    "A reactor on Tornado's IOLoop.",
)
