"""What specs are built with: the injected clock, randomness and clients, and what an outer plate says to inner ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

from .attempt import Attempt
from .errors import ConfigError
from .watch import AttemptLimits

if TYPE_CHECKING:
    import random

    from .clock import Clock
    from .executor import LlmExecutor
    from .root import Closable
    from .spec import ExecutorSpec, LayerSpec

__all__ = ["BuildContext", "assemble"]

ClosableT = TypeVar("ClosableT", bound="Closable")


@dataclass(frozen=True)
class BuildContext:
    """One build of one stack, as a plate sees it.

    Args:
        clock: Where time comes from.
        rng: Where randomness comes from.
        http_client: A client the user injected, or None; it is never closed by us.
        shared: Objects that several stacks share, by name.
        limits: The limits of an attempt that hold here.
        target: The name of the target this is built for, or None outside of any.
        resources: What the built stack will own and close, the first made closed last.
        made: What is made once a stack, by key.
    """

    clock: Clock
    rng: random.Random
    http_client: object | None = None
    shared: Mapping[str, object] = field(default_factory=dict)
    limits: AttemptLimits = AttemptLimits()
    target: str | None = None
    resources: list[Closable] = field(default_factory=list)
    made: dict[Hashable, Closable] = field(default_factory=dict)

    def inside(self, *, limits: AttemptLimits | None = None, target: str | None = None) -> BuildContext:
        """The context of what stands inside a plate that says something new."""
        return replace(self, limits=limits or self.limits, target=target or self.target)

    def own(self, resource: Closable) -> None:
        """The built stack closes `resource`."""
        self.resources.append(resource)

    def once(self, key: Hashable, make: Callable[[], ClosableT]) -> ClosableT:
        """What is made once a stack for this `key`; the stack owns it."""
        if key not in self.made:
            self.made[key] = made = make()
            self.own(made)
        return cast("ClosableT", self.made[key])

    def attempt(self, leaf: LlmExecutor) -> LlmExecutor:
        """The plate that every leaf is put into."""
        return Attempt(leaf, self.target or leaf.name, self.limits)


def _checked(made: LlmExecutor, maker: str) -> LlmExecutor:
    """What a spec has made, if it is an executor: the mistake of a layer of one's own is told where it is made."""
    from .executor import LlmExecutor

    if not isinstance(made, LlmExecutor):
        raise ConfigError(
            f"{maker} returned {type(made).__name__}, and an executor is expected; is a `return` missing?"
        )
    return made


def assemble(layers: tuple[LayerSpec, ...], executor: ExecutorSpec, context: BuildContext) -> LlmExecutor:
    """Make `executor` and wrap it in `layers`, the first listed outermost."""
    contexts = [context]
    for layer in layers:
        contexts.append(layer.context(contexts[-1]))
    built = _checked(executor.make(contexts[-1]), f"{type(executor).__name__}.make")
    for layer, around in zip(reversed(layers), reversed(contexts[:-1]), strict=True):
        built = _checked(layer.wrap(built, around), f"{type(layer).__name__}.wrap")
    return built
