"""``Accept-Language`` (RFC 9110 section 12.5.4)."""

import functools

__all__ = ["accepted"]


@functools.lru_cache(256)
def accepted(header: str) -> tuple[str, ...]:
    """The languages that a browser accepts, the dearest first.

    A weight that is malformed, zero or negative takes its language out; equal weights
    keep the order of the header.
    """
    weighted = []
    for item in header.split(","):
        name, *parameters = item.split(";")
        weight = _weight(parameters)
        if name.strip() and weight > 0:
            weighted.append((weight, name.strip()))
    weighted.sort(key=lambda entry: -entry[0])
    return tuple(name for _, name in weighted)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
