"""What an answer says of its provider's rate limits: read when asked for, kept without anything else."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from lamellar import (
    AttemptRecord,
    ChatRequest,
    ChatResponse,
    ErrorKind,
    ExecutorError,
    RateLimits,
    RateLimitState,
    Stack,
)
from lamellar.middleware import Cache, Fallback, Retry
from lamellar.providers import OpenAI
from lamellar.rate_limits import LimitHeaders
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer, rate_limited

NOW = 1_773_238_990.0  # Wed, 11 Mar 2026 14:23:10 GMT
REQUEST = ChatRequest.from_user("hi")
KEY = "sk-sentinel-0123456789abcdef"
OPENAI = {
    "x-ratelimit-limit-requests": "30000",
    "x-ratelimit-remaining-requests": "29999",
    "x-ratelimit-reset-requests": "2ms",
    "x-ratelimit-limit-tokens": "150000000",
    "x-ratelimit-remaining-tokens": "149999922",
    "x-ratelimit-reset-tokens": "6m0s",
}


def state(limit: int | None = None, remaining: int | None = None, reset: float | None = None) -> RateLimitState:
    return RateLimitState(limit, remaining, reset)


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        pytest.param(
            OPENAI,
            RateLimits(state(30000, 29999, 0.002), state(150000000, 149999922, 360.0)),
            id="openai",
        ),
        pytest.param(
            {
                "anthropic-ratelimit-requests-limit": "4000",
                "anthropic-ratelimit-requests-remaining": "3999",
                "anthropic-ratelimit-requests-reset": "2026-03-11T14:23:15Z",
                "anthropic-ratelimit-tokens-limit": "2400000",
                "anthropic-ratelimit-input-tokens-remaining": "2000000",
                "anthropic-ratelimit-output-tokens-reset": "2026-03-11T14:23:00Z",
                "anthropic-ratelimit-unified-5h-reset": "1773300000",
            },
            RateLimits(state(4000, 3999, 5.0), state(2400000), state(None, 2000000), state(None, None, 0.0)),
            id="anthropic",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-req-minute": "4",
                "x-ratelimit-remaining-req-minute": "3",
                "x-ratelimit-limit-tokens-minute": "250000",
                "x-ratelimit-remaining-tokens-minute": "249891",
                "x-ratelimit-limit-tokens-month": "1000",
                "x-ratelimit-remaining-tokens-month": "10",
                "x-ratelimit-tokens-query-cost": "109",
            },
            RateLimits(state(4, 3), state(1000, 10)),
            id="mistral, of which the month's is the tighter",
        ),
        pytest.param(
            {
                "ratelimitbysize-limit": "500000",
                "ratelimitbysize-remaining": "401381",
                "ratelimitbysize-reset": "33",
                "x-ratelimitbysize-limit-month": "1000000000",
                "x-ratelimitbysize-remaining-month": "997438986",
            },
            RateLimits(tokens=state(500000, 401381, 33.0)),
            id="mistral by size",
        ),
        pytest.param(
            {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "2"},
            RateLimits(state(2, 1, 2.0)),
            id="together, in any case",
        ),
        pytest.param(
            {"x-ratelimit-remaining-requests": "9", "x-ratelimit-renewalperiod-requests": "60"},
            RateLimits(state(None, 9)),
            id="azure",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-tokens-prompt": "60000",
                "x-ratelimit-remaining-tokens-prompt": "59000",
                "x-ratelimit-limit-tokens-generated": "6000",
                "x-ratelimit-remaining-tokens-generated": "5990",
            },
            RateLimits(input_tokens=state(60000, 59000), output_tokens=state(6000, 5990)),
            id="fireworks",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-tokens-minute": "100",
                "x-ratelimit-remaining-tokens-minute": "50",
                "x-ratelimit-remaining-tokens-month": "0",
            },
            RateLimits(tokens=state(None, 0)),
            id="nothing left of what is not said",
        ),
        pytest.param(
            {"x-ratelimit-limit": "20", "x-ratelimit-reset": "1773239000000"},
            RateLimits(state(20, None, 10.0)),
            id="a moment",
        ),
        pytest.param(
            {"x-ratelimit-limit-input-images": "5", "x-ratelimit-key": "k", "x-ratelimit-limit": "many"},
            None,
            id="nothing known",
        ),
        pytest.param({"retry-after": "7", "date": "Wed, 11 Mar 2026 14:23:10 GMT"}, None, id="none at all"),
    ],
)
def test_headers_as_providers_send_them(headers: dict[str, str], limits: RateLimits | None) -> None:
    assert RateLimits.of(headers, NOW) == limits
    assert RateLimits.of(LimitHeaders(headers), NOW) == limits


@pytest.mark.parametrize(
    ("found", "share"),
    [
        (state(10, 4), 0.4),
        (state(10, 0), 0.0),
        (state(None, 0), 0.0),
        (state(0), 0.0),
        (state(0, 5), 0.0),
        (state(10, 12), 1.0),
        (state(10), 1.0),
        (state(None, 7), 1.0),
        (state(), 1.0),
    ],
)
def test_the_share_that_is_left(found: RateLimitState, share: float) -> None:
    assert found.share == share


def test_the_answers_own_clock_goes_before_ours() -> None:
    headers = {"anthropic-ratelimit-tokens-reset": "2026-03-11T14:23:15Z", "date": "Wed, 11 Mar 2026 14:23:05 GMT"}
    assert RateLimits.of(headers, NOW) == RateLimits(tokens=state(reset=10.0))
    del headers["date"]
    assert RateLimits.of(headers) is None, "no clock, no seconds"


@given(
    st.dictionaries(
        st.sampled_from([*OPENAI, "anthropic-ratelimit-tokens-reset", "x-ratelimit-limit"]), st.text(max_size=30)
    )
)
def test_no_value_breaks_it(headers: dict[str, str]) -> None:
    limits = RateLimits.of(headers, NOW)
    for each in (limits.requests, limits.tokens) if limits is not None else ():
        assert each is None or each.share >= 0


def test_only_what_tells_of_limits_is_kept_and_nothing_that_looks_like_a_key() -> None:
    headers = {
        **OPENAI,
        "set-cookie": f"session={KEY}",
        "x-ratelimit-limit-images": KEY,
        "x-ratelimit-remaining-images": "9" * 200,
        "date": "Wed, 11 Mar 2026 14:23:10 GMT",
        **{f"x-ratelimit-limit-{number}": "1" for number in range(100)},
    }
    kept = LimitHeaders(headers)
    assert len(kept) == 48
    assert kept.keys() >= OPENAI.keys()
    assert not kept.keys() & {"set-cookie", "x-ratelimit-limit-images", "x-ratelimit-remaining-images"}
    assert dict(LimitHeaders({"date": "Wed, 11 Mar 2026 14:23:10 GMT", "server": "x"})) == {}


@pytest.mark.parametrize("way", ["pickle", "copy", "json", "python"])
def test_a_record_is_kept_with_its_limits_and_without_other_headers(way: str) -> None:
    headers = LimitHeaders({**OPENAI, "set-cookie": f"session={KEY}"})
    response = ChatResponse(
        model="m", provider="openai", attempts=(AttemptRecord(1, "t", "openai", "m", limit_headers=headers),)
    )
    if way == "pickle":
        data = pickle.dumps(response)
        assert KEY.encode() not in data
        again = pickle.loads(data)
    elif way == "copy":
        again = copy.deepcopy(response)
    elif way == "json":
        dumped = response.model_dump_json()
        assert KEY not in dumped
        again = ChatResponse.model_validate_json(dumped)
    else:
        again = ChatResponse.model_validate(response.model_dump())
    assert again == response
    assert again.rate_limits == response.rate_limits == RateLimits.of(OPENAI)
    assert dict(again.attempts[0].limit_headers or {}) == OPENAI
    assert KEY not in repr(again)
    TypeAdapter(AttemptRecord).json_schema()


@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
async def test_answers_streams_and_errors_carry_them(engine: str) -> None:
    spent = {**OPENAI, "x-ratelimit-remaining-tokens": "0"}
    script = [rate_limited(retry_after_ms=1, headers=spent), Answer(headers={**OPENAI, "retry-after": "9"})]
    with ProviderSimulator(script, default=Answer(headers=OPENAI)) as simulator:
        stack = Stack(Retry(attempts=2), OpenAI(base_url=simulator.base_url, api_key=KEY, engine=engine))
        async with stack.build() as executor:
            response = await executor.exec_chat_response("m", REQUEST)
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            collected = await stream.collect()
            simulator.push(*[rate_limited(headers=spent)] * 2)
            with pytest.raises(ExecutorError) as caught:
                await Stack(stack.executor).build().exec_chat_response("m", REQUEST)
    assert response.rate_limits == RateLimits.of(OPENAI)
    first, second = response.attempts
    assert first.rate_limits is not None
    assert first.rate_limits.tokens == state(150000000, 0, 360.0)
    assert (first.retry_after, second.retry_after) == (0.001, None), "a hint beside an answer asks for nothing"
    assert collected.rate_limits == stream.attempts[-1].rate_limits == RateLimits.of(OPENAI)
    assert caught.value.attempts[0].rate_limits == first.rate_limits
    assert caught.value.kind is ErrorKind.RATE_LIMITED


async def test_a_cached_answer_has_none() -> None:
    with ProviderSimulator(default=Answer(headers=OPENAI)) as simulator:
        leaf = OpenAI(base_url=simulator.base_url, api_key=KEY)
        async with Stack(Cache(), Fallback(leaf)).build() as executor:
            asked = await executor.exec_chat_response("m", REQUEST)
            served = await executor.exec_chat_response("m", REQUEST)
    assert asked.rate_limits == RateLimits.of(OPENAI)
    assert served.cached
    assert served.rate_limits is None


def test_the_record_dumps_as_plain_data() -> None:
    record = AttemptRecord(1, "t", "p", "m", limit_headers=LimitHeaders(OPENAI))
    adapter = TypeAdapter(AttemptRecord)
    data = json.loads(adapter.dump_json(record))
    assert data["limit_headers"] == OPENAI
    assert adapter.validate_python(data).rate_limits == record.rate_limits
