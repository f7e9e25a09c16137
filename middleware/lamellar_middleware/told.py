"""A stream whose answer is whole before it begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lamellar.chat.events import End, Start, StreamEvent
from lamellar.replay import events_of
from lamellar.source import EventSource, Finish

if TYPE_CHECKING:
    from lamellar.chat.response import ChatResponse
    from lamellar.chat.usage import Usage
    from lamellar.clock import Clock

__all__ = ["ToldSource", "events_at"]


def events_at(response: ChatResponse, target: str | None) -> list[StreamEvent]:
    """The events of a whole answer, which `target` gave."""
    start, *others = events_of(response)
    return [replace(start, target=target) if isinstance(start, Start) else start, *others]


class ToldSource(EventSource):
    """Events that are all known, told at once or at leisure.

    Args:
        events: The events, from `Start` to `End`.
        usage: What the answer cost.
        clock: What `delay` is measured on.
        delay: Seconds between two of them, `Start` and `End` not counted.
    """

    __slots__ = ("_began", "_clock", "_delay", "_events", "_usage")

    def __init__(
        self, events: Iterable[StreamEvent], usage: Usage | None, *, clock: Clock | None = None, delay: float = 0.0
    ) -> None:
        self._events = deque(events)
        self._usage = usage
        self._clock = clock
        self._delay = delay
        self._began = False

    async def read(self) -> Sequence[StreamEvent]:
        """The next event at its time; all of them where they are not told at leisure."""
        if not self._delay or self._clock is None:
            batch = list(self._events)
            self._events.clear()
            return batch
        if self._began:
            await self._clock.sleep(self._delay)
        self._began = True
        batch = []
        while self._events:
            batch.append(self._events.popleft())
            if batch[-1].__class__ is not Start and not (self._events and isinstance(self._events[0], End)):
                break
        return batch

    def finish(self, finish: Finish) -> None:
        """What was not told is let go."""
        self._events.clear()

    @property
    def usage(self) -> Usage | None:
        """What the answer cost."""
        return self._usage
