"""One shared limit twice on a path from the root to a leaf: a call would wait for the permit that it holds itself."""

from __future__ import annotations

import pytest

from lamellar import ConfigError, LayerSpec, Stack, Target
from lamellar.middleware import (
    Balance,
    Chaos,
    ConcurrencyLimit,
    Fallback,
    Hedge,
    Retry,
    Route,
)
from lamellar.testing import ScriptedExecutor

GPU = ConcurrencyLimit(limit=8, share="gpu")


def leaf() -> ScriptedExecutor:
    return ScriptedExecutor("a")


def inside(*plates: object) -> Target:
    return Target(*plates, leaf(), name="inner")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Stack(GPU, GPU, leaf()),
        lambda: Stack(GPU, Retry(), ConcurrencyLimit(limit=8, share="gpu", max_wait=1), leaf()),
        lambda: Stack(GPU, Chaos(empty_rate=0.5), GPU, leaf()),
        lambda: Stack(GPU, Fallback(leaf(), inside(Retry(), GPU))),
        lambda: Stack(GPU, Balance(leaf(), inside(GPU))),
        lambda: Stack(GPU, Hedge(leaf(), inside(GPU), delay=1)),
        lambda: Stack(GPU, Route(routes={"m": inside(GPU)}, default=leaf())),
        lambda: Stack(GPU, Route(routes={"m": leaf()}, default=inside(GPU))),
        lambda: Stack(GPU, Fallback(Target(Fallback(leaf(), inside(GPU)), name="outer"))),
        lambda: Stack(Fallback(leaf(), Target(GPU, Fallback(inside(GPU)), name="outer"))),
        lambda: Stack(Fallback(inside(GPU, Retry(), GPU))),
    ],
)
def test_one_inside_the_other_is_refused(make) -> None:
    with pytest.raises(ConfigError, match=r"^share: 'gpu' stands twice on one path: .* would wait for itself"):
        make().build()


def test_both_places_and_what_mends_it_are_named() -> None:
    outer = Target(GPU, Fallback(Target(ConcurrencyLimit(limit=8, share="gpu", max_wait=1), leaf(), name="a")))
    with pytest.raises(ConfigError) as caught:
        Stack(Fallback(outer.model_copy(update={"name": "b"}))).build()
    said = str(caught.value)
    assert "ConcurrencyLimit(limit=8, share='gpu') of target 'b'" in said
    assert "ConcurrencyLimit(limit=8, max_wait=1.0, share='gpu') of target 'b/a'" in said
    assert "take one of the two out, or give one of them another name" in said
    with pytest.raises(ConfigError, match=r"share='gpu'\) of the stack, and inside of it .* of target 'inner'"):
        Stack(GPU, Fallback(inside(GPU))).build()


def test_a_stack_that_was_built_before_is_looked_into() -> None:
    shared: dict[str, object] = {}
    built = Stack(GPU, leaf()).build(shared=shared)
    with pytest.raises(ConfigError, match="stands twice on one path"):
        Stack(GPU, Retry(), built).build(shared=shared)
    Stack(GPU, Retry(), built).build()


@pytest.mark.parametrize(
    "layers",
    [
        (GPU, ConcurrencyLimit(limit=8, share="cpu")),
        (GPU, ConcurrencyLimit(limit=8)),
        (ConcurrencyLimit(limit=8), ConcurrencyLimit(limit=8)),
    ],
)
def test_different_limits_may_be_nested(layers: tuple[LayerSpec, ...]) -> None:
    Stack(*layers, leaf()).build()
    Stack(layers[0], Fallback(Target(layers[1], leaf()))).build()


def test_targets_side_by_side_may_share_one_limit() -> None:
    Stack(Fallback(Target(GPU, leaf(), name="a"), Target(GPU, leaf(), name="b"))).build()
    Stack(Hedge(Target(GPU, leaf(), name="a"), Target(GPU, leaf(), name="b"), delay=1)).build()
