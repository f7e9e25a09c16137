"""The parts that a message consists of.

Each part is a frozen model with a `type` tag, so a list of parts validates, compares and serialises. A bare string
stands for one `Text`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from ..errors import ConfigError
from ..frozen import Frozen

__all__ = [
    "Binary",
    "BinarySource",
    "ContentPart",
    "Custom",
    "ReasoningContent",
    "Text",
    "ThoughtSignature",
    "ToolCall",
    "ToolResponse",
    "reasoning_of",
    "text_of",
    "tool_calls_of",
]


class _Part(Frozen):
    """A part of a message."""


class Text(_Part):
    """Plain text."""

    type: Literal["text"] = "text"
    text: str

    def __init__(self, text: str, **data: Any) -> None:
        super().__init__(**data, text=text)  # type: ignore[call-arg]  # the plugin sees the base's fields only

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class BinarySource(Frozen):
    """Where the bytes are: exactly one of `url` and `base64`."""

    url: str | None = None
    base64: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.url is None) == (self.base64 is None):
            raise ConfigError("a binary source is exactly one of `url` and `base64`")
        return self


class Binary(_Part):
    """An image, a document or audio.

    Args:
        content_type: The media type, such as ``image/png`` or ``application/pdf``.
        source: A URL, or the bytes in base64.
        name: A file name, where the provider takes one.
    """

    type: Literal["binary"] = "binary"
    content_type: str
    source: BinarySource
    name: str | None = None

    @classmethod
    def from_url(cls, content_type: str, url: str, name: str | None = None) -> Self:
        """Bytes that the provider fetches from `url`."""
        return cls(content_type=content_type, source=BinarySource(url=url), name=name)

    @classmethod
    def from_base64(cls, content_type: str, data: str, name: str | None = None) -> Self:
        """Bytes that are already in base64."""
        return cls(content_type=content_type, source=BinarySource(base64=data), name=name)

    @classmethod
    def from_bytes(cls, content_type: str, data: bytes, name: str | None = None) -> Self:
        """Raw bytes; they are sent in base64."""
        return cls.from_base64(content_type, base64.b64encode(data).decode("ascii"), name)


class ToolCall(_Part):
    """The model asks for a tool.

    Args:
        call_id: The provider's id of the call, which the `ToolResponse` repeats.
        fn_name: The tool's name.
        fn_arguments: The arguments, parsed. A text that is not JSON is kept as that text.
        thought_signatures: Opaque signatures that the provider wants back with the call.
        provider: The namespace of the provider that made the signatures; no other gets them. None is anybody.
    """

    type: Literal["tool_call"] = "tool_call"
    call_id: str
    fn_name: str
    fn_arguments: JsonValue = None
    thought_signatures: tuple[str, ...] | None = None
    provider: str | None = None


class ToolResponse(_Part):
    """What a tool answered.

    Args:
        call_id: The id of the `ToolCall` it answers.
        content: The answer: text, or any JSON value (sent as JSON text where the provider takes text only).
        fn_name: The tool's name, which some providers want.
    """

    type: Literal["tool_response"] = "tool_response"
    call_id: str
    fn_name: str | None = None
    content: JsonValue = ""


class ThoughtSignature(_Part):
    """An opaque signature of the model's reasoning; it goes back to the provider unchanged.

    Args:
        signature: The signature.
        provider: The namespace of the provider that made it; no other gets it, nor the reasoning it signs. None where
            that is not known: then whoever is asked gets it.
    """

    type: Literal["thought_signature"] = "thought_signature"
    signature: str
    provider: str | None = None


class ReasoningContent(_Part):
    """The model's reasoning, as far as the provider shows it."""

    type: Literal["reasoning"] = "reasoning"
    text: str


class Custom(_Part):
    """A part in a provider's own form: sent as it is, or received and kept (citations, annotations, server tools).

    Args:
        data: The provider's JSON value.
        model: The provider or model it belongs to, or None.
    """

    type: Literal["custom"] = "custom"
    model: str | None = None
    data: JsonValue


ContentPart = Annotated[
    Text | Binary | ToolCall | ToolResponse | ThoughtSignature | ReasoningContent | Custom,
    Field(discriminator="type"),
]
"""Any part of a message."""


def text_of(parts: Iterable[object]) -> str:
    """All the text in `parts`, joined with nothing between."""
    return "".join([part.text for part in parts if isinstance(part, Text)])


def reasoning_of(parts: Iterable[object]) -> str | None:
    """All the reasoning in `parts`, or None when there is none."""
    found = [part.text for part in parts if isinstance(part, ReasoningContent)]
    return "".join(found) if found else None


def tool_calls_of(parts: Iterable[object]) -> tuple[ToolCall, ...]:
    """The tool calls in `parts`, in order."""
    return tuple([part for part in parts if isinstance(part, ToolCall)])
