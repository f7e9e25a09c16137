"""A whole answer, from a response's body."""

from __future__ import annotations

from collections.abc import Mapping

from ...chat.content import reasoning_of
from ...chat.response import ChatResponse
from ..error_bodies import content_filtered, error_from, json_of, malformed, not_an_object
from ..names import name_of
from ..shapes import WrongShapeError
from ..signing import signed
from ..wire import Exchange
from .answer import Answer
from .ending import BLOCKED, failure_of, is_error, stop_of
from .items import Events
from .usage import usage_of

__all__ = ["parse_response"]


def parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
    """A whole answer, from a response with a status below 300.

    A refusal is kept as a `Custom` part and the status as the provider says it: the model answered.

    Raises:
        ExecutorError: The body is an error in-band, is blocked with nothing delivered, is not an answer yet, or is not
            what the dialect sends.
    """
    parsed = json_of(exchange, status, body)
    if not isinstance(parsed, dict):
        if isinstance(parsed, list) and parsed and isinstance(parsed[0], dict) and is_error(parsed[0]):
            raise error_from(exchange, status, headers, parsed)
        raise not_an_object(exchange, status, "the body", parsed, body)
    failure = failure_of(exchange, status, headers, parsed)
    if failure is None and is_error(parsed):
        failure = error_from(exchange, status, headers, parsed)
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # or the error would hold this frame, and the frame the error
    output = parsed.get("output")
    if not isinstance(output, list):
        raise malformed(exchange, status, "the body has no output", body)
    options = exchange.options
    answer = Answer(lift=bool(options and options.normalize_reasoning_content))
    unheard: Events = []
    try:
        answer.settle(output, unheard)
    except WrongShapeError as wrong:
        raise malformed(exchange, status, str(wrong), body) from None
    reason = stop_of(parsed, tool_calls=answer.has_calls)
    if reason == "content_filter" and not answer.delivered:
        raise content_filtered(exchange, status, BLOCKED)
    content = answer.content(exchange.maker)
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
