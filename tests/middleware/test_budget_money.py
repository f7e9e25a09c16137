"""Budget in money: whose prices count, and what where nobody knows one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lamellar import ChatOptions, ChatRequest, ConfigError, RejectedError, Stack, Usage
from lamellar.middleware import Budget, TokenPrice
from lamellar.testing import ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")
USAGE = Usage(prompt_tokens=30, completion_tokens=12, total_tokens=42)


def spent(executor: object) -> float:
    return executor.snapshot()["stack"]["budget"]["cost"]["spent"]


def test_money_is_counted_by_the_price_of_who_answered() -> None:
    async def main() -> None:
        million = Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)
        leaf = ScriptedExecutor(answer(usage=million), name="openai", repeat=True)
        async with Stack(Budget(cost=2), leaf).build() as executor:
            response = await executor.exec_chat_response("gpt-4o-mini", REQUEST)
            assert response.cost == pytest.approx(0.75)
            assert spent(executor) == pytest.approx(0.75)
            with pytest.raises(RejectedError, match=r"2 US dollars in 86400 s has no room: 0\.75 are spent"):
                await executor.exec_chat_response("gpt-4o-mini", REQUEST, ChatOptions(max_tokens=3_000_000))

    run_virtual(main())


def test_prices_of_ones_own_come_first() -> None:
    async def main() -> None:
        usage = Usage(prompt_tokens=1000, completion_tokens=100, prompt_details={"cached_tokens": 400})
        leaf = ScriptedExecutor(answer(usage=usage), name="openai")
        prices = {"gpt-*": TokenPrice(input=10, output=100, cached_input=1), "*": TokenPrice(input=1, output=1)}
        async with Stack(Budget(cost=1, prices=prices), leaf).build() as executor:
            await executor.exec_chat_response("gpt-4o-mini", REQUEST)
            assert spent(executor) == pytest.approx((600 * 10 + 400 * 1 + 100 * 100) / 1e6)

    run_virtual(main())


def test_a_price_that_nobody_knows_counts_as_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(answer(usage=USAGE), name="at-home", repeat=True)
        async with Stack(Budget(cost=1, tokens=1000), leaf).build() as executor:
            await executor.exec_chat_response("mine", REQUEST)
            await executor.exec_chat_response("mine", REQUEST)
            assert spent(executor) == 0
            assert executor.snapshot()["stack"]["budget"]["tokens"]["spent"] == 84

    run_virtual(main())
    assert [record.message for record in caplog.records] == [
        "the price of 'mine' at at-home is not known, so it counts as nothing; say it in `prices`"
    ]


def test_money_without_a_list_of_prices_is_refused_when_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", None)
    stack = Stack(Budget(cost=1), ScriptedExecutor())
    with pytest.raises(ConfigError, match=r"cost: .*pip install 'lamellar\[prices\]'"):
        stack.build()
    assert Stack(Budget(cost=1, prices={"*": {"input": 1, "output": 2}}), ScriptedExecutor()).build()
    assert Stack(Budget(tokens=1), ScriptedExecutor()).build()


def test_declaring_a_budget_loads_no_list_of_prices() -> None:
    code = "import sys, lamellar.middleware as m; m.Budget(cost=1); print('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"
