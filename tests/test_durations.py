"""Durations as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from lamellar.durations import Duration, parse_duration, seconds

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (0, 0.0),
        (10, 10.0),
        (0.25, 0.25),
        ("10", 10.0),
        ("1e3", 1000.0),
        ("250ms", 0.25),
        ("10s", 10.0),
        ("1.5m", 90.0),
        (".5h", 1800.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1m30s", 90.0),
        ("1h 2m 3s", 3723.0),
        (" 10 s ", 10.0),
    ],
)
def test_what_people_write(said: object, meant: float) -> None:
    assert parse_duration(said) == pytest.approx(meant)


@pytest.mark.parametrize(
    "said",
    [
        "",
        " ",
        "s",
        "10 apples",
        "10S",
        "1m30",
        "ten",
        "-5",
        "-5s",
        "1..5s",
        "1,5s",
        "nan",
        "inf",
        "-0.1",
        "5 minutes",
        "1e400",
    ],
)
def test_text_that_is_no_duration_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(said)


@pytest.mark.parametrize("said", [True, None, [], {}, -1, -0.5, math.nan, math.inf, 10**400, "9" * 400 + "d", b"10s"])
def test_values_that_are_no_duration_are_refused(said: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(said)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(sorted(UNITS))), min_size=1, max_size=5))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == pytest.approx(sum(number * UNITS[unit] for number, unit in parts))


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_a_number_means_itself_in_every_spelling(number: float) -> None:
    assert parse_duration(number) == parse_duration(repr(number)) == number


@given(st.text(alphabet="0123456789.smhd -e", max_size=12) | st.text(max_size=20))
@example("1m" * 50)
def test_any_text_is_seconds_or_a_value_error(text: str) -> None:
    try:
        found = parse_duration(text)
    except ValueError:
        return
    assert isinstance(found, float)
    assert found >= 0
    assert math.isfinite(found)


def test_a_field_takes_text_and_holds_seconds() -> None:
    class Model(BaseModel):
        wait: Duration

    assert Model.model_validate({"wait": "1.5m"}).wait == 90.0
    assert Model.model_validate_json('{"wait": 3}').model_dump() == {"wait": 3.0}
    assert {kind["type"] for kind in Model.model_json_schema()["properties"]["wait"]["anyOf"]} == {"number", "string"}


def test_a_field_tells_the_type_checker_its_number() -> None:
    assert seconds(1) == 1.0
