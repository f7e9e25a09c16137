"""A whole answer out of the events of a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .accumulate import Accumulator
from .chat.content import reasoning_of
from .chat.events import End, Restart, Start, StreamEvent
from .chat.response import ChatResponse

if TYPE_CHECKING:
    from .call import AttemptRecord

__all__ = ["Whole"]


class Whole:
    """A `ChatResponse` out of events."""

    def __init__(self, start: Start | None = None) -> None:
        self._gathered = Accumulator()
        self._start = start or Start(model="", provider="")
        self._end = End()

    def add(self, event: StreamEvent) -> None:
        """Take one event."""
        if isinstance(event, Start):
            self._start = event
        elif isinstance(event, End):
            self._end = event
        else:
            if isinstance(event, Restart):
                provider = event.provider or self._start.provider
                self._start = replace(self._start, model=event.model, target=event.target, provider=provider)
            self._gathered.add(event)

    def response(self, attempts: tuple[AttemptRecord, ...]) -> ChatResponse:
        """The answer as far as it has come."""
        start, end = self._start, self._end
        content = end.content if end.content is not None else self._gathered.parts()
        return ChatResponse(
            content=content,
            reasoning_content=reasoning_of(content),
            model=start.model,
            provider=start.provider,
            provider_model=end.provider_model or start.provider_model,
            stop_reason=end.stop_reason,
            usage=end.usage,
            response_id=end.response_id or start.response_id,
            raw=end.raw,
            attempts=attempts,
            cached=start.cached,
        )
