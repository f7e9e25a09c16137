"""The HTTP request: options and tools here, messages in `messages`.

What is left out on purpose, because the API has no place for it and nothing is lost: the name of a JSON schema, and its
`strict`, for Cohere keeps to every schema of an answer; `prompt_cache_key` and marks of cacheable prefixes, for Cohere
caches prefixes by itself; `store`, for nothing is stored; `parallel_tool_calls=True` and the service tiers ``auto`` and
``default``, which say what is so anyway. One tool that must be called is said by sending that tool alone.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ...chat.options import ChatOptions, JsonSchemaFormat
from ...chat.request import ChatRequest
from ...chat.tools import Tool, ToolChoice
from ..addresses import address
from ..headers import EVENT_STREAM, JSON, request_headers
from ..json_schemas import described_schema
from ..refusal import Refusal
from ..unsayable import refuse_kept_conversation
from ..wire import Endpoint, WireRequest
from .effort import thinking_of
from .messages import messages_of

__all__ = ["build_request"]

_NO_OPTIONS = ChatOptions()
_CHOICES = {"none": "NONE", "required": "REQUIRED", "tool": "REQUIRED"}
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}


def build_request(
    endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
) -> WireRequest:
    """The HTTP request for one call.

    Raises:
        ExecutorError: Kind ``invalid_request``: the dialect cannot say something that was asked.
    """
    refuse = Refusal(endpoint, model)
    options = options or _NO_OPTIONS
    _refuse_unsayable(chat_req, options, refuse)
    body: dict[str, Any] = {"model": model, "messages": messages_of(chat_req, refuse), "stream": stream}
    _add_tools(body, chat_req.tools or (), options.tool_choice, refuse)
    _add_options(body, options)
    if options.extra_body:
        body.update(options.extra_body)
    return WireRequest(
        url=address(endpoint.base_url, "chat"),
        headers=request_headers(endpoint, options, accept=EVENT_STREAM if stream else JSON),
        body=to_json(body, inf_nan_mode="constants"),
    )


def _refuse_unsayable(chat_req: ChatRequest, options: ChatOptions, refuse: Refusal) -> None:
    refuse_kept_conversation(chat_req, refuse)
    if options.parallel_tool_calls is False:
        mend = "Cohere's models call as many tools as they like: leave it unset, or give fewer tools"
        refuse.or_drop("parallel_tool_calls", options.parallel_tool_calls, mend)
    if options.verbosity is not None:
        refuse.or_drop("verbosity", options.verbosity, "say in the prompt how long the answer shall be")
    if options.service_tier not in (None, "auto", "default"):
        mend = "Cohere has a number instead: put `priority` into extra_body"
        refuse.or_drop("service_tier", options.service_tier, mend)


def _add_tools(body: dict[str, Any], tools: tuple[Tool, ...], choice: ToolChoice | None, refuse: Refusal) -> None:
    if choice is not None and choice.name is not None:
        tools = tuple([tool for tool in tools if tool.name == choice.name])
        if not tools:
            raise refuse("tool_choice", choice.name, "name one of the request's tools")
    if tools:
        body["tools"] = [_tool(tool, f"tools[{at}]", refuse) for at, tool in enumerate(tools)]
        if any(tool.strict for tool in tools):
            _refuse_mixed(tools, refuse)
            body["strict_tools"] = True
    if choice is not None and choice.kind in _CHOICES:
        body["tool_choice"] = _CHOICES[choice.kind]


def _refuse_mixed(tools: tuple[Tool, ...], refuse: Refusal) -> None:
    """One switch makes all of them strict, and would change what a tool means that is not to be."""
    for at, tool in enumerate(tools):
        if tool.strict is False:
            mend = "Cohere has one switch for all tools, and another is strict: say the same of all"
            raise refuse(f"tools[{at}].strict", tool.strict, mend)


def _tool(tool: Tool, where: str, refuse: Refusal) -> dict[str, Any]:
    if tool.config is not None:
        raise refuse(f"{where}.config", tool.config, "Cohere has no tools of its own here: declare a function")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = _NO_ARGUMENTS if tool.schema is None else tool.schema
    return {"type": "function", "function": function}


def _add_options(body: dict[str, Any], options: ChatOptions) -> None:
    plain = (
        ("temperature", options.temperature),
        ("max_tokens", options.max_tokens),
        ("p", options.top_p),
        ("frequency_penalty", options.frequency_penalty),
        ("presence_penalty", options.presence_penalty),
        ("seed", options.seed),
    )
    body.update({name: value for name, value in plain if value is not None})
    if options.stop_sequences is not None:
        body["stop_sequences"] = list(options.stop_sequences)
    if options.answer_format is not None:
        body["response_format"] = _format(options.answer_format)
    if options.reasoning_effort is not None:
        body["thinking"] = thinking_of(options.reasoning_effort)


def _format(form: str | JsonSchemaFormat) -> dict[str, Any]:
    """Any object, or one of a schema; what describes it stands in the schema."""
    if not isinstance(form, JsonSchemaFormat):
        return {"type": "json_object"}
    return {"type": "json_object", "json_schema": described_schema(form)}
