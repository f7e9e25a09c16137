"""A whole answer, from a response's body."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import from_json

from ...chat.content import reasoning_of
from ...chat.events import Progress, StreamEvent
from ...chat.response import ChatResponse
from ..error_bodies import malformed, truncated
from ..wire import Exchange
from .reading import Reading

__all__ = ["parse_response"]


def parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
    """A whole answer, from a response with a status below 300.

    Lines of payloads are one answer too: that is what a gateway sends that does not know `stream`.

    Raises:
        ExecutorError: The body is an error in-band, is cut, or is not what the dialect sends.
    """
    payloads = _payloads(exchange, status, body.lstrip(b"\xef\xbb\xbf \r\n\t"))
    reading = Reading(exchange, status, headers)
    events: list[StreamEvent | Progress] = []
    for payload in payloads:
        reading.payload(payload, events)
        reading.raise_error()
    if len(payloads) > 1 and not reading.done:
        raise truncated(exchange, status, "the answer ended without a last line")
    reading.answer.finish(events)
    content = reading.answer.content()
    if not content and not reading.done:
        raise malformed(exchange, status, "the body has no message", body)
    return ChatResponse(
        content=content,
        reasoning_content=reasoning_of(content),
        model=exchange.model,
        provider=exchange.provider,
        provider_model=reading.model,
        stop_reason=reading.stop_reason,
        usage=reading.usage,
        raw=reading.raw,
    )


def _payloads(exchange: Exchange, status: int, body: bytes) -> list[object]:
    """The body, or its lines, as JSON."""
    if not body:
        raise malformed(exchange, status, "the body is empty")
    try:
        return [from_json(body)]
    except ValueError:
        lines = [line for line in body.splitlines() if line.strip()]
    try:
        if len(lines) > 1:
            return [from_json(line) for line in lines]
    except ValueError:
        pass
    raise malformed(exchange, status, "the body is not JSON", body)
