"""Chaos: faults at rates of one's choosing, for game days and tests."""

from __future__ import annotations

from .spec import Chaos

__all__ = ["Chaos"]
