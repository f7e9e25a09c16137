"""The order in which plates stand: the one place that says it.

`Stack.preset` keeps to it, `Stack.lint` holds other stacks to it, and the page on concepts shows it.
"""

from __future__ import annotations

from enum import IntEnum, auto

__all__ = ["Rank"]


class Rank(IntEnum):
    """Where a plate belongs, from outside in. A plate that may stand anywhere has no rank."""

    TRACING = auto()
    """Sees the call as the user does."""
    GUARDRAIL = auto()
    """Judges what goes in and out, whoever answers."""
    CACHE = auto()
    """A hit costs nothing of what stands further in."""
    BUDGET = auto()
    """Counts what is really asked."""
    TOTAL = auto()
    """Bounds all waits of a call."""
    CHOICE = auto()
    """Chooses a target."""
    RETRY = auto()
    """Asks the same target again."""
    CIRCUIT_BREAKER = auto()
    """Sees every attempt."""
    RATE_LIMIT = auto()
    """Gives a permit to each attempt."""
    CONCURRENCY_LIMIT = auto()
    """Holds a permit only while a provider is at work."""
