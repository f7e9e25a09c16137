"""What a provider says about trying again: one reader for every way it is said, in the order of the SDKs.

Nothing here raises. A hint that is negative, not finite or not understood is no hint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..header_times import QUANTITY, date_of, header, number_of, reset_of, span_of, until, wall_of

__all__ = ["header", "retry_after", "should_retry", "wall_of"]

_SAID = re.compile(
    r"(?:try again|retry|retried|wait)(?: your request)?(?: in| after| for)?:?\s+(?:about\s+|at least\s+)?"
    rf"(?P<span>(?:{QUANTITY}\s?)+)",
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
    if milliseconds is not None and (number := number_of(milliseconds)) is not None:
        return number / 1000
    said = header(headers, "retry-after")
    if said is not None and (seconds := _seconds(said, now_wall)) is not None:
        return seconds
    seconds = _from_body(body_json)
    if seconds is not None or status != 429:
        return seconds
    return _from_limits(headers, body_json, now_wall)


def _seconds(text: str, now_wall: float | None) -> float | None:
    """`retry-after`: seconds, a span, or a date; a date that has passed asks for no wait."""
    seconds = number_of(text)
    if seconds is None:
        seconds = span_of(text)
    return until(date_of(text), now_wall) if seconds is None else seconds


def _from_body(body: object) -> float | None:
    for error in _errors(body):
        details = error.get("details")
        for detail in details if isinstance(details, list) else ():
            delay = detail.get("retryDelay") if isinstance(detail, dict) else None
            if isinstance(delay, str) and (seconds := span_of(delay)) is not None:
                return seconds
        message = error.get("message")
        if isinstance(message, str) and (match := _SAID.search(message[:_SCANNED])):
            return span_of(match["span"])
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
                if isinstance(remaining, str) and number_of(remaining) == 0:
                    wait = reset_of(value, now_wall)
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
