"""Tool calls' ids that the provider takes: it demands a pattern, and that no two calls share one.

Conversations come from other providers too, whose ids have other characters, are empty, or start again with every
answer. Such an id is replaced on the call and on its result, always in the same way.
"""

from __future__ import annotations

import re
from collections import deque
from hashlib import sha256

__all__ = ["ToolIds"]

_TAKEN = re.compile(r"[a-zA-Z0-9_-]+\Z")
_OTHER = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT = 40
"""Characters of an id that are kept in the one that replaces it."""


class ToolIds:
    """The ids of one conversation, told of its calls and results in their order."""

    __slots__ = ("_sent", "_waiting")

    def __init__(self) -> None:
        self._sent: set[str] = set()
        self._waiting: dict[str, deque[str]] = {}  # by the conversation's id: what was sent and has no result yet

    def of_call(self, call_id: str) -> str:
        """The id to send with a call."""
        sent = wanted = _taken(call_id)
        again = 1
        while sent in self._sent:
            again += 1
            sent = f"{wanted}_{again}"
        self._sent.add(sent)
        self._waiting.setdefault(call_id, deque()).append(sent)
        return sent

    def of_result(self, call_id: str) -> str:
        """The id to send with a result: that of the oldest call of this id that has none yet."""
        waiting = self._waiting.get(call_id)
        return waiting.popleft() if waiting else _taken(call_id)


def _taken(call_id: str) -> str:
    if _TAKEN.match(call_id):
        return call_id
    return f"{_OTHER.sub('_', call_id)[:_KEPT]}_{sha256(call_id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
