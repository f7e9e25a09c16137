"""Wrong options are named, and what a call costs is guessed."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from lamellar import (
    Binary,
    ChatMessage,
    ChatOptions,
    ChatRequest,
    ConfigError,
    Custom,
    ReasoningContent,
    Stack,
    Text,
    ThoughtSignature,
    Tool,
    ToolCall,
    ToolResponse,
)
from lamellar.middleware import RateLimit
from lamellar.testing import ScriptedExecutor, answer, run_virtual
from lamellar_middleware.rate_limit.estimate import estimated_tokens, prompt_tokens

from .support import REQUEST, timed, used


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"requests_per_second": 0}, "requests_per_second: expected greater than 0"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"requests_per_day": 1.5}, "requests_per_day"),
        ({"tokens_per_minute": 0}, "tokens_per_minute"),
        ({"tokens_per_day": "many"}, "tokens_per_day"),
        ({"burst": 0}, "burst"),
        ({"burst": 1.1}, "burst"),
        ({"per": "modl"}, "per: 'modl' is nothing that can have limits of its own; did you mean 'model'"),
        ({"per": "tag:"}, "valid names: model, tag:NAME|did you mean"),
        ({"per": ("model", "model")}, "'model' is named twice"),
        ({"share": ""}, "share"),
        ({"estimate": "nowhere:nothing"}, "cannot be imported"),
        ({"default_output_tokens": -1}, "default_output_tokens"),
        ({"max_queue": -1}, "max_queue"),
        ({"max_wait": "1 fortnight"}, "max_wait: expected a duration"),
        ({"request_per_minute": 3}, "did you mean 'requests_per_minute'"),
    ],
)
def test_wrong_options_are_named(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        RateLimit(**options)


def test_one_key_may_be_said_without_a_list() -> None:
    assert RateLimit(per="model") == RateLimit(per=("model",))


def test_it_changes_no_answer() -> None:
    assert RateLimit(requests_per_minute=3).identity() is None


def test_aiolimiter_is_loaded_only_where_requests_are_limited() -> None:
    code = (
        "import sys\nfrom lamellar import Stack\nfrom lamellar.middleware import RateLimit\n"
        "from lamellar.testing import ScriptedExecutor\n"
        "RateLimit(requests_per_minute=3)\nStack(RateLimit(tokens_per_minute=3), ScriptedExecutor()).build()\n"
        "assert 'aiolimiter' not in sys.modules\n"
        "Stack(RateLimit(requests_per_minute=3), ScriptedExecutor()).build()\n"
        "assert 'aiolimiter' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- the estimate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chat_req", "tokens"),
    [
        (ChatRequest(), 1),
        (ChatRequest.from_system("x" * 400), 101),
        (ChatRequest.from_user("x" * 400), 105),
        (ChatRequest.from_user("é" * 200), 105),
        (ChatRequest.from_user("語" * 400), 305),
        (ChatRequest.from_user(["x" * 200, "y" * 200]), 105),
        (ChatRequest.from_user("\ud800" * 4), 6),
        (ChatRequest.from_user(Binary.from_url("image/png", "https://example.com/" + "x" * 9000)), 1005),
        (ChatRequest().with_tools(Tool(name="t" * 10, description="d" * 10, schema={"type": "object"})), 11),
    ],
)
def test_a_prompt_is_a_token_for_every_four_bytes(chat_req: ChatRequest, tokens: int) -> None:
    assert prompt_tokens(chat_req) == tokens


@pytest.mark.parametrize(
    "part",
    [
        Text("x" * 4000),
        ReasoningContent(text="x" * 4000),
        ThoughtSignature(signature="x" * 4000),
        ToolCall(call_id="1", fn_name="f", fn_arguments={"a": "x" * 4000}),
        ToolResponse(call_id="1", content="x" * 4000),
        Custom(data=["x" * 4000]),
    ],
)
def test_every_part_counts(part: object) -> None:
    assert prompt_tokens(ChatRequest(messages=(ChatMessage(role="assistant", content=(part,)),))) == pytest.approx(
        1005, abs=5
    )


def test_the_answer_is_the_callers_bound_or_the_default() -> None:
    assert estimated_tokens(REQUEST, None, 500) == 505
    assert estimated_tokens(REQUEST, ChatOptions(temperature=1), 500) == 505
    assert estimated_tokens(REQUEST, ChatOptions(max_tokens=20), 500) == 25


def test_an_estimate_of_ones_own_is_called_with_the_call() -> None:
    seen = []

    def mine(model: str, chat_req: ChatRequest, options: ChatOptions | None) -> float:
        seen.append((model, chat_req, options))
        return 77.9

    async def main() -> None:
        layer = RateLimit(tokens_per_minute=10_000, estimate=mine, burst=1)
        async with Stack(layer, ScriptedExecutor(answer(usage=None))).build() as executor:
            await timed(executor)
            assert used(executor, "10000 tokens per minute") == 77

    run_virtual(main())
    assert seen == [("m", REQUEST, None)]


@pytest.mark.parametrize("broken", [lambda *_: 1 / 0, lambda *_: None, lambda *_: float("nan")])
def test_an_estimate_that_fails_is_replaced_by_the_built_in_one(broken, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        layer = RateLimit(tokens_per_minute=10_000, estimate=broken, burst=1)
        async with Stack(layer, ScriptedExecutor(answer(usage=None))).build() as executor:
            await timed(executor)
            assert used(executor, "10000 tokens per minute") == 505

    run_virtual(main())
    assert "the estimate of tokens failed" in caplog.text


# -- amounts -----------------------------------------------------------------------------------------------------


def tokens_of(model: str, chat_req: ChatRequest, options: ChatOptions | None) -> int:
    return options.max_tokens


@pytest.mark.parametrize(
    ("amounts", "times"),
    [
        pytest.param([100, 100, 100], [0, 10, 20], id="a burst each, paced"),
        pytest.param([300, 1, 1], [0, 30 - 9.9, 30 - 9.8], id="above the burst: an empty bucket, then debt"),
        pytest.param([50, 300, 1], [0, 5, 5 + 20.1], id="and those behind it do not overtake"),
        pytest.param([300, 300, 1], [0, 30, 60], id="but no window overflows"),
        pytest.param([900, 1], [0, 80.1], id="above the whole limit: it owes all of it"),
        pytest.param([1, 900, 1], [0, 60, 140.1], id="an empty window"),
    ],
)
def test_an_amount_above_capacity_waits_and_goes_into_debt(amounts: list[int], times: list[float]) -> None:
    async def main() -> list[float]:
        layer = RateLimit(tokens_per_minute=600, estimate=tokens_of, burst=1 / 6)
        async with Stack(layer, ScriptedExecutor(answer(usage=None), repeat=True)).build() as executor:
            calls = [timed(executor, options=ChatOptions(max_tokens=amount)) for amount in amounts]
            return [when for when, _ in await asyncio.gather(*calls)]

    assert run_virtual(main()) == pytest.approx(times, abs=1e-3)


def test_what_is_remembered_together_comes_back_a_period_after_the_last_of_it() -> None:
    async def main() -> float:
        layer = RateLimit(tokens_per_minute=600, estimate=tokens_of, burst=1)
        async with Stack(layer, ScriptedExecutor(answer(usage=None), repeat=True)).build() as executor:
            await timed(executor, options=ChatOptions(max_tokens=10))
            await asyncio.sleep(0.2)
            await timed(executor, options=ChatOptions(max_tokens=400))
            return (await timed(executor, options=ChatOptions(max_tokens=600)))[0]

    assert run_virtual(main()) == pytest.approx(60.2, abs=1e-4)
