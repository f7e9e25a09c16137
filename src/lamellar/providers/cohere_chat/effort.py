"""How a reasoning effort is asked for (https://docs.cohere.com/docs/reasoning).

Models that reason do so unless they are told not to, and take a budget in tokens. Cohere has no words: each stands for
a budget here, and the largest for none. `token_budget` must be positive, so zero is `disabled`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["BUDGETS", "thinking_of"]

BUDGETS: dict[str, int | None] = {
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": None,
    "max": None,
}
"""The budget in tokens that a word stands for; None is as many as the model has."""


def thinking_of(effort: str | int) -> dict[str, Any]:
    """The body's `thinking` for an effort in words, or a budget in tokens."""
    if effort in ("zero", 0):
        return {"type": "disabled"}
    budget = effort if isinstance(effort, int) else BUDGETS[effort]
    return {"type": "enabled"} if budget is None else {"type": "enabled", "token_budget": budget}
