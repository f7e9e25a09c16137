"""What `Stack.watch` does."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING

from ..clock import Clock, LoopClock
from ..durations import Duration, parse_duration
from ..errors import ConfigError
from .executor import WatchedExecutor
from .record import Reload
from .source import FileSource
from .version import Builder

if TYPE_CHECKING:
    from ..stack import Stack

__all__ = ["watch"]


def watch(
    model: type[Stack],
    path: str | os.PathLike[str],
    name: str | None,
    *,
    interval: Duration,
    grace: Duration,
    on_reload: Callable[[Reload], object] | None,
    clock: Clock | None,
    rng: random.Random | None,
    http_client: object | None,
    shared: MutableMapping[str, object] | None,
) -> WatchedExecutor:
    """An executor that follows a file; see `Stack.watch`."""
    between, left = _seconds("interval", interval), _seconds("grace", grace)
    if between <= 0:
        raise ConfigError("interval: more than zero seconds")
    if on_reload is not None and not callable(on_reload):
        raise ConfigError(f"on_reload: expected a function, got {type(on_reload).__name__}")
    clock = clock or LoopClock()
    rng = rng or random.Random()  # noqa: S311 -- for jitter, not for secrets
    return WatchedExecutor(
        FileSource(model, path, name),
        Builder(clock=clock, rng=rng, http_client=http_client, shared=shared),
        clock=clock,
        interval=between,
        grace=left,
        on_reload=on_reload,
    )


def _seconds(option: str, value: Duration) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None
