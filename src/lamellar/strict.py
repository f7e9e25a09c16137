"""Options are of their type or wrong: a switch is no number, text is no number, a number is no switch.

Pydantic would read `"3"` as 3, `true` as 1 and `"no"` as false. In a file that is a mistake which nobody sees. Its own
strict mode would go too far: lists are tuples and text is the member of an enumeration there. So only the three types
that would guess are made strict, wherever they stand in a model's schema. Durations, sizes and rates read their own
text before that.
"""

from __future__ import annotations

from typing import Any

__all__ = ["strictly"]

_GUESS = frozenset(("int", "float", "bool"))
_NO_SCHEMAS = frozenset(("serialization", "metadata", "default"))
"""Parts of a schema that say nothing of validation."""


def strictly(schema: Any) -> Any:
    """A core schema whose numbers and switches take nothing else; it is changed in place, and returned."""
    waiting, seen = [schema], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            kind = part.get("type")
            if not isinstance(kind, str):  # fields by name
                waiting += part.values()
                continue
            if kind in _GUESS:
                part.setdefault("strict", True)
            waiting += [each for name, each in part.items() if name not in _NO_SCHEMAS]
        elif isinstance(part, list | tuple):
            waiting += part
    return schema
