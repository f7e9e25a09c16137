"""The sixteen faults of Failover Bench (methodology 0.1, September 2026): what the providers do, and what is right.

Each is put to a client with a primary and a fallback model, streaming. Times are in the client's own seconds; the play
may run faster (`speed`), with the providers' delays shortened alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...testing.simulator import (
    Answer,
    Cut,
    Garbage,
    NoDone,
    Reset,
    Silence,
    Stall,
    content_policy,
    context_overflow,
    overloaded,
    rate_limited,
    refuses_prefill,
    server_error,
    until,
)
from . import judges

if TYPE_CHECKING:
    from ...testing.simulator import ScriptLike
    from .play import Play

__all__ = ["FAULTS", "PRIMARY_TEXT", "Fault"]

SIXTY = tuple(f" token{number}" for number in range(60))
PRIMARY_TEXT = "".join(SIXTY)
FALLBACK_TEXT = PRIMARY_TEXT.replace("token", "word")


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        key: Its number in the yardstick.
        what: What the primary does.
        right: What a client should make of it.
        primary: The primary's script, for a speed.
        judge: What is wrong with how it went, in sentences; none is a pass.
        refuses_prefill: Whether the fallback refuses an assistant's partial message.
        calls: How many calls are made.
        every: Seconds from one call to the next.
    """

    key: str
    what: str
    right: str
    primary: Callable[[float], ScriptLike]
    judge: Callable[[Play], Iterator[str]]
    refuses_prefill: bool = False
    calls: int = 1
    every: float = 0.0

    def fallback(self) -> ScriptLike:
        """The fallback's script."""
        answer = Answer(chunks=tuple(piece.replace("token", "word") for piece in SIXTY))
        return refuses_prefill(answer) if self.refuses_prefill else answer


_WHOLE = Answer(chunks=SIXTY)

FAULTS = (
    Fault(
        "S01",
        "429 with Retry-After: 2, once",
        "wait at least that, then the same target",
        lambda speed: [rate_limited(retry_after=2), _WHOLE],
        judges.waits_as_told,
    ),
    Fault(
        "S02",
        "429 for ever, no hint",
        "at most 4 attempts in 3 s and 6 in all, then the fallback",
        lambda speed: rate_limited(),
        judges.backs_off,
    ),
    Fault("S03", "500, once", "retry the same target", lambda speed: [server_error(), _WHOLE], judges.stays),
    Fault("S04", "503 for ever", "bounded attempts, then the fallback", lambda speed: overloaded(), judges.gives_up),
    Fault("S05", "reset before headers, once", "an answer", lambda speed: [Reset(), _WHOLE], judges.answers),
    Fault(
        "S06",
        "accepts and never answers",
        "one timeout, not retried on the silent route, then the fallback",
        lambda speed: Silence(120 / speed),
        judges.leaves_silence,
    ),
    Fault(
        "S07",
        "headers at once, first token after 20 s",
        "the fallback within 15 s",
        lambda speed: Answer(chunks=SIXTY, first_chunk_delay=20 / speed),
        judges.leaves_silence,
    ),
    Fault(
        "S08",
        "cut after 40 of 60 tokens, no finish",
        "the whole answer, never a truncated success",
        lambda speed: Cut(_WHOLE, after=40),
        judges.is_whole,
    ),
    Fault(
        "S09",
        "silent for 30 s after 20 tokens, then closes",
        "noticed in a bounded time, the whole answer, healthy afterwards",
        lambda speed: Stall(_WHOLE, after=20, seconds=30 / speed, then="close"),
        judges.is_whole,
        calls=2,
    ),
    Fault(
        "S10",
        "the tenth event is invalid JSON",
        "the whole answer; the process stays up",
        lambda speed: Garbage(_WHOLE, at=10),
        judges.is_whole,
        calls=2,
    ),
    Fault(
        "S11",
        "complete, but no [DONE]",
        "finish promptly, usage told",
        lambda speed: NoDone(_WHOLE, "hold"),
        judges.is_prompt,
    ),
    Fault(
        "S12",
        "400 context_length_exceeded for ever",
        "no retry on the same model; the fallback",
        lambda speed: context_overflow(),
        judges.moves_on_at_once,
    ),
    Fault(
        "S13",
        "400 content_policy_violation for ever",
        "one attempt, the provider's reason told, no way round it",
        lambda speed: content_policy(),
        judges.tells_the_reason,
    ),
    Fault(
        "S14",
        "as S08, and the fallback refuses a prefill",
        "the whole answer; never that 400 as the final error",
        lambda speed: Cut(_WHOLE, after=40),
        judges.is_whole,
        refuses_prefill=True,
    ),
    Fault(
        "S15",
        "503 for 60 s, then healthy; a call every 4 s",
        "open the circuit, serve from the fallback, back within 30 s of recovery",
        lambda speed: until(60 / speed, overloaded(), _WHOLE),
        judges.comes_back,
        calls=20,
        every=4.0,
    ),
    Fault(
        "S16",
        "503 for ever",
        "the caller sees the fallback's model and usage",
        lambda speed: overloaded(),
        judges.says_who_answered,
    ),
)
