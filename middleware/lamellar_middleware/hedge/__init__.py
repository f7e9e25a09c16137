"""Hedge: another target is asked while the first is slow, and the first to answer wins."""

from __future__ import annotations

from .spec import Hedge, HedgeBudget

__all__ = ["Hedge", "HedgeBudget"]
