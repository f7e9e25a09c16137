"""A whole answer as JSON data."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from .attempts import attempts_data, usage_data

if TYPE_CHECKING:
    from ..chat.response import ChatResponse

__all__ = ["answer_data", "print_json"]


def answer_data(answer: ChatResponse) -> dict[str, Any]:
    """`answer` as JSON data."""
    reason = answer.stop_reason
    return {
        "text": answer.text,
        "reasoning": answer.reasoning_content,
        "tool_calls": [call.model_dump(mode="json", exclude_none=True) for call in answer.tool_calls],
        "model": answer.model,
        "provider": answer.provider,
        "provider_model": answer.provider_model,
        "stop_reason": None if reason is None else {"kind": str(reason), "raw": reason.raw},
        "usage": usage_data(answer.usage),
        "response_id": answer.response_id,
        "cached": answer.cached,
        "attempts": attempts_data(answer.attempts),
    }


def print_json(data: dict[str, Any]) -> None:
    """Print `data` on standard output, in ASCII where that can show nothing else."""
    readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(data, indent=2, ensure_ascii=not readable)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
