"""Rates as text, and the limits that are said with them."""

from __future__ import annotations

import pytest

from lamellar import Rate
from lamellar.errors import ConfigError
from lamellar.middleware import RateLimit
from lamellar.providers import OpenAI
from lamellar.rates import parse_rate
from lamellar.stack import Stack


@pytest.mark.parametrize(
    ("text", "rate", "shown"),
    [
        ("500/min", Rate(500, "minute"), "500/min"),
        ("10/s", Rate(10, "second"), "10/s"),
        ("200k/day", Rate(200_000, "day"), "200k/day"),
        ("1.5M/d", Rate(1_500_000, "day"), "1500k/day"),
        (" 5 k / hour ", Rate(5000, "hour"), "5k/h"),
        ("60 per minute", Rate(60, "minute"), "60/min"),
        ("2/MIN", Rate(2, "minute"), "2/min"),
    ],
)
def test_text_is_a_rate_and_a_rate_is_text(text: str, rate: Rate, shown: str) -> None:
    assert parse_rate(text) == parse_rate(rate) == rate
    assert str(rate) == shown
    assert parse_rate(shown) == rate


@pytest.mark.parametrize(
    "wrong", ["", "500", "/min", "500/", "500/year", "-1/s", "0/s", "1.5/s", "1e3/s", 5, True, None]
)
def test_what_is_no_rate_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        parse_rate(wrong)


@pytest.mark.parametrize(("amount", "per"), [(0, "day"), (True, "day"), (1.5, "day"), (1, "year")])
def test_a_rate_is_checked_when_it_is_made(amount: int, per: str) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        Rate(amount, per)


def test_both_spellings_of_a_limit_are_equal_and_each_is_dumped_as_it_was_said() -> None:
    rates = RateLimit(requests="500/min", tokens=("2M/day", "200k/min"))
    names = RateLimit(requests_per_minute=500, tokens_per_minute=200_000, tokens_per_day=2_000_000)
    assert rates == names
    assert rates.limits() == names.limits()
    assert rates.terms() == names.terms()
    assert repr(rates) == "RateLimit(requests=('500/min',), tokens=('200k/min', '2M/day'))"
    assert "requests: 500/min" in Stack(rates, OpenAI()).dump()
    assert "requests_per_minute: 500" in Stack(names, OpenAI()).dump()
    for each in (rates, names):
        assert Stack.loads(Stack(each, OpenAI()).dump()).layers == (each,)
    assert RateLimit(requests="1/s", requests_per_minute=9) == RateLimit(requests=("9/min", "1/s"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"requests": "5/h"}, "requests: a limit of requests is per second, minute or day, got '5/h'"),
        ({"tokens": "5/s"}, "tokens: a limit of tokens is per minute or day, got '5/s'"),
        ({"requests": ["1/s", "2/s"]}, "requests: two rates per second"),
        ({"requests": "1/s", "requests_per_second": 2}, "'1/s' and requests_per_second=2 differ; say one of them"),
        ({"requests": 500}, "requests: expected a rate such as '500/min'"),
    ],
)
def test_limits_that_cannot_be_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RateLimit(**options)  # type: ignore[arg-type]
    assert said in str(caught.value)
