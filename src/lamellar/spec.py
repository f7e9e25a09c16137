"""The declarations: one frozen model a plate, each with one verb that makes the runtime object.

A `LayerSpec` wraps an executor, an `ExecutorSpec` makes one. The same object serves code and files: as data, a spec is
`{kind: {its options}}`, or the bare kind when every option has its default. Kinds are found by entry point
(`lamellar.layers`, `lamellar.executors`), ours and third parties' alike; see `lamellar.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from uuid import uuid4

from pydantic import BeforeValidator, PlainSerializer

from .errors import ConfigError
from .frozen import Frozen

if TYPE_CHECKING:
    from .build import BuildContext
    from .executor import LlmExecutor
    from .lint.bounds import Bounds, Where
    from .order import Rank
    from .providers.abilities import Abilities
    from .watch import AttemptLimits

__all__ = [
    "MAX_LAYERS",
    "AnyExecutor",
    "AnyLayer",
    "ExecutorSpec",
    "Given",
    "LayerSpec",
    "Spec",
    "as_executor_spec",
    "dump_spec",
]


MAX_LAYERS = 200
"""Layers in a row: a call goes through all of them, and each takes frames of the interpreter's stack."""

_PROCESS = uuid4().hex
"""What no other process has: the identity of an object means nothing there."""

_PLATES = ("layers", "targets", "executor")
"""Fields that constructors take by position."""


class Spec(Frozen):
    """What every declaration is: frozen, comparable, printable, and data when dumped."""

    kind: ClassVar[str]
    """The name under which it is registered and written in files."""

    rank: ClassVar[Rank | None] = None
    """Where plates of this kind belong in the order of plates; None is anywhere."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """A spec that is given no `kind` is called by its class's name in lower case."""
        if not getattr(cls, "__abstractmethods__", None) and not any("kind" in vars(base) for base in cls.__mro__):
            cls.kind = cls.__name__.lower()

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Plates stand first and without a name, as in code; then what else was said."""
        said = list(super().__repr_args__())
        for name, value in said:
            if name in _PLATES:
                yield from ((None, plate) for plate in (value if isinstance(value, tuple) else (value,)))
        for name, value in said:
            if name not in _PLATES:
                yield name, value

    def identity(self) -> object:
        """What of this spec changes an answer, as JSON data, for cache keys; never a key or a secret."""
        return {self.kind: self.model_dump(mode="json", exclude_defaults=True)}

    def children(self) -> tuple[Spec, ...]:
        """The specs inside this one, for drawing and linting."""
        return ()

    def standing(self) -> Rank | None:
        """Where this plate belongs in the order of plates, as its options are; None is anywhere."""
        return self.rank

    def ways(self) -> tuple[str, ...]:
        """What leads to each of the children, in their order and in few words, for drawing: `after 2s`, `gpt-*`.

        Empty where nothing tells them apart.
        """
        return ()


class LayerSpec(Spec, ABC):
    """Declares a layer: something that wraps one executor."""

    asks_once: ClassVar[bool] = False
    """Whether the layer asks what is inside it once for a call, if at all, and makes nobody wait besides.

    `Stack.bounds` rests on it. A layer that repeats calls or holds them up leaves it, and says in `bounded` how often
    and for how long.
    """

    def context(self, context: BuildContext) -> BuildContext:
        """What the specs inside this layer are built with; limits of an attempt go down this way."""
        return context

    def limits_below(self, limits: AttemptLimits) -> AttemptLimits:
        """The limits of an attempt that hold inside this layer, where `limits` hold outside of it; for linting."""
        return limits

    def bounded(self, inner: Bounds, where: Where) -> Bounds:
        """What one call may come to, where what is inside this layer comes to `inner`."""
        return inner if self.asks_once else _untold(self)

    @abstractmethod
    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """Make the runtime layer round `inner`."""


class ExecutorSpec(Spec, ABC):
    """Declares an executor: a leaf or a composite."""

    @abstractmethod
    def make(self, context: BuildContext) -> LlmExecutor:
        """Make the runtime executor."""

    def bounded(self, where: Where) -> Bounds:
        """What one call to it may come to; a leaf makes one attempt, and a composite says it itself."""
        return _untold(self) if self.children() else where.attempt(self.label)

    @property
    def label(self) -> str:
        """What a target of this executor is called when it is given no name."""
        return self.kind

    def abilities_for(self, model: str) -> Abilities | None:
        """What is known of a model behind this executor; None where nothing is, as of most composites."""
        return None


class Given(ExecutorSpec):
    """A runtime executor of the user's own: in code only, never dumped, and never closed by us.

    Args:
        executor: Anything with the three members.
    """

    kind: ClassVar[str] = "given"
    model_config = {"arbitrary_types_allowed": True}

    executor: Any

    def make(self, context: BuildContext) -> LlmExecutor:
        """The executor itself, as a leaf."""
        found: LlmExecutor = self.executor
        return context.attempt(found)

    @property
    def label(self) -> str:
        """The executor's own name."""
        return str(self.executor.name)

    def bounded(self, where: Where) -> Bounds:
        """One attempt; of a built stack, all that it may come to within that."""
        declared = getattr(self.executor, "spec", None)
        if not (isinstance(declared, ExecutorSpec) and declared.kind == "stack"):
            return where.attempt(self.label)
        return declared.bounded(type(where)()).within(where.limits.attempt)

    @property
    def is_opaque(self) -> bool:
        """Whether nothing but the object itself tells it from another: then no other process knows it again."""
        return not callable(getattr(self.executor, "identity", None))

    def identity(self) -> object:
        """What the executor says of itself (`identity()`, as a built stack does); else it is known by the object.

        The latter holds in this process only: no other can tell whether it has the same.
        """
        if not self.is_opaque:
            return {"given": self.executor.identity()}
        return {"given": [self.label, type(self.executor).__qualname__, _PROCESS, id(self.executor)]}

    def __repr__(self) -> str:
        return repr(self.executor)


def _untold(spec: Spec) -> Bounds:
    from .lint.bounds import Bounds

    return Bounds.unknown(f"'{spec.kind}' does not tell its bounds")


def as_executor_spec(value: object) -> object:
    """A runtime executor as a `Given` spec; anything else as it is."""
    from .executor import LlmExecutor

    if isinstance(value, Spec) or not isinstance(value, LlmExecutor):
        return value
    return Given(executor=value)


def dump_spec(spec: Spec) -> str | dict[str, Any]:
    """A spec as data: `{kind: options}`, or the bare kind when there is nothing to say.

    Raises:
        ConfigError: It holds what only code can say.
    """
    if isinstance(spec, Given):
        raise ConfigError(
            f"the executor '{spec.label}' was given as an object, which a file cannot hold; "
            "declare it (for example `openai`), or build this stack in code"
        )
    options = spec.model_dump(mode="json", exclude_unset=True)  # what was said, even if it is the default: None may say
    return {spec.kind: options} if options else spec.kind


def _parse_layer(value: object) -> object:
    from .registry import parse

    return parse(value, LayerSpec)  # type: ignore[type-abstract]


def _parse_executor(value: object) -> object:
    from .registry import parse

    return parse(as_executor_spec(value), ExecutorSpec)  # type: ignore[type-abstract]


AnyLayer = Annotated[LayerSpec, BeforeValidator(_parse_layer), PlainSerializer(dump_spec)]
"""Any registered layer, as an object or as data."""

AnyExecutor = Annotated[ExecutorSpec, BeforeValidator(_parse_executor), PlainSerializer(dump_spec)]
"""Any registered executor, as an object or as data."""
