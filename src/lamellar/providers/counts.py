"""Counts in a provider's answer: of tokens, mostly."""

from __future__ import annotations

__all__ = ["count_of"]


def count_of(value: object) -> int | None:
    """A count, which some providers write as a float; what is none is absent."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
