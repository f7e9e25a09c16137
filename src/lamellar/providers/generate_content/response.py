"""A whole answer, from a response's body."""

from __future__ import annotations

from collections.abc import Mapping

from ...chat.content import reasoning_of
from ...chat.events import Progress, StreamEvent
from ...chat.response import ChatResponse
from ..error_bodies import json_of, malformed
from ..signing import signed
from ..wire import Exchange
from .reading import Reading

__all__ = ["parse_response"]


def parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
    """A whole answer, from a response with a status below 300.

    A list of payloads is one answer too: that is what `streamGenerateContent` sends where nobody asked for events.

    Raises:
        ExecutorError: The body is an error in-band, is blocked with nothing delivered, or is not what the dialect
            sends.
    """
    parsed = json_of(exchange, status, body)
    reading = Reading(exchange, status, headers)
    events: list[StreamEvent | Progress] = []
    for payload in parsed if isinstance(parsed, list) else [parsed]:
        reading.payload(payload, events)
        reading.raise_error()
    reading.answer.finish(events)
    content = reading.answer.content()
    if not content and reading.finish_reason is None:
        raise malformed(exchange, status, "the body has neither a candidate nor a reason why there is none", body)
    return ChatResponse(
        content=signed(content, exchange.provider),
        reasoning_content=reasoning_of(content),
        model=exchange.model,
        provider=exchange.provider,
        provider_model=reading.model,
        stop_reason=reading.stop_reason,
        usage=reading.usage,
        response_id=reading.answer.response_id,
        raw=parsed if exchange.options and exchange.options.capture_raw_body else None,
    )
