"""Plugins: entry points of installed distributions, ours among them, and what can be wrong with one.

A plugin that is broken harms no other: it is named with its distribution and the mend when it is used, and told of in a
warning where all plugins are listed. Our own kinds cannot be replaced by installing something; of two other
distributions that say the same kind neither is used, since which came first would be a matter of chance.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .errors import ConfigError
from .masking import scrub
from .spec import ExecutorSpec, LayerSpec, Spec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUPS", "Found", "Plugin", "find_plugins", "load_plugin", "origin", "plugins"]

GROUPS: dict[type[Spec], str] = {LayerSpec: "lamellar.layers", ExecutorSpec: "lamellar.executors"}
"""The group of entry points for each base."""

_OURS = "lamellar"

_RESERVED = frozenset({"stack", "target", "given", "use"})
"""Words that mean something else where a kind is expected."""

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class Found:
    """What is registered under one name, not loaded yet.

    Args:
        points: The entry points that say it.
        problem: Why it cannot be used, where that is plain without loading it.
        overruled: Of each distribution that says a kind of ours: that it is not used.
    """

    points: tuple[EntryPoint, ...]
    problem: str | None = None
    overruled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plugin:
    """A registered kind.

    Args:
        kind: Its name.
        base: `LayerSpec` or `ExecutorSpec`.
        distribution: What it comes with, such as ``lamellar 0.1.0``; empty where that is not known.
        spec: Its class, or None when it cannot be used.
        problem: Why it cannot be used, and how to mend that; None when it can.
    """

    kind: str
    base: type[Spec]
    distribution: str
    spec: type[Spec] | None
    problem: str | None = None


def plugins() -> tuple[Plugin, ...]:
    """Every registered kind, layers first, each loaded: with its class, or with what is wrong with it."""
    listed: list[Plugin] = []
    for base, named in find_plugins().items():
        for kind, found in sorted(named.items()):
            distribution = " and ".join(filter(None, map(_distribution, found.points)))
            try:
                listed.append(Plugin(kind, base, distribution, load_plugin(kind, found, base)))
            except ConfigError as error:
                listed.append(Plugin(kind, base, distribution, None, str(error)))
            listed += [Plugin(kind, base, "", None, problem) for problem in found.overruled]
    return tuple(listed)


def find_plugins() -> dict[type[Spec], dict[str, Found]]:
    """What is registered for each base, by name; nothing is imported."""
    from importlib.metadata import entry_points

    everything = entry_points()  # reads what is installed, once for all groups
    groups = {base: everything.select(group=group) for base, group in GROUPS.items()}
    ours = {point.name for points in groups.values() for point in points if _is_ours(point)}
    found: dict[type[Spec], dict[str, Found]] = {}
    for base, points in groups.items():
        named: dict[str, dict[str, EntryPoint]] = {}
        for point in points:
            named.setdefault(point.name, {}).setdefault(point.value, point)  # one installation may be found twice
        found[base] = {name: _settled(name, list(each.values()), ours) for name, each in named.items()}
    return found


def _settled(name: str, points: Sequence[EntryPoint], ours: set[str]) -> Found:
    own = [point for point in points if _is_ours(point)]
    others = [point for point in points if not _is_ours(point)]
    others.sort(key=lambda point: (_uninstalled(point), point.value))
    if name in ours:
        taken = "is not used: Lamellar has a kind of that name"
        told = [f"{_said(name, point)} {taken}; {_rename(point)}" for point in others]
        return Found(tuple(own), None, tuple(told)) if own else Found(tuple(others), "\n".join(told))
    if not name.isidentifier() or name in _RESERVED:
        why = "means something else in a file" if name in _RESERVED else "is no identifier"
        return Found(tuple(others), f"{_said(name, others[0])} cannot be used: '{name}' {why}; {_rename(others[0])}")
    if len(others) > 1:
        who = " and by ".join(origin(point) for point in others)
        mend = " or ".join(dict.fromkeys(map(_uninstalled, others)))
        return Found(tuple(others), f"the plugin '{name}' is registered twice, by {who}; {mend}")
    return Found(tuple(others))


def load_plugin(kind: str, found: Found, base: type[S]) -> type[S]:
    """The class that is registered.

    Raises:
        ConfigError: It cannot be used; its distribution and the mend are named.
    """
    if found.problem is not None:
        raise ConfigError(found.problem)
    point = found.points[0]
    try:
        spec = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # importing runs the plugin's code, and that may fail in any way
        told = scrub(f"{type(error).__name__}: {error}")
        raise ConfigError(
            f"{_said(kind, point)} cannot be loaded: {told}; install what it needs, or {_uninstalled(point)}"
        ) from error
    if not (isinstance(spec, type) and issubclass(spec, base)):
        raise ConfigError(
            f"{_said(kind, point)} is not a {base.__name__}; derive it from lamellar.{base.__name__}, "
            f"or {_uninstalled(point)}"
        )
    if inspect.isabstract(spec):
        lacking = ", ".join(f"`{name}`" for name in sorted(spec.__abstractmethods__))
        raise ConfigError(f"{_said(kind, point)} does not define {lacking}; define that, or {_uninstalled(point)}")
    if spec.kind != kind:
        raise ConfigError(
            f"{_said(kind, point)} calls itself '{spec.kind}'; give the entry point and `kind` one name, "
            f"or {_uninstalled(point)}"
        )
    if not _is_ours(point):
        _complete(spec, kind, point)
    return spec


def _complete(spec: type[Spec], kind: str, point: EntryPoint) -> None:
    """Have pydantic look at the options now: what it cannot understand would fail wherever all kinds are gathered."""
    try:
        spec.model_rebuild()
    except Exception as error:
        told = scrub(f"{type(error).__name__}: {error}".splitlines()[0])
        raise ConfigError(
            f"{_said(kind, point)} has options that pydantic does not understand: {told}; mend their annotations, "
            f"or {_uninstalled(point)}"
        ) from error


def _said(kind: str, point: EntryPoint) -> str:
    return f"the plugin '{kind}' ({origin(point)})"


def origin(point: EntryPoint) -> str:
    """Where a kind comes from: its class, and the distribution as far as it is known."""
    return ", of ".join(filter(None, (point.value, _distribution(point))))


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""


def _rename(point: EntryPoint) -> str:
    return f"rename it in its pyproject.toml and its `kind`, or {_uninstalled(point)}"


def _uninstalled(point: EntryPoint) -> str:
    return f"pip uninstall {point.dist.name}" if point.dist is not None else "uninstall it"


def _is_ours(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == _OURS
