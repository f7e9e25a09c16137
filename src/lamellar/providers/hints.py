"""What a provider says about trying again: one reader for every way it is said, in the order of the SDKs.

Nothing here raises. A hint that is negative, not finite or not understood is no hint.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["header", "retry_after", "should_retry", "wall_of"]

_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,18})?\Z", re.ASCII)
_UNIT = "ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?"
_QUANTITY = rf"(?P<number>\d{{1,12}}(?:\.\d{{1,18}})?)\s?(?P<unit>{_UNIT})(?![a-z])"
_SPAN = re.compile(_QUANTITY, re.IGNORECASE | re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}  # by the first letter; milliseconds are told apart
_SAID = re.compile(
    r"(?:try again|retry|retried|wait)(?: your request)?(?: in| after| for)?:?\s+(?:about\s+|at least\s+)?"
    rf"(?P<span>(?:{_QUANTITY}\s?)+)",
    re.IGNORECASE | re.ASCII,
)
_SCANNED = 4000  # characters of a message that are searched


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """What `x-should-retry` says, or None."""
    said = header(headers, "x-should-retry")
    return {"true": True, "false": False}.get(said.strip().lower()) if said else None


def retry_after(
    headers: Mapping[str, str], body_json: object, now_wall: float | None, *, status: int | None = None
) -> float | None:
    """Seconds that the provider asks to wait, or None.

    Args:
        headers: The response's headers.
        body_json: The response's body, parsed, or None.
        now_wall: The time since the epoch in seconds, for hints that are dates; None leaves those out.
        status: The response's status. The `x-ratelimit-reset-*` headers stand on every answer; they are a hint
            only on a 429, and only where nothing remains.
    """
    milliseconds = header(headers, "retry-after-ms")
    if milliseconds is not None and (number := _number(milliseconds)) is not None:
        return number / 1000
    said = header(headers, "retry-after")
    if said is not None and (seconds := _seconds(said, now_wall)) is not None:
        return seconds
    seconds = _from_body(body_json)
    if seconds is not None or status != 429:
        return seconds
    return _from_limits(headers, body_json, now_wall)


def header(headers: Mapping[str, str], name: str) -> str | None:
    """A header's value whatever its case, also in a plain dict."""
    value = headers.get(name)
    if value is None:
        value = next((value for key, value in headers.items() if key.lower() == name), None)
    return value


def wall_of(headers: Mapping[str, str]) -> float | None:
    """The server's own clock, out of its `date` header."""
    said = header(headers, "date")
    return _date(said) if said else None


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if _NUMBER.match(text) else None


def _span(text: str) -> float | None:
    """``6m0s``, ``1.2s``, ``12ms``, ``1h2m``."""
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


def _date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _seconds(text: str, now_wall: float | None) -> float | None:
    """`retry-after`: seconds, a span, or a date; a date that has passed asks for no wait."""
    seconds = _number(text)
    if seconds is None:
        seconds = _span(text)
    return _until(_date(text), now_wall) if seconds is None else seconds


def _from_body(body: object) -> float | None:
    for error in _errors(body):
        details = error.get("details")
        for detail in details if isinstance(details, list) else ():
            delay = detail.get("retryDelay") if isinstance(detail, dict) else None
            if isinstance(delay, str) and (seconds := _span(delay)) is not None:
                return seconds
        message = error.get("message")
        if isinstance(message, str) and (match := _SAID.search(message[:_SCANNED])):
            return _span(match["span"])
    return None


def _errors(body: object) -> Iterator[dict[str, object]]:
    """The error objects of a body: Gemini wraps them in a list, Mistral does not nest them."""
    if isinstance(body, list):
        body = body[0] if body else None
    if isinstance(body, dict):
        error = body.get("error")
        if isinstance(error, str):
            yield {"message": error}
        elif isinstance(error, dict):
            yield error
        yield body


def _from_limits(headers: Mapping[str, str], body: object, now_wall: float | None) -> float | None:
    """The longest wait among the limits that are exhausted."""
    waits: list[float] = []
    for source in (headers, *_nested_headers(body)):
        lower = {str(key).lower(): value for key, value in source.items()}
        for name, value in lower.items():
            if "ratelimit" in name and "reset" in name and isinstance(value, str):
                remaining = lower.get(name.replace("reset", "remaining"))
                if isinstance(remaining, str) and _number(remaining) == 0:
                    wait = _reset(value, now_wall)
                    if wait is not None:
                        waits.append(wait)
    return max(waits, default=None)


def _nested_headers(body: object) -> Iterator[dict[str, object]]:
    """OpenRouter puts the upstream's limit headers into the error itself."""
    for error in _errors(body):
        metadata = error.get("metadata")
        inner = metadata.get("headers") if isinstance(metadata, dict) else None
        if isinstance(inner, dict):
            yield inner


def _reset(text: str, now_wall: float | None) -> float | None:
    """``6m0s``, ``1s``, ``12ms``, seconds, a moment since the epoch (seconds or milliseconds), or RFC 3339."""
    number = _number(text)
    if number is not None:
        if number > 1e9:
            return _until(number / 1000 if number > 1e11 else number, now_wall)
        return number
    span = _span(text)
    if span is not None:
        return span
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return _until(moment.timestamp(), now_wall)
    except (ValueError, OverflowError):
        return None


def _until(moment: float | None, now_wall: float | None) -> float | None:
    return None if moment is None or now_wall is None else max(0.0, moment - now_wall)
