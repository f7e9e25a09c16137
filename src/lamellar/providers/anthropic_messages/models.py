"""What the models of this dialect take, by their names: how much they say, how they think, what newer ones refuse.

Sources: Anthropic's pages on models (https://platform.claude.com/docs/en/about-claude/models/overview), on effort
(…/build-with-claude/effort), on adaptive thinking (…/build-with-claude/adaptive-thinking), on system messages within a
conversation (…/build-with-claude/mid-conversation-system-messages), its guides to migration
(…/models/sonnet-5-5/migration-guide, …/models/opus-5-5/migration-guide), and what recorded answers say. A model that is
newer than the table is taken for the newest of its family.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

__all__ = ["ModelTraits", "traits_of"]

ThinkingForm: TypeAlias = Literal["always", "adaptive", "adaptive_or_budget", "budget", "none"]
"""How a model thinks: it cannot be kept from it; by an effort only; by an effort or a budget; by a budget; not at
all."""


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """What one model takes.

    Args:
        max_tokens: The bound on an answer's tokens where the caller gives none: the model's own, at most 64 000.
        thinking: How it thinks.
        efforts: The words that `output_config.effort` takes; none where the model does not know it.
        hides_thinking: Whether it keeps its thinking to itself unless a summary is asked for.
        off: The `thinking.type` that keeps it from thinking, where anything does.
        sampling: Whether it takes a temperature and a `top_p` of the caller's; newer ones take the default only.
        forced_tools: Whether it can be made to call a tool.
        system_midway: Whether a system message may stand within the conversation.
    """

    max_tokens: int
    thinking: ThinkingForm
    efforts: tuple[str, ...] = ()
    hides_thinking: bool = False
    off: Literal["disabled", "between_tools"] = "disabled"
    sampling: bool = True
    forced_tools: bool = True
    system_midway: bool = False


_LEVELS = ("low", "medium", "high")
_WITH_MAX = (*_LEVELS, "max")
_ALL = (*_LEVELS, "xhigh", "max")

_ADAPTIVE = ModelTraits(64_000, "adaptive", _ALL, hides_thinking=True, sampling=False)
_MIDWAY = replace(_ADAPTIVE, system_midway=True)
_ALWAYS = replace(_MIDWAY, thinking="always")
_UNFORCED = replace(_ALWAYS, forced_tools=False)
_BETWEEN = replace(_MIDWAY, off="between_tools", forced_tools=False)

_ROWS: tuple[tuple[str, tuple[int, int], ModelTraits], ...] = (
    ("fable mythos", (5, 1), _UNFORCED),
    ("fable mythos", (0, 0), _ALWAYS),
    ("opus", (5, 5), _UNFORCED),
    ("sonnet", (5, 5), _BETWEEN),
    ("haiku", (5, 5), _MIDWAY),
    ("opus", (4, 8), _MIDWAY),
    ("opus sonnet haiku", (5, 0), _ADAPTIVE),
    ("opus", (4, 7), _ADAPTIVE),
    ("opus sonnet", (4, 6), ModelTraits(64_000, "adaptive_or_budget", _WITH_MAX)),
    ("opus", (4, 5), ModelTraits(64_000, "budget", _LEVELS)),
    ("opus", (4, 0), ModelTraits(32_000, "budget")),
    ("sonnet haiku", (3, 7), ModelTraits(64_000, "budget")),
    ("opus sonnet haiku", (3, 5), ModelTraits(8_192, "none")),
    ("opus sonnet haiku", (0, 0), ModelTraits(4_096, "none")),
)
"""Families, the version from which on a row holds, and the traits; the first row that fits counts."""

_OLDEST = ModelTraits(4_096, "none")
_MINIMAX = ModelTraits(64_000, "budget")
_STRANGER = ModelTraits(8_192, "budget")
"""A model of another maker behind this dialect."""

_NAME = re.compile(
    r"claude-(?P<family>opus|sonnet|haiku|fable|mythos)(?:-(?P<version>\d{1,2}(?:[-.]\d{1,2})?))?(?!\d)"
    r"|claude-(?P<old_version>\d(?:[-.]\d)?)-(?P<old_family>opus|sonnet|haiku)"
)
"""``claude-opus-4-5-20251101`` and ``claude-3-7-sonnet-20250219``, whatever stands round them; a date is no version."""


def traits_of(model: str) -> ModelTraits:
    """The traits of a model, with or without a vendor or a region before its name."""
    name = model.lower()
    found = _NAME.search(name)
    if found is None:
        if "claude" in name:
            return _OLDEST if re.search(r"claude-(?:instant|v?[12]\b)", name) else _ADAPTIVE
        return _MINIMAX if "minimax" in name else _STRANGER
    family = found["family"] or found["old_family"]
    said = found["version"] or found["old_version"]
    version = _version(said) if said else (99, 0)  # `claude-opus-latest` is the newest of its family
    return next(traits for families, least, traits in _ROWS if family in families.split() and version >= least)


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.replace(".", "-").partition("-")
    return int(major), int(minor or 0)
