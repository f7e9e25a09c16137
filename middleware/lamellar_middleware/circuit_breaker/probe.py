"""A call that tries whether a target is well again, and the place it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .window import LAG

if TYPE_CHECKING:
    from lamellar.scope import CallScope

__all__ = ["Probe"]

_IN_ALL = 4
"""Leases that a probe holds its place for in all, if its attempt never begins: a queue may be long, not endless."""


class Probe:
    """A place among the probes of a circuit, on a lease.

    The lease runs from the beginning of the attempt. When that was is looked up in the call's record, which tells the
    time that was waited before it, and only by those who want the place: a probe alone costs nobody anything.

    Args:
        now: When it was let through.
        scope: Its call; None outside of a stack, where the lease runs at once.
        lease: Seconds.
    """

    __slots__ = ("_attempts", "_began", "_lease", "_let_through", "_scope")

    def __init__(self, now: float, scope: CallScope | None, lease: float) -> None:
        self._let_through = now
        self._scope = scope
        self._attempts = scope.attempt_count if scope is not None else 0
        self._lease = lease
        self._began = now if scope is None else None

    def time_left(self, now: float) -> float:
        """Seconds for which it holds its place."""
        if now < self._let_through - LAG:
            return 0.0  # time began anew with another loop; the one it ran in is gone
        if self._began is None:
            self._began = self._look_up(now)
        if self._began is None:
            return self._let_through + _IN_ALL * self._lease - now
        return self._began + self._lease - now

    def _look_up(self, now: float) -> float | None:
        """When its attempt began, or None when it has not."""
        scope = self._scope
        if scope is None or scope.attempt_count <= self._attempts:
            return None
        return min(self._let_through + scope.attempts[-1].waited, now)
