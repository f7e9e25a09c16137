"""What came of a scene: what the consumer got, what the library says of it, and what the providers logged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from ...call import AttemptRecord
    from ...errors import LamellarError
    from ...testing.simulator import RequestLog

__all__ = ["Asked", "BurstRun", "Run"]


@dataclass(kw_only=True)
class _Played:
    """A scene as it was played.

    Args:
        began: When, on the monotonic clock, which is the simulators' too.
        ended: When it was over.
        logs: Each provider's log.
        sent: Each provider's text, per request.
        spans: The spans of the calls; None where there are none to be had.
        spans_missing: Why there are none.
    """

    began: float
    ended: float = 0.0
    logs: dict[str, tuple[RequestLog, ...]] = field(default_factory=dict)
    sent: dict[str, list[str]] = field(default_factory=dict)
    spans: tuple[ReadableSpan, ...] | None = None
    spans_missing: str | None = None


@dataclass(kw_only=True)
class Run(_Played):
    """One question.

    Args:
        pieces: The pieces of text that the consumer got, with the seconds since the beginning.
        took: Seconds from the question to the last of them.
        cached: Whether the library says that the answer comes from its cache; None without an answer.
        attempts: The library's record.
        error: What the call failed with, if it did.
    """

    pieces: list[tuple[float, str]] = field(default_factory=list)
    took: float = 0.0
    cached: bool | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    error: LamellarError | None = None

    @property
    def text(self) -> str:
        """The whole text that the consumer got."""
        return "".join([piece for _, piece in self.pieces])


@dataclass(kw_only=True)
class Asked:
    """One of many questions.

    Args:
        question: What was asked.
        text: What the consumer got.
        attempts: The library's record.
        error: What the call failed with, if it did.
    """

    question: str
    text: str = ""
    attempts: tuple[AttemptRecord, ...] = ()
    error: LamellarError | None = None

    @property
    def waited(self) -> float:
        """Seconds that its attempts waited in the limiter."""
        return sum([each.waited for each in self.attempts])


@dataclass(kw_only=True)
class BurstRun(_Played):
    """Many questions at once.

    Args:
        asked: Each of them, in the order of asking.
    """

    asked: list[Asked] = field(default_factory=list)
