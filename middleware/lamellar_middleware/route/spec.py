"""Route: a target chosen by what is asked.

Rules come first, in order: what they say of size, tag or code overrules a name. Then the caller's model name is looked
up among the routes: the exact name, else the pattern with the most literal characters, else the one written first.
Then the default. Every route is a primary: to be sent there is no failover.

A call that no route takes is refused with the kind `model_not_found`: nothing was sent, no target is to blame, and an
outer Fallback goes on to a target that may know the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import ValidationInfo, field_validator, model_validator

from lamellar.errors import ConfigError
from lamellar.frozen import nearest
from lamellar.identity import identity_of
from lamellar.order import Rank
from lamellar.registry import kinds
from lamellar.spec import ExecutorSpec, Spec
from lamellar.target import AnyTarget, Target, as_target, named_targets

from ..targets import check_targets
from .rule import RouteRule

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.lint.bounds import Bounds, Where

    from .executor import RouteExecutor

__all__ = ["Route"]


class Route(ExecutorSpec):
    """A target by the caller's model name: `Route({"fast": Target(OpenAI(), model="gpt-4o-mini"), "o*": OpenAI()})`.

    Args:
        routes: Targets by model name, or by a pattern of it (``*``, ``?``, ``[...]``); also by position. A bare
            executor is a target without a model: the caller's model name passes through. At least one.
        rules: Rules that come before the names; the first that holds decides.
        default: Where every other call goes: the name of a route, or a target of its own. None refuses it
            (`model_not_found`).
        name: How records call it; by default ``route``.

    Raises:
        ConfigError: There is no route, or a rule or the default names one that there is not.
    """

    kind: ClassVar[str] = "route"
    rank: ClassVar[Rank | None] = Rank.CHOICE
    model_config = {"arbitrary_types_allowed": True}

    routes: dict[str, AnyTarget]
    rules: tuple[RouteRule, ...] = ()
    default: str | AnyTarget | None = None
    name: str | None = None

    def __init__(self, routes: Mapping[str, object] | None = None, /, **data: object) -> None:
        if routes is not None:
            if "routes" in data:
                raise ConfigError("Route: give the routes by position or by name, not both")
            data = {"routes": routes, **data}
        super().__init__(**data)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("routes", mode="before")
    @classmethod
    def _by_name(cls, routes: object) -> object:
        if isinstance(routes, Target | Spec):
            raise ConfigError(f"routes: expected a mapping of names to targets, got {type(routes).__name__}")
        if isinstance(routes, Mapping) and not routes:
            raise ConfigError("routes: a route needs at least one name, such as {'gpt-*': OpenAI()}")
        return routes

    @field_validator("default", mode="before")
    @classmethod
    def _name_or_target(cls, default: object, info: ValidationInfo) -> object:
        routes = info.data.get("routes", ())
        if default is None or (isinstance(default, str) and default in routes):
            return default
        if isinstance(default, str) and default not in kinds(ExecutorSpec):
            raise ConfigError(f"there is no route '{default}', and no executor of that kind{nearest(default, routes)}")
        return as_target(default)

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        check_targets([each for each in (*self.routes.values(), self.default) if isinstance(each, Target)], self.kind)
        for place, rule in enumerate(self.rules):
            if rule.to is not None and rule.to not in self.routes:
                raise ConfigError(f"rules.{place}.to: there is no route '{rule.to}'{nearest(rule.to, self.routes)}")
        return self

    @property
    def label(self) -> str:
        """Its name."""
        return self.name or self.kind

    def children(self) -> tuple[Spec, ...]:
        """The targets, each called by its route where it has no name of its own; then the default's."""
        own = {**self.routes, "default": self.default} if isinstance(self.default, Target) else self.routes
        return tuple([_named(target, name) for name, target in own.items() if isinstance(target, Target)])

    def ways(self) -> tuple[str, ...]:
        """The names, patterns and rules by which a call gets there."""
        found = {name: [name, *[rule.condition for rule in self.rules if rule.to == name]] for name in self.routes}
        if isinstance(self.default, Target):
            return (*[" or ".join(each) for each in found.values()], "all others")
        if self.default is not None:
            found[self.default].append("all others")
        return tuple([" or ".join(each) for each in found.values()])

    def identity(self) -> object:
        """The routes and what leads to them.

        Raises:
            ConfigError: A rule looks at a tag, which no cache key holds, or at code without an importable name.
        """
        if any(rule.tag is not None for rule in self.rules):
            raise ConfigError(
                "route: a rule looks at a tag, and tags are no part of a cache's key: two callers would share an "
                "answer; put the Cache inside the routes"
            )
        default = self.default.identity() if isinstance(self.default, Target) else self.default
        routes = dict(zip(self.routes, identity_of(self.routes.values()), strict=True))
        return {"route": {"routes": routes, "rules": [rule.said() for rule in self.rules], "default": default}}

    def bounded(self, where: Where) -> Bounds:
        """One of the targets."""
        from lamellar.lint.bounds import Bounds

        return Bounds.either(target.bounded(where) for target in self.children() if isinstance(target, Target))

    def make(self, context: BuildContext) -> RouteExecutor:
        """The runtime route with its targets."""
        from .executor import RouteExecutor

        targets = tuple([each for each in self.children() if isinstance(each, Target)])
        return RouteExecutor(self, named_targets(targets, context))


def _named(target: Target, name: str) -> Target:
    return target if target.name is not None else target.model_copy(update={"name": name})
