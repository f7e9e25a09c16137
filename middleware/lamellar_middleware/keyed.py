"""What a layer keeps apart: a state of its own for each model, or for each value of a tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from lamellar.errors import ConfigError
from lamellar.frozen import nearest
from lamellar.scope import current_scope

if TYPE_CHECKING:
    from threading import RLock

    from lamellar.call import CallContext
    from lamellar.chat.options import ChatOptions

__all__ = ["Keyed", "as_tuple", "check_per", "key_of"]

StateT = TypeVar("StateT")

_TAG = "tag:"


def as_tuple(value: object) -> object:
    """A single name as a tuple of one; anything else as it is."""
    return (value,) if isinstance(value, str) else value


def check_per(keys: tuple[str, ...], *, can: str = "be kept apart") -> tuple[str, ...]:
    """The names in an option `per`, if they are such.

    Args:
        keys: The names.
        can: What only such names can, for the error.

    Raises:
        ConfigError: One of them is not ``model`` or ``tag:NAME``, or is there twice.
    """
    for key in keys:
        if key != "model" and not (key.startswith(_TAG) and len(key) > len(_TAG)):
            raise ConfigError(f"'{key}' is nothing that can {can}{nearest(key, ('model', 'tag:NAME'))}")
        if keys.count(key) > 1:
            raise ConfigError(f"'{key}' is named twice")
    return keys


def key_of(per: tuple[str, ...], model: str, call: CallContext | None) -> tuple[str | None, ...]:
    """What tells a call from those of other keys: one value for each name in `per`, None for a tag it does not have."""
    tags = call.tags if call is not None else {}
    return tuple([model if name == "model" else tags.get(name.removeprefix(_TAG)) for name in per])


class Keyed(Generic[StateT]):
    """One state for each key in use, made when it is first asked for.

    Args:
        per: What makes the key: ``model`` and ``tag:NAME``; with neither, there is one state for all.
        make: Makes the state of a key; it is told the key in words, which are empty where there is only one.
        is_idle: Whether a state is as good as a new one, so that it may be forgotten.
        lock: Held while the map changes.
        most: Keys that are kept at a time.
    """

    def __init__(
        self,
        per: tuple[str, ...],
        *,
        make: Callable[[str], StateT],
        is_idle: Callable[[StateT], bool],
        lock: RLock,
        most: int,
    ) -> None:
        self.most = most
        self._per = per
        self._make = make
        self._is_idle = is_idle
        self._lock = lock
        self._by_model = per == ("model",)
        self._states: dict[str | tuple[str | None, ...], tuple[str, StateT]] = {}
        self._only = make("") if not per else None

    def of(self, model: str, options: ChatOptions | None, *, evict: bool = False) -> StateT | None:
        """The state of this call's key; None when there is no room for another.

        Args:
            model: The model that is asked.
            options: The options of the call, whose tags count outside of a stack.
            evict: Whether the oldest state makes room, where none is idle.
        """
        if self._only is not None:
            return self._only
        key = model if self._by_model else self._key(model, options)
        found = self._states.get(key)
        if found is not None:
            return found[1]
        with self._lock:
            if key not in self._states:
                self._make_room(evict=evict)
                if len(self._states) >= self.most:
                    return None
                label = self._label(key)
                self._states[key] = (label, self._make(label))
            return self._states[key][1]

    def items(self) -> Iterator[tuple[str, StateT]]:
        """Every state there is, with its key in words; the one state for all is called ``all``."""
        if self._only is not None:
            yield "all", self._only
        else:
            with self._lock:
                found = tuple(self._states.values())
            yield from found

    def succeed(self, old: Keyed[StateT], copy: Callable[[StateT, StateT], None]) -> None:
        """Begin with the states of another, if both are kept apart in one way.

        Args:
            old: The other.
            copy: Told each new state and the old one of its key.
        """
        if self._only is not None and old._only is not None:
            copy(self._only, old._only)
        elif self._per == old._per:
            with old._lock:
                found = list(old._states.items())[-self.most :]
            for key, (label, state) in found:
                made = self._make(label)
                copy(made, state)
                self._states[key] = (label, made)

    def _key(self, model: str, options: ChatOptions | None) -> tuple[str | None, ...]:
        scope = current_scope()
        call = scope.context if scope is not None else options.call if options is not None else None
        return key_of(self._per, model, call)

    def _label(self, key: str | tuple[str | None, ...]) -> str:
        if isinstance(key, str):
            return key
        if len(key) == 1:
            return key[0] or "(none)"
        return ", ".join(
            f"{name.removeprefix(_TAG)}={value or '(none)'}" for name, value in zip(self._per, key, strict=True)
        )

    def _make_room(self, *, evict: bool) -> None:
        """Forget what is idle, all of it at once: so that the next search is far away."""
        if len(self._states) < self.most:
            return
        for key, (_, state) in tuple(self._states.items()):
            if self._is_idle(state):
                del self._states[key]
        if evict and len(self._states) >= self.most:
            del self._states[next(iter(self._states))]
