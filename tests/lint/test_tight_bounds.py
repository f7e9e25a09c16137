"""Bounds on time are not only kept but near to what can happen; and the worst that a stream can do is bounded."""

from __future__ import annotations

import asyncio

import pytest
from tests.lint.test_bounds import failure, play

from lamellar import Chunk, Stack, Target
from lamellar.middleware import Fallback, Retry, Timeout
from lamellar.testing import Hang, Scripted, ScriptedExecutor, run_virtual

BREAKS = (Chunk("Hello"), failure("connection"))


def after(seconds: float, error: Exception) -> Scripted:
    return Scripted((), (lambda: asyncio.sleep(seconds), error))


@pytest.mark.parametrize(
    ("layers", "script", "told"),
    [
        (
            (Retry(attempts=4, retry_after_cap=20), Timeout(attempt=1)),
            [after(1 - 1e-9, failure("rate_limited", retry_after=20))],
            4 * 1 + 3 * 22,
        ),
        (
            (
                Retry(attempts=4, initial=2, max=5, jitter="none", overloaded_initial=1, retry_after_cap=0),
                Timeout(attempt=3),
            ),
            [after(3 - 1e-9, failure())],
            4 * 3 + 2 + 4 + 5,
        ),
        (
            (Retry(attempts=9, window=5, initial=1, max=1, jitter="none"), Timeout(attempt=10)),
            [after(2.9, failure()), after(0, failure()), Scripted((Hang(),))],
            5 + 10,
        ),
    ],
    ids=["hints", "backoffs", "window"],
)
def test_a_bound_on_time_is_near(layers, script, told) -> None:
    leaf = ScriptedExecutor(*script, repeat=True)
    stack = Stack(*layers, leaf)
    assert stack.bounds().seconds == pytest.approx(told)
    took = run_virtual(play(stack, streaming=False))
    assert 0.9 * told < took <= told


@pytest.mark.parametrize("attempts", [2, 3])
def test_a_target_that_refuses_to_go_on_is_asked_once_more_each_time(attempts: int) -> None:
    """Each restart asks it to go on, and then the whole question: that is in the bound, and reached."""
    script = [BREAKS, *[failure("invalid_request"), BREAKS] * (attempts - 1)]
    leaf = ScriptedExecutor(*script)
    retry = Retry(attempts=attempts, on_interrupt="continue")
    stack = Stack(Fallback(Target(retry, leaf, prefill=True)))
    run_virtual(play(stack, streaming=True))
    assert len(leaf.calls) == len(script) == stack.bounds().calls


def test_a_stream_that_breaks_off_with_a_refusal_is_not_asked_for_again() -> None:
    """The refusal was not of going on: nobody had asked for that."""
    leaf = ScriptedExecutor((Chunk("Hello"), failure("invalid_request")), "a second answer")
    stack = Stack(Fallback(Target(Retry(attempts=3, on_interrupt="continue"), leaf, prefill=True)))
    run_virtual(play(stack, streaming=True))
    assert len(leaf.calls) == 1
