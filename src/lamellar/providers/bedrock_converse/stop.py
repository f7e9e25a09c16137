"""Why the model stopped, in one vocabulary; and the reasons that are failures in disguise."""

from __future__ import annotations

from ...chat.response import StopReason

__all__ = ["is_broken", "stop_reason"]

_KINDS = {
    "end_turn": "completed",
    "tool_use": "tool_call",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}

_BROKEN = frozenset({"malformed_model_output", "malformed_tool_use"})


def stop_reason(raw: str, *, tool_calls: bool) -> StopReason:
    """The reason, with the provider's own word kept; a word that nobody knows is ``other``.

    Args:
        raw: The provider's word.
        tool_calls: Whether the answer asks for tools, which some models end with ``end_turn``.
    """
    kind = _KINDS.get(raw, "other")
    if kind == "completed" and tool_calls:
        kind = "tool_call"
    return StopReason(kind, raw)


def is_broken(raw: str) -> bool:
    """Whether the reason says that the model wrote something Bedrock could not read.

    Asked again it mostly does better, and what it said before is no answer.
    """
    return raw in _BROKEN
