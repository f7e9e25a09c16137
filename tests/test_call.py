"""What the user says about a call, and the record of its tries."""

from __future__ import annotations

import pickle

import pytest

from lamellar.call import AttemptRecord, CallContext, Outcome
from lamellar.errors import ConfigError


def test_a_context_takes_durations_as_people_write_them() -> None:
    assert CallContext(timeout="1m30s").timeout == 90.0


def test_a_context_is_reusable_and_compares() -> None:
    assert CallContext(tags={"team": "a"}) == CallContext(tags={"team": "a"})
    assert CallContext().cache == "use"


def test_a_wrong_directive_is_told_with_the_right_ones() -> None:
    with pytest.raises(ConfigError, match="cache: expected 'use', 'refresh', 'bypass' or 'only', got str 'yes'"):
        CallContext(cache="yes")


def test_outcomes_are_the_four_words_and_one_for_a_try_not_made() -> None:
    assert [str(each) for each in Outcome] == ["completed", "failed", "cancelled", "abandoned", "refused"]


def test_a_record_travels() -> None:
    record = AttemptRecord(1, "main", "openai", "gpt", Outcome.COMPLETED, latency=0.5)
    assert pickle.loads(pickle.dumps(record)) == record
