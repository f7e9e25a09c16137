"""A whole answer, from a response's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.content import reasoning_of
from ...chat.events import Progress, StreamEvent
from ...chat.response import ChatResponse
from ..error_bodies import json_of, malformed, not_an_object
from ..names import name_of
from ..wire import Exchange
from .answer import Answer
from .failures import error_in, finish_failure, is_error
from .stop import stop_reason
from .usage import usage_of

__all__ = ["parse_response"]

_KNOWN = frozenset(("role", "content", "tool_plan", "tool_calls", "citations"))


def parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
    """A whole answer, from a response with a status below 300.

    Raises:
        ExecutorError: The body is an error in-band, broke off, or is not what the dialect sends.
    """
    parsed = json_of(exchange, status, body)
    if not isinstance(parsed, dict):
        raise not_an_object(exchange, status, "the body", parsed, body)
    raw_reason = name_of(parsed.get("finish_reason"))
    if raw_reason is not None:
        failure = finish_failure(exchange, status, headers, raw_reason, parsed.get("error"))
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # its traceback would keep it alive
    if is_error(parsed):
        raise error_in(exchange, status, headers, parsed)
    message = parsed.get("message")
    if not isinstance(message, dict) and raw_reason is None:
        raise malformed(exchange, status, "the body has neither a message nor a finish reason", body)

    answer = Answer(exchange.provider, lift=bool(exchange.options and exchange.options.normalize_reasoning_content))
    _read(answer, message if isinstance(message, dict) else {}, parsed)
    content = answer.content()
    return ChatResponse(
        content=content,
        reasoning_content=reasoning_of(content),
        model=exchange.model,
        provider=exchange.provider,
        stop_reason=stop_reason(raw_reason, tool_calls=bool(answer.calls)),
        usage=usage_of(parsed.get("usage")),
        response_id=name_of(parsed.get("id")),
        raw=parsed if exchange.options and exchange.options.capture_raw_body else None,
    )


def _read(answer: Answer, message: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    told: list[StreamEvent | Progress] = []
    content = message.get("content")
    for block in content if isinstance(content, list) else (content,):
        answer.block(block, told)
    plan = message.get("tool_plan")
    if isinstance(plan, str):
        answer.say("plan", plan, told)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            answer.call({name: value for name, value in call.items() if name != "index"}, told)
    answer.finish(told)
    for name in ("citations", *sorted(message.keys() - _KNOWN)):
        said = message.get(name)
        if said:
            answer.keep(name, said if isinstance(said, list) else [said], told)
    logprobs = body.get("logprobs")
    if isinstance(logprobs, list):
        answer.keep("logprobs", logprobs, told)
