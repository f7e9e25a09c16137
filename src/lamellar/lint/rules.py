"""All the rules, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from .caching import caching
from .hedging import hedging
from .keys import keys
from .order import order
from .providers import providers
from .redaction import redaction
from .retries import retries
from .routes import routes
from .targets import targets
from .timeouts import timeouts

if TYPE_CHECKING:
    from ..stack import Stack
    from .finding import Finding
    from .plates import Plate

__all__ = ["RULES", "lint"]

Rule: TypeAlias = "Callable[[Sequence[Plate]], Iterator[Finding]]"
"""Looks at all plates of a stack and yields what it finds."""

RULES: tuple[Rule, ...] = (
    order,
    retries,
    timeouts,
    hedging,
    targets,
    routes,
    providers,
    keys,
    caching,
    redaction,
)


def lint(stack: Stack) -> tuple[Finding, ...]:
    """What is doubtful in a stack, in the order of its plates."""
    from .plates import plates_of

    plates = plates_of(stack)
    places = {plate.path: number for number, plate in enumerate(plates)}
    found = [each for rule in RULES for each in rule(plates)]
    return tuple(sorted(dict.fromkeys(found), key=lambda each: places.get(each.path, len(places))))
