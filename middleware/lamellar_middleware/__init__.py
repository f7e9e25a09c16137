"""The layers of Lamellar: one file each, a folder where a layer has parts.

Users import them from `lamellar.middleware`. This package depends on `lamellar`, never the other way round.
"""

from __future__ import annotations

from lamellar.target import Target

from .balance import Balance, Ejection
from .budget import Budget, BudgetEvent, TokenPrice
from .cache import Cache, CacheStore, SQLiteStore, StoredAnswer
from .cassette import Record, Replay
from .chaos import Chaos
from .circuit_breaker import CircuitBreaker, CircuitEvent
from .concurrency_limit import AdaptiveLimit, ConcurrencyLimit
from .defaults import Defaults
from .extract_reasoning import ExtractReasoning
from .fallback import Fallback, FallbackEvent
from .guardrail import Guardrail
from .hedge import Hedge, HedgeBudget
from .log import Log
from .rate_limit import RateLimit, RateLimiter, RateLimitEvent
from .redact import Redact
from .retry import KindPolicy, Retry, RetryBudget, RetryEvent
from .route import Route, RouteRule
from .simulate_stream import SimulateStream
from .timeout import Timeout
from .tracing import Tracing
from .transform import Transform

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
