"""What the conformance suite is run over. A new executor joins with one line in `LAYERS` or `COMPOSITES`.

Each subject is a stack round a leaf. The leaf is scripted (virtual time) or the HTTP executor on one of the engines
(a real server on loopback); the scenarios do not know which.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from lamellar import CompositeExecutor, ExecutorSpec, ExecutorWrapper, LayerSpec, LlmExecutor, Stack, Target
from lamellar.middleware import (
    AdaptiveLimit,
    Balance,
    Budget,
    Cache,
    Chaos,
    CircuitBreaker,
    ConcurrencyLimit,
    Defaults,
    ExtractReasoning,
    Fallback,
    Guardrail,
    Hedge,
    Log,
    RateLimit,
    Record,
    Redact,
    Retry,
    Route,
    SimulateStream,
    Timeout,
    Tracing,
    Transform,
)

from .followed import Followed

Leaf = LlmExecutor | ExecutorSpec


class Plain(ExecutorWrapper):
    """A wrapper of a user's own that adds nothing."""


class PlainLayer(LayerSpec):
    kind = "plain"

    def wrap(self, inner, context):
        return Plain(inner)


class Late(ExecutorWrapper):
    """A wrapper that lets others go first: a hedge whose first target it stands in is won by the second."""

    async def _exec(self, operation, model, chat_req, options):
        await asyncio.sleep(0.05)
        return await operation(self.inner, model, chat_req, options)


class LateLayer(LayerSpec):
    kind = "late"

    def wrap(self, inner, context):
        return Late(inner)


class First(CompositeExecutor):
    """A composite of a user's own that asks its first target."""

    async def _exec(self, operation, model, chat_req, options):
        return await operation(self.targets[0], model, chat_req, options)


def traced(**options: object) -> Callable[[], LayerSpec]:
    """Tracing with an SDK behind it, so that its spans are real ones."""

    def make() -> LayerSpec:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider

        meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
        return Tracing(tracer_provider=TracerProvider(shutdown_on_exit=False), meter_provider=meters, **options)

    return make


def same(value: object) -> object:
    """A function of a user's own that changes nothing."""
    return value


async def nothing(value: object) -> None:
    """A check of a user's own that has nothing against it."""


def anew(event: object) -> object:
    """A function of a user's own that puts an equal event in the place of each."""
    return [replace(event)]


# A layer under test: the layer round the leaf.
LAYERS: dict[str, Callable[[], LayerSpec]] = {
    "wrapper": PlainLayer,
    "retry": lambda: Retry(attempts=2, initial=0.001, max=0.001, overloaded_initial=0.001),
    "retry-on-empty": lambda: Retry(attempts=1, on_empty="accept"),
    "timeout-total": lambda: Timeout(total=1000),
    "timeout-limits": lambda: Timeout(attempt=900, first_content=500, idle=400, connect=5),
    "cache": lambda: Cache(ttl=1000),
    "cache-paced": lambda: Cache(max_entry_bytes=1),
    "cache-each-for-itself": lambda: Cache(single_flight=False),
    "rate-limit-of-pauses": RateLimit,
    "rate-limit-of-requests": lambda: RateLimit(requests_per_second=1000, burst=1, per=("model",), share="subject"),
    "rate-limit-of-tokens": lambda: RateLimit(tokens_per_minute=10**9, tokens_per_day=10**9, max_wait=1),
    "circuit-breaker": lambda: CircuitBreaker(consecutive_failures=1000, count_rate_limits=True),
    "circuit-breaker-shared": lambda: CircuitBreaker(failure_ratio=1, min_calls=1000, per=(), share="circuits"),
    "concurrency-limit": lambda: ConcurrencyLimit(limit=2, max_wait=1),
    "concurrency-limit-adaptive": lambda: ConcurrencyLimit(
        limit=50, adaptive=AdaptiveLimit(latency_ratio=2), per=("model", "tag:team"), share="permits"
    ),
    "tracing": traced(),
    "tracing-attempts": traced(mode="attempts"),
    "tracing-capture": traced(capture_content=True, per_chunk_metrics=True),
    "transform": lambda: Transform(request=same, options=same, model=same),
    "transform-events": lambda: Transform(event=same),
    "transform-events-anew": lambda: Transform(event=anew),
    "transform-answers-and-events": lambda: Transform(response=same, event=same),
    "defaults": lambda: Defaults(temperature=0, system="Be brief."),
    "extract-reasoning": lambda: ExtractReasoning(tags=("think", "[THINK]")),
    "chaos-at-rest": lambda: Chaos(errors={"overloaded": 0}),
    "chaos-of-latency": lambda: Chaos(latency=0.001, latency_rate=0.5),
    "record": lambda: Record(path=os.devnull),
    "budget": lambda: Budget(tokens=10**9, cost=10**6, per=("model", "tag:team"), share="money"),
    "guardrail-of-the-beginning": lambda: Guardrail(on_request=same, on_response=nothing),
    "guardrail-of-the-text": lambda: Guardrail(on_text=nothing, every=3),
    "redact": lambda: Redact(custom={"place": "France"}),
    "log": lambda: Log(slow=1, content=True),
}

# A layer under test that delivers nothing before the answer is whole.
WHOLE: dict[str, Callable[[], LayerSpec]] = {
    "simulate-stream": lambda: SimulateStream(words=1),
    "simulate-stream-paced": lambda: SimulateStream(characters=4, delay=0.001),
    "guardrail-of-the-whole": lambda: Guardrail(on_response=nothing, on_text=nothing, buffer=True),
    "transform-the-answer": lambda: Transform(response=same),
}

# A composite under test: made of leaves that all behave alike.
COMPOSITES: dict[str, Callable[[Leaf], ExecutorSpec]] = {
    "fallback-of-one": Fallback,
    "fallback-of-two": lambda leaf: Fallback(Target(leaf, model="first"), Target(leaf, model="second")),
    "fallback-nested": lambda leaf: Fallback(Fallback(leaf), Target(Retry(attempts=1), leaf)),
    "route-by-name": lambda leaf: Route({"other": leaf, "m*": Target(leaf, model="routed")}),
    "route-by-rule": lambda leaf: Route({"large": Fallback(leaf)}, rules=[{"above_tokens": 1, "to": "large"}]),
    "balance-in-turn": lambda leaf: Balance(leaf, leaf, Target(leaf, model="third")),
    "balance-of-one": lambda leaf: Balance(leaf, strategy="weighted", failover=False),
    "balance-of-the-least": lambda leaf: Balance(leaf, leaf, strategy="least_pending", weights=(2, 1), ejection={}),
    "balance-of-the-fastest": lambda leaf: Balance(
        leaf, leaf, strategy="latency", affinity="conversation", ejection={"failures": 1}
    ),
    "hedge-of-nobody": lambda leaf: Hedge(leaf, Target(leaf, model="second"), delay=1000),
    "hedge-of-the-second": lambda leaf: Hedge(
        Target(LateLayer(), leaf), Target(leaf, model="second"), delay=0.001, percentile=0.9, budget={"ratio": 1}
    ),
    "hedge-of-a-hedge": lambda leaf: Hedge(
        Target(LateLayer(), leaf), Hedge(Target(LateLayer(), leaf), leaf, delay=0), delay=0
    ),
}


@dataclass(frozen=True)
class Subject:
    """A stack that is to obey the contract, whatever its leaf does.

    Args:
        name: Its name among the tests.
        stack: The stack round a leaf.
        whole: Whether it delivers nothing before the answer is whole.
    """

    name: str
    stack: Callable[[Leaf], Stack | Followed]
    whole: bool = False

    def __str__(self) -> str:
        return self.name


def _layered(make: Callable[[], LayerSpec]) -> Callable[[Leaf], Stack]:
    return lambda leaf: Stack(make(), leaf)


def _once_more() -> list[LayerSpec]:
    """Every layer, to stand inside every layer: a limit that both share would make a call wait for itself."""
    made = [make() for make in LAYERS.values()]
    return [
        each.model_copy(update={"share": "inside"}) if isinstance(each, ConcurrencyLimit) and each.share else each
        for each in made
    ]


def _composed(make: Callable[[Leaf], ExecutorSpec]) -> Callable[[Leaf], Stack]:
    return lambda leaf: Stack(make(leaf))


IN_A_FILE = Subject("cache-in-a-file", _layered(lambda: Cache(store={"sqlite": {"path": "answers.sqlite"}})))
"""Its work is done in a thread, which virtual time does not wait for: it is run over HTTP."""

SUBJECTS = [
    Subject("leaf", Stack),
    Subject("followed", lambda leaf: Followed(Stack(leaf))),
    Subject(
        "followed-with-limits",
        lambda leaf: Followed(Stack(Retry(attempts=1), ConcurrencyLimit(limit=5), RateLimit(), Fallback(leaf, leaf))),
    ),
    *[Subject(name, _layered(make)) for name, make in LAYERS.items()],
    *[Subject(name, _layered(make), whole=True) for name, make in WHOLE.items()],
    *[Subject(name, _composed(make)) for name, make in COMPOSITES.items()],
    Subject(
        "all-together",
        lambda leaf: Stack(
            *[make() for make in LAYERS.values()],
            Fallback(Target(*_once_more(), leaf, model="first"), Target(leaf, model="second")),
        ),
    ),
]
