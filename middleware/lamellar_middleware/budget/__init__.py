"""Budget: so many tokens, so much money a period; what would go over is refused.

A call reserves an estimate before it is made and settles what it has really cost when it is over, failed tries
included. What calls under way may cost counts from their beginning, so that many at once do not overshoot: a budget
is exceeded at most by what the calls under way cost more than they were estimated at.
"""

from __future__ import annotations

from .executor import BudgetExecutor
from .spec import Budget, BudgetEvent, TokenPrice

__all__ = ["Budget", "BudgetEvent", "BudgetExecutor", "TokenPrice"]
