"""Why the model stopped, in one vocabulary; and the reasons that are failures in disguise."""

from __future__ import annotations

from ...chat.response import StopReason
from ...errors import ErrorKind

__all__ = ["failure_of", "is_blocked", "stop_reason"]

_BLOCKED = frozenset(
    (
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "JAILBREAK",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "ESCALATION",
    )
)
_KINDS = {
    "STOP": "completed",
    "MAX_TOKENS": "max_tokens",
    "CONTINUATION": "max_tokens",
    **dict.fromkeys(_BLOCKED, "content_filter"),
}

_FAILURES = {
    "MALFORMED_FUNCTION_CALL": ErrorKind.MALFORMED,
    "MALFORMED_RESPONSE": ErrorKind.MALFORMED,
    "UNEXPECTED_TOOL_CALL": ErrorKind.MALFORMED,
    "MISSING_THOUGHT_SIGNATURE": ErrorKind.INVALID_REQUEST,
    "PUP_LIMITED_DISABLED": ErrorKind.PERMISSION_DENIED,
}
"""The model wrote a call that Google could not read or nobody declared: asked again it mostly does better, and what it
said before is no answer. A signature that did not come back is the request's fault, and an account that is limited or
disabled for what it asked before is the account's."""


def stop_reason(raw: str, *, tool_calls: bool) -> StopReason:
    """The reason, with Google's own word kept; a word that nobody knows is ``other``.

    Args:
        raw: Google's word.
        tool_calls: Whether the answer holds tool calls: Google says ``STOP`` for them too.
    """
    kind = _KINDS.get(raw, "other")
    if kind == "completed" and tool_calls:
        kind = "tool_call"
    return StopReason(kind, raw)


def is_blocked(raw: str) -> bool:
    """Whether the reason says that a filter stopped the answer."""
    return raw in _BLOCKED


def failure_of(raw: str) -> ErrorKind | None:
    """The kind of failure that a finish reason stands for, or None when it is a reason to stop."""
    return _FAILURES.get(raw)
