"""How long one caller waits for an answer that others wait for too: as long as its own call lasts, and no longer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lamellar.clock import Watchdog
from lamellar.errors import ErrorKind, ExecutorError, LamellarError, RejectedError

if TYPE_CHECKING:
    from lamellar.scope import CallScope

__all__ = ["Patience"]

_SLACK = 0.05
"""Seconds that a leader waits longer than it may, so that its attempt ends by itself, with its limit on the record."""


class Patience:
    """The bounds of one caller, on its own stopwatch: it stands still while the caller has a stream to itself.

    Args:
        scope: The caller's scope.
    """

    __slots__ = ("_scope", "_slack", "_watchdog")

    def __init__(self, scope: CallScope) -> None:
        self._scope = scope
        self._watchdog: Watchdog | None = None
        self._slack = 0.0

    def lead(self) -> None:
        """The provider is asked in this caller's name from now on."""
        self._slack = _SLACK

    async def wait(self, waiter: asyncio.Future[None], *, committed: bool, bounded: bool = True) -> None:
        """Wait for `waiter`.

        Args:
            waiter: What will be done.
            committed: Whether something of the answer has been delivered to this caller.
            bounded: False for the last wait of a whole answer, which no limit takes back.

        Raises:
            RejectedError: The caller's own deadline passed.
            ExecutorError: What a composite outside grants this target passed.
        """
        scope = self._scope
        scope.stopwatch.start()
        try:
            left = scope.until_deadline() if committed else scope.remaining()
            if left is None or not bounded:
                await waiter
                return
            if not committed:
                left += self._slack
            watchdog = self._watchdog = self._watchdog or Watchdog(scope.clock)
            watchdog.arm(scope.clock.now() + left)
            try:
                await waiter
            except asyncio.CancelledError:
                if watchdog.expired():
                    raise self._over(committed=committed) from None
                raise
            finally:
                watchdog.disarm()
        finally:
            scope.stopwatch.stop()

    def _over(self, *, committed: bool) -> LamellarError:
        if committed:
            return RejectedError(ErrorKind.DEADLINE, "the call's deadline passed while its answer was arriving")
        return self.exceeded()

    def exceeded(self) -> LamellarError:
        """The error of a caller whose time is over before anything was delivered."""
        scope = self._scope
        deadline, granted = scope.until_deadline(), scope.granted()
        if granted is None or (deadline is not None and deadline <= granted):
            within = "before the call's deadline" if scope.total is None else f"within the call's {scope.total:g} s"
            return RejectedError(ErrorKind.DEADLINE, f"no answer {within}")
        return ExecutorError(
            ErrorKind.TIMEOUT,
            "no answer within the time that is left for this target",
            code=scope.allowance_limit,
            failover=scope.allowance_limit != "deadline",
            counts_against_health=False,
        )

    def close(self) -> None:
        """No more waits."""
        if self._watchdog is not None:
            self._watchdog.close()
