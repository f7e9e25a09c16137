"""snapshot, isolate and reset of a built stack."""

import asyncio

import pytest

from lamellar import ChatRequest, ConfigError, ExecutorError, ExecutorWrapper, LayerSpec, RejectedError, Stack, Target
from lamellar.middleware import Fallback, RateLimit
from lamellar.testing import Hang, Scripted, ScriptedExecutor, run_virtual

REQUEST = ChatRequest.from_user("hi")


class Counter(ExecutorWrapper):
    state_key = "counter"
    count = 3

    def state(self):
        return {"count": self.count}

    def reset(self):
        self.count = 0


class Counting(LayerSpec):
    kind = "counting"

    def wrap(self, inner, context):
        return Counter(inner)


def stack(*targets):
    return Stack(Counting(), Fallback(*targets))


def test_state_is_shown_by_target():
    executor = stack(
        Target(Counting(), Counting(), ScriptedExecutor(), name="a"), Target(ScriptedExecutor(), name="b")
    ).build()
    assert executor.snapshot() == {
        "stack": {"calls": 0, "streams": 0, "counter": {"count": 3}},
        "a": {"isolated": False, "counter": {"count": 3}, "counter#2": {"count": 3}},
        "b": {"isolated": False},
    }


def test_an_isolated_target_is_passed_by_until_it_is_reset():
    async def main():
        first, second = ScriptedExecutor("one", repeat=True), ScriptedExecutor("two", repeat=True)
        async with stack(Target(Counting(), first, name="a"), Target(second, name="b")).build() as executor:
            executor.isolate("a")
            answer = await executor.exec_chat_response("m", REQUEST)
            assert (answer.text, executor.snapshot()["a"]["isolated"]) == ("two", True)
            assert [(each.target, each.outcome, each.kind) for each in answer.attempts] == [
                ("a", "refused", "circuit_open"),
                ("b", "completed", None),
            ]
            executor.isolate("b")
            with pytest.raises(RejectedError, match="isolated by hand"):
                await executor.exec_chat_stream_events("m", REQUEST)
            executor.reset("a")
            assert (await executor.exec_chat_response("m", REQUEST)).text == "one"
            assert executor.snapshot()["a"] == {"isolated": False, "counter": {"count": 0}}
            assert executor.snapshot()["stack"]["counter"] == {"count": 3}
            executor.reset("stack")
            assert executor.snapshot()["stack"]["counter"] == {"count": 0}

    run_virtual(main())


def test_what_is_under_way_is_counted():
    async def main():
        leaf = ScriptedExecutor(Scripted((), (Hang(),)), "one")
        async with Stack(leaf).build() as executor:
            call = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
            await asyncio.sleep(0)
            async with await executor.exec_chat_stream_events("m", REQUEST):
                assert executor.snapshot()["stack"] == {"calls": 1, "streams": 1}
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert executor.snapshot()["stack"] == {"calls": 0, "streams": 0}

    run_virtual(main())


@pytest.mark.parametrize("act", ["isolate", "reset"])
def test_a_name_there_is_not_is_told(act):
    executor = stack(Target(ScriptedExecutor(), name="primary")).build()
    with pytest.raises(ConfigError, match="there is no target 'primry'; did you mean 'primary'"):
        getattr(executor, act)("primry")


def test_a_limiter_shows_its_levels_and_a_reset_lifts_its_pause():
    async def main():
        limited = ExecutorError("rate_limited", "slow down", retry_after=50)
        leaf = ScriptedExecutor(limited, "one", "two")
        async with Stack(RateLimit(requests_per_minute=60), leaf).build() as executor:
            with pytest.raises(ExecutorError):
                await executor.exec_chat_response("m", REQUEST)
            (levels,) = executor.snapshot()["stack"]["rate_limit"].values()
            assert (levels["waiting"], levels["paused"]) == (0, 50)
            waiting = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
            await asyncio.sleep(1)
            executor.reset("stack")
            assert (await asyncio.wait_for(waiting, 1)).text == "one"

    run_virtual(main())
