"""How a reasoning effort is asked for (https://docs.ollama.com/capabilities/thinking).

Most models that think can only be told whether to: `think` is true or false. GPT-OSS always thinks, and is told how
much: ``low``, ``medium`` or ``high``; the nearest of them is sent. A budget in tokens cannot be said to any model.
"""

from __future__ import annotations

from ..refusal import Refusal

__all__ = ["think_of"]

_LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_WITH_LEVELS = "gpt-oss"


def think_of(effort: str | int, model: str, refuse: Refusal) -> bool | str | None:
    """The body's `think`; None where it is left out.

    Raises:
        ExecutorError: The model cannot be asked so.
    """
    levels = _WITH_LEVELS in model.lower()
    if effort in ("zero", 0):
        if not levels:
            return False
        refuse.or_drop("reasoning_effort", effort, "this model always thinks: use 'low', or leave it unset")
        return None
    if isinstance(effort, int):
        refuse.or_drop("reasoning_effort", effort, "Ollama has no budgets: use a word such as 'low'")
        return None
    return _LEVELS[effort] if levels else True
