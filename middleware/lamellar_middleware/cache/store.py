"""What a cache keeps, and where: one canonical answer, and the two methods of a place to keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from pydantic_core import from_json, to_json

from lamellar.chat.response import ChatResponse

__all__ = ["CacheStore", "StoredAnswer", "as_kept"]

_FORMAT = 1
_NOT_KEPT = {"attempts", "cached", "raw"}


def as_kept(response: ChatResponse) -> ChatResponse:
    """The answer as anybody but its own caller gets it: from a cache, without attempts and the provider's raw body."""
    return response.model_copy(update={"cached": True, "attempts": (), "raw": None})


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One answer in a cache.

    Args:
        response: The answer as a hit returns it: ``cached`` is true, ``attempts`` is empty, ``raw`` is None.
        created: When it was made, in seconds since the epoch.
        ttl: Seconds it may be served for, counted from when it was made; None is for ever.
        size: Bytes of its JSON, which is what the bounds of a cache count.
    """

    response: ChatResponse
    created: float
    ttl: float | None
    size: int

    @classmethod
    def of(cls, response: ChatResponse, *, created: float, ttl: float | None) -> Self:
        """An entry of an answer."""
        kept = as_kept(response)
        return cls(kept, created, ttl, len(_envelope(kept, created, ttl)))

    @property
    def expires(self) -> float | None:
        """When it is served no longer, in seconds since the epoch; None is never."""
        return None if self.ttl is None else self.created + self.ttl

    def to_json(self) -> bytes:
        """The entry as JSON."""
        return _envelope(self.response, self.created, self.ttl)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """The entry out of its JSON.

        Raises:
            ValueError: It is none, or one of another format.
        """
        found = from_json(data)
        if not isinstance(found, dict) or found.get("format") != _FORMAT or not isinstance(found.get("answer"), dict):
            raise ValueError("no answer that this version of the cache has stored")
        created, ttl = found.get("created"), found.get("ttl")
        if not isinstance(created, int | float) or not isinstance(ttl, int | float | None):
            raise ValueError("an answer without the time it was made at")
        response = ChatResponse.model_validate({**found["answer"], "cached": True})
        return cls(response, created, ttl, len(data) if isinstance(data, bytes) else len(data.encode()))


def _envelope(response: ChatResponse, created: float, ttl: float | None) -> bytes:
    answer = response.model_dump(mode="json", exclude=_NOT_KEPT)
    # Not the model's own JSON: that would make `null` of an infinite number among a tool call's arguments.
    return to_json({"format": _FORMAT, "created": created, "ttl": ttl, "answer": answer}, inf_nan_mode="constants")


@runtime_checkable
class CacheStore(Protocol):
    """A place to keep answers in: Redis, a file, a dictionary.

    Both methods may be called from several tasks at once, and from several event loops. An error that they raise is
    logged once, and the call goes on without the store. A store that was handed in is not closed with the stack.
    """

    async def get(self, key: str) -> StoredAnswer | None:
        """The answer under `key`, or None when there is none, or it has expired.

        Args:
            key: 64 hexadecimal digits.
        """
        ...

    async def put(self, key: str, answer: StoredAnswer) -> None:
        """Keep `answer` under `key` for `answer.ttl` seconds, in the place of what is there.

        Args:
            key: 64 hexadecimal digits.
            answer: What to keep; `to_json` and `from_json` make data of it and back.
        """
        ...
