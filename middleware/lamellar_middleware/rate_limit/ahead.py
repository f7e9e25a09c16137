"""Looking ahead: when those who wait will be served."""

from __future__ import annotations

from collections.abc import Sequence

from .meter import Meter, ready_at

__all__ = ["PAUSE", "Ahead"]

PAUSE = "the pause that the provider asked for"
"""What somebody waits for who waits for no limit."""


class Ahead:
    """When those who wait will be served if nothing else happens: the meters, run ahead of time.

    Args:
        meters: Copies of the meters.
        since: When it was worked out.
        paused_until: When the pause is over.
    """

    __slots__ = ("_last", "_latest", "_meters", "may_be_early", "may_be_late", "since")

    def __init__(self, meters: Sequence[Meter], since: float, paused_until: float) -> None:
        self._meters = meters
        self._latest = paused_until
        self._last = PAUSE
        self.since = since
        self.may_be_early = False
        """Whether more was used since than was foreseen."""
        self.may_be_late = False
        """Whether less was used since, or somebody has left."""

    def due(self, tokens: int, now: float) -> tuple[float, str]:
        """When a call that comes after all of these is served, and what it waits for."""
        due, limit = ready_at(self._meters, tokens, max(now, self._latest))
        return due, str(limit) if limit is not None else self._last

    def add(self, tokens: int, now: float) -> None:
        """One more waits."""
        self._latest, self._last = self.due(tokens, now)
        for meter in self._meters:
            meter.take(tokens, self._latest)
