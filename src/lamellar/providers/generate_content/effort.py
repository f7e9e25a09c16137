"""How a reasoning effort is asked for.

Gemini 2.5 takes a budget in tokens (`thinkingBudget`), Gemini 3 and later a level (`thinkingLevel`); asking for both,
or a 2.5 for a level, is refused by Google (https://ai.google.dev/gemini-api/docs/thinking). The model's name decides,
and a name without a version, such as ``gemini-flash-latest``, counts as new. A number of tokens is a budget whatever
the model, and ``zero`` is the budget 0.

The Pro models have fewer levels (the least is LOW, and Gemini 3 Pro has no MEDIUM): a word goes up to the next. They
cannot be kept from thinking either (https://ai.google.dev/gemini-api/docs/gemini-3): ``zero`` is refused, or left out
where the endpoint is lenient.

Whoever asks the model to think wants to see that it does: `includeThoughts` goes along, except with a budget of 0.
"""

from __future__ import annotations

import re
from typing import Any

from ..refusal import Refusal

__all__ = ["thinking_config"]

_VERSION = re.compile(r"gemini-(?:[a-z]+-)*(\d{1,2})(?:\.(\d{1,2}))?(?!\d)")
_PRO = re.compile(r"gemini-\d{1,2}(?:\.\d{1,2})?-pro(?!-image)")
_FIRST_WITH_LEVELS = 3
_FIRST_THAT_THINKS = (2, 5)

_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
_PRO_LEVELS = {"minimal": "LOW"}
_FIRST_PRO_LEVELS = {"minimal": "LOW", "medium": "HIGH"}

_MOST = 24576
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": _MOST, "xhigh": _MOST, "max": _MOST}
"""Google's own equivalents of the words (https://ai.google.dev/gemini-api/docs/openai#thinking); the least is the
smallest budget that every 2.5 model takes, the most the largest."""

_PRO_BUDGETS = {"xhigh": 32768, "max": 32768}
"""What the larger model takes above that."""


def thinking_config(effort: str | int, model: str, refuse: Refusal) -> dict[str, Any] | None:
    """The `thinkingConfig` for an effort in words, or a budget in tokens; None where it is left out.

    Raises:
        ExecutorError: The model cannot be kept from thinking, and the endpoint is not lenient.
    """
    name = model.rpartition("/")[2].lower()
    found = _VERSION.match(name)
    version = None if found is None else (int(found[1]), int(found[2] or 0))
    pro = _PRO.match(name) is not None
    if effort in ("zero", 0):
        if pro and version is not None and version >= _FIRST_THAT_THINKS:
            refuse.or_drop("reasoning_effort", effort, "this model cannot be kept from thinking: use 'low'")
            return None
        return {"thinkingBudget": 0}
    if isinstance(effort, int):
        return {"thinkingBudget": effort, "includeThoughts": True}
    if version is None or version[0] >= _FIRST_WITH_LEVELS:
        fewer = {} if not pro else _FIRST_PRO_LEVELS if version == (_FIRST_WITH_LEVELS, 0) else _PRO_LEVELS
        return {"thinkingLevel": fewer.get(effort, _LEVELS[effort]), "includeThoughts": True}
    budget = _PRO_BUDGETS.get(effort) if "-pro" in name else None
    return {"thinkingBudget": budget or _BUDGETS[effort], "includeThoughts": True}
