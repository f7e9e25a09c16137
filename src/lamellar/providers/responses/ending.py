"""How an answer ended: why the model stopped, or that it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.response import StopReason
from ...errors import ErrorKind, ExecutorError
from ..classify import provider_error
from ..error_bodies import error_from
from ..names import name_of
from ..wire import Exchange

__all__ = ["BLOCKED", "failure_of", "is_error", "stop_of"]

BLOCKED = "the answer was blocked by the provider's content filter"

_REASONS = {
    "max_output_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "content_filter": "content_filter",
}
"""Why an answer is incomplete."""


def is_error(payload: Mapping[str, Any]) -> bool:
    """Whether a payload is an error and no answer: one with an `error`, or a bare one of the type ``error``."""
    return bool(payload.get("error")) or payload.get("type") == "error" or payload.get("object") == "error"


def failure_of(
    exchange: Exchange, status: int, headers: Mapping[str, str], response: Mapping[str, Any]
) -> ExecutorError | None:
    """The error that a response object stands for, or None where it is an answer."""
    if response.get("error"):
        return error_from(exchange, status, headers, {"error": response["error"]})
    state = response.get("status")
    if state in ("failed", "cancelled"):
        kind, what = ErrorKind.SERVER_ERROR, f"the answer broke off with the status {state!r}"
    elif state in ("queued", "in_progress"):
        # Never tried again: each try would begin another answer in the background.
        kind = ErrorKind.INVALID_REQUEST
        what = f"the answer is not made yet (status {state!r}): ask for a stream, or leave `background` out"
    else:
        return None
    return provider_error(
        provider=exchange.provider,
        model=exchange.model,
        status=status,
        headers=headers,
        message=what,
        code=str(state),
        kind=kind,
    )


def stop_of(response: Mapping[str, Any], *, tool_calls: bool) -> StopReason | None:
    """Why the model stopped; None where the provider does not say.

    The provider's own word is the status, and of an incomplete answer the reason for that.

    Args:
        response: The response object.
        tool_calls: Whether the answer holds tool calls.
    """
    status = name_of(response.get("status"))
    if status is None:
        return None
    if status == "completed":
        return StopReason("tool_call" if tool_calls else "completed", status)
    details = response.get("incomplete_details")
    reason = name_of(details.get("reason")) if isinstance(details, dict) else None
    return StopReason(_REASONS.get(reason or "", "other"), reason or status)
