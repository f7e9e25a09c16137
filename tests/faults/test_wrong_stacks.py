"""The judges of the yardstick can fail: stacks that lack something, and what is said of them. And whole answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.faults.bench import ENGINES

from lamellar import Stack, Target
from lamellar.cli.yardstick.faults import FAULTS
from lamellar.cli.yardstick.play import MakeStack, Play, play_faults
from lamellar.middleware import CircuitBreaker, Fallback, Retry, Timeout

BY_KEY = {fault.key: fault for fault in FAULTS}
LIMITS = Timeout(total=300, connect=5, first_content=10, idle=15)


def dressed(target: Target, *layers: object) -> Target:
    return target.model_copy(update={"layers": (*layers, *target.layers)})


def bare(primary: Target, fallback: Target) -> Stack:
    """The provider alone, as its own SDK would be without retries."""
    return Stack(Fallback(primary))


def alone(primary: Target, fallback: Target) -> Stack:
    """Everything but somewhere to go."""
    return Stack.preset(primary, timeout=LIMITS)


def unlimited(primary: Target, fallback: Target) -> Stack:
    """Retries and a fallback, and all the time in the world."""
    layers = (Retry(attempts=3, on_interrupt="restart"), CircuitBreaker())
    return Stack(Fallback(dressed(primary, *layers), dressed(fallback, *layers), on_interrupt="restart"))


def resigned(primary: Target, fallback: Target) -> Stack:
    """A stream that breaks is the caller's problem."""
    layers = (Retry(attempts=3), CircuitBreaker())
    return Stack(LIMITS, Fallback(dressed(primary, *layers), dressed(fallback, *layers)))


def stubborn(primary: Target, fallback: Target) -> Stack:
    """Every failure is asked again, ten times, at once, and then elsewhere."""
    kinds = {"timeout": True, "context_overflow": True, "content_filtered": True}
    retry = Retry(attempts=10, initial=0, max=0, overloaded_initial=0, kinds=kinds, on_interrupt="restart")
    layers = (retry,)
    fallback = dressed(fallback, *layers)
    limits = LIMITS.model_copy(update={"reserve": 0.01})
    rules = {"content_filtered": True}
    return Stack(limits, Fallback(dressed(primary, *layers), fallback, on_interrupt="restart", rules=rules))


def unguarded(primary: Target, fallback: Target) -> Stack:
    """No circuit: every call asks the target that is down."""
    retry = Retry(attempts=3, on_interrupt="restart")
    return Stack(LIMITS, Fallback(dressed(primary, retry), dressed(fallback, retry), on_interrupt="restart"))


@dataclass(frozen=True)
class Trial:
    """A wrong stack, the faults that are put to it, and what is said of each; nothing is a pass."""

    make: MakeStack
    said: dict[str, str | None]
    speed: float = 10.0


TRIALS = [
    Trial(
        bare,
        {
            "S01": "call 1 failed: rate_limited",
            "S02": "the fallback was not asked",
            "S03": "call 1 failed: server_error",
            "S04": "the fallback was not asked",
            "S05": "call 1 failed: connection",
            "S07": "the fallback was not asked",
            "S08": "call 1 failed: connection",
            "S10": "call 1 failed: malformed",
            "S11": None,
            "S12": "call 1 failed: context_overflow",
            "S13": None,
            "S14": "call 1 failed: connection",
            "S16": "call 1 failed: overloaded",
        },
    ),
    Trial(
        alone,
        {
            "S01": None,
            "S03": None,
            "S05": None,
            "S04": "the fallback was not asked",
            "S06": "call 1 failed: timeout",
            "S08": "call 1 failed: connection",
            "S12": "call 1 failed: context_overflow",
        },
    ),
    Trial(unlimited, {"S06": "requests at the silent primary", "S07": "the fallback was not asked"}, speed=120),
    Trial(
        resigned,
        {
            "S04": None,
            "S08": "call 1 failed: connection",
            "S09": "call 1 failed: timeout",
            "S10": "call 1 failed: malformed",
            "S14": "call 1 failed: connection",
        },
    ),
    Trial(
        stubborn,
        {
            "S02": "10 requests at the primary",
            "S04": "10 requests at the primary",
            "S07": "requests at the silent primary",
            "S12": "10 requests at the same model",
            "S13": "it was routed round",
        },
        speed=40,
    ),
    Trial(unguarded, {"S15": "requests at the primary once the circuit should have been open"}, speed=15),
]


WHOLE_ANSWERS = ("S01", "S02", "S03", "S04", "S05", "S12", "S13", "S15", "S16")
"""The faults that a whole answer can meet as a stream does; the others are ways of a stream."""


@pytest.fixture(scope="module")
def plays() -> dict[tuple[str, str], Play]:
    """All trials, and the whole answers on both engines, at the same time."""

    async def play_all() -> list[list[Play]]:
        trials = [play_faults([BY_KEY[key] for key in each.said], speed=each.speed, make=each.make) for each in TRIALS]
        faults = [BY_KEY[key] for key in WHOLE_ANSWERS]
        whole = [play_faults(faults, speed=15, engine=engine, streaming=False) for engine in ENGINES]
        return await asyncio.gather(*trials, *whole)

    names = (*[trial.make.__name__ for trial in TRIALS], *ENGINES)
    played = zip(names, asyncio.run(play_all()), strict=True)
    return {(name, play.fault.key): play for name, some in played for play in some}


@pytest.mark.parametrize(
    ("make", "key", "said"),
    [
        pytest.param(trial.make, key, said, id=f"{trial.make.__name__}-{key}")
        for trial in TRIALS
        for key, said in trial.said.items()
    ],
)
def test_what_a_wrong_stack_is_told(
    make: Callable[..., Stack], key: str, said: str | None, plays: dict[tuple[str, str], Play]
) -> None:
    problems = plays[make.__name__, key].problems
    if said is None:
        assert problems == []
    else:
        assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize("key", WHOLE_ANSWERS)
def test_a_whole_answer_meets_the_same_faults(key: str, engine: str, plays: dict[tuple[str, str], Play]) -> None:
    assert plays[engine, key].problems == []
