"""Play cases again: `python -m tests.simulation SEED` tells the story of one, `FIRST LAST` sums many up.

usage: python -m tests.simulation SEED [--smallest]
       python -m tests.simulation FIRST LAST [--histogram]
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

from .cases import Case, quiet_collector
from .cassette import cassette
from .histogram import Histogram


def _tell(case: Case, *, smallest: bool) -> int:
    world = case.run()
    if smallest and world.complaints:
        case = case.smallest(world.complaints[0])
        world = case.run()
    print(world.stack)
    print("\n".join(world.story))
    for complaint in world.complaints:
        print(f"seed {case.seed}: {complaint}")
    return bool(world.complaints)


def _sum_up(first: int, last: int, path: str, *, shown: bool) -> int:
    histogram, deeds, found = Histogram(), Counter(), defaultdict(list)
    for seed in range(first, last):
        case = Case.of(seed, path)
        world = case.run()
        deeds.update(world.deeds)
        if world.stack is not None:
            histogram.add(world.stack)
        for complaint in world.complaints[:1]:
            found[complaint.invariant].append(seed)
            print(f"seed {seed}: {str(complaint)[:300]}", flush=True)
    if shown:
        print(histogram)
        print(", ".join(f"{count} x {deed}" for deed, count in sorted(deeds.items())))
    for invariant, seeds in found.items():
        print(f"{len(seeds)} x {invariant}: seeds {', '.join(map(str, seeds[:12]))}")
    print(f"{last - first} cases, {sum(map(len, found.values()))} of them wrong")
    return bool(found)


def main(arguments: list[str]) -> int:
    numbers = [int(each) for each in arguments if each.lstrip("-").isdigit()]
    options = {each for each in arguments if each.startswith("--")}
    if len(numbers) not in (1, 2) or options - {"--smallest", "--histogram"}:
        print(__doc__)
        return 2
    with cassette() as path, quiet_collector():
        if len(numbers) == 1:
            return _tell(Case.of(numbers[0], path), smallest="--smallest" in options)
        return _sum_up(*numbers, path, shown="--histogram" in options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
