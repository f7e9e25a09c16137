"""For each rule of the lint, stacks that it is for, and next to each one that it is not for."""

from __future__ import annotations

from dataclasses import dataclass, field

from lamellar import ErrorKind, LayerSpec, Stack, Target
from lamellar.middleware import (
    Budget,
    Cache,
    CircuitBreaker,
    ConcurrencyLimit,
    Defaults,
    Fallback,
    Guardrail,
    Hedge,
    KindPolicy,
    Log,
    RateLimit,
    Record,
    Redact,
    Retry,
    Route,
    SimulateStream,
    Timeout,
    Tracing,
)
from lamellar.providers import Anthropic, Auto, OpenAI
from lamellar.testing import ScriptedExecutor
from lamellar.verdicts import VERDICTS

KEY = {"env": "A_KEY_THAT_IS_SET"}
LIMITS = Timeout(total=300, first_content=10, idle=15)


def openai(**more: object) -> OpenAI:
    return OpenAI(**{"api_key": KEY, **more})  # type: ignore[arg-type]


def anthropic() -> Anthropic:
    return Anthropic(api_key=KEY)


def a(*layers: LayerSpec, **more: object) -> Target:
    return Target(*layers, openai(), **{"model": "a", **more})  # type: ignore[arg-type]


def b(*layers: LayerSpec, **more: object) -> Target:
    return Target(*layers, anthropic(), **{"model": "b", **more})  # type: ignore[arg-type]


def one(*layers: LayerSpec) -> Stack:
    return Stack(LIMITS, *layers, openai())


def several(*targets: Target, layers: tuple[LayerSpec, ...] = (LIMITS,), **more: object) -> Stack:
    return Stack(*layers, Fallback(*(targets or (a(), b())), **more))


class Repeating(ScriptedExecutor):
    """An executor round a provider's own client, which asks again by itself."""

    def __init__(self, max_retries: int) -> None:
        super().__init__(repeat=True)
        self.client = type("Client", (), {})()
        self.client.max_retries = max_retries


NOWHERE = {kind: False for kind, verdict in VERDICTS.items() if verdict.failover}
NOT_QUITE = {kind: goes_on for kind, goes_on in NOWHERE.items() if kind is not ErrorKind.TIMEOUT}


@dataclass(frozen=True)
class Case:
    """A stack that a rule is for, where in it, a word of its message, and a stack that it is not for."""

    code: str
    wrong: Stack
    path: str
    said: str
    right: Stack
    id: str = field(default="")


CASES = [
    Case("cache-inside-retry", one(Retry(), Cache()), "layers[2]", "inside the retry", one(Cache(), Retry())),
    Case(
        "cache-inside-retry",
        several(a(Cache()), b(), layers=(LIMITS, Retry())),
        "executor.fallback.targets[0].layers[0]",
        "inside the retry",
        several(a(Cache(), Retry()), b(Retry())),
        "through a composite",
    ),
    Case("limiter-outside-retry", one(RateLimit(), Retry()), "layers[1]", "layers[2]", one(Retry(), RateLimit())),
    Case(
        "concurrency-outside-retry",
        one(ConcurrencyLimit(limit=5), Retry()),
        "layers[1]",
        "permit is held",
        one(Retry(), ConcurrencyLimit(limit=5)),
    ),
    Case(
        "breaker-outside-retry",
        one(CircuitBreaker(), Retry()),
        "layers[1]",
        "opens late",
        one(Retry(), CircuitBreaker()),
    ),
    Case(
        "breaker-inside-limiter",
        one(RateLimit(), CircuitBreaker()),
        "layers[2]",
        "inside the rate_limit",
        one(CircuitBreaker(), RateLimit()),
    ),
    Case(
        "budget-inside-retry",
        one(Retry(), Budget(tokens=5)),
        "layers[2]",
        "reserves anew",
        Stack(Budget(tokens=5), LIMITS, Retry(), openai()),
    ),
    Case(
        "total-inside-retry",
        one(Retry(), Timeout(total=20)),
        "layers[2]",
        "at layers[1]",
        one(Retry(), Timeout(attempt=20)),
    ),
    Case(
        "guardrail-inside-cache",
        Stack(Cache(), Guardrail(on_text=len), LIMITS, openai()),
        "layers[1]",
        "not checked",
        Stack(Guardrail(on_text=len), Cache(), LIMITS, openai()),
    ),
    Case(
        "tracing-not-outermost",
        Stack(Cache(), Tracing(), LIMITS, openai()),
        "layers[1]",
        "the cache at layers[0]",
        Stack(Log(), Tracing(), Cache(), LIMITS, openai()),
    ),
    Case(
        "tracing-twice",
        several(a(Tracing()), b(), layers=(Tracing(), LIMITS)),
        "executor.fallback.targets[0].layers[0]",
        "layers[0]",
        several(layers=(Tracing(), LIMITS)),
    ),
    Case(
        "retry-outside-choice",
        several(layers=(LIMITS, Retry(attempts=4))),
        "layers[1]",
        "each of its 4 attempts",
        Stack(LIMITS, Retry(), Route({"a": a(), "b": b()})),
    ),
    Case("layer-order", one(Cache()), "layers[1]", "cache stands inside the timeout", Stack(Cache(), LIMITS, openai())),
    Case(
        "retry-multiplies",
        one(Retry(attempts=5), Retry(attempts=3)),
        "layers[2]",
        "5 x 3 = 15 attempts",
        several(a(Retry(attempts=5)), b(Retry(attempts=3))),
    ),
    Case(
        "retry-multiplies",
        one(Retry(attempts=1500), Retry(attempts=1, kinds={ErrorKind.OVERLOADED: KindPolicy(attempts=1000)})),
        "layers[2]",
        "1,500 x 1,000 = 1,500,000 attempts",
        one(Retry(attempts=1), Retry(attempts=3), Retry(attempts=1)),
        "attempts of a kind, and a factor of one",
    ),
    Case(
        "inner-retries",
        Stack(LIMITS, Retry(attempts=3), Repeating(max_retries=2)),
        "executor",
        "3 x 3 = 9 attempts",
        Stack(LIMITS, Retry(attempts=3), Repeating(max_retries=0)),
        "a client",
    ),
    Case(
        "inner-retries",
        Stack(LIMITS, Repeating(max_retries=2)),
        "executor",
        "no record shows",
        Stack(LIMITS, ScriptedExecutor()),
        "alone",
    ),
    Case("no-timeout", Stack(Retry(), openai()), "executor", "no Timeout", one(Retry())),
    Case(
        "no-timeout",
        Stack(Timeout(first_content=5, idle=5), openai()),
        "executor",
        "a whole answer",
        Stack(Timeout(attempt=5), openai()),
        "streams only",
    ),
    Case(
        "limit-cannot-act",
        one(Timeout(attempt=300)),
        "layers[1]",
        "attempt=300 s can never act, because the whole call's total=300 s",
        one(Timeout(attempt=299)),
        "attempt and total",
    ),
    Case(
        "limit-cannot-act",
        one(Timeout(attempt=9)),
        "layers[1]",
        "first_content=10 s can never act, because attempt=9 s",
        one(Timeout(attempt=15)),
        "what is inherited",
    ),
    Case(
        "limit-cannot-act",
        one(Timeout(total=400)),
        "layers[1]",
        "total=400 s can never act",
        one(Timeout(total=200)),
        "two totals",
    ),
    Case(
        "limit-cannot-act",
        one(RateLimit(max_wait=300)),
        "layers[1]",
        "max_wait=300 s can never act, because the whole call's total=300 s",
        one(RateLimit(max_wait=299)),
        "waiting for the rate",
    ),
    Case(
        "limit-cannot-act",
        one(ConcurrencyLimit(limit=5, max_wait="10m")),
        "layers[1]",
        "max_wait=600 s can never act",
        one(ConcurrencyLimit(limit=5, max_wait=9)),
        "waiting for a place",
    ),
    Case(
        "retry-outlasts-total",
        one(Retry(window=300)),
        "layers[1]",
        "window=300 s",
        one(Retry(window=299)),
        "window",
    ),
    Case(
        "retry-outlasts-total",
        one(Retry(attempts=5, initial=100, max=100, jitter="none")),
        "layers[1]",
        "400 s by themselves",
        one(Retry(attempts=3, initial=100, max=100, jitter="none")),
        "backoffs",
    ),
    Case(
        "hint-outlasts-total",
        one(Retry(retry_after_cap=301)),
        "layers[1]",
        "retry_after_cap=301 s",
        one(Retry(retry_after_cap=300)),
    ),
    Case(
        "delay-outlasts-total",
        one(SimulateStream(words=1, delay=300)),
        "layers[1]",
        "delay=300 s",
        one(SimulateStream(words=1, delay=0.1)),
    ),
    Case(
        "hedge-too-late",
        Stack(LIMITS, Hedge(a(Timeout(attempt=2)), b(), delay=2)),
        "executor",
        "attempt=2 s",
        Stack(LIMITS, Hedge(a(Timeout(attempt=3)), b(), delay=2)),
    ),
    Case(
        "hedge-too-late",
        Stack(LIMITS, Hedge(a(), b(), delay=10)),
        "executor",
        "no stream is ever hedged",
        Stack(LIMITS, Hedge(a(), b(), delay=9)),
        "streams",
    ),
    Case(
        "target-twice",
        several(a(), b(), a(Retry(), name="again")),
        "executor.fallback.targets[2]",
        "executor.fallback.targets[0]",
        several(a(), b(), a(model="c")),
    ),
    Case(
        "target-twice",
        several(Target(Fallback(a(), b())), a()),
        "executor.fallback.targets[1]",
        "executor.fallback.targets[0].executor.fallback.targets[0]",
        several(Target(Fallback(Target(openai()), b()), model="x"), Target(openai())),
        "one level down",
    ),
    Case(
        "target-twice",
        several(a(), Target(Retry(), Fallback(b(), a()))),
        "executor.fallback.targets[1].executor.fallback.targets[1]",
        "executor.fallback.targets[0]",
        several(a(), Target(Retry(), Fallback(b(), a(model="c")))),
        "one level down, behind",
    ),
    Case(
        "target-unreachable",
        several(rules=NOWHERE),
        "executor.fallback.targets[1]",
        "the only one of 2",
        several(rules=NOT_QUITE),
    ),
    Case(
        "route-unreachable",
        Stack(LIMITS, Route({"gpt-*": a(), "gpt-**": b()})),
        "executor.route.routes['gpt-**']",
        "'gpt-*' takes the same models",
        Stack(LIMITS, Route({"gpt-*": a(), "gpt-4*": b(), "*": a()})),
    ),
    Case(
        "route-unreachable",
        Stack(LIMITS, Route({"small": a(), "gpt-4o": b()}, rules=[{"model": "gpt-*", "to": "small"}])),
        "executor.route.routes.gpt-4o",
        "a rule takes every model like 'gpt-*'",
        Stack(LIMITS, Route({"small": a(), "o3": b()}, rules=[{"model": "gpt-*", "to": "small"}])),
        "by a rule",
    ),
    Case(
        "route-unreachable",
        Stack(
            LIMITS,
            Route({"x": a()}, rules=[{"tag": "team", "to": "x"}, {"tag": "team=a", "model": "m", "to": "x"}]),
        ),
        "executor",
        "rules[1] is never taken, because rules[0]",
        Stack(
            LIMITS,
            Route({"x": a()}, rules=[{"tag": "team=a", "model": "m", "to": "x"}, {"tag": "team", "to": "x"}]),
        ),
        "among rules",
    ),
    Case(
        "route-unreachable",
        Stack(LIMITS, Route({"*": a()}, default=b())),
        "executor.route.default",
        "'*' takes every model",
        Stack(LIMITS, Route({"?*": a()}, default=b())),
        "a default",
    ),
    Case(
        "window-too-small",
        several(a(context_window=8000), b(context_window=4000)),
        "executor.fallback.targets[1]",
        "smaller than the 8000",
        several(a(context_window=8000), b(context_window=8000)),
    ),
    Case(
        "one-provider",
        several(Target(Fallback(a(), a(model="c"))), a(model="d")),
        "executor",
        "all 3 targets",
        several(Target(Fallback(a(), b())), a(model="d")),
        "told once, furthest out",
    ),
    Case("one-provider", several(a(), a(model="c")), "executor", "all 2 targets are 'openai'", several()),
    Case(
        "one-provider",
        several(a(), a(model="c")),
        "executor",
        "with one key",
        several(a(), Target(openai(base_url="http://x/v1"))),
        "another endpoint",
    ),
    Case(
        "limit-across-providers",
        several(layers=(LIMITS, RateLimit())),
        "layers[1]",
        "'openai' and 'anthropic'",
        several(a(), a(model="c"), layers=(LIMITS, RateLimit())),
        "round both",
    ),
    Case(
        "limit-across-providers",
        several(a(RateLimit(share="x")), b(RateLimit(share="x"))),
        "executor.fallback.targets[1].layers[0]",
        "shared as 'x'",
        several(a(RateLimit(share="x")), b(RateLimit(share="y"))),
        "by name",
    ),
    Case("missing-key", Stack(LIMITS, OpenAI()), "executor", "no key", one()),
    Case(
        "missing-key",
        Stack(LIMITS, openai(api_key=[KEY, {"env": "A_KEY_THAT_IS_NOT"}])),
        "executor",
        "openai.api_key[1]: the environment variable A_KEY_THAT_IS_NOT",
        Stack(LIMITS, OpenAI(base_url="http://localhost:8000/v1")),
        "one of several",
    ),
    Case(
        "missing-key",
        Stack(LIMITS, Auto(providers={"groq": {"headers": {"x": {"env": "A_KEY_THAT_IS_NOT"}}}})),
        "executor",
        "A_KEY_THAT_IS_NOT",
        Stack(LIMITS, Auto()),
        "further in",
    ),
    Case(
        "continue-without-prefill",
        several(a(Retry(on_interrupt="continue")), b()),
        "executor.fallback.targets[0].layers[0]",
        "its target does not declare",
        several(a(Retry(on_interrupt="continue"), prefill=True), b()),
        "of a retry",
    ),
    Case(
        "continue-without-prefill",
        several(a(prefill=True), b(), on_interrupt="continue"),
        "executor",
        "no later target",
        several(a(), b(prefill=True), on_interrupt="continue"),
        "of a fallback",
    ),
    Case(
        "cache-keeps-nothing",
        Stack(Cache(max_entry_bytes=100), LIMITS, openai()),
        "layers[0]",
        "max_entry_bytes=100",
        Stack(Cache(max_entry_bytes=200), LIMITS, openai()),
    ),
    Case(
        "cache-of-samples",
        Stack(Cache(), LIMITS, Defaults(temperature=0.9), openai()),
        "layers[0]",
        "temperature=0.9 at layers[2]",
        Stack(Cache(), LIMITS, Defaults(temperature=0), openai()),
    ),
    Case(
        "cache-of-samples",
        Stack(Cache(), LIMITS, Fallback(a(options={"temperature": 1}))),
        "layers[0]",
        "executor.fallback.targets[0]",
        Stack(Cache(), LIMITS, Fallback(a(options={"top_p": 1}))),
        "of a target",
    ),
    *[
        Case(
            "content-before-redaction",
            Stack(outer, LIMITS, Redact(), openai()),
            "layers[2]",
            f"the {outer.kind} at layers[0]",
            Stack(*right, LIMITS, openai()),
            outer.kind,
        )
        for outer, right in (
            (Tracing(capture_content=True), (Tracing(capture_content=True, redact=len), Redact())),
            (Log(content=True), (Log(), Redact())),
            (Record(path="calls.jsonl"), (Redact(), Record(path="calls.jsonl"))),
        )
    ],
]
