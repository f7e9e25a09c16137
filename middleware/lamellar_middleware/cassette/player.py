"""Replay at work: a leaf that answers out of a cassette."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic_core import PydanticSerializationError

from lamellar.call import Outcome
from lamellar.chat.events import Start, StreamEvent
from lamellar.collect import Whole
from lamellar.errors import ConfigError
from lamellar.replay import events_of
from lamellar.source import EventSource, Finish
from lamellar.stream import LlmEventStream

from ..told import ToldSource
from .codec import answer_from
from .request import asked

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.chat.usage import Usage
    from lamellar.clock import Clock

    from .library import Library, Recording

__all__ = ["ReplayExecutor"]


class ReplayExecutor:
    """Answers from recordings.

    Args:
        name: What it is called.
        library: The recordings.
        clock: What their times are measured on.
        timing: Whether they take the time that they took.
    """

    def __init__(self, name: str, library: Library, clock: Clock, *, timing: bool) -> None:
        self._name = name
        self._library = library
        self._clock = clock
        self._timing = timing

    @property
    def name(self) -> str:
        """The executor's name."""
        return self._name

    @property
    def state_key(self) -> str:
        """Under which name its state is shown."""
        return "replay"

    def state(self) -> dict[str, JsonValue]:
        """How many recordings there are, and how many of them were played."""
        return {"recordings": len(self._library), "played": self._library.played}

    def reset(self) -> None:
        """Wind back: none of them has been played."""
        self._library.rewind()

    async def exec_chat_response(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> ChatResponse:
        """The answer that was recorded; of a stream, what it came to."""
        found = self._find(model, chat_req, options, streaming=False)
        if self._timing:
            await self._clock.sleep(found.took)
        if found.error is None and found.outcome not in (None, Outcome.COMPLETED):
            raise _left_early(found)
        _raise_failure(found)
        if found.response is not None:
            return answer_from(found.response, model, self._name)
        whole = Whole()
        for _, event in found.events:
            whole.add(replace(event, model=model, provider=self._name) if isinstance(event, Start) else event)
        return whole.response(())

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        """The stream that was recorded; of a whole answer, its events."""
        found = self._find(model, chat_req, options, streaming=True)
        if found.outcome is not None:
            return LlmEventStream(_PlayedSource(found, self._clock if self._timing else None))
        if self._timing:
            await self._clock.sleep(found.took)
        _raise_failure(found)
        answer = answer_from(found.response, model, self._name)
        return LlmEventStream(ToldSource(events_of(answer), answer.usage))

    def _find(self, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, streaming: bool) -> Recording:
        try:
            said = asked(model, chat_req, options, self._library.scrubber)
        except (PydanticSerializationError, ValueError) as error:
            raise ConfigError(f"this request cannot be written as JSON, so no cassette knows it: {error}") from None
        return self._library.take(said, streaming=streaming)

    def __repr__(self) -> str:
        return f"ReplayExecutor(name={self._name!r}, played={self._library.played} of {len(self._library)})"


def _raise_failure(recording: Recording) -> None:
    failure = recording.failure()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # or the error would hold this frame, and the frame the error


def _left_early(recording: Recording) -> ConfigError:
    """What there is to say where a recording ends before its answer does."""
    return ConfigError(
        f"the stream on line {recording.line} of the cassette was {recording.outcome} after {len(recording.events)} "
        "events, so the rest of it is not known; record it again to its end"
    )


class _PlayedSource(EventSource):
    """A recorded stream, event by event; with a clock, at its own pace."""

    __slots__ = ("_at", "_clock", "_events", "_recording")

    def __init__(self, recording: Recording, clock: Clock | None) -> None:
        self._recording = recording
        self._events = deque(recording.events)
        self._clock = clock
        self._at = 0.0

    async def read(self) -> Sequence[StreamEvent]:
        """The next event."""
        if self._events:
            at, event = self._events.popleft()
            await self._until(at)
            return (event,)
        await self._until(self._recording.took)
        _raise_failure(self._recording)
        raise _left_early(self._recording)

    async def _until(self, at: float) -> None:
        if self._clock is not None and at > self._at:
            await self._clock.sleep(at - self._at)
            self._at = at

    def finish(self, finish: Finish) -> None:
        """What was not played is let go."""
        self._events.clear()

    @property
    def usage(self) -> Usage | None:
        """What was known of its tokens when it broke."""
        return self._recording.usage
