"""The circuits of a target, or of all who share them."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from ..keyed import Keyed
from .circuit import Circuit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamellar.chat.options import ChatOptions
    from lamellar.clock import Clock

    from .circuit import Change
    from .spec import CircuitBreaker

__all__ = ["Breaker"]

_MOST = 1000
"""Circuits that are kept at a time: models by names that callers make up must not fill the memory."""


class Breaker:
    """What a `CircuitBreaker` declares, at work: one circuit for each key, as plain data that outlives any event loop.

    Args:
        spec: The options.
        clock: Where time comes from.
    """

    def __init__(self, spec: CircuitBreaker, clock: Clock) -> None:
        self.spec = spec
        self.isolated = False
        """Whether a hand has opened every circuit, until it is reset."""
        lock = RLock()
        self._circuits: Keyed[Circuit] = Keyed(
            spec.per,
            make=lambda label: Circuit(spec, label, clock, lock),
            is_idle=Circuit.is_idle,
            lock=lock,
            most=_MOST,
        )

    def circuit(self, model: str, options: ChatOptions | None) -> Circuit:
        """The circuit of a call."""
        found = self._circuits.of(model, options, evict=True)
        if found is None:
            raise AssertionError("one circuit was dropped, and there is no room for another")
        return found

    def circuits(self) -> Iterator[tuple[str, Circuit]]:
        """Every circuit there is, with its key in words."""
        return self._circuits.items()

    def succeed(self, old: Breaker) -> None:
        """Take over from a breaker of other options what a hand has said; what was measured for those, begins anew."""
        self.isolated = old.isolated

    def reset(self) -> list[tuple[Circuit, Change]]:
        """Close every circuit; those that were not closed, and how they changed."""
        self.isolated = False
        found = []
        for _, circuit in self.circuits():
            change = circuit.reset()
            if change is not None:
                found.append((circuit, change))
        return found
