"""The HTTP request: options and tools here, messages in `messages`.

Every option has a field here, and goes out under it; whether a model or a server takes it, the server says. What
has none is a reasoning budget in tokens, which is refused, or left out where the endpoint is lenient; and the mark of a
cacheable prefix where the server caches by itself, which loses nothing.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import to_json

from ...chat.options import ChatOptions, JsonSchemaFormat
from ...chat.request import ChatRequest
from ...chat.tools import Tool
from ..addresses import address
from ..headers import EVENT_STREAM, JSON, request_headers
from ..refusal import Refusal
from ..unsayable import refuse_kept_conversation
from ..wire import Endpoint, Quirks, WireRequest
from .messages import cache_mark, messages_of

__all__ = ["build_request"]

_COMPLETION_TOKENS = re.compile(r"(?:.*/)?(?:gpt-(?:[5-9]|[12]\d)(?!\d)|o[1-9](?![\w.]))")
"""Models that refuse `max_tokens`, with or without a vendor before the name: OpenAI's that reason."""


def build_request(
    endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
) -> WireRequest:
    """The HTTP request for one call.

    Raises:
        ExecutorError: Kind ``invalid_request``: the dialect cannot say something that was asked.
    """
    refuse = Refusal(endpoint, model)
    quirks = endpoint.quirks
    options = options or _NO_OPTIONS
    refuse_kept_conversation(chat_req, refuse)
    body: dict[str, Any] = {"model": model, "messages": messages_of(chat_req, options, quirks, refuse)}
    if chat_req.tools is not None:
        body["tools"] = [_tool(tool, quirks) for tool in chat_req.tools]
    _add_options(body, model, options, quirks, refuse)
    if chat_req.store is not None:
        body["store"] = chat_req.store
    if stream:
        body["stream"] = True
        if quirks.include_usage:
            body["stream_options"] = {"include_usage": True}
    if options.extra_body:
        body.update(options.extra_body)
    return WireRequest(
        url=address(endpoint.base_url, "chat/completions"),
        headers=request_headers(endpoint, options, accept=EVENT_STREAM if stream else JSON),
        body=to_json(body, inf_nan_mode="constants"),
    )


_NO_OPTIONS = ChatOptions()


def _add_options(body: dict[str, Any], model: str, options: ChatOptions, quirks: Quirks, refuse: Refusal) -> None:
    plain = (
        ("temperature", options.temperature),
        ("top_p", options.top_p),
        ("frequency_penalty", options.frequency_penalty),
        ("presence_penalty", options.presence_penalty),
        (quirks.seed_field, options.seed),
        ("parallel_tool_calls", options.parallel_tool_calls),
        ("verbosity", options.verbosity),
        ("service_tier", options.service_tier),
        ("prompt_cache_key", options.prompt_cache_key),
    )
    body.update({name: value for name, value in plain if value is not None})
    if options.max_tokens is not None:
        by_name = "max_completion_tokens" if _COMPLETION_TOKENS.match(model) else "max_tokens"
        body[quirks.max_tokens_field or by_name] = options.max_tokens
    if options.stop_sequences is not None:
        body["stop"] = list(options.stop_sequences)
    if options.tool_choice is not None:
        choice = options.tool_choice
        named = {"type": "function", "function": {"name": choice.name}}
        body["tool_choice"] = named if choice.kind == "tool" else choice.kind
    if options.answer_format is not None:
        body["response_format"] = _format(options.answer_format)
    if options.reasoning_effort is not None:
        body.update(_reasoning(options.reasoning_effort, quirks, refuse))
    if options.cache_control == "24h" and quirks.cache == "retention":
        body["prompt_cache_retention"] = "24h"


def _format(response_format: str | JsonSchemaFormat) -> dict[str, Any]:
    if not isinstance(response_format, JsonSchemaFormat):
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": response_format.name, "schema": response_format.schema}
    if response_format.description is not None:
        schema["description"] = response_format.description
    if response_format.strict is not None:
        schema["strict"] = response_format.strict
    return {"type": "json_schema", "json_schema": schema}


def _reasoning(effort: str | int, quirks: Quirks, refuse: Refusal) -> dict[str, Any]:
    """How the endpoint is asked to think: a word, OpenRouter's object, or a switch beside the word."""
    if isinstance(effort, int) and effort:
        if quirks.reasoning == "object":
            return {"reasoning": {"max_tokens": effort}}
        mend = "a budget in tokens cannot be said here: use a word such as 'low', 'medium' or 'high'"
        refuse.or_drop("reasoning_effort", effort, mend)
        return {}
    word = "none" if effort in ("zero", 0) else effort
    if quirks.reasoning == "object":
        return {"reasoning": {"effort": word}}
    if quirks.reasoning == "thinking":
        if word == "none":
            return {"thinking": {"type": "disabled"}}
        return {"thinking": {"type": "enabled"}, "reasoning_effort": word}
    if quirks.reasoning == "groq" and word != "none":
        return {"reasoning_effort": word, "reasoning_format": "parsed"}
    return {"reasoning_effort": word}


def _tool(tool: Tool, quirks: Quirks) -> dict[str, Any]:
    """A function, or a provider's built-in, whose configuration is in the provider's own form."""
    sent: dict[str, Any]
    if tool.config is not None:
        sent = {"type": tool.name, **tool.config}
    else:
        function: dict[str, Any] = {"name": tool.name}
        if tool.description is not None:
            function["description"] = tool.description
        if tool.schema is not None:
            function["parameters"] = tool.schema
        if tool.strict is not None:
            function["strict"] = tool.strict
        sent = {"type": "function", "function": function}
    if tool.cache_control is not None and quirks.cache == "parts":
        sent["cache_control"] = cache_mark(tool.cache_control)
    return sent
