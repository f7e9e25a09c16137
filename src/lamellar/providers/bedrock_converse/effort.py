"""How a reasoning effort is asked for: each maker's models have a form of their own.

| the model | a word | a number of tokens | ``zero`` or 0 |
|---|---|---|---|
| Claude | as in Anthropic's Messages: `thinking`, with `outputConfig.effort` | `thinking` | no `thinking` |
| Nova 2 | `reasoningConfig` with `maxReasoningEffort` | refused | `reasoningConfig: disabled` |
| gpt-oss | `reasoning_effort` | refused | refused |
| any other | refused | refused | nothing |

All but `outputConfig` stands in `additionalModelRequestFields`. ``minimal`` is ``low``; ``xhigh`` and ``max`` are
``high`` where a model does not know them. What is refused is left out where the endpoint is lenient.

The maker is read off the model's name, so an inference profile of one's own, whose name is a number, takes an effort
through `extra_body` only. Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html,
https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..anthropic_messages.models import ModelTraits, traits_of
from ..anthropic_messages.thinking import thinking_of
from ..refusal import Refusal

__all__ = ["Effort", "claude_traits", "effort_of"]

_NOVA_2 = re.compile(r"\bamazon\.nova-(?:[2-9]|\d\d)")
_GPT_OSS = "openai.gpt-oss"
_BY_FIELD = 'say it in the model\'s own form: extra_body={"additionalModelRequestFields": {…}}'


class Effort(NamedTuple):
    """What a reasoning effort adds to the body.

    Args:
        fields: For `additionalModelRequestFields`.
        effort: The body's `outputConfig.effort`, or None.
    """

    fields: dict[str, Any]
    effort: str | None = None


def claude_traits(model: str) -> ModelTraits | None:
    """What a model of Anthropic's takes; None for one of another maker's, or whose name does not tell."""
    return traits_of(model) if "claude" in model.lower() else None


def effort_of(asked: str | int | None, max_tokens: int | None, model: str, refuse: Refusal) -> Effort:
    """How the model is asked to think.

    Args:
        asked: The caller's `reasoning_effort`.
        max_tokens: The caller's `max_tokens`.
        model: The model's id or ARN.
        refuse: Makes the error.

    Raises:
        ExecutorError: The model cannot be asked so, and the endpoint is not lenient.
    """
    if asked is None:
        return Effort({})
    traits = claude_traits(model)
    if traits is not None:
        thinking = thinking_of(asked, max_tokens, traits, refuse)
        return Effort({} if thinking.thinking is None else {"thinking": thinking.thinking}, thinking.effort)
    none = asked in ("zero", 0)
    name = model.lower()
    if _NOVA_2.search(name):
        if none:
            return Effort({"reasoningConfig": {"type": "disabled"}})
        if isinstance(asked, str):
            return Effort({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": _level(asked)}})
        refuse.or_drop("reasoning_effort", asked, "this model takes no budget: use a word such as 'low' or 'high'")
        return Effort({})
    if _GPT_OSS in name:
        if isinstance(asked, str) and not none:
            return Effort({"reasoning_effort": _level(asked)})
        mend = (
            "this model cannot be kept from thinking: use 'low'" if none else "this model takes no budget: use a word"
        )
        refuse.or_drop("reasoning_effort", asked, mend)
        return Effort({})
    if not none:
        refuse.or_drop("reasoning_effort", asked, _BY_FIELD)
    return Effort({})


def _level(word: str) -> str:
    return "low" if word == "minimal" else word if word in ("low", "medium", "high") else "high"
