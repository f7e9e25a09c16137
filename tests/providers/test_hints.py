"""Retry hints, in every form in which they are given, and in forms that are none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamellar.providers.hints import retry_after, should_retry

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"Retry-After": "2"}, 2.0),
        ({"RETRY-AFTER": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "12s"}, 12.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT"}, 0.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 -0000"}, 30.0),
    ],
)
@pytest.mark.failure(12)
def test_headers(headers: dict[str, str], seconds: float):
    assert retry_after(headers, None, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "hostile",
    [
        *("", "-1", "-0.5", "nan", "NaN", "inf", "-inf", "1e9", "1_000", "soon", "0x10", "1.2.3", "٣", "9" * 400),
        *("Fri, 99 Foo 2023 25:61:61 GMT", "5 apples", "s", "1s2"),
    ],
)
def test_hostile_values_are_no_hint(hostile: str):
    for name in ("retry-after", "retry-after-ms"):
        assert retry_after({name: hostile}, None, NOW) is None
    limits = {"x-ratelimit-reset-requests": hostile, "x-ratelimit-remaining-requests": "0"}
    assert retry_after(limits, None, NOW, status=429) is None


def test_a_date_needs_a_clock():
    assert retry_after({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, None, None) is None


def google(delay: str) -> dict[str, object]:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return {"error": {"code": 429, "message": "Quota", "details": [{"@type": "other"}, info]}}


def said(message: str) -> dict[str, object]:
    return {"error": {"message": message}}


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (google("34.4s"), 34.4),
        ([google("34.400000001s")], 34.4),
        (said("Rate limit reached for gpt-4o. Please try again in 1.2s. Visit our site."), 1.2),
        (said("Please try again in 6m0s."), 360.0),
        (said("Please try again in 20ms."), 0.02),
        (said("Please try again in 7m12.5s."), 432.5),
        (said("Please try again in 1h2m3s"), 3723.0),
        (said("Please retry after 6 seconds."), 6.0),
        (said("You exceeded your quota. Please retry in 34.4s."), 34.4),
        ({"message": "Try again in 3 minutes"}, 180.0),
        ({"error": "Try again in 2s"}, 2.0),
        (said("try again in a while"), None),
        (said("try again in -5s"), None),
        (said("try again in 5 sheep"), None),
        ({"error": {"message": 7, "details": "x"}}, None),
        ({"error": None}, None),
        ([], None),
        ("try again in 2s", None),
        (None, None),
    ],
)
def test_bodies(body: object, seconds: float | None):
    assert retry_after({}, body, NOW, status=429) == (None if seconds is None else pytest.approx(seconds))


def test_headers_win_over_the_body():
    assert retry_after({"retry-after": "2"}, google("34s"), NOW) == 2.0


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("6m0s", 360.0),
        ("1s", 1.0),
        ("12ms", 0.012),
        ("2", 2.0),
        ("2.5", 2.5),
        ("2023-11-14T22:13:50Z", 30.0),
        ("2023-11-14T22:13:50+00:00", 30.0),
        ("2023-11-14T22:00:00Z", 0.0),
        ("1700000030", 30.0),
        ("1700000030000", 30.0),
    ],
)
def test_limits(reset: str, seconds: float):
    headers = {"X-RateLimit-Reset-Requests": reset, "X-RateLimit-Remaining-Requests": "0"}
    assert retry_after(headers, None, NOW, status=429) == pytest.approx(seconds)
    assert retry_after(headers, None, NOW, status=400) is None
    assert retry_after(headers, None, NOW) is None


def test_only_the_limit_that_is_exhausted_counts():
    headers = {
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "1h",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2s",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:13:24Z",
        "x-ratelimit-reset-images": "9s",
    }
    assert retry_after(headers, None, NOW, status=429) == pytest.approx(4.0)
    del headers["anthropic-ratelimit-input-tokens-remaining"]
    assert retry_after(headers, None, NOW, status=429) == pytest.approx(2.0)


def test_limits_inside_openrouters_error():
    inner = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000005000"}
    body = {"error": {"code": 429, "message": "Rate limit exceeded", "metadata": {"headers": inner}}}
    assert retry_after({}, body, NOW, status=429) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("value", "verdict"), [("true", True), ("False", False), (" true ", True), ("maybe", None), ("", None)]
)
def test_should_retry(value: str, verdict: bool | None):
    assert should_retry({"X-Should-Retry": value}) is verdict
    assert should_retry({}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.just("try again in 1s"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "details", "retryDelay", "metadata", "headers"]), inner)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset", "x-ratelimit-remaining", "other"]),
        st.text(max_size=30) | st.sampled_from(["0", "1s", "2023-11-14T22:13:50Z", "9999999999999999"]),
    ),
    JSON,
)
def test_never_raises(headers: dict[str, str], body: object):
    seconds = retry_after(headers, body, NOW, status=429)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
