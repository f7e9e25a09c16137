"""What of an output item is told by no part of ours, kept beside the parts so that the item goes back as it came.

The provider pairs items by their ids: reasoning goes back with its id, and then what followed it goes back with its
own. A message has a phase, a call may have a namespace. Such fields follow the item's parts as a `Custom` of our own
making, an object with the item's type as its only key: ``{"reasoning": {"id": "rs_1"}}``. No item of the provider's
own looks like that, for each of those has a `type`.
"""

from __future__ import annotations

from typing import Any

from ...chat.content import Custom

__all__ = ["CALL", "MESSAGE", "REASONING", "SHELLS", "TEXT_FIELDS", "shell_of"]

REASONING = "reasoning"
MESSAGE = "message"
CALL = "function_call"

SHELLS = frozenset({REASONING, MESSAGE, CALL})
"""The types of the items that are told by parts."""

TEXT_FIELDS = ("annotations", "logprobs")
"""Fields of a text, each kept as a `Custom` after it."""

_PARTS = {
    REASONING: frozenset({"type", "summary", "content", "encrypted_content"}),
    MESSAGE: frozenset({"type", "role", "content"}),
    CALL: frozenset({"type", "call_id", "name", "arguments"}),
}
"""The fields that parts of ours tell."""

_IDENTITY = frozenset({"id", "status"})
"""Fields that matter only where items are paired, which is where there is reasoning."""


def shell_of(kind: str, item: dict[str, Any], provider: str, *, paired: bool) -> list[Custom]:
    """The item's other fields, as a part; none where there are none that matter."""
    told = _PARTS[kind] if paired else _PARTS[kind] | _IDENTITY
    fields = {name: value for name, value in item.items() if name not in told and value is not None}
    return [Custom(model=provider, data={kind: fields})] if fields else []
