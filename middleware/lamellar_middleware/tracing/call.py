"""One call: its span, what is learned of it while it runs, and how it ended.

It observes the tries below it (`lamellar.observer`), and it is ended by the call itself or by the finish callback of
its stream. A try may begin after that, where others still wait for the answer (a cache's single flight): it gets a
span of its own, and nothing is written to one that has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from lamellar.accumulate import Accumulator
from lamellar.call import Outcome
from lamellar.chat.events import End

from .attempt import AttemptKinds, AttemptTrace, Tried
from .attributes import Ending, Place, Tokens, error_type, outcome_of, provider_name, start_of
from .inference import Inference
from .names import CACHE_HIT, ERROR_TYPE, RATELIMIT_WAIT, STREAM_OUTCOME
from .spans import Current, end_span, harmless, start_span

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from lamellar.chat.content import ContentPart
    from lamellar.chat.events import Start
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.clock import Clock
    from lamellar.live import LiveAttempt
    from lamellar.observer import LeafCall
    from lamellar.source import Finish
    from lamellar.stream import LlmEventStream

    from .attributes import Attributes
    from .kit import Kit

__all__ = ["CallTrace", "PartTrace"]


class CallTrace:
    """Watches one call.

    Args:
        kit: What is recorded with.
        model: The model the caller asks.
        chat_req: The request; it is not kept.
        options: The caller's options; they are not kept.
        streaming: Whether a stream is asked.
        clock: Where the durations come from.
    """

    __slots__ = (
        "_billed",
        "_cached",
        "_clock",
        "_counted",
        "_current",
        "_first_chunk",
        "_inference",
        "_kinds",
        "_kit",
        "_over",
        "_span",
        "_start",
        "_streaming",
        "_tried",
        "_waited",
        "gathered",
    )

    def __init__(
        self,
        kit: Kit,
        model: str,
        chat_req: ChatRequest,
        options: ChatOptions | None,
        *,
        streaming: bool,
        clock: Clock,
    ) -> None:
        self._kit = kit
        self._streaming = streaming
        self._clock = clock
        self._inference: Inference | None = None
        if kit.each_attempt:
            self._span = None
            if kit.tracer is not None:
                self._span = start_span(kit.tracer, f"call {model}", SpanKind.INTERNAL, {}, None)
            self._current = Current(self._span)
        else:
            self._inference = Inference(
                kit, model, chat_req, options, streaming=streaming, place=kit.place, clock=clock
            )
            self._span, self._current = self._inference.span, self._inference.current
        self._kinds = AttemptKinds()
        self._tried: list[Tried] = []
        self._billed = Tokens()
        self._counted = Tokens()
        self._cached: bool | None = None
        self._waited = 0.0
        self._start: Start | None = None
        self._first_chunk: float | None = None
        self._over = False
        self.gathered: Accumulator | None = None
        """What came of a stream's content, where that is recorded."""

    def current(self) -> Current:
        """Makes the call's span current."""
        return self._current

    @property
    def span(self) -> Span | None:
        """The call's span; None without a tracer."""
        return self._span

    @property
    def wants_content(self) -> bool:
        """Whether the content of a stream is to be gathered."""
        recording = self._span is not None and self._span.is_recording()
        return recording and self._inference is not None and self._kit.content is not None

    # -- what is learned while it runs --------------------------------------------------------------------------

    def attempt_began(self, live: LiveAttempt, call: LeafCall | None) -> AttemptTrace:
        """A try begins."""
        attempt = AttemptTrace(
            self._kit,
            live,
            call,
            self._kinds.of(live.target),
            self._clock,
            owner=self._span,
            context=self._current.context,
            trace=self,
        )
        if not self._over:
            self._tried.append(attempt.tried)
        return attempt

    def billed(self, tried: Tried, model: str, billed: Tokens, counted: Tokens) -> None:
        """A try is over.

        Args:
            tried: The try.
            model: The model it asked.
            billed: What it cost.
            counted: What of it is to be counted here.
        """
        if not self._over:
            self._billed.merge(billed)
            self._counted.merge(counted)
        elif self._inference is not None:
            self._inference.count(tried.place, model, counted)

    @harmless
    def note(self, name: str, value: str | bool | float) -> None:
        """A layer tells a fact of this call."""
        if name == RATELIMIT_WAIT:
            value = self._waited = self._waited + float(value)  # each try may have waited
        if name == CACHE_HIT:
            self._cached = bool(value)
        elif self._span is not None and self._span.is_recording():
            self._span.set_attribute(name, value)

    def committed(self, stream: LlmEventStream) -> None:
        """A stream is ready, and nothing of it has been read."""
        self._start = start_of(stream)
        if self._inference is not None:
            self._first_chunk = self._inference.elapsed()

    def chunk_attributes(self) -> Attributes | None:
        """What the points of a stream's chunks are told by; None where they are not wanted."""
        if self._inference is None or self._kit.meters is None or not self._kit.per_chunk:
            return None
        ending = self._ending(Outcome.COMPLETED, None, None)
        return self._inference.metric_attributes(ending.place, ending.response_model)

    # -- how it ended -------------------------------------------------------------------------------------------

    def answered(self, response: ChatResponse) -> None:
        """The whole answer is there."""
        self._end(Outcome.COMPLETED, None, response, response.content)

    def failed(self, error: BaseException) -> None:
        """The call raises `error`."""
        self._end(outcome_of(error), error, None, None)

    def ended(self, finish: Finish) -> None:
        """The stream has ended."""
        gathered, self.gathered = self.gathered, None
        content = None if gathered is None else gathered.parts()
        if finish.end is not None and finish.end.content is not None:
            content = finish.end.content
        self._end(finish.outcome, finish.error, finish.end, content)

    @harmless
    def _end(
        self,
        outcome: Outcome,
        error: BaseException | None,
        answer: ChatResponse | End | None,
        content: tuple[ContentPart, ...] | None,
    ) -> None:
        if self._over:  # an interrupt between the last line of the call and its return
            return
        self._over = True
        kind = error_type(outcome, error)
        ending = self._ending(outcome, kind, answer, getattr(error, "target", None))
        cached = self._start.cached if self._start is not None else getattr(answer, "cached", False)
        if cached:
            self._cached = True
        elif not self._tried and answer is not None:  # an executor outside of a stack, which keeps no record
            self._billed.add(answer.usage)
            self._counted = self._billed
        facts: Attributes = {} if self._cached is None else {CACHE_HIT: self._cached}
        if self._streaming:
            facts[STREAM_OUTCOME] = str(outcome)
        if self._inference is not None:
            self._inference.end(ending, facts, self._billed, self._counted, content)
        else:
            end_span(self._span, facts if kind is None else {**facts, ERROR_TYPE: kind}, kind)
        meters = self._kit.meters
        if meters is not None:
            if self._cached is not None:
                meters.looked_up(self._cached)
            if outcome is Outcome.FAILED and self._start is not None:
                meters.interrupted(kind)

    def _ending(
        self, outcome: Outcome, kind: str | None, answer: ChatResponse | End | None, target: str | None = None
    ) -> Ending:
        answerer = self._answerer(outcome, target)
        place = self._kit.place if answerer is None else answerer.place
        if answerer is None:  # an answer that was kept, or one of an executor that keeps no record
            told = self._start if answer is None or isinstance(answer, End) else answer
            if told is not None and provider_name(told.provider) != place.provider:
                place = Place(provider_name(told.provider))
        return Ending(outcome, kind, answer, self._start, place, self._first_chunk)

    def _answerer(self, outcome: Outcome, target: str | None) -> Tried | None:
        """The try that answered, or whose failure was decisive; else the last one."""
        for each in reversed(self._tried):
            if each.target == target if target is not None else each.outcome is outcome:
                return each
        return self._tried[-1] if self._tried else None


class PartTrace:
    """The part of a call below a second Tracing layer: a plain span, for what there is to count is counted outside.

    Args:
        kit: What is recorded with.
        model: The model that part is asked.
        outer: The call it is a part of.
        streaming: Whether a stream is asked.
    """

    __slots__ = ("_span", "_streaming", "current")

    def __init__(self, kit: Kit, model: str, outer: CallTrace, *, streaming: bool) -> None:
        self._streaming = streaming
        self._span = None
        if kit.tracer is not None:
            self._span = start_span(kit.tracer, f"call {model}", SpanKind.INTERNAL, {}, None)
        self.current = Current(self._span, owner=outer.span)

    def failed(self, error: BaseException) -> None:
        """The part raises `error`."""
        self._end(outcome_of(error), error)

    def ended(self, finish: Finish) -> None:
        """The answer is over."""
        self._end(finish.outcome, finish.error)

    def _end(self, outcome: Outcome, error: BaseException | None) -> None:
        kind = error_type(outcome, error)
        facts: Attributes = {} if kind is None else {ERROR_TYPE: kind}
        if self._streaming:
            facts[STREAM_OUTCOME] = str(outcome)
        end_span(self._span, facts, kind)
