"""Live state, for three in the morning: what every plate has to say of itself, by the target it stands in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .errors import ConfigError
from .frozen import nearest
from .target import TargetExecutor

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .executor import LlmExecutor

__all__ = ["Stateful", "isolate", "isolated", "reset", "snapshot"]

_OUTSIDE = "stack"
"""The name of what stands in no target."""


@runtime_checkable
class Stateful(Protocol):
    """A plate whose state may be looked at, and put back to its beginning."""

    @property
    def state_key(self) -> str:
        """Under which name its state is shown, such as ``circuit_breaker``."""
        ...

    def state(self) -> dict[str, JsonValue]:
        """Plain data: numbers, words, seconds."""
        ...

    def reset(self) -> None:
        """Forget what was learned: close the circuit, empty the window. Permits in use stay in use."""
        ...


def _places(executor: object, name: str) -> Iterator[tuple[str, LlmExecutor]]:
    """Every executor of a tree with the name of the target it stands in."""
    from .executor import LlmExecutor

    if isinstance(executor, TargetExecutor):
        name = executor.name
    if isinstance(executor, LlmExecutor):
        yield name, executor
    for child in getattr(executor, "children", tuple)():
        yield from _places(child, name)


def snapshot(root: object) -> dict[str, dict[str, JsonValue]]:
    """The state of a whole tree: by target name, then by kind of plate; two of one kind are told apart by a number."""
    shown: dict[str, dict[str, JsonValue]] = {}
    for name, executor in _places(root, _OUTSIDE):
        here = shown.setdefault(name, {})
        if isinstance(executor, TargetExecutor):
            here["isolated"] = executor.isolated
        if isinstance(executor, Stateful):
            key, again = executor.state_key, 1
            while key in here:
                again += 1
                key = f"{executor.state_key}#{again}"
            here[key] = dict(executor.state())
    return shown


def isolate(root: object, name: str) -> None:
    """Refuse every call to a target until it is reset.

    Raises:
        ConfigError: There is no target of that name.
    """
    for target in _targets(root, name):
        target.isolated = True


def isolated(root: object) -> dict[str, bool]:
    """Of each target by name, whether it is isolated."""
    return {each.name: each.isolated for _, each in _places(root, _OUTSIDE) if isinstance(each, TargetExecutor)}


def reset(root: object, name: str) -> None:
    """Put a target back to work, and every plate in it back to its beginning.

    Raises:
        ConfigError: There is no target of that name.
    """
    if name != _OUTSIDE:
        for target in _targets(root, name):
            target.isolated = False
    for place, executor in _places(root, _OUTSIDE):
        if place == name and isinstance(executor, Stateful):
            executor.reset()


def _targets(root: object, name: str) -> list[TargetExecutor]:
    targets = [each for _, each in _places(root, _OUTSIDE) if isinstance(each, TargetExecutor)]
    found = [each for each in targets if each.name == name]
    if not found:
        raise ConfigError(f"there is no target '{name}'{nearest(name, [each.name for each in targets])}")
    return found
