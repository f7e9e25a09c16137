"""The tries that were made below one plate in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamellar.call import AttemptRecord
    from lamellar.scope import CallScope

__all__ = ["Tally"]


class Tally:
    """Begins with a call, and shows what was tried since.

    Args:
        scope: The call's scope.
        target: The name of the target that the plate stands in, or None outside of any.
    """

    __slots__ = ("_before", "_scope", "_target")

    def __init__(self, scope: CallScope, target: str | None) -> None:
        self._scope = scope
        self._target = target
        self._before = len(scope.attempts)

    def records(self) -> tuple[AttemptRecord, ...]:
        """The tries since then, in order."""
        since = self._scope.attempts[self._before :]
        if self._target is None:
            return since
        # The log is the whole call's: another target may have been asked at the same time, by a hedge.
        inside = f"{self._target}/"
        ours = tuple([each for each in since if each.target == self._target or each.target.startswith(inside)])
        return ours or since  # a stack that stands in the leaf's place names its own targets
