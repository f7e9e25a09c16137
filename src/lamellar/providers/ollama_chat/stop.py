"""Why the model stopped, in one vocabulary."""

from __future__ import annotations

from ...chat.response import StopReason

__all__ = ["stop_reason"]

_KINDS = {"stop": "completed", "length": "max_tokens"}


def stop_reason(raw: str | None, *, tool_calls: bool) -> StopReason | None:
    """The reason, with Ollama's own word kept; ``load``, ``unload`` and a word that nobody knows are ``other``.

    Args:
        raw: Ollama's word; None where an older server tells none.
        tool_calls: Whether the answer holds tool calls: Ollama says ``stop`` for them too.
    """
    if raw is None:
        return StopReason("tool_call") if tool_calls else None
    kind = _KINDS.get(raw, "other")
    return StopReason("tool_call" if kind == "completed" and tool_calls else kind, raw)
