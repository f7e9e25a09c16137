"""SimulateStream: a stream for whoever reads one, out of an executor that gives whole answers."""

from __future__ import annotations

from .spec import SimulateStream

__all__ = ["SimulateStream"]
