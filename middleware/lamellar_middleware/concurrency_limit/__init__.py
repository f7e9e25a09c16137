"""ConcurrencyLimit: so many calls under way at a time; the others wait in a queue, or are refused.

A permit is held from the beginning of a call to its end, which for a stream is the end of the stream, and given back
exactly once, however the call ends. Permits and queue are plain data over all event loops; only those who wait have a
future, each on its own loop.
"""

from __future__ import annotations

from .adaptive import AdaptiveLimit
from .spec import ConcurrencyLimit

__all__ = ["AdaptiveLimit", "ConcurrencyLimit"]
