"""Tool calls' ids that a provider takes: some demand a pattern and a length, and that no two calls share one.

Conversations come from other providers too, whose ids have other characters, are empty or long, or start again with
every answer. Such an id is replaced on the call and on its result, always in the same way.
"""

from __future__ import annotations

import re
from collections import deque
from hashlib import sha256

__all__ = ["ToolIds"]

_KEPT = 40
"""Characters of an id that are kept in the one that replaces it."""


class ToolIds:
    """The ids of one conversation, told of its calls and results in their order.

    Args:
        other: Matches a character that the provider does not take in an id. Default: it takes any.
        longest: How many characters it takes. Default: any number.
        empty: Whether it takes an id without any.
    """

    __slots__ = ("_empty", "_longest", "_other", "_sent", "_waiting")

    def __init__(
        self, other: re.Pattern[str] | None = None, *, longest: int | None = None, empty: bool = False
    ) -> None:
        self._other = other
        self._longest = longest
        self._empty = empty
        self._sent: set[str] = set()
        self._waiting: dict[str, deque[str]] = {}  # by the conversation's id: what was sent and has no result yet

    def of_call(self, call_id: str) -> str:
        """The id to send with a call."""
        sent = wanted = self._taken(call_id)
        again = 1
        while sent in self._sent:
            again += 1
            mark = f"_{again}"
            room = None if self._longest is None else self._longest - len(mark)
            sent = f"{wanted[:room]}{mark}"
        self._sent.add(sent)
        self._waiting.setdefault(call_id, deque()).append(sent)
        return sent

    def of_result(self, call_id: str) -> str:
        """The id to send with a result: that of the oldest call of this id that has none yet."""
        waiting = self._waiting.get(call_id)
        return waiting.popleft() if waiting else self._taken(call_id)

    def _taken(self, call_id: str) -> str:
        fits = self._longest is None or len(call_id) <= self._longest
        other = self._other
        if (call_id or self._empty) and fits and not (other and other.search(call_id)):
            return call_id
        digest = sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        kept = other.sub("_", call_id) if other else call_id
        return f"{kept[:_KEPT]}_{digest}"
