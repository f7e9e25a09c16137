"""The HTTP request: address, options and tools here, the conversation in `messages`.

What is left out on purpose, because the API has no place for it and nothing is lost: the name of a JSON schema, and its
`strict`, for Ollama keeps to every schema of an answer; `prompt_cache_key` and marks of cacheable prefixes, for Ollama
keeps prefixes by itself; `store`, for nothing is stored; `parallel_tool_calls=True` and the service tiers ``auto`` and
``default``, which say what is so anyway. ``tool_choice="none"`` leaves the tools out: what a model does not know of, it
does not call.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ...chat.options import ChatOptions, JsonSchemaFormat
from ...chat.request import ChatRequest
from ...chat.tools import Tool
from ..bodies import merged
from ..headers import JSON, request_headers
from ..json_schemas import described_schema
from ..refusal import Refusal
from ..unsayable import refuse_kept_conversation
from ..wire import Endpoint, WireRequest
from .effort import think_of
from .messages import messages_of

__all__ = ["build_request"]

_NO_OPTIONS = ChatOptions()
_LINES = "application/x-ndjson"
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
    body: dict[str, Any] = {
        "model": model,
        "messages": messages_of(chat_req, refuse),
        "stream": stream,  # it is true where nothing is said
    }
    silent = options.tool_choice is not None and options.tool_choice.kind == "none"
    if chat_req.tools and not silent:
        body["tools"] = [_tool(tool, f"tools[{at}]", refuse) for at, tool in enumerate(chat_req.tools)]
    if options.answer_format is not None:
        body["format"] = _format(options.answer_format)
    if options.reasoning_effort is not None:
        think = think_of(options.reasoning_effort, model, refuse)
        if think is not None:
            body["think"] = think
    if sampling := _sampling(options):
        body["options"] = sampling
    if options.extra_body:
        body = merged(body, options.extra_body)
    return WireRequest(
        url=_url(endpoint.base_url),
        headers=request_headers(endpoint, options, accept=_LINES if stream else JSON),
        body=to_json(body, inf_nan_mode="constants"),
    )


def _url(base_url: str) -> str:
    """The path goes before a query in the base URL, which may or may not name `/api` itself."""
    base, mark, query = base_url.partition("?")
    base = base.rstrip("/")
    return f"{base}{'' if base.endswith('/api') else '/api'}/chat{mark}{query}"


def _refuse_unsayable(chat_req: ChatRequest, options: ChatOptions, refuse: Refusal) -> None:
    refuse_kept_conversation(chat_req, refuse)
    choice = options.tool_choice
    if choice is not None and choice.kind in ("required", "tool"):
        mend = "Ollama's models choose by themselves: use 'auto' or 'none', and say in the prompt what to call"
        raise refuse("tool_choice", choice.name or choice.kind, mend)
    if options.parallel_tool_calls is False:
        mend = "Ollama's models call as many tools as they like: leave it unset, or give fewer tools"
        refuse.or_drop("parallel_tool_calls", options.parallel_tool_calls, mend)
    if options.verbosity is not None:
        refuse.or_drop("verbosity", options.verbosity, "say in the prompt how long the answer shall be")
    if options.service_tier not in (None, "auto", "default"):
        refuse.or_drop("service_tier", options.service_tier, "Ollama has no classes of service: leave it unset")


def _sampling(options: ChatOptions) -> dict[str, Any]:
    plain = (
        ("temperature", options.temperature),
        ("top_p", options.top_p),
        ("num_predict", options.max_tokens),
        ("seed", options.seed),
        ("presence_penalty", options.presence_penalty),
        ("frequency_penalty", options.frequency_penalty),
    )
    sampling: dict[str, Any] = {name: value for name, value in plain if value is not None}
    if options.stop_sequences is not None:
        sampling["stop"] = list(options.stop_sequences)
    return sampling


def _format(form: str | JsonSchemaFormat) -> object:
    """``json``, or the schema; what describes it stands in it."""
    if not isinstance(form, JsonSchemaFormat):
        return "json"
    return described_schema(form)


def _tool(tool: Tool, where: str, refuse: Refusal) -> dict[str, Any]:
    if tool.config is not None:
        raise refuse(f"{where}.config", tool.config, "Ollama has no tools of its own: declare a function")
    if tool.strict:
        refuse.or_drop(f"{where}.strict", tool.strict, "Ollama does not hold calls to a schema: leave it unset")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = _NO_ARGUMENTS if tool.schema is None else tool.schema
    return {"type": "function", "function": function}
