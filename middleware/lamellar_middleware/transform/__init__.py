"""Transform: one's own functions on what goes in and on what comes out; one lambda is enough."""

from __future__ import annotations

from .spec import Transform

__all__ = ["Transform"]
