"""Why the model stopped, in one vocabulary."""

from __future__ import annotations

from ...chat.response import StopReason

__all__ = ["stop_reason"]

_KINDS = {
    "COMPLETE": "completed",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "max_tokens",
    "TOOL_CALL": "tool_call",
}


def stop_reason(raw: str | None, *, tool_calls: bool) -> StopReason | None:
    """The reason, with Cohere's own word kept; a word that nobody knows is ``other``.

    Args:
        raw: Cohere's word.
        tool_calls: Whether the answer holds tool calls.
    """
    if raw is None:
        return None
    kind = _KINDS.get(raw, "other")
    return StopReason("tool_call" if kind == "completed" and tool_calls else kind, raw)
