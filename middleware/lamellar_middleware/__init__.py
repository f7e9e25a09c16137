"""The layers of Lamellar: one file each, a folder where a layer has parts.

Users import them from `lamellar.middleware`. This package depends on `lamellar`, never the other way round.
"""

from __future__ import annotations

from lamellar.target import Target

from .fallback import Fallback, FallbackEvent
from .retry import KindPolicy, Retry, RetryBudget, RetryEvent
from .timeout import Timeout

__all__ = ["Fallback", "FallbackEvent", "KindPolicy", "Retry", "RetryBudget", "RetryEvent", "Target", "Timeout"]
