"""What comes back: the whole answer, why it stopped, what it cost, and how it was come by."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, JsonValue, SerializeAsAny, ValidationError
from pydantic_core import CoreSchema, core_schema

from ..call import AttemptRecord
from ..errors import ErrorKind, ExecutorError
from ..frozen import Frozen
from ..rate_limits import RateLimits
from .content import ContentPart, ToolCall, text_of, tool_calls_of
from .usage import Usage

__all__ = ["ChatResponse", "StopReason"]

ModelT = TypeVar("ModelT", bound=BaseModel)

_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


class StopReason(str):
    """Why the model stopped: a plain string to compare and print, with the provider's own word in `raw`.

    The value is one of ``completed``, ``max_tokens``, ``tool_call``, ``content_filter``, ``stop_sequence`` and
    ``other``.
    """

    __slots__ = ("raw",)

    KINDS: ClassVar[tuple[str, ...]] = (
        "completed",
        "max_tokens",
        "tool_call",
        "content_filter",
        "stop_sequence",
        "other",
    )
    raw: str | None

    def __new__(cls, kind: str, raw: str | None = None) -> Self:
        """A reason of one of `KINDS`, with the provider's own word."""
        if kind not in cls.KINDS:
            raise ValueError(f"a stop reason is one of {', '.join(cls.KINDS)}, got {kind!r}")
        self = super().__new__(cls, kind)
        self.raw = raw
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str, str | None]]:
        return type(self), (str(self), self.raw)

    def __repr__(self) -> str:
        return f"StopReason({str(self)!r}{f', raw={self.raw!r}' if self.raw is not None else ''})"

    def __str__(self) -> str:
        return str.__str__(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """A kind, or `{kind, raw}`; written as the latter when there is a raw word to keep."""
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            json_schema_input_schema=core_schema.literal_schema(list(cls.KINDS)),
            serialization=core_schema.plain_serializer_function_ser_schema(cls._serialize),
        )

    @classmethod
    def _validate(cls, value: object) -> StopReason:
        if isinstance(value, StopReason):
            return value
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, dict) and isinstance(value.get("kind"), str):
            return cls(value["kind"], value.get("raw"))
        raise ValueError(f"expected a stop reason such as 'completed', got {type(value).__name__}")

    @staticmethod
    def _serialize(value: StopReason) -> str | dict[str, str]:
        return str(value) if value.raw is None else {"kind": str(value), "raw": value.raw}


class ChatResponse(Frozen):
    """A whole answer.

    Args:
        content: The answer's parts, as they go back into a conversation.
        reasoning_content: The reasoning, as far as the provider shows it.
        model: The model that was asked, at the target that answered.
        provider: The namespace of the provider that answered.
        provider_model: The model the provider says it used.
        stop_reason: Why the model stopped, or None when the provider did not say.
        usage: The tokens of this answer, or None when the provider did not say. Failed tries have their own, in
            `attempts`.
        response_id: The provider's id of the answer.
        raw: The provider's body, when `capture_raw_body` asked for it.
        attempts: Every try of this call, in order, the last one being the one that answered.
        cached: Whether the answer comes from a cache or from another call's answer: this call was not billed for it.
            `usage` is what the answer cost when it was made, and `attempts` is empty.
    """

    content: tuple[ContentPart, ...] = ()
    reasoning_content: str | None = None
    model: str
    provider: str
    provider_model: str | None = None
    stop_reason: StopReason | None = None
    usage: Usage | None = None
    response_id: str | None = None
    raw: JsonValue = None
    attempts: tuple[SerializeAsAny[AttemptRecord], ...] = ()
    cached: bool = False

    @property
    def text(self) -> str:
        """All the text of the answer."""
        return text_of(self.content)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools the model asks for."""
        return tool_calls_of(self.content)

    @property
    def rate_limits(self) -> RateLimits | None:
        """What the provider that answered said of its rate limits; None where it said nothing, and for a cached answer.

        Those of failed tries are on their own records, in `attempts`.
        """
        return self.attempts[-1].rate_limits if self.attempts else None

    @property
    def cost(self) -> float | None:
        """What this answer was billed at, in US dollars: 0 for a cached one; failed tries are not in it.

        None where the tokens or the price are not known, or genai-prices (the extra `prices`) is not installed.
        """
        if self.cached:
            return 0.0
        if self.usage is None:
            return None
        from ..prices import price_of

        at = self.attempts[-1].started if self.attempts else None
        return price_of(self.usage, self.model, provider=self.provider, provider_model=self.provider_model, at=at)

    def parse(self, model: type[ModelT]) -> ModelT:
        """The answer's JSON as an object of a pydantic class, which `response_format` may have asked for.

        A fence of Markdown round the JSON is taken off.

        Args:
            model: The class.

        Raises:
            ExecutorError: Kind ``malformed``: the text is not JSON, or not of this class; the place is named, and what
                pydantic said is the cause.
        """
        fenced = _FENCE.fullmatch(self.text)
        try:
            return model.model_validate_json(fenced[1] if fenced else self.text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the answer"
            stopped = f"; it stopped because of {self.stop_reason}" if self.stop_reason == "max_tokens" else ""
            raise ExecutorError(
                ErrorKind.MALFORMED,
                f"the answer is no {model.__name__}: {place}: {first['msg']}{stopped}",
                provider=self.provider,
                model=self.model,
            ) from error

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it: no content, no tool call, and no usage that would say otherwise."""
        return not self.content and not self.reasoning_content and self.usage is None

    def with_attempts(self, attempts: tuple[AttemptRecord, ...]) -> Self:
        """A copy with these attempts, without validating again what has been validated."""
        copy = type(self).__new__(type(self))
        object.__setattr__(copy, "__dict__", {**self.__dict__, "attempts": attempts})
        object.__setattr__(copy, "__pydantic_fields_set__", self.__pydantic_fields_set__ | {"attempts"})
        object.__setattr__(copy, "__pydantic_extra__", None)
        object.__setattr__(copy, "__pydantic_private__", None)
        return copy
