"""The bounds of a stack hold whatever its providers do, and where all of them fail, its calls are reached."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lamellar import Chunk, ErrorKind, ExecutorError, ExecutorSpec, LamellarError, LayerSpec, Stack, Target
from lamellar.chat.request import ChatRequest
from lamellar.middleware import (
    Balance,
    Budget,
    Cache,
    Chaos,
    CircuitBreaker,
    ConcurrencyLimit,
    ExtractReasoning,
    Fallback,
    Hedge,
    KindPolicy,
    Log,
    RateLimit,
    Retry,
    Route,
    SimulateStream,
    Timeout,
)
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")
ROUNDING = 1e-6
MOST = 300
"""Calls that a stack of these tests may come to: more take too long to play."""


def failure(kind: str = "server_error", **more: object) -> ExecutorError:
    return ExecutorError(kind, "no", **more)  # type: ignore[arg-type]


def times(most: int) -> st.SearchStrategy[float]:
    return st.integers(1, most).map(float)


# -- random stacks ----------------------------------------------------------------------------------------------

ON_INTERRUPT = st.sampled_from(["raise", "restart", "continue"])

retries = st.builds(
    lambda attempts, more, **options: Retry(
        attempts=attempts, kinds={"server_error": KindPolicy(attempts=attempts + more)} if more else {}, **options
    ),
    attempts=st.integers(1, 3),
    more=st.sampled_from([0, 0, 1]),
    initial=st.sampled_from([0, 0.5]),
    max=st.sampled_from([0.5, 2]),
    jitter=st.sampled_from(["full", "equal", "none"]),
    overloaded_initial=st.sampled_from([0, 1, 5]),
    retry_after_cap=st.sampled_from([0, 3, 20]),
    on_interrupt=ON_INTERRUPT,
)
harmless = st.sampled_from(
    [
        CircuitBreaker(consecutive_failures=None, failure_ratio=None),
        ConcurrencyLimit(limit=3),
        RateLimit(),
        Log(),
        Budget(tokens=10**9),
        ExtractReasoning(),
        SimulateStream(),
        Chaos(),
        Timeout(attempt=50),
        Timeout(connect=1),
    ]
)
bounding = st.one_of(
    st.builds(lambda total: Timeout(total=total), times(30)),
    st.builds(lambda attempt: Timeout(attempt=attempt), times(10)),
    st.builds(lambda retry, window: retry.model_copy(update={"window": window}), retries, times(10)),
    st.builds(lambda rate, wait: RateLimit(requests_per_minute=rate, max_wait=wait), st.integers(1, 20), times(9)),
    st.builds(lambda wait: ConcurrencyLimit(limit=1, max_wait=wait), times(9)),
    st.just(CircuitBreaker(consecutive_failures=2, open_for=3)),
    st.just(Cache()),
    st.just(Chaos(cut_rate=0.2, errors={ErrorKind.OVERLOADED: 0.2}, latency=(0, 5), retry_after=2)),
)


class Leaves:
    """Makes the leaves of a stack and keeps them."""

    def __init__(self, *scripts: object) -> None:
        self.made: list[ScriptedExecutor] = []

    @property
    def calls(self) -> int:
        return sum(len(leaf.calls) for leaf in self.made)


def composites(of: st.SearchStrategy[ExecutorSpec | None], layers: st.SearchStrategy[list[LayerSpec]], kinds: str):
    """Composites over targets that are described by what makes them: leaves are made when a stack is played."""
    targets = st.lists(st.tuples(layers, of, st.booleans()), min_size=2, max_size=3)
    return st.tuples(st.sampled_from(kinds.split()), targets, ON_INTERRUPT, st.booleans())


def plans(layer: st.SearchStrategy[LayerSpec], kinds: str):
    """Layers, and a leaf (None) or a composite, at most two in one another."""
    layers = st.lists(layer, max_size=2)
    leaf = st.none()
    inner = leaf | composites(leaf, layers, kinds)
    return st.tuples(st.lists(layer, max_size=3), leaf | composites(inner, layers, kinds))


def built(plan, leaf) -> tuple[list[LayerSpec], object]:
    """The layers and the executor of a plan; `leaf` makes the leaves."""
    layers, inner = plan
    return list(layers), leaf() if inner is None else composite(inner, leaf)


def composite(plan, leaf) -> ExecutorSpec:
    kind, described, on_interrupt, switch = plan
    targets = []
    for number, (layers, inner, prefill) in enumerate(described):
        executor = leaf() if inner is None else composite(inner, leaf)
        targets.append(Target(*layers, executor, name=f"t{number}", prefill=prefill))
    if kind == "fallback":
        return Fallback(*targets, on_interrupt=on_interrupt, sticky=30 if switch else None)
    if kind == "balance":
        return Balance(*targets, failover=switch or len(targets) > 2)
    if kind == "hedge":
        return Hedge(*targets, delay=2, max_parallel=3 if switch else 2)
    return Route({f"m{number}": target for number, target in enumerate(targets)}, default="m1")


async def play(stack: Stack, *, streaming: bool, calls: int = 1) -> float:
    """Seconds that the longest of these calls took, one after the other; what they came to does not matter."""
    longest = 0.0
    async with stack.build(rng=Random(1)) as executor:
        for _ in range(calls):
            began = asyncio.get_running_loop().time()
            try:
                if streaming:
                    async with await executor.exec_chat_stream_events("m", REQUEST) as events:
                        async for _ in events:
                            pass
                else:
                    await executor.exec_chat_response("m", REQUEST)
            except LamellarError:
                pass
            longest = max(longest, asyncio.get_running_loop().time() - began)
    return longest


# -- held, and reached ------------------------------------------------------------------------------------------


def entry(rng: Random, *, hangs: bool) -> Scripted:
    """Something that a provider does, rather a failure than not."""

    def takes() -> object:
        seconds = rng.choice([0, 0, 0.1, 1, 4])
        return lambda: asyncio.sleep(seconds)

    kinds = ["server_error", "overloaded", "connection", "rate_limited", "timeout", "invalid_request", "truncated"]
    error = failure(rng.choice(kinds), retry_after=rng.choice([None, None, 1, 3, 20, 100]))
    way = rng.random()
    if way < 0.5:
        return Scripted((), (takes(), error))  # type: ignore[arg-type]
    if way < 0.8:
        return Scripted((Chunk("Hello"), takes(), error), (takes(),))  # type: ignore[arg-type]
    if way < 0.9 and hangs:
        return Scripted((Hang(),) if way < 0.85 else (Chunk("Hel"), Hang()))
    return answer("Hello there", opening=(takes(),))  # type: ignore[arg-type]


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans(retries | harmless | bounding, "fallback balance hedge route"), st.integers(0, 10**6), st.booleans())
def test_the_bounds_hold_whatever_happens(plan, seed: int, streaming: bool) -> None:
    rng, leaves = Random(seed), Leaves()

    def leaf() -> ScriptedExecutor:
        found = ScriptedExecutor(name=f"leaf{len(leaves.made)}")
        leaves.made.append(found)
        return found

    layers, executor = built(plan, leaf)
    stack = Stack(*layers, executor)
    bounds = stack.bounds()
    assume(bounds.calls is not None and bounds.calls <= MOST)
    for made in leaves.made:
        made.__init__(*[entry(rng, hangs=bounds.seconds is not None) for _ in range(MOST)], name=made.name)  # type: ignore[misc]
    took = run_virtual(play(stack, streaming=streaming))
    assert leaves.calls <= bounds.calls
    if bounds.seconds is not None:
        assert took <= bounds.seconds + ROUNDING


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans(retries | harmless, "fallback hedge"), st.booleans())
def test_the_calls_are_reached_where_all_fail(plan, streaming: bool) -> None:
    """At once, before any content: so nothing but the stack itself says how often it asks."""
    leaves = Leaves()

    def leaf() -> ScriptedExecutor:
        leaves.made.append(ScriptedExecutor(failure(), repeat=True, name=f"leaf{len(leaves.made)}"))
        return leaves.made[-1]

    layers, executor = built(without_going_on(plan), leaf)
    stack = Stack(*layers, executor)
    bounds = stack.bounds()
    assume(bounds.calls is not None and bounds.calls <= MOST)
    run_virtual(play(stack, streaming=streaming))
    assert leaves.calls == bounds.calls


def without_going_on(plan):
    """The plan with no prefill: a target that refuses one is asked once more, and these fail before any content."""
    layers, inner = plan
    return layers, None if inner is None else _without(inner)


def _without(inner):
    kind, targets, on_interrupt, switch = inner
    plain = [(layers, None if each is None else _without(each), False) for layers, each, _ in targets]
    return kind, plain, on_interrupt, switch
