"""Usage in the normal form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.usage import Usage
from ..counts import count_of

__all__ = ["usage_of"]


def usage_of(payload: Mapping[str, Any]) -> Usage | None:
    """The normal form of the counts in a payload, or None when it says nothing.

    A server that found the whole prompt in its cache may leave out `prompt_eval_count`; what was not said is not known.
    """
    prompt, completion = count_of(payload.get("prompt_eval_count")), count_of(payload.get("eval_count"))
    if prompt is None and completion is None:
        return None
    total = None if prompt is None or completion is None else prompt + completion
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)
