"""The budgets of one layer, or of all that share them: one ledger for each key."""

from __future__ import annotations

from collections.abc import Iterator
from threading import RLock
from typing import TYPE_CHECKING

from lamellar.durations import seconds

from ..keyed import Keyed
from .ledger import Ledger, Limits

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.options import ChatOptions
    from lamellar.clock import Clock

    from .spec import Budget

__all__ = ["Books"]

_SHOWN = 100
"""Keys whose state is shown: those that have spent most."""


class Books:
    """The ledgers, by key. Several stacks, loops and threads may use them at a time.

    Args:
        spec: The options.
        clock: Where their time comes from.
    """

    def __init__(self, spec: Budget, clock: Clock) -> None:
        self.spec = spec
        self.limits = Limits(spec.tokens, spec.cost, None if spec.period is None else seconds(spec.period))
        lock = RLock()
        self._keyed = Keyed(
            spec.per,
            make=lambda label: Ledger(self.limits, clock, lock, label),
            is_idle=lambda ledger: ledger.is_idle,
            lock=lock,
            most=spec.max_keys,
        )

    def ledger(self, model: str, options: ChatOptions | None) -> Ledger | None:
        """The ledger of this call; None when there is no room for another."""
        return self._keyed.of(model, options)

    def ledgers(self) -> Iterator[tuple[str, Ledger]]:
        """Every ledger there is, with its key in words."""
        return self._keyed.items()

    def succeed(self, old: Books) -> None:
        """Take over from the books of another budget what is spent, if both are kept apart in one way."""
        self._keyed.succeed(old._keyed, Ledger.succeed)

    def reset(self) -> None:
        """Nothing is spent."""
        for _, ledger in self.ledgers():
            ledger.reset()

    def state(self) -> dict[str, JsonValue]:
        """What is spent, reserved and left; by key where there are several, those first that have spent most."""
        shown = {label: self._shown(ledger) for label, ledger in self.ledgers()}
        if not self.spec.per:
            return shown["all"]
        share = {label: max(self._share(ledger)) for label, ledger in self.ledgers()}
        most = sorted(shown, key=lambda label: -share.get(label, 0.0))[:_SHOWN]
        return {"keys": len(shown), "by": {label: shown[label] for label in most}}

    def _share(self, ledger: Ledger) -> tuple[float, ...]:
        spent = ledger.spent
        return (
            spent.tokens / self.limits.tokens if self.limits.tokens is not None else 0.0,
            spent.cost / self.limits.cost if self.limits.cost is not None else 0.0,
        )

    def _shown(self, ledger: Ledger) -> dict[str, JsonValue]:
        spent, reserved, limits = ledger.spent, ledger.reserved, self.limits
        found: dict[str, JsonValue] = {}
        if limits.tokens is not None:
            left = limits.tokens - spent.tokens - reserved.tokens
            found["tokens"] = {"spent": spent.tokens, "reserved": reserved.tokens, "left": max(0, left)}
        if limits.cost is not None:
            money = (spent.cost, reserved.cost, max(0.0, limits.cost - spent.cost - reserved.cost))
            found["cost"] = dict(zip(("spent", "reserved", "left"), (round(each, 9) for each in money), strict=True))
        return {**found, "resets_in": ledger.resets_in()}
