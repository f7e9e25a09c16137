"""What one call has, whichever view of its scope is looked through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .stopwatch import Stopwatch

if TYPE_CHECKING:
    import random

    from .call import CallContext
    from .clock import Clock
    from .live import LiveAttempt

__all__ = ["CallRecord"]


class CallRecord:
    """What every narrowed view of one call's scope has in common."""

    __slots__ = ("backoff", "branch", "call_key", "clock", "context", "log", "rng", "stopwatch", "streaming", "waited")

    def __init__(self, clock: Clock, rng: random.Random, context: CallContext | None, streaming: bool) -> None:
        self.clock = clock
        self.rng = rng
        self.context = context
        self.streaming = streaming
        self.stopwatch = Stopwatch(clock)
        self.log: list[LiveAttempt] = []
        self.branch: list[LiveAttempt] | None = None
        """The tries of this line of work, where several run at the same time; None where all are its own."""
        self.waited = 0.0
        self.backoff = 0.0
        self.call_key: str | None = None

    @property
    def tries(self) -> list[LiveAttempt]:
        """Those among which "the last one" is looked for."""
        return self.log if self.branch is None else self.branch
