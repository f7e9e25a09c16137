"""What the whole answer and the streamed one have in common: the shapes of texts, reasoning, tool calls and extras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from ..names import name_of

__all__ = [
    "CHOICE_EXTRAS",
    "MESSAGE_EXTRAS",
    "TOP_EXTRAS",
    "arguments_of",
    "arguments_text",
    "call_id",
    "details_reasoning",
    "function_of",
    "signature_of",
    "text_pieces",
    "tool_entries",
]

CHOICE_EXTRAS = ("logprobs",)
"""Fields beside a choice's message that are kept in the same way."""

MESSAGE_EXTRAS = ("refusal", "annotations", "audio", "executed_tools", "reasoning_details")
"""Fields of a message that are kept, each as one `Custom` part with the field's own name."""

TOP_EXTRAS = ("citations", "search_results")
"""Fields beside the choices that belong to the answer (Perplexity)."""


def text_pieces(content: object) -> Iterator[tuple[bool, str]]:
    """The texts in a `content`, each with whether it is reasoning.

    A list holds Mistral's `thinking` parts, whose text is a list again, and `text` parts.
    """
    if isinstance(content, str):
        if content:
            yield False, content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str) and part:
                yield False, part
            elif isinstance(part, dict):
                if part.get("type") == "thinking":
                    for _, text in text_pieces(part.get("thinking")):
                        yield True, text
                elif isinstance(part.get("text"), str) and part["text"]:
                    yield False, part["text"]


def details_reasoning(details: object) -> str:
    """The text in OpenRouter's `reasoning_details`, for servers that do not send it as `reasoning` too."""
    if not isinstance(details, list):
        return ""
    texts = (entry.get("text") or entry.get("summary") for entry in details if isinstance(entry, dict))
    return "".join([text for text in texts if isinstance(text, str)])


def signature_of(holder: Mapping[str, Any]) -> str | None:
    """Google's thought signature on a message or a tool call."""
    extra = holder.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else holder.get("thought_signature")
    return signature if isinstance(signature, str) and signature else None


def tool_entries(message: Mapping[str, Any]) -> list[Any]:
    """The tool calls in a message or a delta; the old `function_call` counts as one."""
    calls = message.get("tool_calls")
    if calls:
        return calls if isinstance(calls, list) else [calls]
    old = message.get("function_call")
    return [{"index": 0, "function": old}] if isinstance(old, dict) else []


def function_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The function of a tool call; a custom tool's input stands for its arguments."""
    function = entry.get("function")
    if not isinstance(function, dict):
        function = entry.get("custom")
    return function if isinstance(function, dict) else {}


def arguments_text(function: Mapping[str, Any]) -> str:
    """The arguments as text: some servers send the object itself."""
    arguments = function.get("arguments")
    if arguments is None:
        arguments = function.get("input")
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else to_json(arguments, inf_nan_mode="constants").decode()


def arguments_of(text: str) -> JsonValue:
    """Arguments, parsed: nothing is ``{}``, and a text that is not JSON stays that text."""
    if not text.strip():
        return {}
    try:
        parsed: JsonValue = from_json(text)
    except ValueError:
        return text
    return parsed


def call_id(value: object, position: int) -> str:
    """The call's id; made from its position where the wire has none, so that answers can be told apart.

    Google's endpoint sends an empty id and takes it back; it is kept for the first call only.
    """
    if value == "" and position == 0:
        return ""
    return name_of(value) or f"call_{position}"
