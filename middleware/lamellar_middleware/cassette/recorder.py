"""Record at work: every call on its way back is written down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lamellar.accumulate import Accumulator
from lamellar.call import Outcome
from lamellar.chat.events import Progress, StreamEvent
from lamellar.errors import ExecutorError, RejectedError, StreamInterruptedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT, respond
from lamellar.source import Finish, InnerSource
from lamellar.stream import LlmEventStream

from .codec import answer_data, error_data, event_data
from .request import asked

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.clock import Clock
    from lamellar.executor import LlmExecutor

    from .scrubbing import Scrubber, TimedEvent
    from .writer import CassetteWriter

__all__ = ["RecordExecutor"]

_logger = logging.getLogger("lamellar.record")


class RecordExecutor(ExecutorWrapper):
    """Writes what goes through it to a cassette.

    Args:
        inner: The executor to wrap.
        writer: Where the lines go.
        scrubber: What keeps secrets out of them.
        clock: What times are measured on.
        timing: Whether they are written.
    """

    def __init__(
        self, inner: LlmExecutor, writer: CassetteWriter, scrubber: Scrubber, clock: Clock, *, timing: bool
    ) -> None:
        super().__init__(inner)
        self.writer = writer
        self.scrubber = scrubber
        self.clock = clock
        self.timing = timing

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        tape = _Tape(self, model, chat_req, options, streaming=operation is not respond)
        try:
            result = await operation(self.inner, model, chat_req, options)
        except (ExecutorError, RejectedError) as error:
            tape.failed(error)
            raise
        if not isinstance(result, LlmEventStream):
            tape.answered(result)
            return result
        tape.got()
        stream = LlmEventStream(_TapedSource(result, tape))
        await stream.ready()
        return stream  # type: ignore[return-value]


class _Tape:
    """What is to be written of one call."""

    __slots__ = ("_chat_req", "_layer", "_model", "_options", "_streaming", "_waiting_since", "events", "waited")

    def __init__(
        self,
        layer: RecordExecutor,
        model: str,
        chat_req: ChatRequest,
        options: ChatOptions | None,
        *,
        streaming: bool,
    ) -> None:
        self._layer = layer
        self._model = model
        self._chat_req = chat_req
        self._options = options
        self._streaming = streaming
        self._waiting_since = layer.clock.now()
        self.waited = 0.0
        self.events: list[TimedEvent] = []

    def waits(self) -> None:
        """A wait begins."""
        self._waiting_since = self._layer.clock.now()

    def got(self, batch: Sequence[StreamEvent | Progress] = ()) -> None:
        """The wait is over."""
        self.waited += self._layer.clock.now() - self._waiting_since
        self.events += [(self.waited, event) for event in batch if not isinstance(event, Progress)]

    def answered(self, response: ChatResponse) -> None:
        """A whole answer came."""
        self.got()
        self._write(lambda scrubber: {"response": answer_data(response, scrubber)})

    def failed(self, error: ExecutorError | RejectedError) -> None:
        """The call failed."""
        self.got()
        self._write(lambda scrubber: {"error": error_data(error, scrubber)})

    def failure_of(self, error: ExecutorError | RejectedError) -> dict[str, JsonValue]:
        """What broke a stream, as it is written: the error itself would hold the stream."""
        cause = error.cause if isinstance(error, StreamInterruptedError) else error
        known = cause if isinstance(cause, ExecutorError | RejectedError) else error
        return error_data(known, self._layer.scrubber)

    def streamed(self, outcome: Outcome, failure: dict[str, JsonValue] | None, usage: dict[str, JsonValue]) -> None:
        """A stream ended."""
        timing = self._layer.timing

        def told(scrubber: Scrubber) -> dict[str, JsonValue]:
            whole = Accumulator()
            for _, event in self.events:
                whole.add(event)
            parts = whole.parts()
            events: list[JsonValue] = [
                {**({"at": round(at, 6)} if timing else {}), **event_data(event, scrubber, parts)}
                for at, event in scrubber.events(self.events)
            ]
            found: dict[str, JsonValue] = {"outcome": str(outcome), "events": events}
            if failure is not None:
                found["error"] = failure
            return {**found, **({"usage": usage} if usage and outcome is not Outcome.COMPLETED else {})}

        self._write(told)

    def _write(self, told: Callable[[Scrubber], dict[str, JsonValue]]) -> None:
        layer = self._layer
        try:
            line = {
                **asked(self._model, self._chat_req, self._options, layer.scrubber),
                "streaming": self._streaming,
                **({"took": round(self.waited, 6)} if layer.timing else {}),
                **told(layer.scrubber),
            }
            layer.writer.write(line)
        except Exception:
            _logger.exception("a call could not be written to its cassette")


class _TapedSource(InnerSource):
    """An inner stream, passed on as it is and noted down."""

    __slots__ = ("_failure", "_tape")

    def __init__(self, inner: LlmEventStream, tape: _Tape) -> None:
        super().__init__(inner)
        self._tape = tape
        self._failure: dict[str, JsonValue] | None = None

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The inner stream's next events."""
        tape = self._tape
        tape.waits()
        try:
            batch = await self.inner.read_batch()
        except (ExecutorError, RejectedError) as error:
            tape.got()
            self._failure = tape.failure_of(error)
            raise
        tape.got(batch)
        return batch

    def finish(self, finish: Finish) -> None:
        """The inner stream ends as this one did, and its line is written."""
        usage = self.inner.usage
        super().finish(finish)
        outcome = finish.outcome
        if outcome is Outcome.FAILED and self._failure is None:
            outcome = Outcome.ABANDONED  # a layer outside failed: seen from here, it left
        said = usage.model_dump(mode="json", exclude_defaults=True) if usage is not None else {}
        self._tape.streamed(outcome, self._failure, said)
