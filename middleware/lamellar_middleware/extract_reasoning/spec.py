"""The options of ExtractReasoning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from pydantic import field_validator

from lamellar.errors import ConfigError
from lamellar.masking import show
from lamellar.spec import LayerSpec

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor
    from lamellar.thinking import TagPair

__all__ = ["ExtractReasoning"]

_NAME = re.compile(r"(?P<square>\[)?[\w:.\-]+(?(square)\])", re.ASCII)


class ExtractReasoning(LayerSpec):
    """Lift the reasoning that a model writes between tags out of its text.

    White space round the reasoning belongs to the tags and is dropped, and so is that between a block and the text
    after it, unless it is all that parts this text from text before. What stands before a block is text. A block that
    is never closed is reasoning to the end of the text; a tool call ends it, too. Several blocks are joined by
    `separator`.

    Args:
        tags: The names of the tags: ``think`` is written ``<think>…</think>``, and ``[THINK]`` is
            ``[THINK]…[/THINK]``. Upper and lower case are told apart.
        starts_with_reasoning: Whether the answer begins within a block, because its opening tag is a part of the
            prompt, as with some chat templates. An answer without a closing tag is reasoning to its end then.
        separator: What stands between the reasoning of two blocks.

    Raises:
        ConfigError: A tag is no name, or there is none.
    """

    kind: ClassVar[str] = "extract_reasoning"
    asks_once: ClassVar[bool] = True

    tags: tuple[str, ...] = ("think",)
    starts_with_reasoning: bool = False
    separator: str = "\n"

    @field_validator("tags", mode="before")
    @classmethod
    def _one_or_many(cls, tags: object) -> object:
        return (tags,) if isinstance(tags, str) else tags

    @field_validator("tags")
    @classmethod
    def _names(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        for tag in tags:
            if _NAME.fullmatch(tag) is None:
                raise ConfigError(f"expected the name of a tag, such as 'think' or '[THINK]', got {show(tag)}")
        if not tags:
            raise ConfigError("at least one tag; leave it out for 'think'")
        return tags

    def pairs(self) -> tuple[TagPair, ...]:
        """The tags as they are written, each with the one that closes it."""
        return tuple([(tag, f"[/{tag[1:]}") if tag.startswith("[") else (f"<{tag}>", f"</{tag}>") for tag in self.tags])

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer at work."""
        from .executor import ExtractReasoningExecutor

        return ExtractReasoningExecutor(inner, self)
