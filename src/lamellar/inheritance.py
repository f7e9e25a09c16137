"""What a reloaded stack takes over from the one before it: the live state of plates whose terms did not change.

A plate asks for its state with `BuildContext.keep`. In a first build that only makes it. In the build of a stack that
takes another's place it is the state that stood at the same place, if its terms are the same: breaker and limiter go
on where they were, and calls that the old stack still serves count in the same books. Nothing is moved: until the new
stack is in its place the old one has all that it had, so a build that fails leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

__all__ = ["Inheritance", "Place"]

StateT = TypeVar("StateT")

Place = tuple[str | None, type[object]]
"""Where a state stands: the target it is in (or the name it is shared under), and what it is."""


class _Heirloom(NamedTuple):
    terms: object
    state: object


class Inheritance:
    """The live state of one build.

    Args:
        before: That of the stack whose place this one takes; None for the first.
    """

    def __init__(self, before: Inheritance | None = None) -> None:
        self._held: dict[Place, list[_Heirloom]] = {}
        self._before = {} if before is None else before._held
        self._claimed: set[int] = set()
        self._settled = False

    def take(
        self,
        place: Place,
        kind: type[StateT],
        make: Callable[[], StateT],
        terms: object,
        renew: Callable[[StateT, StateT], None] | None,
    ) -> StateT:
        """The state for a place: the one that was there on these terms, or a new one.

        Args:
            place: Where it stands.
            kind: What it is.
            make: Makes a new one.
            terms: What must be equal for the old one to go on.
            renew: Told a new one and the old one of other terms at the same place, to copy what holds on any terms.
        """
        if self._settled:
            return make()  # at a call, such as that of a provider found only then: it is held by whoever asks
        here = self._held.setdefault(place, [])
        before = self._before.get(place, [])
        state = self._unchanged(before, kind, terms)
        if state is None:
            state = make()
            old = before[len(here)].state if len(here) < len(before) else None
            if renew is not None and isinstance(old, kind):
                renew(state, old)
        here.append(_Heirloom(terms, state))
        return state

    def _unchanged(self, before: list[_Heirloom], kind: type[StateT], terms: object) -> StateT | None:
        for found in before:
            if isinstance(found.state, kind) and id(found) not in self._claimed and found.terms == terms:
                self._claimed.add(id(found))
                return found.state
        return None

    def settle(self) -> None:
        """The stack is built: what nobody took over is let go, and what is made from now on is not handed down."""
        self._settled = True
        self._before = {}
        self._claimed.clear()
