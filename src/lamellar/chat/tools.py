"""Tools that a model may call, and which of them it must."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from ..errors import ConfigError
from ..frozen import Frozen, schema_is_a_field

__all__ = ["CacheControl", "Tool", "ToolChoice"]

CacheControl = Literal["ephemeral", "5m", "1h", "24h"]
"""How long the provider may keep the prompt up to here in its own cache."""


with schema_is_a_field():

    class Tool(Frozen):
        """A tool the model may call.

        Args:
            name: The function's name, or the built-in's (such as ``web_search``) together with `config`.
            description: What it does, for the model.
            schema: JSON Schema of its arguments.
            strict: Whether the provider must keep to the schema exactly.
            config: Makes it a provider's built-in tool, with this configuration in the provider's own form.
            cache_control: Marks the end of a cacheable prefix.
        """

        name: str = Field(min_length=1)
        description: str | None = None
        schema: dict[str, JsonValue] | None = None  # type: ignore[assignment]
        strict: bool | None = None
        config: dict[str, JsonValue] | None = None
        cache_control: CacheControl | None = None


class ToolChoice(Frozen):
    """Whether the model may, must or must not call a tool: "auto", "none", "required", or one tool by name.

    Args:
        kind: The choice.
        name: The tool, for the kind ``tool``.
    """

    kind: Literal["auto", "none", "required", "tool"] = "auto"
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.kind == "tool") != (self.name is not None):
            raise ConfigError("tool_choice: `name` goes with kind 'tool', and only with it: ToolChoice.tool('search')")
        return self

    @classmethod
    def tool(cls, name: str) -> Self:
        """The model must call the tool `name`."""
        return cls(kind="tool", name=name)
