"""Streams of a cache that are no flight's: a kept answer as events, and a stream that is noted down as it passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lamellar.call import Outcome
from lamellar.chat.events import Progress, StreamEvent
from lamellar.collect import Whole
from lamellar.replay import events_of
from lamellar.source import EventSource, Finish, InnerSource

if TYPE_CHECKING:
    from lamellar.chat.response import ChatResponse
    from lamellar.chat.usage import Usage
    from lamellar.stream import LlmEventStream

__all__ = ["KeptSource", "NotedSource"]


class KeptSource(EventSource):
    """A kept answer as the events of a stream, all of them there at once."""

    __slots__ = ("_response",)

    def __init__(self, response: ChatResponse) -> None:
        self._response = response

    async def read(self) -> Sequence[StreamEvent]:
        """The whole answer."""
        return events_of(self._response)

    def finish(self, finish: Finish) -> None:
        """Nothing is held."""

    @property
    def usage(self) -> Usage | None:
        """What the answer cost when it was made."""
        return self._response.usage


class NotedSource(InnerSource):
    """An inner stream, passed on as it is; its whole answer is handed to `keep` if it completes."""

    __slots__ = ("_keep", "_whole")

    def __init__(self, inner: LlmEventStream, keep: Callable[[ChatResponse], None]) -> None:
        super().__init__(inner)
        self._keep = keep
        self._whole = Whole()

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The inner stream's next events."""
        batch = await self.inner.read_batch()
        for event in batch:
            if not isinstance(event, Progress):
                self._whole.add(event)
        return batch

    def finish(self, finish: Finish) -> None:
        """The inner stream ends as this one did; what is whole is kept."""
        super().finish(finish)
        if finish.outcome is Outcome.COMPLETED:
            self._keep(self._whole.response(()))
