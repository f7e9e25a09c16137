"""How often one call may ask providers at most, and how long it may wait for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..watch import AttemptLimits

if TYPE_CHECKING:
    from ..spec import ExecutorSpec, LayerSpec, Spec

__all__ = ["Bounds", "Where", "bounds_of"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one call may come to, whatever its providers do.

    Waiting is counted as `Timeout(total=...)` counts it: what the consumer of a stream takes for itself is not in it,
    nor what functions of one's own take, nor another caller's flight that a `Cache` lets the call join.

    Args:
        calls: Attempts at providers; None is no bound.
        seconds: Seconds of waiting until the answer or the error is whole; None is no bound.
        calls_why: Why there is no bound on calls; None where there is one.
        seconds_why: Why there is no bound on seconds; None where there is one.
    """

    calls: int | None
    seconds: float | None
    calls_why: str | None = None
    seconds_why: str | None = None

    @classmethod
    def unknown(cls, why: str) -> Bounds:
        """No bound on either, for one reason."""
        return cls(None, None, why, why)

    @classmethod
    def sum(cls, all_: Iterable[Bounds]) -> Bounds:
        """Of parts that happen one after the other, or side by side with nobody waiting for longer than for all."""
        found = cls(0, 0.0)
        for each in all_:
            found = found.then(each)
        return found

    @classmethod
    def either(cls, all_: Iterable[Bounds]) -> Bounds:
        """Of parts of which one happens."""
        found = cls(0, 0.0)
        for each in all_:
            calls = None if found.calls is None or each.calls is None else max(found.calls, each.calls)
            seconds = None if found.seconds is None or each.seconds is None else max(found.seconds, each.seconds)
            found = cls(calls, seconds, found.calls_why or each.calls_why, found.seconds_why or each.seconds_why)
        return found

    def then(self, other: Bounds) -> Bounds:
        """These, and then those of `other`."""
        return Bounds(
            None if self.calls is None or other.calls is None else self.calls + other.calls,
            None if self.seconds is None or other.seconds is None else self.seconds + other.seconds,
            self.calls_why or other.calls_why,
            self.seconds_why or other.seconds_why,
        )

    def times(self, count: int) -> Bounds:
        """These, so many times."""
        return replace(
            self,
            calls=None if self.calls is None else self.calls * count,
            seconds=None if self.seconds is None else self.seconds * count,
        )

    def after(self, wait: float | None, why: str) -> Bounds:
        """These, after a wait of so many seconds; None is a wait without a bound, for the reason given."""
        return self.then(Bounds(0, wait, None, why if wait is None else None))

    def within(self, seconds: float | None) -> Bounds:
        """These, ended after so many seconds; None ends nothing."""
        if seconds is None or (self.seconds is not None and self.seconds <= seconds):
            return self
        return replace(self, seconds=seconds, seconds_why=None)

    def __str__(self) -> str:
        return f"{self._told_calls()}, {self._told_seconds()}"

    def _told_calls(self) -> str:
        if self.calls is None:
            return f"no bound on provider calls ({self.calls_why})"
        return f"at most {self.calls:,} provider call{'' if self.calls == 1 else 's'}"

    def _told_seconds(self) -> str:
        if self.seconds is None:
            return f"no bound on time ({self.seconds_why})"
        return f"at most {self.seconds:.4g} s" if self.seconds < 1000 else f"at most {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Where:
    """What plates further out say about the place for which bounds are worked out.

    Args:
        limits: The limits of an attempt that hold here.
        prefill: Whether the target's model goes on from a partial assistant message.
    """

    limits: AttemptLimits = AttemptLimits()
    prefill: bool = False

    def attempt(self, label: str) -> Bounds:
        """Of one attempt at a leaf here.

        Args:
            label: What the leaf is called, for the reason where nothing bounds it.
        """
        limit = self.limits.attempt
        why = (
            f"an attempt at '{label}' has no limit `attempt`, and no `total` bounds the call" if limit is None else None
        )
        return Bounds(1, limit, None, why)


def bounds_of(layers: tuple[LayerSpec, ...], executor: ExecutorSpec, where: Where) -> Bounds:
    """Of `executor` in `layers`, the first listed outermost: the counterpart of `lamellar.build.assemble`."""
    places = [where]
    for layer in layers:
        places.append(replace(places[-1], limits=layer.limits_below(places[-1].limits)))
    found = _checked(executor.bounded(places[-1]), executor)
    for layer, place in zip(reversed(layers), reversed(places[:-1]), strict=True):
        found = _checked(layer.bounded(found, place), layer)
    return found


def _checked(found: Bounds, spec: Spec) -> Bounds:
    """What a plate says, if it is that: the mistake of a plate of one's own is told where it is made."""
    if not isinstance(found, Bounds):
        raise ConfigError(
            f"{type(spec).__name__}.bounded returned {type(found).__name__}, and Bounds is expected; "
            "is a `return` missing?"
        )
    return found
