"""The stack a careful operator would write: the layers in their order, with defaults that fail over in time.

The layers are named, not imported: the core does not know the middleware.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import ConfigError
from .spec import ExecutorSpec, LayerSpec
from .target import Target, as_target

__all__ = ["preset_plates"]

_ALONE: dict[str, Any] = {"total": 600, "connect": 5, "first_content": 60, "idle": 60}
"""Limits of one target alone: there is nowhere else to go, so a slow answer is better than none."""

_FAILING_OVER: dict[str, Any] = {"total": 300, "connect": 5, "first_content": 10, "idle": 15}
"""Limits where another target can take over."""


def preset_plates(
    targets: Iterable[object], *, cache: LayerSpec | None, timeout: LayerSpec | None, attempts: int
) -> tuple[tuple[object, ...], ExecutorSpec]:
    """The layers and the executor of `Stack.preset`.

    Raises:
        ConfigError: There is no target.
    """
    from .registry import parse

    plates = tuple([_target(target) for target in targets])
    if not plates:
        raise ConfigError("Stack.preset: there is no target; pass at least one, such as Target(OpenAI(), model='...')")
    alone = len(plates) == 1
    careful = {"attempts": attempts, "on_interrupt": "restart"} | ({} if alone else {"retry_after_cap": 10})
    inner = (_layer({"retry": careful}), _layer("circuit_breaker"), _layer("rate_limit"))
    limits = timeout or _layer({"timeout": _ALONE if alone else _FAILING_OVER})
    dressed = tuple([_dressed(plate, inner) for plate in plates])
    executor = parse({"fallback": {"targets": dressed, "on_interrupt": "restart"}}, ExecutorSpec)  # type: ignore[type-abstract]
    outer = (_layer("tracing"), *(() if cache is None else (cache,)), limits)
    return outer, executor


def _layer(said: object) -> LayerSpec:
    from .registry import parse

    return parse(said, LayerSpec)  # type: ignore[type-abstract]


def _target(value: object) -> Target:
    found = as_target(value)
    return found if isinstance(found, Target) else Target.model_validate(found)


def _dressed(target: Target, layers: tuple[LayerSpec, ...]) -> Target:
    """The target with these layers among its own, each where it belongs; of a kind that it has, its own stands."""
    dressed = list(target.layers)
    for place, layer in enumerate(layers):
        kinds = [each.kind for each in dressed]
        if layer.kind not in kinds:
            outer = {each.kind for each in layers[:place]}
            after = [at for at, kind in enumerate(kinds) if kind in outer]
            dressed.insert(after[-1] + 1 if after else 0, layer)
    return target.model_copy(update={"layers": tuple(dressed)})
