"""A limit that finds itself: up by steps while calls use it up and succeed, down by a share when the provider is busy.

This is TCP's additive increase and multiplicative decrease, as in Netflix's concurrency-limits
(https://github.com/Netflix/concurrency-limits). Errors are a clear sign of too much. Latency is not, with language
models: it tells more of the prompt and the answer than of the load. So it is looked at only where that is asked for.
"""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, field_validator, model_validator

from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError, ErrorKind, ExecutorError
from lamellar.frozen import Frozen

from ..shared import check_kinds

__all__ = ["Adapting", "AdaptiveLimit"]

_EPOCH = 300.0
"""Seconds after which the smallest latency is sought anew: the least of this epoch and the last one counts."""


class AdaptiveLimit(Frozen):
    """How a limit adapts itself.

    Args:
        min: The limit is never less.
        max: The limit is never more.
        increase: What the limit grows by after as many successes as it allows at a time; only those of calls during
            which it was used up count.
        decrease: What the limit is multiplied by when the provider is busy.
        cooldown: Seconds for which a decrease holds before another; and only calls that began after the last one are a
            sign, so that one burst of refusals halves the limit once.
        errors: The kinds of error that are such a sign. A timeout is none when it was the caller's own haste.
        latency: Seconds until the first content of a stream, or until a whole answer, that are a sign too; None is
            none.
        latency_ratio: The same as a multiple of the smallest that was seen in the last five to ten minutes, of
            streams and of whole answers each; None is none.

    Raises:
        ConfigError: Options contradict each other.
    """

    min: int = Field(default=1, ge=1)
    max: int = Field(default=100, ge=1)
    increase: float = Field(default=1.0, gt=0)
    decrease: float = Field(default=0.5, gt=0, lt=1)
    cooldown: Duration = 1.0
    errors: tuple[ErrorKind, ...] = (ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED, ErrorKind.TIMEOUT)
    latency: Duration | None = None
    latency_ratio: float | None = Field(default=None, gt=1)

    @field_validator("errors", mode="before")
    @classmethod
    def _known_kinds(cls, kinds: object) -> object:
        check_kinds(dict.fromkeys(kinds) if isinstance(kinds, list | tuple) else kinds)
        return kinds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min > self.max:
            raise ConfigError(f"min={self.min} is more than max={self.max}; lower min or raise max")
        if self.latency is not None and self.latency_ratio is not None:
            raise ConfigError("latency_ratio: latency says the same in seconds; give one of them")
        if self.latency is not None and seconds(self.latency) <= 0:
            raise ConfigError("latency: more than zero seconds, or None to look at errors alone")
        if not self.errors and self.latency is None and self.latency_ratio is None:
            raise ConfigError("errors: nothing would ever lower the limit; name kinds of error, or give latency")
        return self


class _Least:
    """The smallest latency of this epoch and the last one."""

    __slots__ = ("_before", "_now", "_since")

    def __init__(self) -> None:
        self._before = self._now = math.inf
        self._since = -math.inf

    def add(self, latency: float, now: float) -> float:
        """Take one more; the smallest so far, this one included."""
        if not 0 <= now - self._since < _EPOCH:
            recent = 0 <= now - self._since < 2 * _EPOCH
            self._before, self._now, self._since = self._now if recent else math.inf, math.inf, now
        self._now = min(self._now, latency)
        return min(self._now, self._before)


class Adapting:
    """An adaptive limit at work. Its owner sees to it that one thread at a time is here.

    Args:
        rules: The options.
        start: The limit at first.
    """

    __slots__ = ("_changed", "_least", "_rules", "_start", "_used_up", "_value")

    def __init__(self, rules: AdaptiveLimit, start: int) -> None:
        self._rules = rules
        self._start = start
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._value = float(self._start)
        self._changed = self._used_up = -math.inf
        self._least = {True: _Least(), False: _Least()}

    @property
    def limit(self) -> int:
        """Calls at a time."""
        return int(self._value)

    @property
    def times(self) -> bool:
        """Whether it wants to know of latencies."""
        return self._rules.latency is not None or self._rules.latency_ratio is not None

    def is_slow(self, latency: float, now: float, *, streaming: bool) -> bool:
        """Whether a call that took so long is a sign."""
        if self._rules.latency is not None:
            return latency > seconds(self._rules.latency)
        least = self._least[streaming].add(latency, now)
        return self._rules.latency_ratio is not None and latency > self._rules.latency_ratio * least

    def is_sign(self, error: BaseException) -> bool:
        """Whether a call that failed so is a sign."""
        if not isinstance(error, ExecutorError) or error.kind not in self._rules.errors:
            return False
        return error.kind is not ErrorKind.TIMEOUT or error.counts_against_health

    def lower(self, began: float, now: float) -> None:
        """A call that began then has shown that the provider is busy."""
        if self._is_news(began, now) and not 0 <= now - self._changed < seconds(self._rules.cooldown):
            self._value = max(float(self._rules.min), self._value * self._rules.decrease)
            self._changed = now

    def used(self, in_use: int, now: float) -> None:
        """So many calls are under way now."""
        if in_use >= self.limit:
            self._used_up = now

    def raise_(self, began: float, now: float) -> None:
        """A call that began then has succeeded."""
        if self._used_up >= began and self._is_news(began, now):
            self._value = min(float(self._rules.max), self._value + self._rules.increase / self._value)

    def _is_news(self, began: float, now: float) -> bool:
        """Whether the call began under the present limit, or in a time that began anew with its loop."""
        return began >= self._changed or now < self._changed
