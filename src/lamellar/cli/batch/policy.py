"""When to wait with a line, when to give it up, and when to give up all of them."""

from __future__ import annotations

from ...errors import ErrorKind, ExecutorError, LamellarError, RejectedError

__all__ = ["Patience", "StopRule", "kind_of"]

_FOR_NOW = {ErrorKind.CIRCUIT_OPEN, ErrorKind.LIMITER_DEADLINE, ErrorKind.QUEUE_FULL, ErrorKind.POOL_EXHAUSTED}
"""Refusals that say: not now."""

_MISTAKES = {
    ErrorKind.UNAUTHORIZED,
    ErrorKind.PERMISSION_DENIED,
    ErrorKind.MODEL_NOT_FOUND,
    ErrorKind.QUOTA_EXHAUSTED,
    "ConfigError",
}
"""What goes wrong for every line in the same way, until somebody mends it."""

_TELLING = 10
"""After so many lines that all failed with the same mistake, there is no hope for the next."""

_FIRST, _LONGEST = 1.0, 60.0
"""Seconds of the first wait, and of the longest that nobody asked for."""


def kind_of(error: LamellarError) -> str:
    """What went wrong in a word: the kind, or the class of an error that has none."""
    return str(getattr(error, "kind", None) or type(error).__name__)


class Patience:
    """How long one line waits while the stack, or the provider's limit, says "not now".

    Without it an open circuit would turn every line that is left into a failure within seconds.

    Args:
        most: Seconds in all.
    """

    def __init__(self, most: float) -> None:
        self._left = most
        self._next = _FIRST

    def wait(self, error: LamellarError) -> float | None:
        """Seconds until the line is asked again; None when this error is its outcome."""
        hint = getattr(error, "retry_after", None)
        for_now = isinstance(error, RejectedError) and error.kind in _FOR_NOW
        limited = isinstance(error, ExecutorError) and error.kind is ErrorKind.RATE_LIMITED and hint is not None
        if not for_now and not limited:
            return None
        pause = max(self._next, hint or 0.0)
        if pause > self._left:
            return None
        self._left -= pause
        self._next = min(self._next * 2, _LONGEST)
        return pause


class StopRule:
    """Whether the run goes on after a failure.

    Args:
        most: Stop when this many lines have failed; None is no bound.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._failed = 0
        self._only: str | None = None
        self._hopeful = False

    def answered(self) -> None:
        """A line was answered: whatever goes wrong now, it does not go wrong for all."""
        self._hopeful = True

    def failed(self, error: LamellarError) -> str | None:
        """Why to stop after this failure, or None."""
        self._failed += 1
        kind = kind_of(error)
        if self._only not in (None, kind) or kind not in _MISTAKES:
            self._hopeful = True
        self._only = kind
        if not self._hopeful and self._failed >= _TELLING:
            return (
                f"the first {self._failed} lines all failed with {kind}; mend that, and run again with --retry-failed"
            )
        if self._most is not None and self._failed >= self._most:
            return f"{self._failed} lines failed, which is the bound of --max-failures"
        return None
