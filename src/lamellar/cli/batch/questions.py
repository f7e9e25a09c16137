"""What a line of IN asks: a prompt, a request of ours, or a line of OpenAI's batch format."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pydantic import Field

from ...chat.options import ChatOptions
from ...chat.request import ChatMessage, ChatRequest
from ...chat.tools import Tool
from ...errors import ConfigError
from ...frozen import Frozen
from ...masking import show

__all__ = ["Identifier", "Question", "identifier_of", "read_question"]

Identifier = str | int | None


class Question(NamedTuple):
    """What one line asks.

    Args:
        id: What the line calls itself.
        model: The model.
        request: The request.
        options: Its options, or None.
    """

    id: Identifier
    model: str
    request: ChatRequest
    options: ChatOptions | None


class _Asked(Frozen):
    """A line in our own words."""

    id: str | int | None = None
    prompt: str | None = Field(default=None, min_length=1)
    messages: tuple[ChatMessage, ...] | None = Field(default=None, min_length=1)
    system: str | None = None
    tools: tuple[Tool, ...] | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    model: str | None = Field(default=None, min_length=1)
    options: ChatOptions | None = None


def read_question(data: bytes, *, model: str | None, system: str | None) -> Question:
    """The question in a line.

    Args:
        data: The line.
        model: The model, for a line that names none.
        system: The system prompt, for a line that has none.

    Raises:
        ConfigError: The line asks nothing that can be understood; it says what was expected.
    """
    said: dict[str, Any] = _object(data)
    if "body" in said:
        from .foreign import translated

        said = translated(said)
    try:
        asked = _Asked(**said)
    except ConfigError as error:
        raise ConfigError("; ".join(error.problems)) from None
    if (asked.prompt is None) == (asked.messages is None):
        raise ConfigError("a line has exactly one of `prompt` and `messages`")
    named = asked.model or model
    if named is None:
        raise ConfigError("the line names no model; name one with -m for all lines that do not")
    own = {name: getattr(asked, name) for name in ("tools", "previous_response_id", "store")}
    request = ChatRequest(
        messages=(ChatMessage.user(asked.prompt),) if asked.prompt is not None else asked.messages or (),
        **{name: value for name, value in own.items() if value is not None},
    )
    spoken = asked.system if asked.system is not None else _own_system(request, system)
    return Question(asked.id, named, request if spoken is None else request.with_system(spoken), asked.options)


def identifier_of(data: bytes | None) -> Identifier:
    """What a line calls itself, as far as it can be read."""
    try:
        said = _object(data or b"")
    except ConfigError:
        return None
    found = said.get("id", said.get("custom_id"))
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def _own_system(request: ChatRequest, system: str | None) -> str | None:
    """The shared system prompt, unless the conversation begins with one of its own."""
    return None if any(message.role == "system" for message in request.messages) else system


def _object(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data)
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 text (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise ConfigError(f'expected an object such as {{"prompt": "Why is the sky blue?"}}, got {show(said)}')
    return said
