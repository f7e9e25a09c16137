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


def test_what_is_made_when_the_stack_is_built_is_not_held() -> None:
    """A provider that is found at a call would else be held for as long as the stack lives."""
    first = Inheritance()
    kept = first.take((None, list), list, list, "a", None)
    first.settle()
    made = [first.take((None, list), list, list, "b", None) for _ in range(1000)]
    assert all(each is not kept for each in made)
    assert len({id(each) for each in made}) == 1000
    second = Inheritance(first)
    assert second.take((None, list), list, lambda: [1], "b", None) == [1]
    assert second.take((None, list), list, list, "a", None) is kept
