"""ExtractReasoning: reasoning that a model writes into its text, between tags, is told as reasoning."""

from __future__ import annotations

from .spec import ExtractReasoning

__all__ = ["ExtractReasoning"]
