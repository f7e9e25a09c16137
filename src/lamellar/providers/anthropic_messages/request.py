"""The HTTP request: options and tools here, messages in `messages`.

Options that are left out on purpose, because the provider has no such thing and the answer's meaning does not hang on
it: `seed`, `frequency_penalty`, `presence_penalty`, `verbosity` and `prompt_cache_key`; the name, the description and
`strict` of a schema, to which the provider keeps anyway; and `store`, for nothing is stored here.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import JsonValue
from pydantic_core import to_json

from ...chat.options import ChatOptions, JsonSchemaFormat
from ...chat.request import ChatRequest
from ..refusal import Refusal
from ..wire import Endpoint, WireRequest
from .blocks import cache_mark
from .messages import conversation_of
from .models import traits_of
from .schemas import closed
from .thinking import thinking_of
from .tools import choice_of, tool_of

__all__ = ["VERSION", "build_request"]

VERSION = "2023-06-01"
"""The version of the API that this dialect speaks; an endpoint's own `anthropic-version` header wins."""

_VERSIONED = re.compile(r"/v\d+\w*\Z")
_TIERS = {"default": "standard_only"}
_NO_OPTIONS = ChatOptions()


def build_request(
    endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
) -> WireRequest:
    """The HTTP request for one call.

    Raises:
        ExecutorError: Kind ``invalid_request``: the dialect cannot say something that was asked.
    """
    refuse = Refusal(endpoint.namespace, model)
    options = options or _NO_OPTIONS
    if chat_req.previous_response_id is not None:
        raise refuse(
            "previous_response_id",
            chat_req.previous_response_id,
            "send the conversation's messages, or use a target whose dialect keeps conversations",
        )
    conversation = conversation_of(chat_req, refuse)
    body: dict[str, Any] = {"model": model, "messages": conversation.messages}
    if conversation.system is not None:
        body["system"] = conversation.system
    if chat_req.tools is not None:
        body["tools"] = [tool_of(tool, f"tools[{at}]", refuse) for at, tool in enumerate(chat_req.tools)]
    has_tools = bool(chat_req.tools) or "tools" in (options.extra_body or {})
    choice = choice_of(options, has_tools=has_tools)
    if choice is not None:
        body["tool_choice"] = choice
    _add_options(body, model, options, refuse)
    if stream:
        body["stream"] = True
    if options.extra_body:
        body.update(options.extra_body)
    return WireRequest(
        url=_url(endpoint.base_url),
        headers=_headers(endpoint, options, stream=stream),
        body=to_json(body, inf_nan_mode="constants"),
    )


def _url(base_url: str) -> str:
    """The official SDK's base URL has no version, most gateways' have one: both work. A query stays at the end."""
    base, mark, query = base_url.partition("?")
    base = base.rstrip("/")
    return f"{base}{'' if _VERSIONED.search(base) else '/v1'}/messages{mark}{query}"


def _headers(endpoint: Endpoint, options: ChatOptions, *, stream: bool) -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        "anthropic-version": VERSION,
    }
    if endpoint.api_key:
        headers["x-api-key"] = endpoint.api_key
    for more in (endpoint.headers, options.extra_headers or {}):
        headers.update({name.lower(): value for name, value in more.items()})
    return headers


def _add_options(body: dict[str, Any], model: str, options: ChatOptions, refuse: Refusal) -> None:
    thinking = thinking_of(options.reasoning_effort, options.max_tokens, traits_of(model), refuse)
    plain: tuple[tuple[str, object], ...] = (
        ("max_tokens", thinking.max_tokens),
        ("thinking", thinking.thinking),
        ("temperature", options.temperature),
        ("top_p", options.top_p),
        ("service_tier", _tier(options.service_tier, refuse)),
    )
    body.update({name: value for name, value in plain if value is not None})
    if options.stop_sequences is not None:
        body["stop_sequences"] = list(options.stop_sequences)
    output: dict[str, JsonValue] = {}
    if thinking.effort is not None:
        output["effort"] = thinking.effort
    if options.answer_format is not None:
        output["format"] = _format(options.answer_format, refuse)
    if output:
        body["output_config"] = output
    if options.cache_control is not None:
        body["cache_control"] = cache_mark(options.cache_control)


def _tier(tier: str | None, refuse: Refusal) -> str | None:
    if tier == "flex":
        raise refuse("service_tier", tier, "there is no cheaper tier here: use 'auto' or 'default', or leave it out")
    return None if tier is None else _TIERS.get(tier, tier)


def _format(response_format: str | JsonSchemaFormat, refuse: Refusal) -> dict[str, JsonValue]:
    if isinstance(response_format, JsonSchemaFormat):
        return {"type": "json_schema", "schema": closed(response_format.schema)}
    raise refuse("response_format", response_format, "there is no JSON without a schema here: use a JsonSchemaFormat")
