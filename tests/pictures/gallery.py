"""Stacks to draw: one of every kind with every option, large ones, and ones whose names mean harm."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from tests.specimens import every_spec

from lamellar.middleware import Balance, Fallback, Hedge, RateLimit, Retry, Route, Target, Timeout
from lamellar.providers import Anthropic, OpenAI
from lamellar.spec import LayerSpec, Spec
from lamellar.stack import Stack
from lamellar.target import AnyTarget
from lamellar.testing import ScriptedExecutor

HARMFUL = (
    '"]; click p1 "https://evil.example"',
    "end",
    "</text><script>alert(1)</script>",
    "<b>&amp;#quot;;`*_~|{}[]()",
    '%%{init: {"theme": "dark"}}%%',
    "1. a list",
    "- a list",
    "# a heading",
    "style p1 fill:#f9f;",
    "classDef x: #f9f;",
    "www.example.com a@example.com https://example.com",
    "one\ntwo\x00\x1b[31m\u202e",
    "漢字" * 40,
    "x" * 400,
    "many short words " * 30,
    "\\",
)


class Shadow(LayerSpec):
    """A layer that leads to something besides what it wraps."""

    kind: ClassVar[str] = "shadow"
    target: AnyTarget
    share: float = 0.1

    def children(self) -> tuple[Spec, ...]:
        return (self.target,)

    def ways(self) -> tuple[str, ...]:
        return ("copy",)

    def wrap(self, inner, context):
        return inner


def composites() -> Stack:
    """Every composite of ours, one inside the other."""
    hedge = Hedge(Target(OpenAI(), model="a"), Target(OpenAI(), model="b"), OpenAI(), delay="250ms", percentile=0.95)
    route = Route(
        {"gpt-*": OpenAI(), "big": Target(Anthropic(), model="claude", context_window=200_000)},
        rules=({"above_tokens": 1000, "to": "big"}, {"tag": "team=law", "model": "o*", "to": "big"}),
        default=OpenAI(),
    )
    return Stack(
        Timeout(total="5m", first_content=10),
        Fallback(
            Target(Retry(attempts=3), RateLimit(requests_per_minute=500), OpenAI(), model="gpt-4o-mini"),
            Target(Retry(), hedge, name="hedged"),
            route,
            Balance(OpenAI(), OpenAI(), weights=(3, 1)),
            ScriptedExecutor(name="mine"),
        ),
    )


def large() -> Stack:
    """Twenty layers round ten targets of twenty layers."""
    targets = [Target(*[Retry(attempts=2)] * 20, OpenAI(), model=f"model-{number}") for number in range(10)]
    return Stack(*[Timeout(total=60)] * 20, Fallback(*targets))


def shadowed() -> Stack:
    return Stack(Retry(), Shadow(target=Target(OpenAI(), model="new")), Timeout(total=5), OpenAI())


@cache
def gallery() -> dict[str, Stack]:
    """All of them, by name."""
    found = {name: _stacked(spec) for name, spec in every_spec()}
    found |= {"composites": composites(), "large": large(), "shadowed": shadowed()}
    found |= dict(_harmful())
    return found


def _stacked(spec: Spec) -> Stack:
    return Stack(spec, OpenAI()) if isinstance(spec, LayerSpec) else Stack(spec)


def _harmful() -> Iterator[tuple[str, Stack]]:
    for number, text in enumerate(HARMFUL):
        target = Target(OpenAI(), name=text, model=text)
        plain = Balance(target, Target(OpenAI(), model=text), name=text)
        yield f"harmful-{number}", Stack(Retry(), Route({text: plain, "x": target.model_copy(update={"name": "x"})}))
