"""What is wrong with how a fault went, in sentences. Judged by the providers' logs and by what the consumer held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .play import Play

__all__ = [
    "answers",
    "backs_off",
    "comes_back",
    "gives_up",
    "is_prompt",
    "is_whole",
    "leaves_silence",
    "moves_on_at_once",
    "says_who_answered",
    "stays",
    "tells_the_reason",
    "waits_as_told",
]

_ATTEMPTS = 6
"""The most a bounded number of attempts may be."""

_DETECTED = 40.0
"""Seconds within which a silence after 20 tokens is noticed and made good, retries included."""


def answers(play: Play) -> Iterator[str]:
    """Every call has a whole answer."""
    for number, call in enumerate(play.calls, 1):
        if call.error is not None:
            yield f"call {number} failed: {call.error}"
        elif call.text not in play.texts:
            yield f"call {number} passed off {call.text[:40]!r}… ({len(call.text)} characters) as an answer"
        elif call.usage is None:
            yield f"call {number} told no usage"


def stays(play: Play) -> Iterator[str]:
    """The same target answers the second time."""
    yield from answers(play)
    if len(play.primary) != 2:
        yield f"{len(play.primary)} requests at the primary, not 2"
    if play.fallback:
        yield "the fallback was asked"


def waits_as_told(play: Play) -> Iterator[str]:
    """The second request comes no sooner than the hint."""
    yield from stays(play)
    if len(play.primary) > 1:
        gap = play.between(play.primary[0], play.primary[1])
        if gap < 2:
            yield f"the next request came after {gap:.2f} s"


def gives_up(play: Play) -> Iterator[str]:
    """A bounded number of attempts, then the fallback."""
    yield from answers(play)
    if not 1 <= len(play.primary) <= _ATTEMPTS:
        yield f"{len(play.primary)} requests at the primary"
    if not play.fallback:
        yield "the fallback was not asked"


def backs_off(play: Play) -> Iterator[str]:
    """Few attempts in the first three seconds."""
    yield from gives_up(play)
    early = [each for each in play.primary if play.between(play.primary[0], each) < 3]
    if len(early) > 4:
        yield f"{len(early)} attempts within 3 s"


def leaves_silence(play: Play) -> Iterator[str]:
    """One attempt at the silent route, the fallback within fifteen seconds."""
    yield from answers(play)
    if len(play.primary) != 1:
        yield f"{len(play.primary)} requests at the silent primary"
    if not play.fallback:
        yield "the fallback was not asked"
    elif play.between(play.primary[0], play.fallback[0]) > 15:
        yield f"the fallback was asked after {play.between(play.primary[0], play.fallback[0]):.1f} s"


def is_whole(play: Play) -> Iterator[str]:
    """The whole answer, in a bounded time, with a bounded number of attempts."""
    yield from answers(play)
    for number, call in enumerate(play.calls, 1):
        if call.seconds > _DETECTED:
            yield f"call {number} took {call.seconds:.1f} s"
    if len(play.primary) > _ATTEMPTS * len(play.calls):
        yield f"{len(play.primary)} requests at the primary"


def is_prompt(play: Play) -> Iterator[str]:
    """The end is not waited for."""
    yield from answers(play)
    (call,) = play.calls
    if call.seconds > 5:
        yield f"it took {call.seconds:.1f} s"
    if len(play.primary) != 1 or play.fallback:
        yield "it was asked for again"


def moves_on_at_once(play: Play) -> Iterator[str]:
    """One attempt at the model whose window is too small."""
    yield from answers(play)
    if len(play.primary) != 1:
        yield f"{len(play.primary)} requests at the same model"
    if not play.fallback:
        yield "the fallback was not asked"


def tells_the_reason(play: Play) -> Iterator[str]:
    """The provider's reason reaches the caller, and nobody else is asked."""
    (call,) = play.calls
    if call.error is None:
        yield "it was routed round"
    elif getattr(call.error, "kind", None) != "content_filtered":
        yield f"the caller was told: {call.error}"
    if len(play.primary) != 1:
        yield f"{len(play.primary)} requests at the primary"
    if play.fallback:
        yield "the fallback was asked"


def comes_back(play: Play) -> Iterator[str]:
    """The circuit opens, the fallback serves, and the primary is back soon after it is well."""
    yield from answers(play)
    refused = [each for each in play.primary if each.status == 503]
    if len(refused) > 30:  # two a call, had nobody opened a circuit
        yield f"{len(refused)} requests at the primary while it was down"
    times = [play.since_start(each) for each in play.primary]
    busiest = max((sum(1 for time in times if 20 <= time < 60),), default=0)
    if busiest > 8:
        yield f"{busiest} requests at the primary once the circuit should have been open"
    well = [play.since_start(each) for each in play.primary if each.status == 200]
    if not well:
        yield "the primary was never asked again"
    elif well[0] > 90:
        yield f"the primary was asked {well[0] - 60:.0f} s after its recovery"


def says_who_answered(play: Play) -> Iterator[str]:
    """The fallback's model and usage are told."""
    yield from gives_up(play)
    (call,) = play.calls
    if call.model != "fallback":
        yield f"the model told is {call.model!r}"
