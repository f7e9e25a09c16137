"""RateLimit: keep to so many requests and tokens a period, and to what the provider asks for.

Three rules hold for every limit. No window of its period ever holds more than it allows: what was used is kept with its
time, and comes back when it is a period old. Within the window a bucket paces: a share of the limit (`burst`) may be
used at once, the rest comes evenly. And whoever waits is served in the order of coming: a large request holds back the
small ones behind it, so it is never starved by them.

A bucket alone cannot do the first: one of capacity b that leaks the limit N over a period lets b + N through in a
window, and one that leaks less to make up for it wastes a part of the limit and has no answer to an amount above b.

Requests are paced by aiolimiter's `AsyncLimiter`. It has no queue that is fair to large amounts, no reservation, no
refund, no pause and no forecast, so the queue, the windows and the bucket of tokens are ours.
"""

from __future__ import annotations

from .executor import RateLimitExecutor
from .limiter import RateLimiter
from .spec import RateLimit, RateLimitEvent

__all__ = ["RateLimit", "RateLimitEvent", "RateLimitExecutor", "RateLimiter"]
