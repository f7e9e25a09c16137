"""How a stream ends: decided once, told to everybody, and by whom it is told when nobody closed it."""

from __future__ import annotations

import asyncio
import logging
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from .call import Outcome
from .clock import Interruption
from .source import EventSource, Finish, FinishCallback

if TYPE_CHECKING:
    from .scope import CallScope
    from .stream import LlmEventStream

__all__ = ["StreamCore", "collected", "run_callback"]

_logger = logging.getLogger("lamellar.stream")


class StreamCore:
    """What outlives the consumer's handle: the source, the callbacks and the outcome."""

    __slots__ = ("callbacks", "finalizer", "finish", "interruption", "reading", "scope", "source")

    def __init__(self, source: EventSource) -> None:
        self.source = source
        self.callbacks: list[FinishCallback] | None = []
        self.finish: Finish | None = None
        self.interruption = Interruption()
        self.reading = False
        self.scope: CallScope | None = None
        self.finalizer: (
            weakref.finalize[[weakref.ref[asyncio.AbstractEventLoop], StreamCore], LlmEventStream] | None
        ) = None

    def end(self, finish: Finish) -> None:
        """Decide how the stream ended; the first decision stands."""
        if self.finish is not None:
            return
        self.finish = finish
        if self.finalizer is not None:
            self.finalizer.detach()
            self.finalizer = None
        callbacks, self.callbacks = self.callbacks or (), None
        interrupt: BaseException | None = None
        for callback in (self.source.finish, *callbacks):
            try:
                run_callback(callback, finish)
            except BaseException as error:  # an interrupt: everybody is told first
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def abandon(self) -> None:
        """Nobody holds the stream any more."""
        self.end(Finish(Outcome.ABANDONED))


def run_callback(callback: FinishCallback, finish: Finish) -> None:
    """Call one callback; what it raises is logged, and stops nobody."""
    try:
        callback(finish)
    except Exception:
        _logger.exception("a finish callback failed")


def collected(loop: weakref.ref[asyncio.AbstractEventLoop], core: StreamCore) -> None:
    """The handle was garbage-collected, in whatever thread: hand the farewell to its loop, and do nothing else."""
    alive = loop()
    if alive is not None and not alive.is_closed():
        with suppress(RuntimeError):  # closed meanwhile
            alive.call_soon_threadsafe(core.abandon)
