"""The layers of Lamellar: one file each, a folder where a layer has parts.

Users import them from `lamellar.middleware`. This package depends on `lamellar`, never the other way round.
"""

from __future__ import annotations

from lamellar.target import Target

from .cache import Cache, CacheStore, SQLiteStore, StoredAnswer
from .fallback import Fallback, FallbackEvent
from .rate_limit import RateLimit, RateLimiter, RateLimitEvent
from .retry import KindPolicy, Retry, RetryBudget, RetryEvent
from .timeout import Timeout
from .tracing import Tracing

__all__ = [
    "Cache",
    "CacheStore",
    "Fallback",
    "FallbackEvent",
    "KindPolicy",
    "RateLimit",
    "RateLimitEvent",
    "RateLimiter",
    "Retry",
    "RetryBudget",
    "RetryEvent",
    "SQLiteStore",
    "StoredAnswer",
    "Target",
    "Timeout",
    "Tracing",
]
