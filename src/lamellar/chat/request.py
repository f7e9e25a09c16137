"""What the caller asks: messages, tools, and the state of a conversation kept by the provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, field_validator

from ..errors import ConfigError
from ..frozen import Frozen
from .content import ContentPart, Text, ToolResponse
from .tools import CacheControl, Tool

if TYPE_CHECKING:
    from .events import End

__all__ = ["ChatMessage", "ChatRequest", "ChatRole"]

ChatRole = Literal["system", "user", "assistant", "tool"]


def _parts(content: str | ContentPart | Sequence[ContentPart | str]) -> tuple[ContentPart, ...]:
    """Content as people write it, as parts."""
    if isinstance(content, str):
        return (Text(content),)
    given: object = content
    if isinstance(given, bytes | bytearray):
        raise ConfigError(
            f"content: expected text or parts, got {type(given).__name__}; decode it, or use Binary.from_bytes"
        )
    if isinstance(content, Sequence):
        return tuple([Text(part) if isinstance(part, str) else part for part in content])
    return (content,)


def _part(value: object) -> object:
    if isinstance(value, str):
        return Text(value)
    if not isinstance(value, BaseModel | dict):
        found = "nothing" if value is None else type(value).__name__
        raise ConfigError(f"expected text or parts such as Text and Binary, got {found}")
    return value


def _said(request: ChatRequest) -> dict[str, Any]:
    """What was said of a request, for a copy that says more; what is valid already is not looked at again."""
    return {name: getattr(request, name) for name in request.model_fields_set}


class ChatMessage(Frozen):
    """One message.

    Args:
        role: Who speaks: ``system``, ``user``, ``assistant`` or ``tool``.
        content: Its parts; a bare string is one `Text`, a single part is a list of one.
        cache_control: Marks the end of a cacheable prefix.
    """

    role: ChatRole
    content: tuple[ContentPart, ...]
    cache_control: CacheControl | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if isinstance(value, str):
            return (Text(value),)
        return tuple(map(_part, value if isinstance(value, list | tuple) else (value,)))

    @classmethod
    def system(cls, content: str | ContentPart | Sequence[ContentPart | str]) -> Self:
        """A message of the role ``system``."""
        return cls(role="system", content=_parts(content))

    @classmethod
    def user(cls, content: str | ContentPart | Sequence[ContentPart | str]) -> Self:
        """A message of the role ``user``."""
        return cls(role="user", content=_parts(content))

    @classmethod
    def assistant(cls, content: str | ContentPart | Sequence[ContentPart | str]) -> Self:
        """A message of the role ``assistant``."""
        return cls(role="assistant", content=_parts(content))

    @classmethod
    def tool(cls, content: ToolResponse | Sequence[ToolResponse]) -> Self:
        """A message of the role ``tool``: the answers to the assistant's calls."""
        return cls(role="tool", content=_parts(content))


class ChatRequest(Frozen):
    """A whole request, independent of provider and model.

    Args:
        system: The system prompt, sent where the provider wants it.
        messages: The conversation so far.
        tools: Tools the model may call.
        previous_response_id: Continue a conversation the provider has stored.
        store: Whether the provider may store the answer.
    """

    system: str | None = None
    messages: tuple[ChatMessage, ...] = ()
    tools: tuple[Tool, ...] | None = None
    previous_response_id: str | None = None
    store: bool | None = None

    @classmethod
    def from_system(cls, system: str) -> Self:
        """A request with a system prompt and no message yet."""
        return cls(system=system)

    @classmethod
    def from_user(cls, content: str | ContentPart | Sequence[ContentPart | str]) -> Self:
        """A request with one user message."""
        return cls(messages=(ChatMessage.user(content),))

    @classmethod
    def from_messages(cls, messages: Sequence[ChatMessage]) -> Self:
        """A request with these messages."""
        return cls(messages=tuple(messages))

    def with_system(self, system: str | None) -> Self:
        """A copy with this system prompt."""
        return type(self)(**{**_said(self), "system": system})

    def with_tools(self, *tools: Tool) -> Self:
        """A copy with these tools."""
        return type(self)(**{**_said(self), "tools": tools or None})

    def append_message(self, *messages: ChatMessage) -> Self:
        """A copy with `messages` at the end."""
        return type(self)(**{**_said(self), "messages": (*self.messages, *messages)})

    def append_tool_use_from_end(self, end: End, tool_response: ToolResponse | Sequence[ToolResponse]) -> Self:
        """A copy with the assistant's turn out of a stream's `End` and the tools' answers after it.

        Everything goes back with the calls, reasoning and signatures too, because providers that sign their reasoning
        demand it.
        """
        return self.append_message(ChatMessage.assistant(end.content or ()), ChatMessage.tool(tool_response))
