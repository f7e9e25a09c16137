"""A whole answer, from a response's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.content import reasoning_of
from ...chat.response import ChatResponse, StopReason
from ..classify import request_id
from ..error_bodies import json_of, malformed, not_an_object
from ..names import name_of
from ..shapes import WrongShapeError
from ..signing import signed
from ..wire import Exchange
from .answer import Answer
from .failures import blocked, broken, error_in_band, is_error
from .open_blocks import Events
from .stop import is_broken, stop_reason
from .usage import usage_of

__all__ = ["model_in", "parse_response"]


def parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
    """A whole answer, from a response with a status below 300.

    Raises:
        ExecutorError: The body is an error in-band, holds an answer that a filter took away or that nobody could read,
            or is not what the dialect sends.
    """
    parsed = json_of(exchange, status, body)
    if not isinstance(parsed, dict):
        raise not_an_object(exchange, status, "the body", parsed, body)
    if is_error(parsed):
        raise error_in_band(exchange, status, headers, headers.get("x-amzn-errortype"), parsed)
    options = exchange.options
    answer = Answer(lift=bool(options and options.normalize_reasoning_content))
    unheard: Events = []
    try:
        for block in _blocks(parsed):
            answer.whole(block, unheard)
    except WrongShapeError as wrong:
        raise malformed(exchange, status, str(wrong), body) from None
    answer.keep(parsed)
    content = answer.content(exchange.maker, unheard)
    raw_reason = name_of(parsed.get("stopReason"))
    reason: StopReason | None = None
    if raw_reason is not None:
        if is_broken(raw_reason):
            raise broken(exchange, status, raw_reason)
        reason = stop_reason(raw_reason, tool_calls=answer.asks_for_tools)
        if reason == "content_filter" and not answer.delivered(content):
            raise blocked(exchange, status, raw_reason)
    return ChatResponse(
        content=signed(content, exchange.maker),
        reasoning_content=reasoning_of(content),
        model=exchange.model,
        provider=exchange.provider,
        provider_model=model_in(parsed),
        stop_reason=reason,
        usage=usage_of(parsed.get("usage")),
        response_id=request_id(headers, exchange.secrets),
        raw=parsed if options and options.capture_raw_body else None,
    )


def model_in(payload: dict[str, Any]) -> str | None:
    """The model that a prompt router chose; nothing else says which one answered."""
    trace = payload.get("trace")
    router = trace.get("promptRouter") if isinstance(trace, dict) else None
    return name_of(router.get("invokedModelId")) if isinstance(router, dict) else None


def _blocks(body: dict[str, Any]) -> list[Any]:
    output = body.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        return content
    if content is None and body.get("stopReason"):
        return []
    raise WrongShapeError("the body has no content")
