"""Retry: ask the same target again when that may help.

Only the errors' own verdicts decide whether; tenacity's stop and wait objects decide how often and how long, on the
stack's clock and randomness. A provider's own hint is a floor: no retry comes sooner than it asked for. When the hint,
or the wait, would outlast what is left of the call, the target is given up at once, so that another one gets the time.

The loop serves answers and streams alike: a stream is retried until its commit point, where nothing of it has been
seen by anybody. The way of a call that succeeds makes no tenacity object, and takes a time stamp only where an option
asks for it.
"""

from __future__ import annotations

from .budget import RetryBudget
from .executor import RetryExecutor
from .spec import KindPolicy, Retry, RetryEvent

__all__ = ["KindPolicy", "Retry", "RetryBudget", "RetryEvent", "RetryExecutor"]
