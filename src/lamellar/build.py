"""What specs are built with: the injected clock, randomness and clients, and what an outer plate says to inner ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

from .attempt import Attempt
from .errors import ConfigError
from .inheritance import Inheritance
from .watch import AttemptLimits

if TYPE_CHECKING:
    import random

    from .clock import Clock
    from .executor import LlmExecutor
    from .root import Closable
    from .spec import ExecutorSpec, LayerSpec, Spec

__all__ = ["BuildContext", "assemble"]

ClosableT = TypeVar("ClosableT", bound="Closable")
StateT = TypeVar("StateT")


@dataclass(frozen=True)
class BuildContext:
    """One build of one stack, as a plate sees it.

    Args:
        clock: Where time comes from.
        rng: Where randomness comes from.
        http_client: A client the user injected, or None; it is never closed by us.
        shared: What several stacks share, by name; what is missing is made and put there.
        limits: The limits of an attempt that hold here.
        target: The name of the target this is built for, or None outside of any.
        model: The model that target asks for, or None where the caller's passes through.
        prefill: Whether that target's model goes on from a partial assistant message.
        context_window: Tokens that target's model takes, where it says so.
        resources: What the built stack will own and close, the first made closed last.
        made: What is made once a stack, by key.
        below: The specs inside the layer that is being made: the layers below it, then the executor.
        beneath: What is put round every leaf inside its attempt, the outermost first.
        inheritance: The live state of this build, and that of the stack whose place it takes.
    """

    clock: Clock
    rng: random.Random
    http_client: object | None = None
    shared: MutableMapping[str, object] = field(default_factory=dict)
    limits: AttemptLimits = AttemptLimits()
    target: str | None = None
    model: str | None = None
    prefill: bool = False
    context_window: int | None = None
    resources: list[Closable] = field(default_factory=list)
    made: dict[Hashable, Closable] = field(default_factory=dict)
    below: tuple[Spec, ...] = ()
    beneath: tuple[Callable[[LlmExecutor], LlmExecutor], ...] = ()
    inheritance: Inheritance = field(default_factory=Inheritance)

    def inside(
        self,
        *,
        limits: AttemptLimits | None = None,
        target: str | None = None,
        model: str | None = None,
        prefill: bool | None = None,
        context_window: int | None = None,
    ) -> BuildContext:
        """The context of what stands inside a plate that says something new."""
        return replace(
            self,
            limits=limits or self.limits,
            target=target or self.target,
            model=model or self.model,
            prefill=self.prefill if prefill is None else prefill,
            # An outer target's window is that of its model: it says nothing of another one's.
            context_window=self.context_window if context_window is None and model is None else context_window,
        )

    def round_leaves(self, wrap: Callable[[LlmExecutor], LlmExecutor]) -> BuildContext:
        """The context of what stands inside a plate that acts beneath the attempts: what it does is a part of them."""
        return replace(self, beneath=(*self.beneath, wrap))

    def own(self, resource: Closable) -> None:
        """The built stack closes `resource`."""
        self.resources.append(resource)

    def once(self, key: Hashable, make: Callable[[], ClosableT]) -> ClosableT:
        """What is made once a stack for this `key`; the stack owns it."""
        if key not in self.made:
            self.made[key] = made = make()
            self.own(made)
        return cast("ClosableT", self.made[key])

    def keep(
        self,
        kind: type[StateT],
        make: Callable[[], StateT],
        *,
        terms: object = None,
        renew: Callable[[StateT, StateT], None] | None = None,
    ) -> StateT:
        """State of a plate that goes on when the stack is reloaded (`Stack.watch`); else simply what `make` makes.

        A reloaded stack gets the state that the old one had for a plate of this kind in the same target, if both were
        made on equal terms. Both use it then until the old one has ended, from any loop, so it is plain data.

        Args:
            kind: What the state is.
            make: Makes a new one.
            terms: The options it was made on; on other terms it begins anew.
            renew: Called with a new state and the old one whose terms have changed, to copy what holds on any terms.
                The old one must go on as before: its calls are not over, and the build may yet fail.
        """
        return self.inheritance.take((self.target, kind), kind, make, terms, renew)

    def share(
        self,
        name: str,
        kind: type[StateT],
        make: Callable[[], StateT],
        *,
        terms: object = None,
        renew: Callable[[StateT, StateT], None] | None = None,
    ) -> StateT:
        """What is shared under `name`, made by whoever asks for it first; `terms` and `renew` as for `keep`.

        Raises:
            ConfigError: Something else is shared under that name.
        """
        if name not in self.shared:
            self.shared[name] = self.inheritance.take((f"share={name}", kind), kind, make, terms, renew)
        found = self.shared[name]
        if not isinstance(found, kind):
            raise ConfigError(
                f"share: '{name}' is shared as {type(found).__name__}, and {kind.__name__} is expected here; "
                "give one of them another name"
            )
        return found

    def attempt(self, leaf: LlmExecutor) -> LlmExecutor:
        """The plate that every leaf is put into."""
        inner = leaf
        for wrap in reversed(self.beneath):
            inner = wrap(inner)
        return Attempt(inner, self.target or leaf.name, self.limits, leaf=leaf)


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
    below: tuple[Spec, ...] = (executor,)
    for layer, around in zip(reversed(layers), reversed(contexts[:-1]), strict=True):
        built = _checked(layer.wrap(built, replace(around, below=below)), f"{type(layer).__name__}.wrap")
        below = (layer, *below)
    return built
