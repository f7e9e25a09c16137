"""The HTTP request: address, options and tools here, the conversation in `contents`.

What is left out on purpose, because the API has no place for it and nothing is lost: the name of a JSON schema;
`prompt_cache_key`, for Gemini finds cached prefixes by itself; `parallel_tool_calls=True` and
``service_tier="auto"``, which say what is so anyway; a strict schema's `strict`, for Gemini keeps to every schema of an
answer.

What steers the answer and has no place here (`verbosity`, ``parallel_tool_calls=False``, no thinking of a model that
always thinks) is refused, or left out where the endpoint is lenient.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic_core import to_json

from ...chat.options import ChatOptions, JsonSchemaFormat
from ...chat.request import ChatRequest
from ...chat.tools import Tool, ToolChoice
from ..bodies import merged
from ..headers import EVENT_STREAM, JSON, request_headers
from ..json_schemas import described_schema
from ..refusal import Refusal
from ..unsayable import refuse_kept_conversation
from ..wire import Endpoint, WireRequest
from .contents import contents_of
from .effort import thinking_config

__all__ = ["build_request"]

_NO_OPTIONS = ChatOptions()
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}
_TIERS = {"auto": None, "default": "standard"}


def build_request(
    endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
) -> WireRequest:
    """The HTTP request for one call.

    Raises:
        ExecutorError: Kind ``invalid_request``: the dialect cannot say something that was asked.
    """
    refuse = Refusal(endpoint, model)
    options = options or _NO_OPTIONS
    refuse_kept_conversation(chat_req, refuse)
    _check_options(options, refuse)
    system, contents = contents_of(chat_req, refuse)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if chat_req.tools:
        body["tools"] = _tools(chat_req.tools)
    if mode := _calling(chat_req.tools or (), options.tool_choice, refuse):
        body["toolConfig"] = {"functionCallingConfig": mode}
    if config := _generation(options, model, refuse):
        body["generationConfig"] = config
    if options.service_tier is not None:
        tier = _TIERS.get(options.service_tier, options.service_tier)
        if tier is not None:
            body["serviceTier"] = tier
    if chat_req.store is not None:
        body["store"] = chat_req.store
    if options.extra_body:
        body = merged(body, options.extra_body)
    return WireRequest(
        url=_url(endpoint.base_url, model, refuse, stream=stream),
        headers=request_headers(
            endpoint, options, accept=EVENT_STREAM if stream else JSON, key_header="x-goog-api-key"
        ),
        body=to_json(body, inf_nan_mode="constants"),
    )


def _check_options(options: ChatOptions, refuse: Refusal) -> None:
    """Options that steer an answer and have no counterpart here: refused, or left out where that is right."""
    if options.parallel_tool_calls is False:
        mend = "Gemini calls as many tools as it likes: leave it unset, or give fewer tools"
        refuse.or_drop("parallel_tool_calls", options.parallel_tool_calls, mend)
    if options.verbosity is not None:
        mend = "leave it unset, and say in the prompt how long the answer shall be"
        refuse.or_drop("verbosity", options.verbosity, mend)


def _url(base_url: str, model: str, refuse: Refusal, *, stream: bool) -> str:
    """Model and method go before a query in the base URL. A name with a slash says itself what it is a name of."""
    names = model.split("/")
    if any(name.strip(". ") == "" for name in names):
        raise refuse("model", model, "give the model's name, such as 'gemini-2.5-flash' or 'tunedModels/mine'")
    path = "/".join([quote(name, safe="@") for name in (names if len(names) > 1 else ("models", model))])
    base, _, query = base_url.partition("?")
    if stream:
        query = f"{query}&alt=sse" if query else "alt=sse"
    url = f"{base.rstrip('/')}/{path}:{'streamGenerateContent' if stream else 'generateContent'}"
    return f"{url}?{query}" if query else url


def _generation(options: ChatOptions, model: str, refuse: Refusal) -> dict[str, Any]:
    plain = (
        ("temperature", options.temperature),
        ("topP", options.top_p),
        ("maxOutputTokens", options.max_tokens),
        ("seed", options.seed),
        ("presencePenalty", options.presence_penalty),
        ("frequencyPenalty", options.frequency_penalty),
    )
    config: dict[str, Any] = {name: value for name, value in plain if value is not None}
    if options.stop_sequences is not None:
        config["stopSequences"] = list(options.stop_sequences)
    if options.answer_format is not None:
        config["responseMimeType"] = "application/json"
        if isinstance(options.answer_format, JsonSchemaFormat):
            config["responseJsonSchema"] = described_schema(options.answer_format)
    if options.reasoning_effort is not None:
        thinking = thinking_config(options.reasoning_effort, model, refuse)
        if thinking is not None:
            config["thinkingConfig"] = thinking
    return config


def _tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """All functions together, and each built-in by itself, in its own form."""
    sent: list[dict[str, Any]] = []
    functions: list[dict[str, Any]] = []
    for tool in tools:
        if tool.config is not None:
            sent.append({tool.name: tool.config})
            continue
        if not functions:
            sent.append({"functionDeclarations": functions})
        function: dict[str, Any] = {"name": tool.name}
        if tool.description is not None:
            function["description"] = tool.description
        if tool.schema is not None:
            function["parametersJsonSchema"] = tool.schema
        functions.append(function)
    return sent


def _calling(tools: tuple[Tool, ...], choice: ToolChoice | None, refuse: Refusal) -> dict[str, Any] | None:
    """How tools are called. A strict tool asks for `VALIDATED`: like `AUTO`, and calls keep to their schemas."""
    if choice is None or choice.kind == "auto":
        if any(tool.strict for tool in tools):
            return {"mode": "VALIDATED"}
        return None if choice is None else {"mode": "AUTO"}
    config: dict[str, Any] = {"mode": _MODES[choice.kind]}
    if choice.name is not None:
        if any(tool.name == choice.name and tool.config is not None for tool in tools):
            raise refuse(
                "tool_choice", choice.name, "only functions can be chosen: Gemini uses its own tools as it likes"
            )
        config["allowedFunctionNames"] = [choice.name]
    return config
