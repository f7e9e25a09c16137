"""What a conversation has cost so far: every try counts, those that failed too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...prices import is_installed, price_of

if TYPE_CHECKING:
    from ...call import AttemptRecord

__all__ = ["Spend"]


class Spend:
    """Sums over the tries of several calls."""

    def __init__(self) -> None:
        self._calls = 0
        self._prompt = 0
        self._completion = 0
        self._untold = 0
        self._dollars = 0.0
        self._unpriced = 0

    def add(self, attempts: Iterable[AttemptRecord]) -> None:
        """Count a call by its tries; one from a cache has none, and costs nothing."""
        self._calls += 1
        for each in attempts:
            usage = each.usage
            if usage is None:
                self._untold += each.kind is None or each.first_content is not None
                continue
            self._prompt += usage.prompt_tokens or 0
            self._completion += usage.completion_tokens or 0
            price = price_of(usage, each.model, provider=each.provider, at=each.started)
            self._unpriced += price is None
            self._dollars += price or 0.0

    def __str__(self) -> str:
        """Such as ``12 + 345 tokens, $0.000234, in 3 calls``."""
        told = f"{self._prompt} + {self._completion} tokens"
        if is_installed():
            unknown = " at least" if self._unpriced or self._untold else ""
            told += f",{unknown} ${self._dollars:.{2 if self._dollars >= 1 else 6}f}"
        told += f", in {self._calls} call{'' if self._calls == 1 else 's'}"
        if self._untold:
            told += f" ({self._untold} did not tell {'its' if self._untold == 1 else 'their'} tokens)"
        return told
