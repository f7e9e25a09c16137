"""What one case sees: every call at every target, every span, every line of the log, and what was wrong with it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from lamellar import Outcome, Stack

__all__ = ["CALL", "EMAIL", "Complaint", "Invariant", "Spans", "TargetCall", "World", "plain"]

CALL: ContextVar[int | None] = ContextVar("simulated_call", default=None)
"""The number of the consumer in whose name a target is asked; tasks that layers begin inherit it."""

EMAIL = "ada@example.com"
"""Stands in every prompt, for Redact to find."""

_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)


class Invariant(StrEnum):
    """What holds in every case; the name is what a complaint begins with."""

    ONE_OUTCOME = "one outcome a call"
    ORDER = "Start, content, one End, and then no more"
    ONE_ANSWER = "one whole answer, never a mixture or twice the same"
    OWN_ERRORS = "errors of our own tree"
    CANCELLATION = "cancellation is the caller's"
    ATTEMPTS = "attempts bounded and on the record"
    DEADLINE = "deadlines kept"
    NO_HANG = "nobody waits for nothing"
    TARGETS = "a target is read by one, in order, and let go of once"
    LEAKS = "nothing is left behind"
    SPANS = "a span ends once"
    SILENCE = "nothing is raised or logged where nobody looks"


@dataclass(frozen=True)
class Complaint:
    """An invariant that did not hold, and how it showed."""

    invariant: Invariant
    said: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.said}"


@dataclass
class TargetCall:
    """One call at a simulated target."""

    number: int
    target: str
    call: int | None
    streaming: bool
    running: bool = True
    opened: bool = False
    reading: bool = False
    over: bool = False
    hangs: bool = False
    outcomes: list[Outcome] = field(default_factory=list)


class Spans(SpanProcessor):
    """Counts the spans that are open, and those that ended more than once."""

    def __init__(self) -> None:
        self.open: dict[int, str] = {}
        self.ended: set[int] = set()
        self.twice: list[str] = []

    def on_start(self, span: Span, parent_context: object = None) -> None:
        self.open[span.context.span_id] = span.name

    def on_end(self, span: ReadableSpan) -> None:
        number = span.context.span_id
        if number in self.ended:
            self.twice.append(span.name)
        self.ended.add(number)
        self.open.pop(number, None)


class World:
    """One case's record."""

    def __init__(self, cassette: str) -> None:
        self.cassette = cassette
        self.stack: Stack | None = None
        self.target_calls: list[TargetCall] = []
        self.begun: set[str] = set()
        """Every text that a target set out to say, whole; plain."""
        self.whole: set[str] = set()
        """Those that a target said to the end."""
        self.complaints: list[Complaint] = []
        self.story: list[str] = []
        self.deeds: Counter[str] = Counter()
        """What has happened, so that it can be seen that it does happen."""
        self.spans = Spans()
        self.tracers = TracerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
        self.tracers.add_span_processor(self.spans)

    def complain(self, invariant: Invariant, said: str) -> None:
        self.complaints.append(Complaint(invariant, said))
        self.tell(f"!! {invariant}: {said}")

    def tell(self, said: str) -> None:
        """A line of the story, with the time."""
        self.story.append(f"{asyncio.get_running_loop().time():9.3f}  {said}")

    def ask(self, target: str, *, streaming: bool) -> TargetCall:
        """A target is asked."""
        call = TargetCall(len(self.target_calls) + 1, target, CALL.get(), streaming)
        self.target_calls.append(call)
        self.tell(
            f"target {target} is asked (#{call.number}, consumer {call.call}, {'stream' if streaming else 'whole'})"
        )
        return call

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Complain of errors in the log, and of what the loop and the interpreter could tell nobody."""
        handler, logger = _Errors(self), logging.getLogger("lamellar")
        was = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.level, logger.propagate = was


class _Errors(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self.world = world

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.world.complaints.append(
            Complaint(Invariant.SILENCE, f"logged: {record.name}: {record.getMessage()} {error!r}")
        )


def plain(text: str) -> str:
    """A text without what layers may change of it: capitals, reasoning between tags, the placeholder of an address."""
    return _THOUGHT.sub("", text.casefold()).replace("[email_1]", EMAIL)
