"""What an option is called elsewhere, and where it stands here: for people who come from other libraries."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["mend_for"]

_SAME: dict[str, tuple[str, ...]] = {
    "cooldown_time": ("open_for",),
    "cooldown": ("open_for",),
    "max_attempts": ("attempts",),
    "max_retries": ("attempts",),
    "num_retries": ("attempts",),
    "retries": ("attempts",),
    "rpm": ("requests_per_minute",),
    "tpm": ("tokens_per_minute",),
    "stop": ("stop_sequences",),
    "max_completion_tokens": ("max_tokens",),
    "max_output_tokens": ("max_tokens",),
    "effort": ("reasoning_effort",),
    "thinking": ("reasoning_effort",),
    "parameters": ("schema",),
    "input_schema": ("schema",),
    "api_base": ("base_url",),
    "timeout": ("total", "attempt"),
}
"""Names for the same option, where the object has it under another name."""

_ELSEWHERE: dict[str, str] = {
    "cache": "how one call uses the cache is said with call=CallContext(cache=...)",
    "conversation_id": "it is said with call=CallContext(conversation_id=...)",
    "fallbacks": "other targets are said with Fallback(Target(...), Target(...))",
    "max_retries": "tries are counted by the layer Retry(attempts=...)",
    "model": "the model stands on the Target, or in the call",
    "models": "the model stands on the Target, or in the call",
    "num_retries": "tries are counted by the layer Retry(attempts=...)",
    "priority": "it is said with call=CallContext(priority=...)",
    "retries": "tries are counted by the layer Retry(attempts=...)",
    "rpm": "limits are kept by the layer RateLimit(requests_per_minute=...)",
    "stream": "a stream is asked for by exec_chat_stream_events",
    "tags": "they are said with call=CallContext(tags=...)",
    "timeout": "time is bounded by the layer Timeout(total=...), or for one call by call=CallContext(timeout=...)",
    "tpm": "limits are kept by the layer RateLimit(tokens_per_minute=...)",
}
"""Where an option stands that the object does not have."""


def mend_for(name: str, valid: Iterable[str]) -> str | None:
    """What to write instead of an unknown option, when it is known from elsewhere; None when it is not."""
    names = set(valid)
    for other in _SAME.get(name, ()):
        if other in names:
            return f"did you mean '{other}'?"
    return _ELSEWHERE.get(name)
