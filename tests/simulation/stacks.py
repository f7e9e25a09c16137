"""Random stacks: plates in any order, sensible or not, composites in composites, and what a stack allows at most."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from lamellar import ExecutorSpec, LayerSpec, Stack, Target
from lamellar.middleware import (
    Cache,
    ConcurrencyLimit,
    Fallback,
    Hedge,
    KindPolicy,
    RateLimit,
    Replay,
    Retry,
    Route,
    Timeout,
)
from lamellar.spec import Spec

from .plates import COMPOSITES, KINDS, LAYERS, composite, layer
from .scripts import SimulatedTarget
from .world import World

__all__ = ["PAIRS", "attempts_bound", "every", "random_stack", "smaller", "total_bound"]

PAIRS = tuple((outer, inner) for outer in KINDS for inner in KINDS)
"""Every ordered pair of kinds, two of one kind too; the seed says which of them a stack must have."""

_WITH_A_COMPOSITE = tuple(pair for pair in PAIRS if not COMPOSITES.keys().isdisjoint(pair))

_STRIDE = 7919
"""A prime, so that steps of it walk through any list that is not as long."""

_DEEPEST = 3
"""Composites in one another."""


def wanted_pair(seed: int, nth: int) -> tuple[str, str]:
    """A pair that the stack of this seed has: in a row of seeds each pair comes as often as any other.

    The third is one with a composite in it: of those chance alone makes fewer, as only the last plate can be one.
    """
    if nth == 0:
        return PAIRS[seed % len(PAIRS)]
    if nth == 1:
        return PAIRS[(seed * _STRIDE + seed // len(PAIRS) * 17) % len(PAIRS)]
    return _WITH_A_COMPOSITE[(seed * _STRIDE + seed // len(PAIRS)) % len(_WITH_A_COMPOSITE)]


class _Builder:
    def __init__(self, seed: int, world: World) -> None:
        self.rng = Random(f"stack {seed}")
        self.seed = seed
        self.world = world
        self.targets = 0

    def spine(self) -> list[str]:
        """The kinds on one way from the outside to a target, those of this seed's pairs among them."""
        rng = self.rng
        kinds = []
        for nth in range(rng.choice((1, 2, 3, 3, 3))):
            outer, inner = wanted_pair(self.seed, nth)
            place = rng.randint(0, len(kinds))
            kinds.insert(place, outer)
            kinds.insert(rng.randint(place + 1, len(kinds)), inner)
        for _ in range(rng.randint(0, 2)):
            kind = rng.choice(KINDS)
            if kind not in COMPOSITES or sum(each in COMPOSITES for each in kinds) < _DEEPEST:
                kinds.insert(rng.randint(0, len(kinds)), kind)
        return kinds

    def plates(
        self, kinds: list[str], outside: tuple[LayerSpec, ...] = ()
    ) -> tuple[list[LayerSpec], ExecutorSpec | SimulatedTarget]:
        """Layers as far as a composite, or as a target."""
        layers: list[LayerSpec] = []
        for place, kind in enumerate(kinds):
            if kind in COMPOSITES:
                return layers, self.composite(kind, kinds[place + 1 :], (*outside, *layers))
            layers.append(self.layer(kind, (*outside, *layers)))
        return layers, self.leaf()

    def layer(self, kind: str, outside: tuple[LayerSpec, ...]) -> LayerSpec:
        """A layer; none that would have a call wait for a permit that it holds itself."""
        held = {each.share for each in outside if isinstance(each, ConcurrencyLimit)} - {None}
        made = layer(kind, self.rng, self.world)
        while isinstance(made, ConcurrencyLimit) and made.share in held:
            made = layer(kind, self.rng, self.world)
        return made

    def composite(self, kind: str, rest: list[str], outside: tuple[LayerSpec, ...]) -> ExecutorSpec:
        rng = self.rng
        others = rng.randint(1 if kind == "hedge" else 0, 2)
        ways = [rest, *([rng.choice(list(LAYERS)) for _ in range(rng.randint(0, 2))] for _ in range(others))]
        rng.shuffle(ways)
        targets = []
        for way in ways:
            layers, executor = self.plates(way, outside)
            targets.append(
                Target(
                    *layers,
                    executor,
                    model=rng.choice((None, "own")),
                    name=f"t{self.targets}{kind[0]}{len(targets)}",
                    prefill=rng.random() < 0.5,
                    context_window=rng.choice((None, None, 1000, 2000)),
                )
            )
        return composite(kind, rng, targets)

    def leaf(self) -> ExecutorSpec | SimulatedTarget:
        self.targets += 1
        if self.rng.random() < 0.03:
            return Replay(path=self.world.cassette, name=f"replay-{self.targets}", timing=True)
        return SimulatedTarget(f"leaf-{self.targets}", self.seed, self.world)


def random_stack(seed: int, world: World) -> Stack:
    """The stack of this seed."""
    builder = _Builder(seed, world)
    layers, executor = builder.plates(builder.spine())
    return Stack(*layers, executor)


def every(spec: Spec) -> Iterator[Spec]:
    """This spec and all inside it."""
    yield spec
    for child in spec.children():
        yield from every(child)


# -- what a stack allows -------------------------------------------------------------------------------------------


def attempts_bound(spec: Spec) -> int:
    """How many attempts one call may make at most."""
    if isinstance(spec, Stack | Target):
        bound = attempts_bound(spec.executor)
        for each in reversed(spec.layers):
            if isinstance(each, Retry):
                bound *= _tries(each)
        return bound
    bounds = [attempts_bound(target) for target in spec.children()]
    if not bounds:
        return 1
    if isinstance(spec, Route):
        return max(bounds)
    if isinstance(spec, Fallback) and spec.on_interrupt == "continue":
        return 2 * sum(bounds)  # a target that refuses to go on is asked again from the beginning
    return sum(bounds)


def _tries(retry: Retry) -> int:
    most = [retry.attempts, *(each.attempts or 1 for each in retry.kinds.values() if isinstance(each, KindPolicy))]
    return 2 * max(most) if retry.on_interrupt == "continue" else max(most)


def total_bound(stack: Stack) -> float | None:
    """Seconds for which one call may wait at most, where nothing stands outside of the bound that waits by itself."""
    totals = []
    for each in stack.layers:
        if isinstance(each, Retry | RateLimit | ConcurrencyLimit | Cache):
            break
        if isinstance(each, Timeout) and each.total is not None:
            totals.append(float(each.total))
    return min(totals, default=None)


def hedges(stack: Stack) -> int:
    """How many hedges may stand in one another."""
    return sum(isinstance(each, Hedge) for each in every(stack))


# -- smaller ones --------------------------------------------------------------------------------------------------


def smaller(stack: Stack) -> Iterator[Stack]:
    """The stacks that are this one without a plate, or with one target in the place of a composite."""
    for layers, executor in _smaller(stack.layers, stack.executor):
        yield Stack(*layers, executor)


def _smaller(
    layers: tuple[LayerSpec, ...], executor: ExecutorSpec
) -> Iterator[tuple[tuple[LayerSpec, ...], ExecutorSpec]]:
    for target in executor.children():
        if isinstance(target, Target):
            yield (*layers, *target.layers), target.executor
    for place in range(len(layers)):
        yield (*layers[:place], *layers[place + 1 :]), executor
    targets = getattr(executor, "targets", ())
    for place, target in enumerate(targets):
        for inner_layers, inner in _smaller(target.layers, target.executor):
            changed = target.model_copy(update={"layers": inner_layers, "executor": inner})
            yield layers, executor.model_copy(update={"targets": (*targets[:place], changed, *targets[place + 1 :])})
