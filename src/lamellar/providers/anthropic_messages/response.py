"""A whole answer, from a response's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.content import reasoning_of
from ...chat.response import ChatResponse, StopReason
from ..error_bodies import json_of, malformed, not_an_object
from ..names import name_of
from ..shapes import WrongShapeError
from ..signing import signed
from ..wire import Exchange
from .answer import Answer
from .failures import error_in_band, is_error, is_error_list, refused
from .open_blocks import Events
from .stop import stop_reason
from .usage import usage_of

__all__ = ["parse_response"]


def parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
    """A whole answer, from a response with a status below 300.

    Raises:
        ExecutorError: The body is an error in-band, is a refusal with nothing delivered, or is not what the dialect
            sends.
    """
    parsed = json_of(exchange, status, body)
    if is_error_list(parsed):
        raise error_in_band(exchange, status, headers, parsed)
    if not isinstance(parsed, dict):
        raise not_an_object(exchange, status, "the body", parsed, body)
    if is_error(parsed):
        raise error_in_band(exchange, status, headers, parsed)
    options = exchange.options
    answer = Answer(lift=bool(options and options.normalize_reasoning_content))
    unheard: Events = []
    try:
        for block in _blocks(parsed):
            answer.open(None, block, unheard)
    except WrongShapeError as wrong:
        raise malformed(exchange, status, str(wrong), body) from None
    answer.keep(parsed)
    content = answer.content(exchange.maker, unheard)
    raw_reason = name_of(parsed.get("stop_reason"))
    reason: StopReason | None = None
    if raw_reason is not None:
        reason = stop_reason(raw_reason, tool_calls=answer.has_calls)
        if reason == "content_filter" and not answer.delivered(content):
            raise refused(exchange, status, answer.details)
    return ChatResponse(
        content=signed(content, exchange.maker),
        reasoning_content=reasoning_of(content),
        model=exchange.model,
        provider=exchange.provider,
        provider_model=name_of(parsed.get("model")),
        stop_reason=reason,
        usage=usage_of(parsed.get("usage")),
        response_id=name_of(parsed.get("id")),
        raw=parsed if options and options.capture_raw_body else None,
    )


def _blocks(body: dict[str, Any]) -> list[Any]:
    content = body.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, list):
        return content
    if content is None and body.get("stop_reason"):
        return []
    raise WrongShapeError("the body has no content")
