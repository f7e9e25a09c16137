"""What the declarations of composites have in common: several targets, rules for going on, and a name."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from lamellar.errors import ConfigError, ErrorKind
from lamellar.spec import ExecutorSpec, Spec
from lamellar.target import AnyTarget

from .shared import check_kinds
from .targets import check_targets

__all__ = ["CompositeSpec"]


class CompositeSpec(ExecutorSpec):
    """Targets, given by position or by name.

    Args:
        targets: The targets; a bare executor is a target without a model.
        rules: Per kind of error: whether to go on to another target, where that differs from the error's own verdict.
        name: How records call it; by default its kind.

    Raises:
        ConfigError: There are too few targets, or two of one name.
    """

    least: ClassVar[int] = 1
    """How many targets it cannot do without."""

    targets: tuple[AnyTarget, ...] = Field(default=())
    rules: dict[ErrorKind, bool] = {}
    name: str | None = None

    def __init__(self, *targets: object, **data: object) -> None:
        if targets and "targets" in data:
            raise ConfigError(f"{type(self).__name__}: give the targets by position or by name, not both")
        super().__init__(**({"targets": targets, **data} if targets else data))

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("rules", mode="before")
    @classmethod
    def _known_kinds(cls, rules: object) -> object:
        check_kinds(rules)
        return rules

    @model_validator(mode="after")
    def _enough_targets(self) -> Self:
        check_targets(self.targets, self.kind, least=self.least)
        return self

    @property
    def label(self) -> str:
        """Its name."""
        return self.name or self.kind

    def children(self) -> tuple[Spec, ...]:
        """The targets."""
        return self.targets
