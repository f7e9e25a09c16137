"""Which requests a cache stands aside for, and which answers it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.chat.content import Text

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse

__all__ = ["is_stateful", "is_worth_keeping"]

_STATE = ("store", "previous_response_id", "conversation")
"""Names under which a body asks the provider to keep, or to go on from, what it has kept."""


def is_stateful(chat_req: ChatRequest, options: ChatOptions | None) -> bool:
    """Whether the provider is to keep something of this call, or has: then no other answer can stand for its own."""
    if chat_req.store or chat_req.previous_response_id is not None:
        return True
    body = options.extra_body if options is not None else None
    return body is not None and any(body.get(name) for name in _STATE)


def is_worth_keeping(response: ChatResponse, options: ChatOptions | None) -> bool:
    """Whether an answer is whole, as far as its stop reason tells, and says anything at all.

    One that was cut at `max_tokens` is whole where the caller himself set the bound.
    """
    reason = response.stop_reason
    if reason in ("content_filter", "other"):
        return False
    if reason == "max_tokens" and (options is None or options.max_tokens is None):
        return False
    return bool(response.reasoning_content) or any(not isinstance(part, Text) or part.text for part in response.content)
