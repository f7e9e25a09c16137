"""Balance: calls spread over targets that are as good as each other."""

from __future__ import annotations

from .ejection import Ejection
from .spec import Balance

__all__ = ["Balance", "Ejection"]
