"""How the caller wants it answered. An option that is None is unset: the provider's default holds."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Literal, Self, TypeAlias, cast

from pydantic import BaseModel, Field, JsonValue, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from ..call import CallContext
from ..errors import ConfigError
from ..frozen import Frozen, schema_is_a_field
from ..secrets import Secret
from .tools import CacheControl, ToolChoice

__all__ = ["ChatOptions", "CommonOptions", "JsonSchemaFormat", "ReasoningEffort", "ResponseFormat"]

ReasoningEffort = Literal["zero", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How much the model may think, in words; a number of tokens says it exactly."""


_ModelClass: TypeAlias = type[BaseModel]  # within the class below `type` is a field

with schema_is_a_field():

    class JsonSchemaFormat(Frozen):
        """The answer is JSON that keeps to a schema.

        Args:
            name: A name for the schema, which providers want.
            schema: The JSON Schema.
            description: What it describes, for the model.
            strict: Whether the provider must keep to it exactly; None leaves it to the provider.
        """

        type: Literal["json_schema"] = "json_schema"
        name: str
        schema: dict[str, JsonValue]  # type: ignore[assignment]
        description: str | None = None
        strict: bool | None = None

        @classmethod
        def of(cls, model: _ModelClass, *, strict: bool | None = None) -> Self:
            """The schema of a pydantic class; `ChatResponse.parse` makes the object of the answer.

            Args:
                model: The class; its docstring is the description.
                strict: Whether the provider must keep to it exactly; None leaves it to the provider.
            """
            return cls(
                name=model.__name__,
                schema=model.model_json_schema(),
                description=inspect.cleandoc(model.__doc__) if model.__doc__ else None,
                strict=strict,
            )


ResponseFormat = Literal["json"] | JsonSchemaFormat
"""``"json"`` for any JSON object, or a schema."""


class CommonOptions(Frozen):
    """The options that a provider may be told: what calls (`ChatOptions`) and stacks (`OptionFields`) say alike."""

    temperature: float | None = None
    max_tokens: int | None = Field(default=None, gt=0)
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    seed: int | None = None
    response_format: ResponseFormat | SkipJsonSchema[type[BaseModel]] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: ReasoningEffort | int | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: str | None = None
    cache_control: CacheControl | None = None
    prompt_cache_key: str | None = None
    normalize_reasoning_content: bool | None = None
    extra_headers: Mapping[str, str | Secret] | None = None
    extra_body: dict[str, JsonValue] | None = None
    capture_raw_body: bool | None = None

    @field_validator("stop_sequences", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("response_format", mode="before")
    @classmethod
    def _schema_of_a_class(cls, value: object) -> object:
        return JsonSchemaFormat.of(value) if isinstance(value, type) and issubclass(value, BaseModel) else value

    @field_validator("reasoning_effort")
    @classmethod
    def _budget_is_positive(cls, value: ReasoningEffort | int | None) -> ReasoningEffort | int | None:
        if isinstance(value, int) and value < 0:
            raise ConfigError(f"a reasoning budget is a number of tokens, zero or more, got {value}")
        return value

    @model_validator(mode="after")
    def _headers_are_plain(self) -> Self:
        for name, value in (self.extra_headers or {}).items():
            text = name + value if isinstance(value, str) else name
            if "\n" in text or "\r" in text:
                raise ConfigError(f"extra_headers: {name!r} holds a line break")
        return self


class ChatOptions(CommonOptions):
    """Options of one call.

    Args:
        temperature: Sampling temperature.
        max_tokens: Bound on the answer's tokens, reasoning included where the provider counts it so.
        top_p: Nucleus sampling.
        frequency_penalty: Penalty on tokens by how often they occurred, where a dialect has it.
        presence_penalty: Penalty on tokens that occurred at all, where a dialect has it.
        stop_sequences: Texts at which the answer stops.
        seed: For reproducible sampling, where the provider offers it.
        response_format: ``"json"``, a `JsonSchemaFormat`, or a pydantic class for
            `JsonSchemaFormat.of` it.
        tool_choice: Whether a tool may, must or must not be called.
        parallel_tool_calls: Whether several tools may be called at once.
        reasoning_effort: A word, or a budget in tokens.
        verbosity: How long an answer should be.
        service_tier: The provider's class of service.
        cache_control: Marks the whole prompt as cacheable by the provider.
        prompt_cache_key: Routes equal prefixes to the same cache of the provider.
        normalize_reasoning_content: Lift an inline ``<think>`` block out of the text into the reasoning.
        extra_headers: Headers added to the request.
        extra_body: JSON merged into the request's body last, so it wins.
        capture_raw_body: Keep the provider's body in `ChatResponse.raw`.
        call: What the user says to the stack about this call; never on the wire.
    """

    extra_headers: dict[str, str] | None = None  # pyright: ignore[reportIncompatibleVariableOverride] -- frozen
    call: CallContext | None = None

    @property
    def answer_format(self) -> ResponseFormat | None:
        """`response_format`, where a class has become its schema."""
        return cast("ResponseFormat | None", self.response_format)

    def over(self, base: ChatOptions | None) -> ChatOptions:
        """These options where they are set, those of `base` where they are not."""
        if base is None or base is self:
            return self
        said = {name: value for name, value in self if value is not None}
        return base.model_copy(update=said) if said else base
