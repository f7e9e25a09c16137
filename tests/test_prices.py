"""What an answer costs: by the list of genai-prices, where there is one."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from genai_prices import calc_price
from genai_prices.types import Usage as Priced
from hypothesis import given
from hypothesis import strategies as st

from lamellar import ChatRequest, Stack, Usage
from lamellar.chat.response import ChatResponse
from lamellar.prices import price_of
from lamellar.testing import ManualClock, ScriptedExecutor, answer

THOUSAND = Usage(prompt_tokens=1000, completion_tokens=100)


def test_the_price_is_the_lists() -> None:
    for model, provider in (
        ("gpt-4o-mini", "openai"),
        ("claude-haiku-4-5", "anthropic"),
        ("gemini-2.5-flash", "gemini"),
    ):
        listed = calc_price(Priced(input_tokens=1000, output_tokens=100), model, provider_id=provider)
        assert price_of(THOUSAND, model, provider=provider) == float(listed.total_price) > 0


def test_the_list_calls_bedrock_by_its_owner() -> None:
    listed = calc_price(Priced(input_tokens=1000, output_tokens=100), "amazon.nova-lite-v1:0", provider_id="aws")
    assert price_of(THOUSAND, "amazon.nova-lite-v1:0", provider="bedrock") == float(listed.total_price) > 0


def test_cached_and_written_tokens_have_prices_of_their_own() -> None:
    details = {"cached_tokens": 400, "cache_creation_tokens": 100, "cache_creation": {"ephemeral_1h": 100}}
    usage = Usage(prompt_tokens=1000, completion_tokens=100, prompt_details=details)
    expected = (500 * 1 + 400 * 0.1 + 100 * 2 + 100 * 5) / 1e6
    assert price_of(usage, "claude-haiku-4-5", provider="anthropic") == pytest.approx(expected)


@pytest.mark.parametrize("details", [{"cached_tokens": 400, "audio_tokens": 300}, {"cached_tokens": 5000}])
def test_details_that_the_list_cannot_combine_are_left_out(details: dict[str, int]) -> None:
    usage = Usage(prompt_tokens=1000, completion_tokens=100, prompt_details=details)
    plain = price_of(THOUSAND, "gemini-2.5-flash", provider="gemini")
    assert price_of(usage, "gemini-2.5-flash", provider="gemini") == plain


def test_what_is_not_known_is_none() -> None:
    assert price_of(THOUSAND, "gpt-4o-mini", provider="vllm") is None, "whoever serves it names its price"
    assert price_of(THOUSAND, "no-such-model", provider="openai") is None
    assert price_of(THOUSAND, "no-such-model") is None
    assert price_of(Usage(prompt_tokens=1000), "gpt-4o-mini") is None
    assert price_of(Usage(total_tokens=1000), "gpt-4o-mini") is None


def test_the_provider_is_found_by_the_model_and_our_namespaces_are_known() -> None:
    assert price_of(THOUSAND, "gpt-4o-mini") == price_of(THOUSAND, "gpt-4o-mini", provider="openai_resp")
    assert price_of(THOUSAND, "grok-3", provider="xai") is not None
    assert price_of(THOUSAND, "kimi-k2-0711-preview", provider="kimi") is not None


def test_the_model_that_the_provider_says_it_used_comes_first() -> None:
    mine = price_of(THOUSAND, "my-deployment", provider="azure", provider_model="gpt-4o-mini-2024-07-18")
    assert mine == price_of(THOUSAND, "gpt-4o-mini", provider="azure") is not None
    assert price_of(THOUSAND, "gpt-4o-mini", provider="openai", provider_model="what?") is not None


def test_prices_that_change_are_those_of_the_time_of_the_call() -> None:
    """An off-peak price: UTC 16:30 to 00:30, as DeepSeek had it."""
    at = [datetime(2025, 6, 1, hour, tzinfo=UTC).timestamp() for hour in (12, 20)]
    day, night = (price_of(THOUSAND, "deepseek-chat", provider="deepseek", at=each) for each in at)
    assert night < day


@given(
    st.builds(
        Usage,
        prompt_tokens=st.none() | st.integers(0, 10**7),
        completion_tokens=st.none() | st.integers(0, 10**7),
        prompt_details=st.none()
        | st.fixed_dictionaries(
            {
                name: st.none() | st.integers(0, 10**7)
                for name in ("cached_tokens", "cache_creation_tokens", "audio_tokens")
            }
        ),
    ),
    st.sampled_from(["gpt-4o-mini", "claude-haiku-4-5", "gemini-2.5-flash", "gpt-4o-audio-preview", "nothing"]),
)
def test_no_usage_is_an_error(usage: Usage, model: str) -> None:
    found = price_of(usage, model)
    known = usage.prompt_tokens is not None and usage.completion_tokens is not None and model != "nothing"
    assert (found is not None) is known
    assert found is None or found >= 0


async def test_an_answer_tells_its_cost() -> None:
    leaf = ScriptedExecutor(answer(usage=THOUSAND), answer(usage=None), name="openai")
    async with Stack(leaf).build(clock=ManualClock()) as executor:
        response = await executor.exec_chat_response("gpt-4o-mini", ChatRequest.from_user("hi"))
        assert response.cost == pytest.approx((1000 * 0.15 + 100 * 0.6) / 1e6)
        assert response.model_copy(update={"cached": True}).cost == 0
        assert (await executor.exec_chat_response("gpt-4o-mini", ChatRequest.from_user("hi"))).cost is None


def test_without_the_extra_there_is_no_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    response = ChatResponse(model="gpt-4o-mini", provider="openai", usage=THOUSAND)
    assert response.cost is not None
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", None)
    assert response.cost is None


def test_nothing_is_loaded_before_a_cost_is_asked() -> None:
    code = "import sys; from lamellar import ChatResponse; print('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"
