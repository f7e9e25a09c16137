"""Plates of one's own for Lamellar."""

from .fixed_answer import FixedAnswer
from .quota_header import QuotaHeader

__all__ = ["FixedAnswer", "QuotaHeader"]
