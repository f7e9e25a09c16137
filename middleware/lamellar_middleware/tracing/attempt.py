"""One attempt: a span beneath its call's, current while the provider is waited for."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from lamellar.call import Outcome
from lamellar.chat.events import Start

from .attributes import Ending, Place, Tokens, provider_name
from .inference import Inference
from .names import (
    ATTEMPT_BACKOFF,
    ATTEMPT_INPUT_TOKENS,
    ATTEMPT_KIND,
    ATTEMPT_MODEL,
    ATTEMPT_NUMBER,
    ATTEMPT_OUTPUT_TOKENS,
    ATTEMPT_PROVIDER,
    ATTEMPT_REQUEST_ID,
    ATTEMPT_TARGET,
    ERROR_TYPE,
    FALLBACK_INDEX,
    HTTP_STATUS,
    RATELIMIT_WAIT,
    SERVER_ADDRESS,
    SERVER_PORT,
    STREAM_OUTCOME,
)
from .spans import Current, end_span, harmless, start_span, within

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from lamellar.chat.events import End
    from lamellar.chat.response import ChatResponse
    from lamellar.clock import Clock
    from lamellar.live import LiveAttempt
    from lamellar.observer import LeafCall

    from .attributes import Attributes
    from .call import CallTrace
    from .kit import Kit

__all__ = ["AttemptKinds", "AttemptTrace", "InsideTrace", "Tried"]

_UNKNOWN = "_OTHER"
"""The conventions' word for an error without a kind."""


class Tried:
    """What a call keeps of an attempt.

    Args:
        target: The name of the target.
        place: Who was asked, and where.
    """

    __slots__ = ("outcome", "place", "target")

    def __init__(self, target: str, place: Place) -> None:
        self.target = target
        self.place = place
        self.outcome: Outcome | None = None


class AttemptTrace:
    """Watches one attempt.

    Args:
        kit: What is recorded with.
        live: The attempt; it is not kept.
        call: What the leaf is asked; None for an attempt that was refused. It is not kept.
        kind: ``initial``, ``retry`` or ``fallback``.
        clock: Where the durations come from.
        owner: The span it lies beneath: the call's, or that of the attempt that a whole stack runs in.
        context: The owner's context.
        trace: The call that counts it, or None for an attempt inside another.
    """

    __slots__ = (
        "_clock",
        "_current",
        "_inference",
        "_kind",
        "_kit",
        "_over",
        "_streaming",
        "_trace",
        "counted_inside",
        "span",
        "tried",
    )

    def __init__(
        self,
        kit: Kit,
        live: LiveAttempt,
        call: LeafCall | None,
        kind: str,
        clock: Clock,
        *,
        owner: Span | None,
        context: Context | None,
        trace: CallTrace | None,
    ) -> None:
        self._kit = kit
        self._kind = kind
        self._clock = clock
        self._trace = trace
        self._streaming = call is not None and call.streaming
        self._over = False
        self.counted_inside = False
        """Whether a Tracing layer inside the leaf has counted the tokens already."""
        self.tried = Tried(live.target, Place.of(call.leaf) if call is not None else Place(None))
        self._inference: Inference | None = None
        facts: Attributes = {ATTEMPT_NUMBER: live.number, ATTEMPT_KIND: kind, ATTEMPT_TARGET: live.target}
        if live.target_index is not None:
            facts[FALLBACK_INDEX] = live.target_index
        parent = within(owner, context) if kit.tracer is not None else None
        if kit.each_attempt and call is not None and trace is not None:
            self._inference = Inference(
                kit,
                live.model,
                call.chat_req,
                call.options,
                streaming=call.streaming,
                place=self.tried.place,
                clock=clock,
                parent=parent,
                facts=facts,
            )
            self.span, self._current = self._inference.span, self._inference.current
        else:
            self.span = None
            if kit.tracer is not None:
                self.span = start_span(kit.tracer, f"attempt {live.target}", SpanKind.INTERNAL, facts, parent)
                if self.span is not None and self.span.is_recording():
                    self.span.set_attributes(self._asked(live))
            self._current = Current(self.span, parent)

    def _asked(self, live: LiveAttempt) -> Attributes:
        """Who is asked, under names of ours: a backend would take the conventions' for another inference."""
        told: Attributes = {ATTEMPT_PROVIDER: live.provider, ATTEMPT_MODEL: live.model}
        if self.tried.place.host is not None and self.tried.place.port is not None:
            told[SERVER_ADDRESS] = self.tried.place.host
            told[SERVER_PORT] = self.tried.place.port
        return told

    @property
    def context(self) -> Context | None:
        """Where what it makes lies; None without a tracer."""
        return self._current.context

    def __enter__(self) -> None:
        self._current.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._current.__exit__(kind, error, traceback)

    def inside(self) -> InsideTrace:
        """Who watches a stack that runs inside the leaf."""
        return InsideTrace(self._kit, self, self._clock)

    @harmless
    def note(self, name: str, value: str | bool | float) -> None:
        """A fact of a stack that runs inside the leaf."""
        if not self._over and self.span is not None and self.span.is_recording():
            self.span.set_attribute(name, value)

    @harmless
    def ended(self, live: LiveAttempt, answer: ChatResponse | End | None) -> None:
        """The attempt is over."""
        if self._over:
            return
        self._over = True
        self.tried.outcome = live.outcome
        tokens = Tokens()
        if live.inner:  # the leaf is a stack: its tries stand for this one
            inner = live.records()
            for each in inner:
                tokens.add(each.usage)
            self.tried.place = Place(provider_name(inner[-1].provider))
        else:
            tokens.add(live.usage)
        counted = Tokens() if self.counted_inside else tokens
        error = _error_of(live)
        facts = self._facts(live)
        if self._inference is not None:
            committed = live.first_content is not None
            start = Start(live.model, live.provider, target=live.target) if committed else None
            ending = Ending(live.outcome or Outcome.FAILED, error, answer, start, self.tried.place, live.first_content)
            self._inference.end(ending, facts, tokens, counted, None if answer is None else answer.content)
        else:
            for name, count in ((ATTEMPT_INPUT_TOKENS, tokens.input), (ATTEMPT_OUTPUT_TOKENS, tokens.output)):
                if count is not None:
                    facts[name] = count
            if error is not None:
                facts[ERROR_TYPE] = error
            end_span(self.span, facts, error)
        if self._trace is not None:
            self._record(live, error)
            self._trace.billed(self.tried, live.model, tokens, counted)

    def _facts(self, live: LiveAttempt) -> Attributes:
        """What the record says."""
        told: Attributes = {}
        if self._streaming and live.outcome is not None:
            told[STREAM_OUTCOME] = str(live.outcome)
        if live.status is not None:
            told[HTTP_STATUS] = live.status
        if live.request_id is not None:
            told[ATTEMPT_REQUEST_ID] = live.request_id
        if live.waited > 0:
            told[RATELIMIT_WAIT] = live.waited
        if live.backoff > 0:
            told[ATTEMPT_BACKOFF] = live.backoff
        return told

    @harmless
    def _record(self, live: LiveAttempt, error: str | None) -> None:
        if self._kit.meters is not None:
            self._kit.meters.attempted(live.target, self._kind, error, live.waited)


class InsideTrace:
    """Watches the tries of a stack that runs inside a leaf: they lie beneath the attempt at that leaf.

    Args:
        kit: What is recorded with.
        attempt: The attempt at the leaf.
        clock: Where the durations come from.
    """

    __slots__ = ("_attempt", "_clock", "_kinds", "_kit")

    def __init__(self, kit: Kit, attempt: AttemptTrace, clock: Clock) -> None:
        self._kit = kit
        self._attempt = attempt
        self._clock = clock
        self._kinds = AttemptKinds()

    def attempt_began(self, live: LiveAttempt, call: LeafCall | None) -> AttemptTrace:
        """A try begins."""
        kind = self._kinds.of(live.target)
        outer = self._attempt
        return AttemptTrace(
            self._kit, live, call, kind, self._clock, owner=outer.span, context=outer.context, trace=None
        )

    def note(self, name: str, value: str | bool | float) -> None:
        """A fact of the stack inside."""
        self._attempt.note(name, value)

    def counts_for_itself(self) -> None:
        """A Tracing layer inside counts the tokens."""
        self._attempt.counted_inside = True


class AttemptKinds:
    """Why an attempt is made: the first of a call, again at the same target, or at another."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: str | None = None

    def of(self, target: str) -> str:
        """The kind of the next attempt."""
        kind = "initial" if self._last is None else "retry" if target == self._last else "fallback"
        self._last = target
        return kind


def _error_of(live: LiveAttempt) -> str | None:
    """The kind of an attempt's failure; None for what is no failure."""
    if live.outcome is Outcome.CANCELLED:
        return str(live.outcome)
    if live.outcome in (Outcome.COMPLETED, Outcome.ABANDONED):
        return None
    return _UNKNOWN if live.kind is None else str(live.kind)
