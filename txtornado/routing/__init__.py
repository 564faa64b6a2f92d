r"""From a request to what serves it.

A `Router` finds the delegate for a request, and is itself what an ``HTTPServer`` takes.
``tornado.web.Application`` is one; `RuleRouter` goes by an ordered list of `Rule`, each
with a `Matcher` and a target::

    router = RuleRouter([
        Rule(HostMatches("api.example.com"), RuleRouter([
            (r"/v1/.*", first_application),
            (r"/v2/.*", second_application),
        ])),
        (r"/hook", function_of_the_request),
    ])
    HTTPServer(router).listen(8888)

`matchers`, `rules`, `routers`, `delegates`
    The parts.
`patterns`, `index`
    Why the number of rules hardly counts: literal paths and directories are looked up, and
    only what may match there is tried, in the rules' order.

Since Tornado 4.5; `URLSpec` every generation.
"""

from txtornado.routing.matchers import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    Matcher,
    PathMatches,
)
from txtornado.routing.routers import (
    ReversibleRouter,
    ReversibleRuleRouter,
    Router,
    RuleRouter,
)
from txtornado.routing.rules import Rule, URLSpec

__all__ = [
    "AnyMatches",
    "DefaultHostMatches",
    "HostMatches",
    "Matcher",
    "PathMatches",
    "ReversibleRouter",
    "ReversibleRuleRouter",
    "Router",
    "Rule",
    "RuleRouter",
    "URLSpec",
]
