"""Why the model stopped, in one vocabulary; and the reasons that are failures in disguise."""

from __future__ import annotations

from ...chat.response import StopReason
from ...errors import ErrorKind

__all__ = ["failure_of", "stop_reason"]

_KINDS: dict[str, str] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end", "end_turn", "complete", "completed", "finished"), "completed"),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "model_length", "max_length", "model_context_window_exceeded"),
        "max_tokens",
    ),
    **dict.fromkeys(("tool_calls", "tool_call", "function_call", "tool_use"), "tool_call"),
    **dict.fromkeys(
        (
            "content_filter",
            "content_filtered",
            "safety",
            "sensitive",
            "recitation",
            "prohibited_content",
            "blocklist",
            "spii",
            "refusal",
            "guardrail_intervened",
        ),
        "content_filter",
    ),
    "stop_sequence": "stop_sequence",
}

_FAILURES: dict[str, ErrorKind] = {
    "error": ErrorKind.SERVER_ERROR,
    "network_error": ErrorKind.SERVER_ERROR,  # Z.ai: the inference broke
    "insufficient_system_resource": ErrorKind.OVERLOADED,  # DeepSeek
}


def stop_reason(raw: str, *, tool_calls: bool) -> StopReason:
    """The reason, with the provider's own word kept.

    Some servers say ``stop`` where the answer consists of tool calls; the kind is then ``tool_call``. A word that
    nobody knows is ``other``.

    Args:
        raw: The provider's word.
        tool_calls: Whether the answer holds tool calls.
    """
    kind = _KINDS.get(raw.lower(), "other")
    if kind == "completed" and tool_calls:
        kind = "tool_call"
    return StopReason(kind, raw)


def failure_of(raw: str) -> ErrorKind | None:
    """The kind of failure that a finish reason stands for, or None when it is a reason to stop."""
    return _FAILURES.get(raw.lower())
