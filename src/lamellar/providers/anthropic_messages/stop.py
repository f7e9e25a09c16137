"""Why the model stopped, in one vocabulary."""

from __future__ import annotations

from ...chat.response import StopReason

__all__ = ["stop_reason"]

_KINDS = {
    "end_turn": "completed",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_call",
    "refusal": "content_filter",
}
"""`pause_turn` is none of the vocabulary: the provider's own tools are at work, and the answer goes on when it is sent
back as it is. It and every word that nobody knows are ``other``."""


def stop_reason(raw: str, *, tool_calls: bool) -> StopReason:
    """The reason, with the provider's own word kept.

    Args:
        raw: The provider's word.
        tool_calls: Whether the answer holds tool calls, which some servers end with ``end_turn``.
    """
    kind = _KINDS.get(raw, "other")
    if kind == "completed" and tool_calls:
        kind = "tool_call"
    return StopReason(kind, raw)
