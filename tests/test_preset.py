"""`Stack.preset`: the order of the layers, the limits it chooses, and what of one's own stands instead."""

import pytest

from lamellar import ConfigError, Stack, Target
from lamellar.middleware import Cache, CircuitBreaker, Fallback, RateLimit, Retry, Timeout, Tracing
from lamellar.providers import Auto, OpenAI


def test_several_targets_fail_over_in_time():
    stack = Stack.preset(Target(OpenAI(), model="a"), Target(OpenAI(), model="b"))
    inner = (Retry(attempts=3, retry_after_cap=10, on_interrupt="restart"), CircuitBreaker(), RateLimit())
    assert stack == Stack(
        Tracing(),
        Timeout(total=300, connect=5, first_content=10, idle=15),
        Fallback(Target(*inner, OpenAI(), model="a"), Target(*inner, OpenAI(), model="b"), on_interrupt="restart"),
    )


def test_one_target_is_given_more_time_since_there_is_nowhere_else_to_go():
    stack = Stack.preset(Auto())
    assert stack == Stack(
        Tracing(),
        Timeout(total=600, connect=5, first_content=60, idle=60),
        Fallback(
            Target(Retry(attempts=3, on_interrupt="restart"), CircuitBreaker(), RateLimit(), Auto()),
            on_interrupt="restart",
        ),
    )


def test_a_layer_of_ones_own_in_a_target_stands_instead():
    own = Target(Retry(attempts=7), Timeout(first_content=60), OpenAI(), model="o3")
    (target,) = Stack.preset(own).executor.targets
    own = (Retry(attempts=7), CircuitBreaker(), RateLimit(), Timeout(first_content=60))
    assert target == Target(*own, OpenAI(), model="o3")


def test_a_layer_that_is_missing_goes_where_it_belongs():
    (target,) = Stack.preset(Target(Timeout(attempt=3), RateLimit(requests_per_day=9), OpenAI())).executor.targets
    assert [layer.kind for layer in target.layers] == ["retry", "circuit_breaker", "timeout", "rate_limit"]
    (target,) = Stack.preset(Target(Timeout(attempt=3), Retry(attempts=7), OpenAI())).executor.targets
    assert [layer.kind for layer in target.layers] == ["timeout", "retry", "circuit_breaker", "rate_limit"]


def test_what_may_be_said():
    cache, limits = Cache(ttl="10m"), Timeout(total=20)
    stack = Stack.preset(OpenAI(), {"executor": "openai", "model": "b"}, cache=cache, timeout=limits, attempts=2)
    assert stack.layers == (Tracing(), cache, limits)
    assert [target.model for target in stack.executor.targets] == [None, "b"]
    assert {target.layers[0].attempts for target in stack.executor.targets} == {2}


def test_it_is_a_stack_like_any_other():
    stack = Stack.preset(Target(OpenAI(), model="a"), OpenAI(), cache=Cache())
    assert Stack.loads(stack.dump()) == stack
    assert "tracing" in stack.describe()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Stack.preset, "there is no target"),
        (lambda: Stack.preset(Retry()), "Retry is a layer"),
        (lambda: Stack.preset(OpenAI(), attempts=0), "attempts"),
        (lambda: Stack.preset(OpenAI(), cache=OpenAI()), "layer"),
    ],
)
def test_mistakes_are_named(make, said):
    with pytest.raises(ConfigError, match=said):
        make()
