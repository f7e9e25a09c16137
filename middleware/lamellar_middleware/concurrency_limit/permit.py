"""A permit: one call under way, until it has ended in whatever way."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from lamellar.call import Outcome

if TYPE_CHECKING:
    from lamellar.source import Finish
    from lamellar.stream import LlmEventStream

    from .lane import Lane

__all__ = ["Permit"]


class Permit:
    """One of a lane's permits, given back once.

    Args:
        lane: Whose it is.
        epoch: The lane's epoch when it was given: a process that forked since has none of the calls of its parent.
        began: When it was given, where the limit adapts itself; else 0.
    """

    __slots__ = ("_loop", "_stream", "began", "epoch", "lane", "released", "slow")

    def __init__(self, lane: Lane, epoch: int, began: float) -> None:
        self.lane = lane
        self.epoch = epoch
        self.began = began
        self.released = False
        self.slow = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stream: weakref.ref[LlmEventStream] | None = None

    def succeeded(self) -> None:
        """A whole answer came."""
        self.lane.give_back(self, succeeded=True)

    def failed(self, error: BaseException) -> None:
        """No answer came."""
        self.lane.give_back(self, error=error)

    def follow(self, stream: LlmEventStream) -> None:
        """Hold the permit until the stream has ended, without keeping it alive."""
        self._loop = asyncio.get_running_loop()
        self._stream = weakref.ref(stream, self._collected)
        stream.on_finish(self._ended)

    def _ended(self, finish: Finish) -> None:
        self._stream = None
        self.lane.give_back(self, succeeded=finish.outcome is Outcome.COMPLETED, error=finish.error)

    def _collected(self, _: object) -> None:
        """The stream is gone, in whatever thread. Its loop finishes it; where that is gone too, nobody else would."""
        loop = self._loop
        if loop is None or loop.is_closed() or not loop.is_running():
            self.lane.give_back(self)
