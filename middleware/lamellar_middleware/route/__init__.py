"""Route: a target chosen by what is asked, by rules in order and by the caller's model name."""

from __future__ import annotations

from .rule import RouteRule
from .spec import Route

__all__ = ["Route", "RouteRule"]
