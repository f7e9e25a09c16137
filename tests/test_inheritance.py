"""What one build leaves to the next."""

from __future__ import annotations

from collections.abc import Callable

from lamellar.inheritance import Inheritance


def test_two_of_one_kind_in_one_place_are_known_by_their_terms() -> None:
    def make(number: int) -> Callable[[], list[int]]:
        return lambda: [number]

    first = Inheritance()
    a = first.take((None, list), list, make(1), "a", None)
    b = first.take((None, list), list, make(2), "b", None)
    second = Inheritance(first)
    assert second.take((None, list), list, make(3), "b", None) is b
    assert second.take((None, list), list, make(4), "a", None) is a
    assert second.take((None, list), list, make(5), "a", None) == [5]
    second.settle()
    third = Inheritance(second)
    assert third.take((None, list), list, make(6), "c", lambda new, old: new.extend(old)) == [6, *b]
    assert third.take((None, list), list, make(7), "a", None) is a
