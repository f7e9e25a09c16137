"""The options of Guardrail."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from lamellar.coderef import CodeRef, reference_to
from lamellar.errors import ConfigError
from lamellar.order import Rank
from lamellar.spec import LayerSpec

from ..shared import take_identity

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

__all__ = ["Guardrail"]


class Guardrail(LayerSpec):
    """Check what is asked and what is answered, with functions of one's own.

    A check is called with one thing and may be asynchronous. It returns None or True to let it through, False or a text
    (the reason) to refuse it, or another request or response to put in its place. A refusal is a `RejectedError` of
    kind ``guardrail`` that tells the reason, and never what was checked. Several checks run in order, each on what the
    one before it left.

    Args:
        on_request: Checks of the `ChatRequest`, before anybody is asked.
        on_response: Checks of the `ChatResponse`. Of a stream they see what came until its commit point, and can only
            let it through or refuse it; with `buffer` they see and may change all of it.
        on_text: Checks of a text as it grows: called with all the text so far, a stream's every `every` characters and
            at its end, a whole answer's once. They cannot change it. Refusing a stream that has delivered something
            breaks it off with a `StreamInterruptedError`.
        every: New characters of a stream after which `on_text` is called; they are delivered once it has let them
            through. At most one fewer are delivered before it has seen them.
        buffer: Whether a stream is collected and checked as a whole before any of it is delivered.
        fail_open: Whether what a check fails on is let through; else it is refused. The failure is logged.
        fingerprint: Stands for the checks in the keys of a `Cache` outside, instead of their names; needed for
            functions without an importable name. (`identity` is understood too; as a field, that name is taken by the
            method of every spec.)

    Raises:
        ConfigError: There is no check, or options contradict each other.
    """

    kind: ClassVar[str] = "guardrail"
    rank: ClassVar[Rank | None] = Rank.GUARDRAIL
    asks_once: ClassVar[bool] = True
    model_config = {"arbitrary_types_allowed": True}

    on_request: tuple[CodeRef, ...] = ()
    on_response: tuple[CodeRef, ...] = ()
    on_text: tuple[CodeRef, ...] = ()
    every: int = Field(default=200, gt=0)
    buffer: bool = False
    fail_open: bool = False
    fingerprint: str | None = None

    _identity_says_the_same = model_validator(mode="before")(take_identity)

    @field_validator("on_request", "on_response", "on_text", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) or callable(value) else value

    @model_validator(mode="after")
    def _something_to_check(self) -> Self:
        if not (self.on_request or self.on_response or self.on_text):
            raise ConfigError("on_request: a guardrail needs a check; give on_request, on_response or on_text")
        if self.buffer and not (self.on_response or self.on_text):
            raise ConfigError("buffer: it can never act, because neither on_response nor on_text is given")
        if "every" in self.model_fields_set and (self.buffer or not self.on_text):
            why = "buffer=True checks a stream as a whole" if self.on_text else "on_text is not given"
            raise ConfigError(f"every: it can never act, because {why}")
        return self

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The checks round `inner`."""
        from .executor import GuardrailExecutor

        return GuardrailExecutor(inner, self, context.target)

    def identity(self) -> object:
        """The checks that may change a request or an answer.

        Raises:
            ConfigError: One of them has no importable name, and no `fingerprint` stands for it.
        """
        changing = {name: getattr(self, name) for name in ("on_request", "on_response") if getattr(self, name)}
        if not changing:
            return None
        if self.fingerprint is not None:
            return {self.kind: self.fingerprint}
        return {self.kind: {name: [_reference(name, each) for each in checks] for name, checks in changing.items()}}


def _reference(name: str, check: CodeRef) -> str:
    try:
        return reference_to(check)
    except ConfigError as error:
        raise ConfigError(f"guardrail.{name}: {error}; or give the guardrail a fingerprint='...'") from None
