"""Stacks that follow their file: `Stack.watch`."""

from __future__ import annotations

from .executor import WatchedExecutor
from .record import Reload

__all__ = ["Reload", "WatchedExecutor"]
