"""One call as the user sees it: what the user says about it, and the record of its tries.

What the plates of a stack share while a call runs is private; see `lamellar.scope`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from .chat.usage import Usage
from .durations import Duration
from .errors import ErrorKind
from .frozen import Frozen
from .rate_limits import LimitHeaders, RateLimits

__all__ = ["AttemptRecord", "CallContext", "Outcome"]


class CallContext(Frozen):
    """What the user says to the stack about one call; reusable, and never sent to a provider.

    Args:
        timeout: Bound on the whole call in seconds or as "30s", a stream's waiting included. The sooner of this and
            the stack's own total holds.
        tags: Names and values that layers key on (budgets, limits, routes) and logs show.
        conversation_id: The conversation this call belongs to, for telemetry and session affinity.
        cache: ``use`` the cache, ``refresh`` its entry, ``bypass`` it, or answer ``only`` from it.
        priority: Who goes first in a queue; higher is sooner.
    """

    timeout: Duration | None = None
    tags: dict[str, str] = {}
    conversation_id: str | None = None
    cache: Literal["use", "refresh", "bypass", "only"] = "use"
    priority: int = 0


class Outcome(StrEnum):
    """How a call, an attempt or a stream ended; the same four everywhere, and `refused` for a try not made."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    REFUSED = "refused"


@dataclass(slots=True, frozen=True)
class AttemptRecord:
    """One try of a call, as `response.attempts` and `error.attempts` show it.

    Args:
        number: From 1, in the order the tries began.
        target: The name of the target that was tried.
        provider: The provider's namespace.
        model: The model that was asked.
        outcome: How it ended; None while a stream is still open.
        kind: What went wrong, or None.
        status: The HTTP status, or None when there was no response.
        code: The provider's code, or ours.
        message: What the provider said, scrubbed of secrets.
        latency: Seconds from its beginning to its end, the time a consumer took for itself not counted.
        first_content: Seconds until the first content event of a stream, or None.
        waited: Seconds spent before it in queues and limiters.
        backoff: Seconds slept before it, between two tries.
        usage: The tokens it cost, or None when the provider did not say.
        retry_after: Seconds the provider asked to wait.
        request_id: The provider's id of the request.
        started: When it began, in seconds since the epoch.
        limit_headers: Those headers of the answer that tell of rate limits; None where there was no response. Read
            them as `rate_limits`.
    """

    number: int
    target: str
    provider: str
    model: str
    outcome: Outcome | None = None
    kind: ErrorKind | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    latency: float = 0.0
    first_content: float | None = None
    waited: float = 0.0
    backoff: float = 0.0
    usage: Usage | None = None
    retry_after: float | None = None
    request_id: str | None = None
    started: float = 0.0
    limit_headers: LimitHeaders | None = field(default=None, repr=False, compare=False)

    @property
    def rate_limits(self) -> RateLimits | None:
        """What the provider said of its rate limits beside this answer, or None where it said nothing.

        Read out of the headers when it is asked for. It is told beside an error too.
        """
        return None if self.limit_headers is None else RateLimits.of(self.limit_headers, self.started)
