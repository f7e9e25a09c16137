"""The HTTP request: options and tools here, messages in `messages`.

Options that are left out on purpose, because nothing is lost by it: `prompt_cache_key`, a hint for a cache that finds
its prefixes by itself here; the name and `strict` of a schema, to which the provider keeps anyway; and `store`, for
nothing is stored here.

What steers the answer and has no place here (`seed`, the penalties, `verbosity`, a tier, a temperature where a model no
longer takes one) is refused, or left out where the endpoint is lenient.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import JsonValue
from pydantic_core import to_json

from ...chat.options import ChatOptions, JsonSchemaFormat
from ...chat.request import ChatRequest
from ..headers import EVENT_STREAM, JSON, request_headers
from ..refusal import Refusal
from ..unsayable import refuse_kept_conversation
from ..wire import Endpoint, WireRequest
from .blocks import cache_mark
from .messages import conversation_of
from .models import ModelTraits, traits_of
from .schemas import closed
from .thinking import thinking_of
from .tools import choice_of, tool_of

__all__ = ["VERSION", "VERSIONED", "body_of", "build_request"]

VERSION = "2023-06-01"
"""The version of the API that this dialect speaks; an endpoint's own `anthropic-version` header wins."""

VERSIONED = re.compile(r"/v\d+\w*\Z")
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_NO_OPTIONS = ChatOptions()

_NOT_HERE = (
    ("seed", "the provider cannot repeat an answer: leave it out"),
    ("frequency_penalty", "the provider has no penalties: leave it out"),
    ("presence_penalty", "the provider has no penalties: leave it out"),
    ("verbosity", "leave it out, and say in the prompt how long the answer shall be"),
)
"""Options that steer an answer and have no counterpart here, and what to do about each."""


def build_request(
    endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
) -> WireRequest:
    """The HTTP request for one call.

    Raises:
        ExecutorError: Kind ``invalid_request``: the dialect cannot say something that was asked.
    """
    options = options or _NO_OPTIONS
    return WireRequest(
        url=_url(endpoint.base_url),
        headers=request_headers(
            endpoint,
            options,
            accept=EVENT_STREAM if stream else JSON,
            key_header="x-api-key",
            anthropic_version=VERSION,
        ),
        body=to_json(
            body_of(model, chat_req, options, Refusal(endpoint, model), stream=stream), inf_nan_mode="constants"
        ),
    )


def body_of(
    model: str, chat_req: ChatRequest, options: ChatOptions, refuse: Refusal, *, stream: bool
) -> dict[str, Any]:
    """The body of one call; where it goes, and how one is known there, is said elsewhere.

    Raises:
        ExecutorError: Kind ``invalid_request``: the dialect cannot say something that was asked.
    """
    traits = traits_of(model)
    refuse_kept_conversation(chat_req, refuse)
    conversation = conversation_of(chat_req, traits, refuse)
    body: dict[str, Any] = {"model": model, "messages": conversation.messages}
    if conversation.system is not None:
        body["system"] = conversation.system
    if chat_req.tools is not None:
        body["tools"] = [tool_of(tool, f"tools[{at}]", refuse) for at, tool in enumerate(chat_req.tools)]
    has_tools = bool(chat_req.tools) or "tools" in (options.extra_body or {})
    choice = choice_of(options, traits, refuse, has_tools=has_tools)
    if choice is not None:
        body["tool_choice"] = choice
    _add_options(body, traits, options, refuse)
    if stream:
        body["stream"] = True
    if options.extra_body:
        body.update(options.extra_body)
    return body


def _url(base_url: str) -> str:
    """The official SDK's base URL has no version, most gateways' have one: both work. A query stays at the end."""
    base, mark, query = base_url.partition("?")
    base = base.rstrip("/")
    return f"{base}{'' if VERSIONED.search(base) else '/v1'}/messages{mark}{query}"


def _add_options(body: dict[str, Any], traits: ModelTraits, options: ChatOptions, refuse: Refusal) -> None:
    for name, mend in _NOT_HERE:
        if (found := getattr(options, name)) is not None:
            refuse.or_drop(name, found, mend)
    thinking = thinking_of(options.reasoning_effort, options.max_tokens, traits, refuse)
    plain: tuple[tuple[str, object], ...] = (
        ("max_tokens", thinking.max_tokens),
        ("thinking", thinking.thinking),
        ("temperature", _sampled("temperature", options.temperature, traits, refuse)),
        ("top_p", _sampled("top_p", options.top_p, traits, refuse)),
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


def _sampled(name: str, value: float | None, traits: ModelTraits, refuse: Refusal) -> float | None:
    """A temperature or a `top_p`; 1 is the default of both, which every model takes."""
    if value is None or value == 1 or traits.sampling:
        return value
    refuse.or_drop(name, value, "this model takes no sampling options: leave it out, and use reasoning_effort")
    return None


def _tier(tier: str | None, refuse: Refusal) -> str | None:
    if tier is not None and tier not in _TIERS:
        refuse.or_drop(
            "service_tier", tier, "the tiers are 'auto' and 'default' here: use one of them, or leave it out"
        )
        return None
    return None if tier is None else _TIERS[tier]


def _format(response_format: str | JsonSchemaFormat, refuse: Refusal) -> dict[str, JsonValue]:
    """The schema; what describes it stands in it."""
    if isinstance(response_format, JsonSchemaFormat):
        schema = closed(response_format.schema)
        if response_format.description is not None:
            schema.setdefault("description", response_format.description)
        return {"type": "json_schema", "schema": schema}
    raise refuse("response_format", response_format, "there is no JSON without a schema here: use a JsonSchemaFormat")
