"""Every registered plate with options that act within virtual minutes. A new one joins with one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from random import Random

from lamellar import ExecutorSpec, LayerSpec, Target
from lamellar.middleware import (
    AdaptiveLimit,
    Balance,
    Budget,
    Cache,
    Chaos,
    CircuitBreaker,
    ConcurrencyLimit,
    Defaults,
    Ejection,
    ExtractReasoning,
    Fallback,
    Guardrail,
    Hedge,
    HedgeBudget,
    Log,
    RateLimit,
    Record,
    Redact,
    Retry,
    RetryBudget,
    Route,
    RouteRule,
    SimulateStream,
    Timeout,
    TokenPrice,
    Tracing,
    Transform,
)

from .hooks import (
    by_day,
    halves,
    large_ones,
    let_through,
    no_reasoning,
    not_green,
    same_options,
    same_request,
    shout,
    shouted,
    think_about_it,
)
from .world import World

__all__ = ["COMPOSITES", "HTTP", "KINDS", "LAYERS", "LEAVES", "composite", "layer"]

HTTP = {
    "anthropic",
    "auto",
    "azure_openai",
    "bedrock",
    "cohere",
    "gemini",
    "ollama",
    "openai",
    "openai_responses",
    "provider",
    "vertex",
}
"""Leaves that speak HTTP: the conformance suite runs those; the simulation has targets of its own in their place."""

LEAVES = {"replay"}
"""Registered leaves that take part as targets beside the simulated ones."""


# -- layers ------------------------------------------------------------------------------------------------------------


def _retry(rng: Random, world: World) -> LayerSpec:
    initial = rng.choice((0, 0.5, 2))
    return Retry(
        attempts=rng.choice((1, 2, 2, 3)),
        initial=initial,
        max=max(initial, rng.choice((1, 4))),
        overloaded_initial=rng.choice((0, 1)),
        jitter=rng.choice(("none", "full", "equal")),
        window=rng.choice((None, None, 5)),
        kinds=rng.choice(({}, {"timeout": True}, {"overloaded": {"attempts": 2}})),
        on_empty=rng.choice(("accept", "retry")),
        budget=rng.choice((None, None, RetryBudget(ratio=0.5, min_per_second=0.0, window=60))),
        on_interrupt=rng.choice(("raise", "restart", "restart", "continue", "continue")),
    )


def _timeout(rng: Random, world: World) -> LayerSpec:
    limits = {name: rng.choice((None, 1, 3, 6)) for name in ("first_content", "idle")}
    limits["attempt"] = rng.choice((None, 6, 12))
    limits["total"] = rng.choice((None, 12, 20))
    said = {name: value for name, value in limits.items() if value is not None} or {"total": 7}
    return Timeout(**said, reserve=rng.choice((0.25, 0.0, 0.4)))


def _cache(rng: Random, world: World) -> LayerSpec:
    return Cache(
        ttl=rng.choice((None, 3, 600)),
        max_entries=rng.choice((1, 100)),
        max_entry_bytes=rng.choice((150, 700, 1_000_000)),
        share=rng.choice((None, "answers")),
        store_fallback=rng.choice((True, False)),
        single_flight=rng.random() < 0.8,
    )


def _rate_limit(rng: Random, world: World) -> LayerSpec:
    said = rng.choice(
        ({}, {"requests_per_second": 1}, {"requests_per_minute": 10}, {"tokens_per_minute": 60, "burst": 1})
    )
    return RateLimit(
        **said,
        default_output_tokens=rng.choice((0, 20)),
        per=rng.choice(((), ("model",), ("tag:team",))),
        max_queue=rng.choice((0, 1, 1000)),
        max_wait=rng.choice((None, 2, 30)),
    )


def _breaker(rng: Random, world: World) -> LayerSpec:
    if rng.random() < 0.2:
        return CircuitBreaker(consecutive_failures=1, open_for=2, per=(), share="circuits")
    return CircuitBreaker(
        consecutive_failures=rng.choice((1, 1, 2)),
        open_for=rng.choice((0.5, 3)),
        open_max=rng.choice((None, 16)),
        quota_open_for=rng.choice((None, 5)),
        probes=rng.randint(1, 2),
        probe_lease=rng.choice((1, 10)),
        count_rate_limits=rng.choice((True, False)),
    )


def _concurrency(rng: Random, world: World) -> LayerSpec:
    if rng.random() < 0.2:
        return ConcurrencyLimit(limit=2, share="permits")
    max_queue = rng.choice((0, 1, 1000))
    return ConcurrencyLimit(
        limit=rng.randint(1, 2),
        max_queue=max_queue,
        max_wait=rng.choice((None, 2, 20)) if max_queue else None,
        adaptive=rng.choice((None, None, AdaptiveLimit(min=1, max=4))),
        per=rng.choice(((), ("model",))),
    )


def _budget(rng: Random, world: World) -> LayerSpec:
    limit = {"tokens": rng.choice((60, 200, 5000))}
    if rng.random() < 0.3:
        limit = {"cost": 0.01, "prices": {"*": TokenPrice(input=1, output=100)}}
    return Budget(**limit, period=rng.choice((None, 30)), default_output_tokens=10, per=rng.choice(((), ("tag:team",))))


def _guardrail(rng: Random, world: World) -> LayerSpec:
    checks = rng.choice(
        (
            {"on_request": let_through},
            {"on_request": think_about_it, "on_response": let_through},
            {"on_response": think_about_it, "buffer": True},
            {"on_text": not_green, "every": rng.choice((1, 15))},
            {"on_text": let_through, "on_response": let_through},
            {"on_text": not_green, "buffer": True},
        )
    )
    return Guardrail(**checks, fingerprint="simulated")


def _transform(rng: Random, world: World) -> LayerSpec:
    hooks = rng.choice(
        (
            {"request": same_request},
            {"options": same_options},
            {"event": shout},
            {"event": halves},
            {"event": no_reasoning},
            {"response": shouted},
            {"event": shout, "response": shouted},
        )
    )
    return Transform(**hooks, fingerprint=" ".join(f"{name}={hook.__name__}" for name, hook in hooks.items()))


def _chaos(rng: Random, world: World) -> LayerSpec:
    return Chaos(
        errors=rng.choice(({}, {"overloaded": 0.2}, {"rate_limited": 0.2, "connection": 0.1})),
        empty_rate=rng.choice((0.0, 0.1)),
        cut_rate=rng.choice((0.0, 0.3)),
        stall_rate=rng.choice((0.0, 0.1)),
        latency=rng.choice((None, (0, 2))),
        retry_after=rng.choice((None, 1)),
    )


def _tracing(rng: Random, world: World) -> LayerSpec:
    return Tracing(
        mode=rng.choice(("call", "attempts")),
        capture_content=rng.choice((True, False)),
        metrics=False,
        tracer_provider=world.tracers,
    )


def _simulate_stream(rng: Random, world: World) -> LayerSpec:
    return SimulateStream(words=rng.choice((None, 2)), delay=rng.choice((0, 0.5)))


LAYERS: dict[str, Callable[[Random, World], LayerSpec]] = {
    "budget": _budget,
    "cache": _cache,
    "chaos": _chaos,
    "circuit_breaker": _breaker,
    "concurrency_limit": _concurrency,
    "defaults": lambda rng, world: Defaults(temperature=0, system=rng.choice((None, "Be brief."))),
    "extract_reasoning": lambda rng, world: ExtractReasoning(),
    "guardrail": _guardrail,
    "log": lambda rng, world: Log(slow=rng.choice((None, 1)), content=rng.choice((True, False))),
    "rate_limit": _rate_limit,
    "record": lambda rng, world: Record(path=os.devnull),
    "redact": lambda rng, world: Redact(restore=rng.choice((True, True, False))),
    "retry": _retry,
    "simulate_stream": _simulate_stream,
    "timeout": _timeout,
    "tracing": _tracing,
    "transform": _transform,
}


# -- composites ----------------------------------------------------------------------------------------------------


def _fallback(rng: Random, targets: Sequence[Target]) -> ExecutorSpec:
    return Fallback(
        *targets,
        on_empty=rng.choice(("accept", "fallback")),
        sticky=rng.choice((None, 5)),
        accept=rng.choice((None, None, by_day)),
        on_interrupt=rng.choice(("raise", "restart", "restart", "continue", "continue")),
    )


def _hedge(rng: Random, targets: Sequence[Target]) -> ExecutorSpec:
    delay = rng.choice((0, 0.5, 2))
    return Hedge(
        *targets,
        delay=delay,
        percentile=rng.choice((None, 0.5)) if delay else None,
        max_parallel=rng.randint(2, 3),
        budget=rng.choice((None, None, HedgeBudget(ratio=0.5))),
    )


def _balance(rng: Random, targets: Sequence[Target]) -> ExecutorSpec:
    return Balance(
        *targets,
        strategy=rng.choice(("round_robin", "weighted", "least_pending", "latency")),
        affinity=rng.choice((None, "conversation")),
        ejection=rng.choice((None, Ejection(failures=1, duration=5))),
        failover=rng.random() < 0.8,
    )


def _route(rng: Random, targets: Sequence[Target]) -> ExecutorSpec:
    routes = dict(zip(("m", "other", "o*"), targets, strict=False))
    rules = [RouteRule(when=large_ones, identity="large ones")] if "other" in routes and rng.random() < 0.3 else ()
    return Route(routes, rules=rules, default=rng.choice((None, "m", "m")))


COMPOSITES: dict[str, Callable[[Random, Sequence[Target]], ExecutorSpec]] = {
    "balance": _balance,
    "fallback": _fallback,
    "hedge": _hedge,
    "route": _route,
}

KINDS = (*LAYERS, *COMPOSITES)
"""What the histogram counts."""


def layer(kind: str, rng: Random, world: World) -> LayerSpec:
    """A layer of this kind with options as chance has them."""
    return LAYERS[kind](rng, world)


def composite(kind: str, rng: Random, targets: Sequence[Target]) -> ExecutorSpec:
    """A composite of this kind over these targets."""
    return COMPOSITES[kind](rng, targets)
