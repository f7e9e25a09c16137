"""Several keys for one target, and the key that tells a provider of a call tried again."""

import asyncio
from random import Random

import pytest

from lamellar import ChatOptions, ChatRequest, ConfigError, ErrorKind, ExecutorError, Stack
from lamellar.middleware import Retry
from lamellar.providers import Anthropic, OpenAI
from lamellar.providers.keys import KeyPool
from lamellar.testing import ManualClock
from lamellar.testing.simulator import Answer, ProviderSimulator, overloaded, rate_limited, unauthorized

HELLO = ChatRequest.from_user("Hello.")


def failure(kind: str, **known: object) -> ExecutorError:
    return ExecutorError(kind, "no", **known)


class TestThePool:
    def test_keys_are_used_in_turn(self):
        pool = KeyPool(["a", "b", "c"], ManualClock())
        assert [pool.take() for _ in range(5)] == ["a", "b", "c", "a", "b"]
        assert [KeyPool(["a"], ManualClock()).take(), KeyPool([], ManualClock()).take()] == ["a", None]

    async def test_a_limited_key_rests_as_long_as_it_is_told(self):
        clock = ManualClock()
        pool = KeyPool(["a", "b"], clock)
        error = failure("rate_limited", retry_after=7)
        pool.judged(pool.take(), error)
        assert (error.retryable, error.retry_after, error.counts_against_health) == (True, None, False)
        assert [pool.take() for _ in range(3)] == ["b", "b", "b"]
        await clock.advance(7)
        assert {pool.take(), pool.take()} == {"a", "b"}

    @pytest.mark.parametrize("kind", ["unauthorized", "permission_denied", "quota_exhausted"])
    async def test_a_refused_or_spent_key_rests_longer(self, kind):
        clock = ManualClock()
        pool = KeyPool(["a", "b"], clock)
        error = failure(kind)
        pool.judged(pool.take(), error)
        assert error.retryable
        await clock.advance(599)
        assert {pool.take() for _ in range(4)} == {"b"}
        assert pool.state() == {"keys": 2, "set_aside": 1}

    def test_when_all_rest_the_error_stands_and_the_first_to_wake_is_used(self):
        pool = KeyPool(["a", "b"], ManualClock())
        pool.judged("a", failure("rate_limited", retry_after=9))
        last = failure("rate_limited", retry_after=5)
        pool.judged("b", last)
        assert (last.retry_after, pool.take()) == (5, "b")

    def test_what_is_no_fault_of_the_key_changes_nothing(self):
        pool = KeyPool(["a", "b"], ManualClock())
        error = failure("overloaded", retry_after=3)
        pool.judged("a", error)
        assert (error.retry_after, pool.state()["set_aside"]) == (3, 0)
        alone = failure("rate_limited", retry_after=3)
        KeyPool(["a"], ManualClock()).judged("a", alone)
        assert alone.retry_after == 3


class TestATarget:
    async def ask(self, simulator, *, calls=1, **options):
        provider = OpenAI(base_url=simulator.base_url, api_key=["k-one", "k-two"], **options)
        async with Stack(Retry(attempts=3, initial=0.01), provider).build(rng=Random(0)) as executor:
            for _ in range(calls):
                await executor.exec_chat_response("m", HELLO)
            return executor.snapshot()

    def keys(self, simulator):
        return [request.headers["authorization"].removeprefix("Bearer ") for request in simulator.requests]

    async def test_its_keys_are_used_in_turn(self):
        with ProviderSimulator(Answer("hi")) as simulator:
            state = await self.ask(simulator, calls=3)
        assert self.keys(simulator) == ["k-one", "k-two", "k-one"]
        assert state["stack"]["keys"] == {"keys": 2, "set_aside": 0}

    @pytest.mark.parametrize("complaint", [rate_limited(retry_after=30), unauthorized()])
    async def test_a_key_that_is_complained_of_is_left_and_the_call_goes_on(self, complaint):
        with ProviderSimulator([complaint, Answer("hi"), Answer("hi"), Answer("hi")]) as simulator:
            state = await asyncio.wait_for(self.ask(simulator, calls=3), 5)
        assert self.keys(simulator) == ["k-one", "k-two", "k-two", "k-two"]
        assert state["stack"]["keys"]["set_aside"] == 1

    async def test_no_key_is_shown(self):
        with ProviderSimulator(unauthorized()) as simulator, pytest.raises(ExecutorError) as caught:
            await self.ask(simulator)
        assert caught.value.kind is ErrorKind.UNAUTHORIZED
        assert "k-one" not in str(caught.value.attempts) + repr(caught.value)

    def test_it_stands_in_a_file(self):
        stack = Stack.loads("executor: {openai: {api_key: [{env: A}, {env: B}]}}")
        assert Stack.loads(stack.dump()) == stack
        assert "A" not in str(stack.identity())

    def test_mistakes_are_named(self, monkeypatch):
        monkeypatch.delenv("NO_KEY", raising=False)
        with pytest.raises(ConfigError, match=r"api_key: an empty list"):
            OpenAI(api_key=[])
        with pytest.raises(ConfigError, match="the same key twice"):
            OpenAI(api_key=[{"env": "A"}, {"env": "A"}])
        with pytest.raises(ConfigError, match=r"openai.api_key\[1\]: the environment variable NO_KEY"):
            Stack(OpenAI(api_key=["k", {"env": "NO_KEY"}])).build()


class TestIdempotency:
    def sent(self, simulator):
        return [request.headers.get("idempotency-key") for request in simulator.requests]

    async def test_every_try_of_a_call_has_the_same_key_and_no_other_call_has_it(self):
        with ProviderSimulator([overloaded(), Answer("hi"), Answer("hi")]) as simulator:
            retry = Retry(attempts=2, overloaded_initial=0.01, initial=0.01)
            async with Stack(retry, OpenAI(base_url=simulator.base_url, api_key="k")).build() as executor:
                await executor.exec_chat_response("m", HELLO)
                await executor.exec_chat_response("m", HELLO)
        first, again, other = self.sent(simulator)
        assert first == again
        assert other not in (first, None)

    async def test_the_users_own_stands_and_a_provider_that_takes_none_gets_none(self):
        options = ChatOptions(extra_headers={"Idempotency-Key": "mine"})
        with ProviderSimulator(Answer("hi")) as simulator:
            async with Stack(OpenAI(base_url=simulator.base_url, api_key="k")).build() as executor:
                await executor.exec_chat_response("m", HELLO, options)
        assert self.sent(simulator) == ["mine"]
        with ProviderSimulator(Answer("hi"), dialect="anthropic") as simulator:
            async with Stack(Anthropic(base_url=simulator.base_url, api_key="k")).build() as executor:
                await executor.exec_chat_response("m", HELLO)
        assert self.sent(simulator) == [None]
