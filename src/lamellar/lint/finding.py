"""What a rule has found, and the codes there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from .plates import Plate

__all__ = ["CODES", "Finding", "Severity", "finding"]

Severity: TypeAlias = Literal["error", "warning", "hint"]
"""How bad it is: an ``error`` can never do what it says, a ``warning`` will hurt some day, a ``hint`` may be meant."""

CODES: dict[str, Severity] = {
    # the order of plates
    "cache-inside-retry": "warning",
    "limiter-outside-retry": "warning",
    "concurrency-outside-retry": "hint",
    "breaker-outside-retry": "warning",
    "breaker-inside-limiter": "warning",
    "budget-inside-retry": "warning",
    "total-inside-retry": "warning",
    "guardrail-inside-cache": "warning",
    "tracing-not-outermost": "warning",
    "tracing-twice": "warning",
    "retry-outside-choice": "warning",
    "layer-order": "warning",
    # retries that multiply
    "retry-multiplies": "warning",
    "inner-retries": "warning",
    # time
    "no-timeout": "warning",
    "limit-cannot-act": "warning",
    "retry-outlasts-total": "warning",
    "hint-outlasts-total": "hint",
    "delay-outlasts-total": "warning",
    "hedge-too-late": "warning",
    # targets
    "target-twice": "warning",
    "target-unreachable": "error",
    "route-unreachable": "error",
    "window-too-small": "hint",
    "one-provider": "hint",
    "limit-across-providers": "warning",
    "missing-key": "warning",
    # streams, caches, secrets
    "continue-without-prefill": "warning",
    "cache-keeps-nothing": "error",
    "cache-of-samples": "hint",
    "content-before-redaction": "error",
}
"""Every code, with its severity."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something doubtful in a stack.

    Args:
        code: What it is, in a word that stays the same from release to release, such as ``retry-multiplies``.
        severity: How bad it is.
        path: The place in the stack, such as ``executor.fallback.targets[1].layers[0]``.
        message: What is wrong and why, with the numbers of this stack.
        mend: What to do about it.
    """

    code: str
    severity: Severity
    path: str
    message: str
    mend: str

    @property
    def docs(self) -> str:
        """Where the documentation tells more: the page and its anchor."""
        return f"lint.md#{self.code}"

    def __str__(self) -> str:
        return f"{self.path}: {self.severity} {self.code}: {self.message}; {self.mend}"


def finding(code: str, plate: Plate, message: str, mend: str) -> Finding:
    """A finding about a plate, with the severity of its code."""
    return Finding(code, CODES[code], plate.path, message, mend)
