"""The options of SimulateStream."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from lamellar.durations import Duration
from lamellar.errors import ConfigError
from lamellar.spec import LayerSpec

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

__all__ = ["SimulateStream"]


class SimulateStream(LayerSpec):
    """Ask for the whole answer where a stream is wanted, and tell it as events.

    For an executor that cannot stream, or whose streams are broken. A call for a whole answer passes through.

    Args:
        words: Words of an event; text and reasoning come in such pieces. None, with `characters` None too, tells each
            part of the answer in one event.
        characters: Characters of an event, instead of `words`.
        delay: Seconds between two events, before the second of them; the `End` comes with the last.

    Raises:
        ConfigError: Both `words` and `characters` are given.
    """

    kind: ClassVar[str] = "simulate_stream"
    asks_once: ClassVar[bool] = True

    words: int | None = Field(default=None, gt=0)
    characters: int | None = Field(default=None, gt=0)
    delay: Duration = 0.0

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.words is not None and self.characters is not None:
            raise ConfigError("words, characters: a piece is measured in one or the other; leave one of them out")
        return self

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer at work."""
        from .executor import SimulateStreamExecutor

        return SimulateStreamExecutor(inner, self, context)

    def identity(self) -> object:
        """Nothing: the answer is the same."""
        return None
