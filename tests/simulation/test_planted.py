"""The simulation finds what is planted: where it did not, that it finds nothing would say nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .cases import Case, quiet_collector
from .cassette import cassette
from .planted import BUGS, Bug
from .stacks import every
from .world import Complaint, World

WITHIN = 400
"""Cases that could show it."""


@pytest.fixture(scope="module")
def path() -> Iterator[str]:
    with cassette() as path, quiet_collector():
        yield path


def hunt(bug: Bug, path: str) -> tuple[Case, list[Complaint]] | None:
    """The first case that shows it."""
    tried = 0
    for seed in range(100 * WITHIN):
        case = Case.of(seed, path)
        if bug.where is not None and all(each.kind != bug.where for each in every(case.stack(World(path)))):
            continue
        tried += 1
        complaints = case.run().complaints
        if complaints:
            return case, complaints
        if tried == WITHIN:
            break
    return None


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_what_is_planted_is_found_and_named(bug: Bug, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        bug.plant(patch)
        found = hunt(bug, path)
    assert found is not None, f"{WITHIN} cases did not show it"
    case, complaints = found
    assert bug.breaks & {each.invariant for each in complaints}, f"seed {case.seed}: {complaints}"
    assert not case.run().complaints, "it is the bug, and not the case"
