"""The options of Transform."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from lamellar.coderef import CodeRef, reference_to
from lamellar.errors import ConfigError
from lamellar.spec import LayerSpec

from ..shared import take_identity

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

__all__ = ["HOOKS", "Transform"]

HOOKS = ("request", "options", "model", "response", "event")


class Transform(LayerSpec):
    """Change what goes in or comes out with functions of one's own: `Transform(request=lambda request: ...)`.

    Each function takes one thing and returns what is to stand in its place. All but `event` may be coroutines. What a
    function raises is told as a refusal that names it: kind ``invalid_request`` for `request`, `options` and `model`,
    which ends the call; ``answer_rejected`` for `response` and `event`, after which a fallback goes on. An error of
    Lamellar's own tree passes as it is, so a function may refuse in its own words.

    With `event` alone, a whole answer is changed by way of the events it would have come in. With `response` alone, a
    stream is held back to its end, changed, and told in one go. With both, each acts on its own kind of call.

    Args:
        request: Takes and returns the `ChatRequest`.
        options: Takes and returns the `ChatOptions`; empty ones where the caller gave none.
        model: Takes and returns the model's name.
        response: Takes and returns the whole `ChatResponse`.
        event: Takes a content event of a stream (`Chunk`, `ReasoningChunk`, `ThoughtSignatureChunk` or
            `ToolCallChunk`) and returns it, another one, several in a list or tuple, or None to drop it. No coroutine.
            `End.content` follows what was delivered.
        fingerprint: What stands for the functions in the key of a `Cache` outside; needed where one of them has no
            importable name, such as a lambda.

    Raises:
        ConfigError: There is no function.
    """

    kind: ClassVar[str] = "transform"
    asks_once: ClassVar[bool] = True
    model_config = {"arbitrary_types_allowed": True}

    request: CodeRef | None = None
    options: CodeRef | None = None
    model: CodeRef | None = None
    response: CodeRef | None = None
    event: CodeRef | None = None
    fingerprint: str | None = None

    _identity_says_the_same = model_validator(mode="before")(take_identity)

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if all(getattr(self, name) is None for name in HOOKS):
            raise ConfigError(f"a transform needs at least one of {', '.join(HOOKS)}")
        return self

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer at work."""
        from .executor import TransformExecutor

        return TransformExecutor(inner, self)

    def identity(self) -> object:
        """The functions by their importable names, or what stands for them.

        Raises:
            ConfigError: One of them has no such name, and nothing stands for it.
        """
        if self.fingerprint is not None:
            return {self.kind: self.fingerprint}
        return {self.kind: {name: self._reference(name) for name in HOOKS if getattr(self, name) is not None}}

    def _reference(self, name: str) -> str:
        try:
            return reference_to(getattr(self, name))
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}; or give the transform fingerprint='...'") from None
