"""A whole answer, from a response's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.content import ContentPart, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, reasoning_of
from ...chat.response import ChatResponse, StopReason
from ...errors import ExecutorError
from ...thinking import ThinkSplitter
from ..classify import provider_error
from ..error_bodies import content_filtered, error_from, json_of, malformed, not_an_object
from ..names import name_of
from ..signing import signed
from ..wire import Exchange
from .reading import (
    CHOICE_EXTRAS,
    MESSAGE_EXTRAS,
    TOP_EXTRAS,
    arguments_of,
    arguments_text,
    call_id,
    details_reasoning,
    function_of,
    signature_of,
    text_pieces,
    tool_entries,
)
from .stop import failure_of, stop_reason
from .usage import usage_of

__all__ = ["ANSWER_BLOCKED", "PROMPT_BLOCKED", "finish_failure", "is_error", "parse_response", "prompt_was_filtered"]

PROMPT_BLOCKED = "the prompt was blocked by the provider's content filter"
ANSWER_BLOCKED = "the answer was blocked by the provider's content filter"


def parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
    """A whole answer, from a response with a status below 300.

    A refusal is kept as a `Custom` part and its finish reason as the provider says it: the model answered.

    Raises:
        ExecutorError: The body is an error in-band, is blocked with nothing delivered, or is not what the dialect
            sends.
    """
    parsed = json_of(exchange, status, body)
    if not isinstance(parsed, dict):
        if isinstance(parsed, list) and parsed and isinstance(parsed[0], dict) and is_error(parsed[0]):
            raise error_from(exchange, status, headers, parsed)
        raise not_an_object(exchange, status, "the body", parsed, body)
    if is_error(parsed):
        raise error_from(exchange, status, headers, parsed)
    choices = parsed.get("choices")
    choice = _first_choice(choices) if isinstance(choices, list) else None
    if choice is None:
        if prompt_was_filtered(parsed):
            raise content_filtered(exchange, status, PROMPT_BLOCKED)
        raise malformed(exchange, status, "the body has no choices", body)
    if is_error(choice):
        raise error_from(exchange, status, headers, choice)

    message = choice.get("message")
    if not isinstance(message, dict) and not choice.get("finish_reason"):
        raise malformed(exchange, status, "the choice has neither a message nor a finish reason", body)
    lift = bool(exchange.options and exchange.options.normalize_reasoning_content)
    parts = _parts(message if isinstance(message, dict) else {}, choice, parsed, exchange.provider, lift=lift)
    raw_reason = name_of(choice.get("finish_reason"))
    reason: StopReason | None = None
    if raw_reason is not None:
        if failure := finish_failure(exchange, status, headers, raw_reason):
            raise failure
        reason = stop_reason(raw_reason, tool_calls=any(isinstance(part, ToolCall) for part in parts))
        if reason == "content_filter" and not parts:
            raise content_filtered(exchange, status, ANSWER_BLOCKED)
    groq = parsed.get("x_groq")
    return ChatResponse(
        content=signed(parts, exchange.provider),
        reasoning_content=reasoning_of(parts),
        model=exchange.model,
        provider=exchange.provider,
        provider_model=name_of(parsed.get("model")),
        stop_reason=reason,
        usage=usage_of(parsed.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)),
        response_id=name_of(parsed.get("id")),
        raw=parsed if exchange.options and exchange.options.capture_raw_body else None,
    )


def is_error(payload: Mapping[str, Any]) -> bool:
    """Whether a payload is an error in-band.

    That is one with an `error`; the bare error object of vLLM and Mistral; or, where there are no choices, a message
    with a code (Alibaba).
    """
    if payload.get("error") or payload.get("object") == "error":
        return True
    message = payload.get("message")
    return (
        "choices" not in payload
        and isinstance(message, str)
        and message != ""
        and payload.get("code") not in (None, "", 0, "0", 200, "200")
    )


def finish_failure(
    exchange: Exchange, status: int | None, headers: Mapping[str, str], raw_reason: str
) -> ExecutorError | None:
    """The error that a finish reason such as ``error`` stands for, or None."""
    kind = failure_of(raw_reason)
    if kind is None:
        return None
    return provider_error(
        provider=exchange.provider,
        model=exchange.model,
        status=status,
        headers=headers,
        message=f"the answer broke off with the finish reason {raw_reason!r}",
        code=raw_reason,
        kind=kind,
    )


def prompt_was_filtered(payload: Mapping[str, Any]) -> bool:
    """Whether Azure's `prompt_filter_results` say that the prompt was blocked."""
    results = payload.get("prompt_filter_results")
    for result in results if isinstance(results, list) else ():
        verdicts = result.get("content_filter_results") if isinstance(result, dict) else None
        for verdict in verdicts.values() if isinstance(verdicts, dict) else ():
            if isinstance(verdict, dict) and verdict.get("filtered") is True:
                return True
    return False


def _first_choice(choices: list[Any]) -> dict[str, Any] | None:
    found = [choice for choice in choices if isinstance(choice, dict)]
    return next((choice for choice in found if choice.get("index") == 0), found[0] if found else None)


def _parts(
    message: Mapping[str, Any], choice: Mapping[str, Any], body: Mapping[str, Any], provider: str, *, lift: bool
) -> list[ContentPart]:
    """The answer's parts: reasoning, text, tool calls, then what has no other place."""
    pieces: list[tuple[bool, str]] = []
    for key in ("reasoning_content", "reasoning"):
        if isinstance(message.get(key), str) and message[key]:
            pieces.append((True, message[key]))
            break
    else:
        if text := details_reasoning(message.get("reasoning_details")):
            pieces.append((True, text))
    splitter = ThinkSplitter() if lift else None
    for reasoning, text in text_pieces(message.get("content")):
        pieces.extend(splitter.feed(text) if splitter and not reasoning else [(reasoning, text)])
    if splitter:
        pieces.extend(splitter.finish())

    parts: list[ContentPart] = [
        ReasoningContent(text=text) if reasoning else Text(text) for reasoning, text in _merged(pieces)
    ]
    if signature := signature_of(message):
        parts.append(ThoughtSignature(signature=signature))
    parts.extend(_tool_calls(message))
    for holder, names in ((message, MESSAGE_EXTRAS), (choice, CHOICE_EXTRAS), (body, TOP_EXTRAS)):
        parts.extend(Custom(model=provider, data={name: holder[name]}) for name in names if holder.get(name))
    return parts


def _merged(pieces: list[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """Neighbours of one kind are one part."""
    merged: list[tuple[bool, str]] = []
    for reasoning, text in pieces:
        if merged and merged[-1][0] is reasoning:
            text = merged.pop()[1] + text  # noqa: PLW2901
        merged.append((reasoning, text))
    return merged


def _tool_calls(message: Mapping[str, Any]) -> list[ToolCall]:
    calls: list[ToolCall] = []
    for entry in tool_entries(message):
        if isinstance(entry, dict):
            function = function_of(entry)
            signature = signature_of(entry)
            calls.append(
                ToolCall(
                    call_id=call_id(entry.get("id"), len(calls)),
                    fn_name=name_of(function.get("name")) or "",
                    fn_arguments=arguments_of(arguments_text(function)),
                    thought_signatures=(signature,) if signature else None,
                )
            )
    return calls
