"""How a reasoning effort is asked for.

Gemini 2.5 takes a budget in tokens (`thinkingBudget`), Gemini 3 and later a level (`thinkingLevel`); asking for both,
or a 2.5 for a level, is refused by Google (https://ai.google.dev/gemini-api/docs/thinking). The model's name decides,
and a name without a version, such as ``gemini-flash-latest``, counts as new. A number of tokens is a budget whatever
the model, and ``zero`` is the budget 0: where a model cannot stop thinking, Google says so.

Whoever asks the model to think wants to see that it does: `includeThoughts` goes along, except with a budget of 0.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["thinking_config"]

_VERSION = re.compile(r"gemini-(?:[a-z]+-)*(\d{1,2})(?!\d)")
_FIRST_WITH_LEVELS = 3

_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}

_MOST = 24576
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": _MOST, "xhigh": _MOST, "max": _MOST}
"""Google's own equivalents of the words (https://ai.google.dev/gemini-api/docs/openai#thinking); the least is the
smallest budget that every 2.5 model takes, the most the largest."""

_PRO_BUDGETS = {"xhigh": 32768, "max": 32768}
"""What the larger model takes above that."""


def thinking_config(effort: str | int, model: str) -> dict[str, Any]:
    """The `thinkingConfig` for an effort in words, or a budget in tokens."""
    if effort in ("zero", 0):
        return {"thinkingBudget": 0}
    if isinstance(effort, int):
        return {"thinkingBudget": effort, "includeThoughts": True}
    name = model.rpartition("/")[2].lower()
    version = _VERSION.match(name)
    if version is None or int(version[1]) >= _FIRST_WITH_LEVELS:
        return {"thinkingLevel": _LEVELS[effort], "includeThoughts": True}
    budget = _PRO_BUDGETS.get(effort) if "-pro" in name else None
    return {"thinkingBudget": budget or _BUDGETS[effort], "includeThoughts": True}
