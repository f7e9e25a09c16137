"""Names in a provider's answer: of models, answers, finish reasons."""

from __future__ import annotations

__all__ = ["name_of"]


def name_of(value: object) -> str | None:
    """A non-empty text, or a number as text, else None."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
