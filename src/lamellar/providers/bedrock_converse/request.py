"""The HTTP request: options here, messages in `messages`, tools in `tools`.

Options that are left out on purpose, because nothing is lost by it: `prompt_cache_key`, a hint for a cache that finds
its prefixes by itself here; `strict` of a schema, to which the provider keeps anyway; the service tier ``auto``, which
is what the provider does by itself; and `store`, for nothing is stored here.

What steers the answer and has no place here (`seed`, the penalties, `verbosity`, an effort or a temperature that a
model does not take) is refused, or left out where the endpoint is lenient.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic_core import to_json

from ...chat.options import ChatOptions, JsonSchemaFormat
from ...chat.request import ChatRequest
from ..anthropic_messages.schemas import closed
from ..bodies import merged
from ..headers import JSON, request_headers
from ..refusal import Refusal
from ..unsayable import refuse_kept_conversation
from ..wire import Endpoint, WireRequest
from .blocks import cache_point, is_cache_point
from .effort import claude_traits, effort_of
from .messages import conversation_of
from .tools import tool_config

__all__ = ["EVENT_STREAM", "build_request"]

EVENT_STREAM = "application/vnd.amazon.eventstream"

_NO_OPTIONS = ChatOptions()

_NOT_HERE = (
    ("seed", "Converse has no seed: leave it out"),
    ("frequency_penalty", "Converse has no penalties: leave it out"),
    ("presence_penalty", "Converse has no penalties: leave it out"),
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
    refuse = Refusal(endpoint, model)
    options = options or _NO_OPTIONS
    refuse_kept_conversation(chat_req, refuse)
    for name, mend in _NOT_HERE:
        if (found := getattr(options, name)) is not None:
            refuse.or_drop(name, found, mend)
    conversation = conversation_of(chat_req, refuse)
    if options.cache_control is not None:
        last = conversation.messages[-1]["content"]
        if not is_cache_point(last[-1]):  # the message's own mark says it, and for how long
            last.append(cache_point(options.cache_control))
    body: dict[str, Any] = {"messages": conversation.messages}
    if conversation.system:
        body["system"] = conversation.system
    tools = tool_config(chat_req.tools, options, refuse, has_calls=conversation.has_calls)
    if tools is not None:
        body["toolConfig"] = tools
    _add_options(body, model, options, refuse)
    if options.extra_body:
        body = merged(body, options.extra_body)
    return WireRequest(
        url=_url(endpoint.base_url, model, refuse, stream=stream),
        headers=request_headers(endpoint, options, accept=EVENT_STREAM if stream else JSON),
        body=to_json(body, inf_nan_mode="constants"),
    )


def _url(base_url: str, model: str, refuse: Refusal, *, stream: bool) -> str:
    """The model is one segment of the path, so an ARN's colons and slashes are encoded; a query stays at the end."""
    if not model.strip(". "):
        raise refuse("model", model, "give the model's id or ARN, such as 'amazon.nova-lite-v1:0'")
    base, mark, query = base_url.partition("?")
    method = "converse-stream" if stream else "converse"
    return f"{base.rstrip('/')}/model/{quote(model, safe='')}/{method}{mark}{query}"


def _add_options(body: dict[str, Any], model: str, options: ChatOptions, refuse: Refusal) -> None:
    inference: tuple[tuple[str, object], ...] = (
        ("maxTokens", options.max_tokens),
        ("temperature", _sampled("temperature", options.temperature, model, refuse)),
        ("topP", _sampled("top_p", options.top_p, model, refuse)),
        ("stopSequences", None if options.stop_sequences is None else list(options.stop_sequences)),
    )
    if config := {name: value for name, value in inference if value is not None}:
        body["inferenceConfig"] = config
    effort = effort_of(options.reasoning_effort, options.max_tokens, model, refuse)
    if effort.fields:
        body["additionalModelRequestFields"] = effort.fields
    output: dict[str, Any] = {}
    if effort.effort is not None:
        output["effort"] = effort.effort
    if options.answer_format is not None:
        output["textFormat"] = _format(options.answer_format, refuse)
    if output:
        body["outputConfig"] = output
    if options.service_tier is not None and options.service_tier != "auto":
        body["serviceTier"] = {"type": options.service_tier}


def _sampled(name: str, value: float | None, model: str, refuse: Refusal) -> float | None:
    """A temperature or a `topP`; 1 is the default of both, which every model takes."""
    if value is None or value == 1:
        return value
    traits = claude_traits(model)
    if traits is None or traits.sampling:
        return value
    refuse.or_drop(name, value, "this model takes no sampling options: leave it out, and use reasoning_effort")
    return None


def _format(response_format: str | JsonSchemaFormat, refuse: Refusal) -> dict[str, Any]:
    """The schema, which travels as text; every object in it says that it is closed, as the models' makers demand."""
    if not isinstance(response_format, JsonSchemaFormat):
        mend = "there is no JSON without a schema here: use a JsonSchemaFormat"
        raise refuse("response_format", response_format, mend)
    said: dict[str, Any] = {"name": response_format.name}
    if response_format.description is not None:
        said["description"] = response_format.description
    said["schema"] = to_json(closed(response_format.schema)).decode()
    return {"type": "json_schema", "structure": {"jsonSchema": said}}
