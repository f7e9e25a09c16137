"""A target of a composite: layers of its own, an executor, and how the caller's request is changed for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from .build import BuildContext, assemble
from .chat.declared import AnyOptions
from .chat.options import ChatOptions
from .errors import ConfigError, ErrorKind, RejectedError
from .executor import ExecutorWrapper, LlmExecutor, Operation, ResultT
from .frozen import nearest
from .identity import identity_of, identity_of_options
from .spec import MAX_LAYERS, AnyExecutor, AnyLayer, ExecutorSpec, LayerSpec, Spec

if TYPE_CHECKING:
    from .chat.request import ChatRequest
    from .lint.bounds import Bounds, Where

__all__ = ["AnyTarget", "Target", "TargetExecutor", "as_target", "named_targets", "split_plates", "unpack_stack"]


def split_plates(kind: str, plates: tuple[object, ...], data: dict[str, Any]) -> dict[str, Any]:
    """`layers` and `executor` out of positional plates.

    Raises:
        ConfigError: There is no executor last, or there are plates both by position and by name.
    """
    if plates:
        if "layers" in data or "executor" in data:
            raise ConfigError(f"{kind}: give the plates by position or by name, not both")
        *layers, executor = plates
        data = {**({"layers": tuple(layers)} if layers else {}), "executor": executor, **data}
    executor = data.get("executor")
    if executor is None:
        raise ConfigError(f"{kind}: there is no executor; end with a provider such as OpenAI() or a composite")
    if isinstance(executor, LayerSpec):
        raise ConfigError(
            f"{kind}: the last plate is the executor, and {type(executor).__name__} is a layer; "
            "end with a provider such as OpenAI() or a composite such as Fallback(...)"
        )
    return data


def unpack_stack(data: object) -> object:
    """A `Stack` in the executor's place as its layers and its executor: the nested and the flat spelling are equal."""
    if not isinstance(data, dict):
        return data
    inner = data.get("executor")
    if not (isinstance(inner, ExecutorSpec) and inner.kind == "stack"):
        return data
    layers = data.get("layers", ())
    inner_layers, executor = inner.children()[:-1], inner.children()[-1]
    if not isinstance(layers, list | tuple):
        return {**data, "executor": executor}
    return {**data, "layers": (*layers, *inner_layers), "executor": executor}


class Target(Spec):
    """One target of a composite: `Target(Retry(), OpenAI(), model="gpt-4o-mini")`.

    Args:
        layers: Its own layers, the first listed outermost; 200 at most.
        executor: The executor it ends with.
        model: Replaces the caller's model; None passes the caller's through.
        name: How records and metrics call it; by default the executor's kind and the model.
        options: Options laid over the caller's. A header that holds a credential is a secret: `{env: NAME}`.
        unset: Names of the caller's options that this target does not get.
        context_window: Tokens its model takes; a request that overflowed one target only goes to a larger one. By
            default what the provider's catalogue knows of the model.
        prefill: Whether its model goes on from a partial assistant message. By default what the provider's catalogue
            knows of the model, and else that it does not.
    """

    kind: ClassVar[str] = "target"

    layers: tuple[AnyLayer, ...] = Field(default=(), max_length=MAX_LAYERS)
    executor: AnyExecutor
    model: str | None = Field(default=None, min_length=1)
    name: str | None = Field(default=None, min_length=1)
    options: AnyOptions | None = None
    unset: tuple[str, ...] = ()
    context_window: int | None = Field(default=None, gt=0)
    prefill: bool | None = None

    def __init__(self, *plates: object, **data: Any) -> None:
        super().__init__(**split_plates("Target", plates, data))

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: object) -> object:
        return unpack_stack(data)

    @field_validator("unset")
    @classmethod
    def _known_options(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in ChatOptions.model_fields or name == "call":
                valid = ChatOptions.model_fields.keys() - {"call"}
                raise ConfigError(f"'{name}' is no option that can be unset{nearest(name, valid)}")
        return names

    @property
    def label(self) -> str:
        """Its name, or what it is called without one."""
        return self.name or "/".join(filter(None, (self.executor.label, self.model)))

    def children(self) -> tuple[Spec, ...]:
        """Its layers and its executor."""
        return (*self.layers, self.executor)

    def identity(self) -> object:
        """What it says of model and options, and what is inside it."""
        return {
            "target": {
                "model": self.model,
                "options": None if self.options is None else identity_of_options(self.options),
                "unset": sorted(self.unset),
                "inside": identity_of(self.children()),
            }
        }

    def bounded(self, where: Where) -> Bounds:
        """What one call to it may come to."""
        from .lint.bounds import bounds_of

        return bounds_of(self.layers, self.executor, replace(where, prefill=self.known()[0]))

    def make(self, context: BuildContext, name: str) -> TargetExecutor:
        """The runtime target, under a name that is unique among its siblings."""
        within = context.inside(
            target=name, model=self.model, prefill=self.known()[0], context_window=self.context_window
        )
        return TargetExecutor(assemble(self.layers, self.executor, within), self, name)

    def known(self) -> tuple[bool, int | None]:
        """Whether its model goes on from a partial message, and its window: as said here, or as the provider knows."""
        found = None if self.model is None else self.executor.abilities_for(self.model)
        prefill, window = (None, None) if found is None else (found.prefill, found.context_window)
        return bool(prefill if self.prefill is None else self.prefill), self.context_window or window


def named_targets(targets: tuple[Target, ...], context: BuildContext) -> tuple[TargetExecutor, ...]:
    """The runtime targets of a composite; equal labels are told apart by a number."""
    outer = f"{context.target}/" if context.target else ""
    seen: dict[str, int] = {}
    made = []
    for target in targets:
        label = outer + target.label
        seen[label] = seen.get(label, 0) + 1
        made.append(target.make(context, label if seen[label] == 1 else f"{label}#{seen[label]}"))
    return tuple(made)


def as_target(value: object) -> object:
    """A bare executor is a target without a model; a mapping of a target's options is left to pydantic."""
    if isinstance(value, Target) or (isinstance(value, dict) and value.keys() & Target.model_fields.keys()):
        return value
    return Target(value)


AnyTarget = Annotated[Target, BeforeValidator(as_target)]
"""A target, or a bare executor as a target without a model."""


class TargetExecutor(ExecutorWrapper):
    """A target at work: the caller's model and options, as this target wants them."""

    def __init__(self, inner: LlmExecutor, spec: Target, name: str) -> None:
        super().__init__(inner)
        self._name = name
        self.model = spec.model
        self.prefill, self.context_window = spec.known()
        self._overlay = None if spec.options is None else spec.options.resolved(f"{name}.options")
        self._unset = dict.fromkeys(spec.unset)
        self.isolated = False
        """Whether a hand has taken it out: every call to it is refused (`StackExecutor.isolate`)."""

    @property
    def name(self) -> str:
        """The target's name."""
        return self._name

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        if self.isolated:
            said = "this target is isolated by hand; reset() puts it back to work"
            raise RejectedError(ErrorKind.CIRCUIT_OPEN, said, target=self._name)
        if options is not None and self._unset:
            options = options.model_copy(update=self._unset)
        if self._overlay is not None:
            options = self._overlay.over(options)
        return await operation(self.inner, self.model or model, chat_req, options)
