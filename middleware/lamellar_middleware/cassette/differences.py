"""What is different between two requests, in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["differences"]

_BEFORE = 10
_SHOWN = 50


def differences(recorded: JsonValue, asked: JsonValue) -> list[str]:
    """Each place where two JSON values are not the same: `model: recorded 'a', asked 'b'`."""
    old, new = dict(_leaves(recorded, "")), dict(_leaves(asked, ""))
    found = []
    for place in dict.fromkeys((*old, *new)):
        if place not in new:
            found.append(f"{place}: recorded {_brief(old[place])}, not asked")
        elif place not in old:
            found.append(f"{place}: asked {_brief(new[place])}, not recorded")
        elif old[place] != new[place]:
            found.append(f"{place}: " + _both(old[place], new[place]))
    return found


def _leaves(value: JsonValue, place: str) -> Iterator[tuple[str, JsonValue]]:
    """What stands in a JSON value, each with its path."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inside:
        yield place, value
    for name, each in inside:
        yield from _leaves(each, f"{place}.{name}" if place else str(name))


def _both(recorded: JsonValue, asked: JsonValue) -> str:
    start = 0
    if isinstance(recorded, str) and isinstance(asked, str):
        start = max(0, _in_common(recorded, asked) - _BEFORE)
    return f"recorded {_brief(recorded, start)}, asked {_brief(asked, start)}"


def _in_common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _brief(value: JsonValue, start: int = 0) -> str:
    """A value, and of a long text the part from shortly before the difference."""
    text = value[start:] if isinstance(value, str) else value
    shown = repr(text[:_SHOWN] if isinstance(text, str) else text)
    head = "..." if start else ""
    tail = "..." if isinstance(text, str) and len(text) > _SHOWN else ""
    return f"{head}{shown if len(shown) <= 4 * _SHOWN else shown[: 4 * _SHOWN] + '...'}{tail}"
