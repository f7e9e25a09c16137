"""Fallback: targets in order, the next one when the error says that another may do better."""

from __future__ import annotations

from .executor import FallbackExecutor
from .spec import Fallback, FallbackEvent

__all__ = ["Fallback", "FallbackEvent", "FallbackExecutor"]
