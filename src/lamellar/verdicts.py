"""The kinds of failure, and what each of them means to the layers: one word, three verdicts, one table."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["VERDICTS", "ErrorKind", "Verdict"]


class ErrorKind(StrEnum):
    """What went wrong, in one low-cardinality word; the value is what telemetry and attempt records show."""

    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    EMPTY = "empty"
    CONTEXT_OVERFLOW = "context_overflow"
    CONTENT_FILTERED = "content_filtered"
    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED = "unauthorized"
    PERMISSION_DENIED = "permission_denied"
    MODEL_NOT_FOUND = "model_not_found"
    # Refusals: a layer here said no.
    CIRCUIT_OPEN = "circuit_open"
    LIMITER_DEADLINE = "limiter_deadline"
    QUEUE_FULL = "queue_full"
    POOL_EXHAUSTED = "pool_exhausted"
    ANSWER_REJECTED = "answer_rejected"
    BUDGET = "budget"
    DEADLINE = "deadline"
    GUARDRAIL = "guardrail"
    CACHE_MISS = "cache_miss"
    CLOSED = "closed"


class Verdict(NamedTuple):
    """What an error of one kind means to the layers."""

    retryable: bool
    failover: bool
    counts_against_health: bool


VERDICTS: dict[ErrorKind, Verdict] = {
    ErrorKind.RATE_LIMITED: Verdict(True, True, False),
    ErrorKind.QUOTA_EXHAUSTED: Verdict(False, True, True),
    ErrorKind.OVERLOADED: Verdict(True, True, True),
    ErrorKind.SERVER_ERROR: Verdict(True, True, True),
    ErrorKind.CONNECTION: Verdict(True, True, True),
    ErrorKind.TIMEOUT: Verdict(False, True, True),
    ErrorKind.TRUNCATED: Verdict(True, True, True),
    ErrorKind.MALFORMED: Verdict(True, True, True),
    ErrorKind.EMPTY: Verdict(False, False, False),
    ErrorKind.CONTEXT_OVERFLOW: Verdict(False, True, False),
    ErrorKind.CONTENT_FILTERED: Verdict(False, False, False),
    ErrorKind.INVALID_REQUEST: Verdict(False, False, False),
    ErrorKind.UNAUTHORIZED: Verdict(False, True, False),
    ErrorKind.PERMISSION_DENIED: Verdict(False, True, False),
    ErrorKind.MODEL_NOT_FOUND: Verdict(False, True, False),
    ErrorKind.CIRCUIT_OPEN: Verdict(False, True, False),
    ErrorKind.LIMITER_DEADLINE: Verdict(False, True, False),
    ErrorKind.QUEUE_FULL: Verdict(False, True, False),
    ErrorKind.POOL_EXHAUSTED: Verdict(False, True, False),
    ErrorKind.ANSWER_REJECTED: Verdict(False, True, False),
    ErrorKind.BUDGET: Verdict(False, False, False),
    ErrorKind.DEADLINE: Verdict(False, False, False),
    ErrorKind.GUARDRAIL: Verdict(False, False, False),
    ErrorKind.CACHE_MISS: Verdict(False, False, False),
    ErrorKind.CLOSED: Verdict(False, False, False),
}
"""The one table. A leaf's own knowledge (a 409, `x-should-retry`) overrides it per error."""
