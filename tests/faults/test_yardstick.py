"""The failover yardstick: sixteen faults put to `Stack.preset` over real HTTP, on both engines.

All of them are played at the same time, at eight times the speed: the longest takes eighty seconds of the stack's own.
What is right is judged as `lamellar yardstick` judges it; `test_wrong_stacks.py` shows that the judges see
what is wrong.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.faults.bench import ENGINES

from lamellar.cli.yardstick.faults import FAULTS
from lamellar.cli.yardstick.play import Play, play_faults

SPEED = 8.0


@pytest.fixture(scope="module")
def all_plays() -> dict[str, dict[str, Play]]:
    async def play_all() -> list[list[Play]]:
        return await asyncio.gather(*[play_faults(FAULTS, speed=SPEED, engine=engine) for engine in ENGINES])

    played = asyncio.run(play_all())
    return {engine: {play.fault.key: play for play in some} for engine, some in zip(ENGINES, played, strict=True)}


@pytest.fixture(scope="module")
def plays(engine: str, all_plays: dict[str, dict[str, Play]]) -> dict[str, Play]:
    return all_plays[engine]


def right(play: Play) -> None:
    assert play.problems == []


def test_there_are_sixteen() -> None:
    assert [fault.key for fault in FAULTS] == [f"S{number:02}" for number in range(1, 17)]


@pytest.mark.failure(12)
def test_s01_a_hint_is_waited_for(plays: dict[str, Play]) -> None:
    right(plays["S01"])


@pytest.mark.failure(10)
def test_s02_limits_without_a_hint_are_backed_off_from(plays: dict[str, Play]) -> None:
    right(plays["S02"])


def test_s03_a_failure_is_asked_again(plays: dict[str, Play]) -> None:
    right(plays["S03"])


@pytest.mark.failure(10)
def test_s04_an_outage_takes_a_bounded_number_of_attempts(plays: dict[str, Play]) -> None:
    right(plays["S04"])


def test_s05_a_reset_is_asked_again(plays: dict[str, Play]) -> None:
    right(plays["S05"])


@pytest.mark.failure(7, 11)
def test_s06_silence_is_left(plays: dict[str, Play]) -> None:
    right(plays["S06"])


@pytest.mark.failure(7, 11)
def test_s07_a_first_token_that_does_not_come_is_not_waited_for(plays: dict[str, Play]) -> None:
    right(plays["S07"])


@pytest.mark.failure(1, 2)
def test_s08_a_cut_stream_becomes_a_whole_answer(plays: dict[str, Play]) -> None:
    right(plays["S08"])


@pytest.mark.failure(1, 7)
def test_s09_a_stall_becomes_a_whole_answer(plays: dict[str, Play]) -> None:
    right(plays["S09"])


@pytest.mark.failure(1)
def test_s10_an_event_that_is_no_json_becomes_a_whole_answer(plays: dict[str, Play]) -> None:
    right(plays["S10"])


@pytest.mark.failure(33)
def test_s11_an_answer_without_its_mark_ends_promptly(plays: dict[str, Play]) -> None:
    right(plays["S11"])


@pytest.mark.failure(15)
def test_s12_an_overflow_is_not_asked_again(plays: dict[str, Play]) -> None:
    right(plays["S12"])


@pytest.mark.failure(16)
def test_s13_a_refusal_is_told(plays: dict[str, Play]) -> None:
    right(plays["S13"])


@pytest.mark.failure(19)
def test_s14_a_refused_prefill_masks_nothing(plays: dict[str, Play]) -> None:
    right(plays["S14"])


@pytest.mark.failure(20)
def test_s15_an_outage_is_routed_round_and_its_end_is_found(plays: dict[str, Play]) -> None:
    right(plays["S15"])


@pytest.mark.failure(18)
def test_s16_the_caller_sees_who_answered(plays: dict[str, Play]) -> None:
    right(plays["S16"])
