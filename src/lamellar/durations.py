"""Durations as people write them: seconds as a number, or "250ms", "10s", "1.5m", "2h", "1d", "1m30s"."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

from .masking import show

__all__ = ["Duration", "parse_duration", "seconds", "spell_duration"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d)")


def parse_duration(value: object) -> float:
    """Seconds, from a number or from text such as "10s".

    Raises:
        ValueError: It is neither, or it is negative or not finite.
    """
    number = _from_text(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"expected a duration such as 10, '250ms', '10s', '1.5m' or '2h', got {show(value)}")
    try:
        duration = float(number)
    except OverflowError:
        duration = math.inf
    if not math.isfinite(duration) or duration < 0:
        raise ValueError(f"expected a duration of zero seconds or more, got {duration!r}")
    return duration


def _from_text(text: str) -> float | None:
    position, end, total = 0, len(text.rstrip()), 0.0
    while position < end:
        part = _PART.match(text, position)
        if part is None:
            break
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if 0 < position == end:
        return total
    try:
        return float(text)
    except ValueError:
        return None


Duration = Annotated[float | str, BeforeValidator(parse_duration, json_schema_input_type=float | str)]
"""Seconds as a number or as text such as "10s"; always a float after validation (`seconds` tells the type checker)."""


def seconds(value: float | str) -> float:
    """The number behind a validated `Duration`."""
    return float(value)


def spell_duration(duration: float) -> str:
    """Seconds as text that `parse_duration` reads: "250ms", "10s", "1m30s", "2h"; rounded to a millisecond from 1 s on.

    Args:
        duration: Seconds, zero or more.
    """
    if 0 < duration < 1:
        return f"{duration * 1000:g}ms"
    rest = round(duration, 3)
    parts = []
    for unit in ("d", "h", "m"):
        whole, rest = divmod(rest, _UNITS[unit])
        if whole:
            parts.append(f"{whole:.0f}{unit}")
    rest = round(rest, 3)
    if rest or not parts:
        parts.append(f"{rest:g}s")
    return "".join(parts)
