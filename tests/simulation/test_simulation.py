"""No combination of layers breaks the stream contract.

A failure names the seeds; `python -m tests.simulation SEED` tells what happened in one, and with `--smallest` in the
smallest case that breaks the same invariant. The histogram is shown by `pytest -rP -k histogram tests/simulation`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from lamellar import ExecutorSpec, LayerSpec
from lamellar.registry import kinds

from .cases import Case, quiet_collector
from .cassette import cassette
from .histogram import Histogram
from .invariants import BUSY
from .plates import COMPOSITES, HTTP, LAYERS, LEAVES
from .stacks import PAIRS
from .world import Complaint

CASES = 5 * len(PAIRS)
FRESH = 100
"""Cases with seeds that nobody has seen, anew in every run."""

LEAST = 50


@dataclass
class Played:
    """What became of the cases."""

    histogram: Histogram = field(default_factory=Histogram)
    deeds: Counter[str] = field(default_factory=Counter)
    wrong: dict[int, list[Complaint]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def path() -> Iterator[str]:
    with cassette() as path, quiet_collector():
        yield path


@pytest.fixture(scope="module")
def played(path: str) -> Played:
    found = Played()
    for seed in range(CASES):
        world = Case.of(seed, path).run()
        assert world.stack is not None
        found.histogram.add(world.stack)
        found.deeds.update(world.deeds)
        if world.complaints:
            found.wrong[seed] = world.complaints
    return found


def test_no_case_breaks_an_invariant(played: Played) -> None:
    said = [f"seed {seed}: {complaints[0]}" for seed, complaints in played.wrong.items()]
    assert not said, "\n".join(
        [*said[:20], f"{len(said)} of {CASES} cases; python -m tests.simulation SEED tells more"]
    )
    assert CASES >= 2000


def test_the_histogram_shows_each_kind_and_each_ordered_pair_often_enough(played: Played) -> None:
    print(played.histogram)
    print(", ".join(f"{count} x {deed}" for deed, count in sorted(played.deeds.items())))
    assert not played.histogram.rare(LEAST)


def test_every_registered_kind_takes_part() -> None:
    assert set(kinds(LayerSpec)) == LAYERS.keys(), "a layer joins with a line in plates.LAYERS"
    assert set(kinds(ExecutorSpec)) == COMPOSITES.keys() | LEAVES | HTTP, "a composite, with one in plates.COMPOSITES"


def test_what_may_happen_does_happen(played: Played) -> None:
    """Where nothing is ever under way, that nothing is left behind says nothing."""
    happens = {f"outcome {outcome}" for outcome in ("completed", "failed", "cancelled", "abandoned")}
    happens |= {f"attempt {outcome}" for outcome in ("completed", "failed", "cancelled", "abandoned", "refused")}
    happens |= {"restart", "cached", "whole answer", "canceled", "closed from elsewhere", "gave up"}
    happens |= {f"StreamInterruptedError: {kind}" for kind in ("connection", "timeout", "deadline")}
    happens |= {
        f"RejectedError: {kind}"
        for kind in ("budget", "cache_miss", "circuit_open", "closed", "deadline", "guardrail", "limiter_deadline")
    }
    happens |= {f"busy {name}" for name in BUSY}
    assert happens - {deed for deed, count in played.deeds.items() if count} == set()


def test_a_seed_plays_the_same_case_again(path: str) -> None:
    for seed in range(0, CASES, CASES // 20):
        case = replace(Case.of(seed, path), closes_at=None)  # the order in which a closing cuts streams is nobody's
        first, again = case.run(), case.run()
        assert first.story == again.story


def test_fresh_seeds_break_nothing_either(path: str) -> None:
    @settings(max_examples=FRESH, database=None, deadline=None, phases=[Phase.generate])  # a smaller seed says no less
    @given(st.integers(min_value=CASES, max_value=2**40))
    def check(seed: int) -> None:
        note(f"python -m tests.simulation {seed}")
        complaints = Case.of(seed, path).run().complaints
        assert not complaints, f"seed {seed}: {complaints[0]}"

    check()
