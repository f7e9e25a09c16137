"""The public face of the layers: `from lamellar.middleware import Fallback, Retry, Target, Timeout`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamellar_middleware import (
        AdaptiveLimit,
        Balance,
        Budget,
        BudgetEvent,
        Cache,
        CacheStore,
        Chaos,
        CircuitBreaker,
        CircuitEvent,
        ConcurrencyLimit,
        Defaults,
        Ejection,
        ExtractReasoning,
        Fallback,
        FallbackEvent,
        Guardrail,
        Hedge,
        HedgeBudget,
        KindPolicy,
        Log,
        RateLimit,
        RateLimiter,
        RateLimitEvent,
        Record,
        Redact,
        Replay,
        Retry,
        RetryBudget,
        RetryEvent,
        Route,
        RouteRule,
        SimulateStream,
        SQLiteStore,
        StoredAnswer,
        Target,
        Timeout,
        TokenPrice,
        Tracing,
        Transform,
    )

__all__ = [
    "AdaptiveLimit",
    "Balance",
    "Budget",
    "BudgetEvent",
    "Cache",
    "CacheStore",
    "Chaos",
    "CircuitBreaker",
    "CircuitEvent",
    "ConcurrencyLimit",
    "Defaults",
    "Ejection",
    "ExtractReasoning",
    "Fallback",
    "FallbackEvent",
    "Guardrail",
    "Hedge",
    "HedgeBudget",
    "KindPolicy",
    "Log",
    "RateLimit",
    "RateLimitEvent",
    "RateLimiter",
    "Record",
    "Redact",
    "Replay",
    "Retry",
    "RetryBudget",
    "RetryEvent",
    "Route",
    "RouteRule",
    "SQLiteStore",
    "SimulateStream",
    "StoredAnswer",
    "Target",
    "Timeout",
    "TokenPrice",
    "Tracing",
    "Transform",
]


def __getattr__(name: str) -> object:
    """Load a layer when it is first asked for (PEP 562)."""
    if name in __all__:
        import lamellar_middleware

        return getattr(lamellar_middleware, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
