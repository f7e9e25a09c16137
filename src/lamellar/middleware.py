"""The public face of the layers: `from lamellar.middleware import Fallback, Retry, Target, Timeout`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamellar_middleware import (
        Cache,
        CacheStore,
        Fallback,
        FallbackEvent,
        KindPolicy,
        RateLimit,
        RateLimiter,
        RateLimitEvent,
        Retry,
        RetryBudget,
        RetryEvent,
        SQLiteStore,
        StoredAnswer,
        Target,
        Timeout,
        Tracing,
    )

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


def __getattr__(name: str) -> object:
    """Load a layer when it is first asked for (PEP 562)."""
    if name in __all__:
        import lamellar_middleware

        return getattr(lamellar_middleware, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
