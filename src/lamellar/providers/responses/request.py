"""The HTTP request: options and tools here, the conversation in `conversation`.

Options that the provider has nothing for are refused by name, or left out where the endpoint is lenient: stop
sequences, a seed, the penalties, and a budget of reasoning tokens. Left out on purpose: the mark of a cacheable
prompt, save a retention of 24 hours, for the provider caches by itself; and the mark on a tool.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import to_json

from ...chat.options import ChatOptions, JsonSchemaFormat
from ...chat.request import ChatRequest
from ..addresses import address
from ..bodies import merged
from ..headers import EVENT_STREAM, JSON, request_headers
from ..refusal import Refusal
from ..wire import Endpoint, Quirks, WireRequest
from .conversation import input_of
from .tools import choice_of, tool_of

__all__ = ["build_request"]

_REASONING_MODEL = re.compile(r"(?:.*[/.])?(?:gpt-[5-9](?!.*-chat)|o\d|codex|gpt-oss)")
"""Models that always reason, with or without a vendor before the name. Others refuse to be asked for it."""

_ENCRYPTED = "reasoning.encrypted_content"
_NO_OPTIONS = ChatOptions()


def build_request(
    endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
) -> WireRequest:
    """The HTTP request for one call.

    Raises:
        ExecutorError: Kind ``invalid_request``: the dialect cannot say something that was asked.
    """
    refuse = Refusal(endpoint, model)
    options = options or _NO_OPTIONS
    extra = options.extra_body or {}
    body: dict[str, Any] = {"model": model}
    if chat_req.system is not None:
        body["instructions"] = chat_req.system
    items = input_of(chat_req, extra, refuse)
    if items is not None:
        body["input"] = items
    if chat_req.tools is not None:
        body["tools"] = [tool_of(tool) for tool in chat_req.tools]
    if chat_req.previous_response_id is not None:
        body["previous_response_id"] = chat_req.previous_response_id
    if chat_req.store is not None:
        body["store"] = chat_req.store
    _add_options(body, chat_req, options, endpoint.quirks, refuse)
    if stream:
        body["stream"] = True
    if extra:
        body = merged(body, extra)
    if body.get("background") is True and not stream:
        raise refuse(
            "extra_body.background", True, "such an answer is fetched later: ask for a stream, or leave it out"
        )
    return WireRequest(
        url=address(endpoint.base_url, "responses"),
        headers=request_headers(endpoint, options, accept=EVENT_STREAM if stream else JSON),
        body=to_json(body, inf_nan_mode="constants"),
    )


def _add_options(
    body: dict[str, Any], chat_req: ChatRequest, options: ChatOptions, quirks: Quirks, refuse: Refusal
) -> None:
    _drop_unsayable(options, refuse)
    plain = (
        ("temperature", options.temperature),
        ("top_p", options.top_p),
        ("max_output_tokens", options.max_tokens),
        ("parallel_tool_calls", options.parallel_tool_calls),
        ("service_tier", options.service_tier),
        ("prompt_cache_key", options.prompt_cache_key),
    )
    body.update({name: value for name, value in plain if value is not None})
    if options.tool_choice is not None:
        body["tool_choice"] = choice_of(options.tool_choice, chat_req.tools)
    text: dict[str, Any] = {}
    if options.answer_format is not None:
        text["format"] = _format(options.answer_format)
    if options.verbosity is not None:
        text["verbosity"] = options.verbosity
    if text:
        body["text"] = text
    if options.cache_control == "24h" and quirks.cache == "retention":
        body["prompt_cache_retention"] = "24h"
    _add_reasoning(body, chat_req, options, quirks, refuse)


def _drop_unsayable(options: ChatOptions, refuse: Refusal) -> None:
    for name in ("stop_sequences", "seed", "frequency_penalty", "presence_penalty"):
        found = getattr(options, name)
        if found is not None and found != ():
            refuse.or_drop(name, found, "this API has no such option: leave it unset, or ask Chat Completions")


def _add_reasoning(
    body: dict[str, Any], chat_req: ChatRequest, options: ChatOptions, quirks: Quirks, refuse: Refusal
) -> None:
    """How much the model may think, and that its reasoning comes in the form in which it goes back.

    Who keeps nothing at the provider needs the encrypted form, and of whoever asks for reasoning it is not known
    whether the provider keeps anything. Models that do not reason refuse to be asked for it.
    """
    effort = options.reasoning_effort
    if isinstance(effort, int) and effort:
        refuse.or_drop("reasoning_effort", effort, "a budget in tokens cannot be said here: use a word such as 'low'")
        effort = None
    asked = effort not in (None, "zero", 0)
    if effort is not None:
        body["reasoning"] = {"effort": effort if asked else "none"}
        if asked and quirks.reasoning_summary is not None:
            body["reasoning"]["summary"] = quirks.reasoning_summary
    unstored = chat_req.store is False and _REASONING_MODEL.match(refuse.model) is not None
    if (asked or unstored) and quirks.encrypted_reasoning:
        body["include"] = [_ENCRYPTED]


def _format(response_format: str | JsonSchemaFormat) -> dict[str, Any]:
    if not isinstance(response_format, JsonSchemaFormat):
        return {"type": "json_object"}
    form: dict[str, Any] = {
        "type": "json_schema",
        "name": response_format.name,
        "schema": response_format.schema,
    }
    if response_format.description is not None:
        form["description"] = response_format.description
    if response_format.strict is not None:
        form["strict"] = response_format.strict
    return form
