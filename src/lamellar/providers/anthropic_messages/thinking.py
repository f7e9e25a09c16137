"""How a reasoning effort is asked for.

| the model | a word | a number of tokens | ``zero`` or 0 |
|---|---|---|---|
| does not think | refused | refused | nothing |
| thinks by a budget | `thinking.budget_tokens`, from `BUDGETS` | the same | `thinking: disabled` |
| and knows effort (Opus 4.5) | the budget and `output_config.effort` | the budget | `thinking: disabled` |
| thinks adaptively (4.6) | `thinking: adaptive` and `output_config.effort` | the budget | `thinking: disabled` |
| thinks adaptively only (4.7 on) | the same | refused | `thinking: disabled` |
| and can be asked not to before an answer (Sonnet 5.5) | the same | refused | `thinking: between_tools` |
| cannot be kept from thinking | the same | refused | refused |

``minimal`` is ``low``; ``xhigh`` and ``max`` are ``high`` where a model does not know them. A budget stays below
`max_tokens`, which includes it: a word's is made smaller to fit, a number that does not fit is refused.

What is refused is left out where the endpoint is lenient: the model thinks as it does when nobody asks.
"""

from __future__ import annotations

from typing import Any

from ..refusal import Refusal
from .models import ModelTraits

__all__ = ["BUDGETS", "LEAST_BUDGET", "Thinking", "thinking_of"]

LEAST_BUDGET = 1024
"""Tokens; the provider takes no smaller budget."""

BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 30_720}
"""The budget in tokens that a word stands for, where a model thinks by a budget."""

_ROOM = 4096
"""Tokens left for the answer beside a budget that the default bound has no room for."""


class Thinking:
    """What a reasoning effort adds to the body.

    Args:
        max_tokens: The bound on the answer's tokens, with room for the budget.
        thinking: The body's `thinking`, or None.
        effort: The body's `output_config.effort`, or None.
    """

    __slots__ = ("effort", "max_tokens", "thinking")

    def __init__(self, max_tokens: int, thinking: dict[str, Any] | None = None, effort: str | None = None) -> None:
        self.max_tokens = max_tokens
        self.thinking = thinking
        self.effort = effort


def thinking_of(asked: str | int | None, max_tokens: int | None, traits: ModelTraits, refuse: Refusal) -> Thinking:
    """How the model is asked to think.

    Args:
        asked: The caller's `reasoning_effort`.
        max_tokens: The caller's `max_tokens`.
        traits: What the model takes.
        refuse: Makes the error.

    Raises:
        ExecutorError: The model cannot be asked so, and the endpoint is not lenient.
    """
    bound = max_tokens or traits.max_tokens
    if asked is None:
        return Thinking(bound)
    if asked in ("zero", 0):
        return Thinking(bound, _none(asked, traits, refuse))
    if traits.thinking == "none":
        refuse.or_drop("reasoning_effort", asked, "this model does not think: leave it out, or use a newer model")
        return Thinking(bound)
    if isinstance(asked, int):
        return _by_budget(asked, max_tokens, traits, refuse)
    effort = _level(asked, traits.efforts)
    if traits.thinking == "budget":
        budget = min(BUDGETS[asked], max(LEAST_BUDGET, bound * 3 // 4))
        if budget >= bound:
            mend = f"thinking takes at least {LEAST_BUDGET} tokens of max_tokens: raise max_tokens, or use 'zero'"
            refuse.or_drop("reasoning_effort", asked, mend)
            return Thinking(bound)
        return Thinking(bound, _enabled(budget), effort)
    thinking = {"type": "adaptive"}
    if traits.hides_thinking:
        thinking["display"] = "summarized"  # who asks for reasoning gets to see it, as from every other model
    return Thinking(bound, thinking, effort)


def _none(asked: str | int, traits: ModelTraits, refuse: Refusal) -> dict[str, Any] | None:
    if traits.thinking == "always":
        refuse.or_drop("reasoning_effort", asked, "this model cannot be kept from thinking: use 'low'")
        return None
    return None if traits.thinking == "none" else {"type": traits.off}


def _by_budget(budget: int, max_tokens: int | None, traits: ModelTraits, refuse: Refusal) -> Thinking:
    mend: str | None = None
    if traits.thinking in ("adaptive", "always"):
        mend = "this model takes no budget: use a word such as 'low' or 'high'"
    elif budget < LEAST_BUDGET:
        mend = f"a budget is at least {LEAST_BUDGET} tokens here"
    elif max_tokens is not None and budget >= max_tokens:
        mend = f"a budget is below max_tokens, which is {max_tokens} and includes it"
    if mend is not None:
        refuse.or_drop("reasoning_effort", budget, mend)
        return Thinking(max_tokens or traits.max_tokens)
    return Thinking(max_tokens or max(traits.max_tokens, budget + _ROOM), _enabled(budget))


def _enabled(budget: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget}


def _level(word: str, known: tuple[str, ...]) -> str | None:
    if not known:
        return None
    if word == "minimal":
        return "low"
    return word if word in known else "high"
