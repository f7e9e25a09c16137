"""What one call has taken of its limits, and how it is settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lane import Lane
    from .meter import Entry

__all__ = ["Reservation"]


class Reservation:
    """What one call has taken. Settled, given back or kept, once.

    Args:
        lane: Where it was taken.
        tokens: The tokens it was estimated at.
        entries: Where it is remembered, one place a limit.
    """

    __slots__ = ("_entries", "_lane", "tokens")

    def __init__(self, lane: Lane, tokens: int, entries: tuple[Entry, ...]) -> None:
        self._lane = lane
        self._entries: tuple[Entry, ...] | None = entries
        self.tokens = tokens

    @property
    def lane(self) -> Lane:
        """Where it was taken."""
        return self._lane

    def settle(self, actual: int) -> None:
        """The call has cost so many tokens, and not what was estimated."""
        entries, self._entries = self._entries, None
        if entries is not None and actual != self.tokens and self._lane.counts_tokens:
            self._lane.give_back(entries, self.tokens - actual, 0)

    def refund(self) -> None:
        """The request never left us: everything comes back."""
        entries, self._entries = self._entries, None
        if entries is not None:
            self._lane.give_back(entries, self.tokens, 1)

    def keep(self) -> None:
        """Nobody knows what the call has cost: the estimate stands."""
        self._entries = None
