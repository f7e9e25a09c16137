"""Durations as people write them: seconds as a number, or "250ms", "10s", "1.5m", "2h", "1d", "1m30s"."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

__all__ = ["Duration", "parse_duration", "seconds"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d)")


def parse_duration(value: object) -> object:
    """Seconds, from a number or from text such as "10s"; other types are left for pydantic to refuse.

    Raises:
        ValueError: The text is not a duration, or the number is negative or not finite.
    """
    if isinstance(value, str):
        value = _from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a duration such as 10, '10s' or '1.5m', got {type(value).__name__} {value!r}")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"expected a duration of zero seconds or more, got {value!r}")
    return float(value)


def _from_text(text: str) -> float:
    position, seconds = 0, 0.0
    while position < len(text.rstrip()):
        part = _PART.match(text, position)
        if part is None:
            return _plain_number(text)
        seconds += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if position == 0:
        return _plain_number(text)
    return seconds


def _plain_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = f"{text!r} is not a duration: write seconds as a number, or '250ms', '10s', '1.5m', '2h'"
        raise ValueError(message) from None


Duration = Annotated[float | str, BeforeValidator(parse_duration, json_schema_input_type=float | str)]
"""Seconds as a number or as text such as "10s"; always a float after validation (`seconds` tells the type checker)."""


def seconds(value: float | str) -> float:
    """The number behind a validated `Duration`."""
    return float(value)
