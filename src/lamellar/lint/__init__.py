"""What is doubtful in a stack, and what one call of it may cost at most; told without building it.

`lint` goes over the plates of a declared stack with rules, each a pure function over specs that yields findings. A rule
knows a plate by its kind, its options and its rank (`lamellar.order`), so third-party plates take part by what they
declare. `Bounds` is worked out by the plates themselves: each says what it makes of the bounds of what stands inside.
"""

from __future__ import annotations

from .bounds import Bounds, Where
from .finding import CODES, Finding, Severity
from .rules import lint

__all__ = ["CODES", "Bounds", "Finding", "Severity", "Where", "lint"]
