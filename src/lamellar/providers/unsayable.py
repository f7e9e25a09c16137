"""What several dialects cannot say, and what would be right."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from ..chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from ..chat.request import ChatRequest
from .refusal import Refusal

__all__ = ["MENDS", "refuse_foreign", "refuse_kept_conversation"]

MENDS: Mapping[type, str] = MappingProxyType(
    {
        ToolCall: "put it into a message of the role 'assistant'",
        ReasoningContent: "put it into a message of the role 'assistant'",
        ThoughtSignature: "put it into a message of the role 'assistant'",
        ToolResponse: "put it into a message of the role 'tool'",
        Binary: "put it into a message of the role 'user'",
        Text: "put it into a message of the role 'user'",
    }
)
"""Where a part belongs that stands in a message of another role."""


def refuse_foreign(part: Custom, where: str, refuse: Refusal, *, family: Collection[str] = ()) -> None:
    """For a part that must be sent, and sent as it is: no provider takes another's form.

    Args:
        part: The part.
        where: Its place.
        refuse: Makes the error.
        family: Whose parts have the dialect's form, beside the provider's own.

    Raises:
        ExecutorError: It belongs to another provider.
    """
    if part.model not in family and not refuse.owns(part.model):
        raise refuse(where, part, f"it belongs to '{part.model}': leave it out")


def refuse_kept_conversation(chat_req: ChatRequest, refuse: Refusal) -> None:
    """For a dialect whose provider keeps no conversation.

    Raises:
        ExecutorError: The request goes on with one.
    """
    if chat_req.previous_response_id is not None:
        mend = "send the conversation's messages, or use a target whose dialect keeps conversations"
        raise refuse("previous_response_id", chat_req.previous_response_id, mend)
