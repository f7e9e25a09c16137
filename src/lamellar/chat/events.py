"""What a stream consists of: one `Start`, content, one `End`.

Events are slotted dataclasses: they are the hot path, and nobody hands them in from outside. They are shared by every
layer that sees them, so they are not changed once made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..errors import ErrorKind
    from .content import ContentPart, ToolCall
    from .response import StopReason
    from .usage import Usage

__all__ = [
    "PROGRESS",
    "Chunk",
    "End",
    "Progress",
    "ReasoningChunk",
    "Restart",
    "Start",
    "StreamEvent",
    "ThoughtSignatureChunk",
    "ToolCallChunk",
]


@dataclass(slots=True)
class Start:
    """The first event: who answers.

    Args:
        model: The model that was asked.
        provider: The provider's namespace.
        provider_model: The model the provider says it used, or None.
        target: The name of the target that answers.
        response_id: The provider's id of the answer, or None.
        cached: Whether the answer comes from a cache or from another call's answer: this call was not billed for it.
    """

    model: str
    provider: str
    provider_model: str | None = None
    target: str | None = None
    response_id: str | None = None
    cached: bool = False


@dataclass(slots=True)
class Chunk:
    """A piece of the text."""

    content: str


@dataclass(slots=True)
class ReasoningChunk:
    """A piece of the reasoning."""

    content: str


@dataclass(slots=True)
class ThoughtSignatureChunk:
    """An opaque signature of the reasoning so far, to be sent back unchanged."""

    content: str


@dataclass(slots=True)
class ToolCallChunk:
    """A delta of one tool call; `End.content` holds the whole calls.

    Args:
        index: Which call of this answer, from 0.
        call_id: Its id; on the first delta of a call, None after it.
        name: The tool's name; on the first delta, None after it.
        arguments: A fragment of the arguments' JSON text; may be empty.
    """

    index: int
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(slots=True)
class Restart:
    """Drop what was delivered: another answer follows from its first event, with no second `Start`.

    Args:
        target: The target that answers now.
        model: Its model.
        reason: The kind of the failure that broke the first answer.
        provider: The namespace of its provider.
    """

    target: str | None
    model: str
    reason: ErrorKind
    provider: str | None = None


@dataclass(slots=True)
class End:
    """The last event: the answer is whole.

    Args:
        stop_reason: Why the model stopped, or None when the provider did not say.
        usage: The tokens of this answer, or None when the provider did not say.
        content: The whole answer as parts, as it goes back into a conversation.
        response_id: The provider's id of the answer.
        provider_model: The model the provider says it used.
        raw: The provider's own last payload, when `capture_raw_body` asked for it.
    """

    stop_reason: StopReason | None = None
    usage: Usage | None = None
    content: tuple[ContentPart, ...] | None = None
    response_id: str | None = None
    provider_model: str | None = None
    raw: JsonValue = field(default=None, repr=False)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The whole tool calls of the answer."""
        from .content import tool_calls_of

        return tool_calls_of(self.content or ())


@dataclass(slots=True)
class Progress:
    """Not for consumers: tells the limits of an attempt that the provider is at work without content.

    A leaf puts it among its events when a block was opened or a server tool runs. It resets the first-content and
    idle clocks and goes no further.
    """


PROGRESS = Progress()
"""The one `Progress` anybody needs."""

StreamEvent: TypeAlias = Start | Chunk | ReasoningChunk | ThoughtSignatureChunk | ToolCallChunk | Restart | End
"""What a consumer of a stream sees."""
