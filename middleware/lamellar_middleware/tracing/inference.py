"""One inference: its span and the points of its metrics, made from the same facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from .attributes import finish_reasons, identity_attributes, request_attributes
from .names import OPERATION
from .spans import Current, end_span, harmless, start_span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.context import Context

    from lamellar.chat.content import ContentPart
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.clock import Clock

    from .attributes import Attributes, Ending, Place, Tokens
    from .kit import Kit

__all__ = ["Inference"]


class Inference:
    """One inference, from its beginning to its end.

    Args:
        kit: What is recorded with.
        model: The model that is asked.
        chat_req: The request; it is not kept.
        options: The options; they are not kept.
        streaming: Whether a stream is asked.
        place: Who will answer, as far as that is known.
        clock: Where the durations come from.
        parent: The context the span lies in; None is the current one.
        facts: What is recorded besides, from the start.
    """

    __slots__ = ("_began", "_clock", "_kit", "_model", "_place", "current", "span")

    def __init__(
        self,
        kit: Kit,
        model: str,
        chat_req: ChatRequest,
        options: ChatOptions | None,
        *,
        streaming: bool,
        place: Place,
        clock: Clock,
        parent: Context | None = None,
        facts: Attributes | None = None,
    ) -> None:
        self._kit = kit
        self._model = model
        self._place = place
        self._clock = clock
        self._began = clock.now()
        self.span = None
        if kit.tracer is not None:
            told = identity_attributes(kit.names, model, place)
            self.span = start_span(
                kit.tracer, f"{OPERATION} {model}", SpanKind.CLIENT, {**told, **(facts or {})}, parent
            )
            if self.span is not None and self.span.is_recording():
                self.span.set_attributes(request_attributes(kit.names, options, streaming=streaming))
                if kit.content is not None:
                    self.span.set_attributes(kit.content.of_request(chat_req))
        self.current = Current(self.span, parent)

    def elapsed(self) -> float:
        """Seconds since it began."""
        return self._clock.now() - self._began

    def end(
        self,
        ending: Ending,
        facts: Attributes,
        billed: Tokens,
        counted: Tokens,
        content: Iterable[ContentPart] | None = None,
    ) -> None:
        """It is over.

        Args:
            ending: How.
            facts: What is recorded on the span besides.
            billed: Its tokens.
            counted: Those of them that are points of a metric here, and nowhere else.
            content: What came of the answer.
        """
        seconds = self.elapsed()
        self._end_span(ending, facts, billed, content)
        self._record(ending, seconds, counted)

    def _end_span(
        self, ending: Ending, facts: Attributes, billed: Tokens, content: Iterable[ContentPart] | None
    ) -> None:
        span, names = self.span, self._kit.names
        if span is None or not span.is_recording():
            end_span(span, {}, None)
            return
        told = {**ending.attributes(names), **billed.attributes(names), **facts}
        if ending.place != self._place:
            told.update(identity_attributes(names, self._model, ending.place))
        if self._kit.content is not None and content is not None:
            reasons = finish_reasons(ending.outcome, ending.answer)
            told.update(self._kit.content.of_answer(content, reasons[0] if reasons else "other"))
        end_span(span, told, ending.error)

    @harmless
    def _record(self, ending: Ending, seconds: float, counted: Tokens) -> None:
        meters = self._kit.meters
        if meters is not None:
            attributes = self.metric_attributes(ending.place, ending.response_model)
            meters.ended(attributes, seconds, ending.error, ending.first_chunk)
            meters.billed(attributes, counted)

    @harmless
    def count(self, place: Place, model: str, tokens: Tokens) -> None:
        """Tokens that were billed after the end, for work that others still waited for."""
        if self._kit.meters is not None:
            self._kit.meters.billed(self.metric_attributes(place, model), tokens)

    def metric_attributes(self, place: Place, response_model: str | None) -> Attributes:
        """What tells the points of one model at one place from others."""
        found = identity_attributes(self._kit.names, self._model, place)
        if response_model is not None:
            found[self._kit.names.response_model] = response_model
        return found
