"""Which kinds of layer and executor there are: entry points, read once they are needed."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from .errors import ConfigError
from .frozen import explain, nearest
from .spec import ExecutorSpec, LayerSpec, Spec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["kinds", "lookup", "parse"]

_GROUPS: dict[type[Spec], str] = {LayerSpec: "lamellar.layers", ExecutorSpec: "lamellar.executors"}
_WORDS: dict[type[Spec], str] = {LayerSpec: "layer", ExecutorSpec: "executor"}
_logger = logging.getLogger("lamellar.registry")

S = TypeVar("S", bound=Spec)


@cache
def _entry_points(group: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in found and found[point.name].value != point.value:
            used = found[point.name].value
            _logger.warning("two distributions register %r in %s; %s is used", point.name, group, used)
            continue
        found.setdefault(point.name, point)
    return found


def kinds(base: type[Spec]) -> tuple[str, ...]:
    """The registered names of layers (`LayerSpec`) or executors (`ExecutorSpec`)."""
    return tuple(sorted(_entry_points(_GROUPS[base])))


def lookup(kind: str, base: type[S]) -> type[S]:
    """The spec class that is registered as `kind`.

    Raises:
        ConfigError: There is none of that name, or its plugin cannot be loaded; both are named.
    """
    points = _entry_points(_GROUPS[base])
    if kind not in points:
        other = next((each for each in _GROUPS if each is not base and kind in _entry_points(_GROUPS[each])), None)
        if other is not None:
            raise ConfigError(f"'{kind}' is {_a(other)}, and {_a(base)} is expected here")
        raise ConfigError(f"unknown {_WORDS[base]} '{kind}'{nearest(kind, points)}")
    try:
        found = points[kind].load()
    except Exception as error:
        raise ConfigError(
            f"the plugin '{kind}' ({points[kind].value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"the plugin '{kind}' ({points[kind].value}) is not a {base.__name__}")
    return found


def _a(base: type[Spec]) -> str:
    return "an executor" if base is ExecutorSpec else "a layer"


def parse(value: object, base: type[S]) -> S:
    """A spec out of what stands in a file: a bare kind, `{kind: options}`, or the spec itself.

    Raises:
        ConfigError: It is none of these.
    """
    if isinstance(value, base):
        return value
    if isinstance(value, str):
        return _make(lookup(value, base), {})
    if isinstance(value, dict) and len(value) == 1:
        ((kind, options),) = value.items()
        return _make(lookup(str(kind), base), {} if options is None else options)
    if isinstance(value, dict):
        raise ConfigError(
            f"expected one {_WORDS[base]}, got a mapping of {len(value)} names ({', '.join(map(str, value))}); "
            "indent the options below the name"
        )
    if isinstance(value, type) and issubclass(value, Spec):
        raise ConfigError(f"expected {_a(base)}, got the class {value.__name__}; write {value.__name__}()")
    if isinstance(value, Spec) and value.kind == "target":
        raise ConfigError(f"expected {_a(base)}, got a Target; targets stand in a composite such as Fallback(...)")
    if value is None:
        raise ConfigError(f"expected {_a(base)}, got nothing")
    word = "the layer " if isinstance(value, LayerSpec) else "the executor " if isinstance(value, ExecutorSpec) else ""
    raise ConfigError(f"expected {_a(base)}, got {word}{type(value).__name__}")


def _make(model: type[S], options: object) -> S:
    if not isinstance(options, dict):
        raise ConfigError(f"{model.kind}: expected a mapping of options, got {type(options).__name__}")
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise explain(error, model, prefix=f"{model.kind}.") from None
