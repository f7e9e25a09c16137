"""Sizes as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from lamellar.sizes import Size, in_bytes, parse_size

UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (0, 0),
        (65536, 65536),
        (1e6, 1_000_000),
        ("65536", 65536),
        ("10B", 10),
        ("512kB", 512_000),
        ("512KB", 512_000),
        ("64MB", 64_000_000),
        ("64mb", 64_000_000),
        ("1.5 GB", 1_500_000_000),
        (".5MB", 500_000),
        ("1MiB", 1_048_576),
        ("2GiB", 2_147_483_648),
        (" 1 TB ", 10**12),
        ("1.0001kB", 1000),
    ],
)
def test_what_people_write(said: object, meant: int) -> None:
    assert parse_size(said) == meant
    assert type(parse_size(said)) is int


@pytest.mark.parametrize(
    "said",
    ["", " ", "MB", "64 apples", "64M", "1MB 2kB", "ten", "-5", "-5MB", "1..5MB", "1,5MB", "nan", "inf", "1e3", "٣MB"],
)
def test_text_that_is_no_size_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(said)


@pytest.mark.parametrize("said", [True, None, [], {}, -1, -0.5, math.nan, math.inf, b"64MB", "9." + "9" * 400 + "E"])
def test_values_that_are_no_size_are_refused(said: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(said)


@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS)))
def test_a_number_counts_its_unit(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * UNITS[unit]


@given(st.text(alphabet="0123456789.kMGTiB -e", max_size=12) | st.text(max_size=20))
@example("9" * 5000 + ".5GB")
@example("9" * 5000)
def test_any_text_is_bytes_or_a_value_error(text: str) -> None:
    try:
        found = parse_size(text)
    except ValueError:
        return
    assert type(found) is int
    assert found >= 0


def test_a_field_takes_text_and_holds_bytes() -> None:
    class Model(BaseModel):
        bound: Size

    assert Model.model_validate({"bound": "1.5MB"}).bound == 1_500_000
    assert Model.model_validate_json('{"bound": 3}').model_dump() == {"bound": 3}
    assert {kind["type"] for kind in Model.model_json_schema()["properties"]["bound"]["anyOf"]} == {"integer", "string"}


def test_a_field_tells_the_type_checker_its_number() -> None:
    assert in_bytes(1) == 1
