"""Times as servers say them in headers and messages: numbers, spans such as ``6m0s``, HTTP dates, moments.

Nothing here raises. What is negative, not finite or not understood is None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ["QUANTITY", "date_of", "header", "number_of", "reset_of", "span_of", "until", "wall_of"]

_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,18})?\Z", re.ASCII)
_UNIT = "ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?"
QUANTITY = rf"(?P<number>\d{{1,12}}(?:\.\d{{1,18}})?)\s?(?P<unit>{_UNIT})(?![a-z])"
"""One number with its unit; a pattern to be matched whatever the case."""

_SPAN = re.compile(QUANTITY, re.IGNORECASE | re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}  # by the first letter; milliseconds are told apart


def header(headers: Mapping[str, str], name: str) -> str | None:
    """A header's value whatever its case, also in a plain dict."""
    value = headers.get(name)
    if value is None:
        value = next((value for key, value in headers.items() if key.lower() == name), None)
    return value


def wall_of(headers: Mapping[str, str]) -> float | None:
    """The server's own clock, in seconds since the epoch, out of its `date` header."""
    said = header(headers, "date")
    return date_of(said) if said else None


def number_of(text: str) -> float | None:
    """A plain decimal number."""
    text = text.strip()
    return float(text) if _NUMBER.match(text) else None


def span_of(text: str) -> float | None:
    """Seconds of ``6m0s``, ``1.2s``, ``12ms``, ``1h2m``."""
    total, at = 0.0, 0
    text = text.strip()
    for match in _SPAN.finditer(text):
        if text[at : match.start()].strip():
            return None
        at = match.end()
        unit = match["unit"].lower()
        factor = 0.001 if unit.startswith(("ms", "mil")) else _UNITS[unit[0]]
        total += float(match["number"]) * factor
    return total if at and not text[at:].strip() and math.isfinite(total) else None


def date_of(text: str) -> float | None:
    """An HTTP date, in seconds since the epoch."""
    from email.utils import parsedate_to_datetime  # it brings half of `email` with it

    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def reset_of(text: str, now_wall: float | None) -> float | None:
    """Seconds until a limit is renewed.

    Args:
        text: ``6m0s``, ``1s``, ``12ms``, seconds, a moment since the epoch (seconds or milliseconds), or RFC 3339.
        now_wall: The time since the epoch in seconds, for what is a moment; None leaves that out.
    """
    number = number_of(text)
    if number is not None:
        if number > 1e9:
            return until(number / 1000 if number > 1e11 else number, now_wall)
        return number
    span = span_of(text)
    if span is not None:
        return span
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return until(moment.timestamp(), now_wall)
    except (ValueError, OverflowError):
        return None


def until(moment: float | None, now_wall: float | None) -> float | None:
    """Seconds from now to a moment; 0 where it has passed, None where either is not known."""
    return None if moment is None or now_wall is None else max(0.0, moment - now_wall)
