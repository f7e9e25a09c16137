"""Outlier ejection: a target that fails again and again is left alone for a while."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError
from lamellar.frozen import Frozen

__all__ = ["Ejection", "Health"]


class Ejection(Frozen):
    """When a target is left alone, and for how long.

    Only errors that count against a target's health are failures: not a bad request, a rate limit, or a caller who
    left. A target that comes back is on probation: its next failure ejects it again, its next whole answer clears it.
    The idea is Envoy's outlier detection
    (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier).

    Args:
        failures: Failures in a row that eject a target.
        duration: Seconds for which it is left alone the first time; each time in a row doubles it.
        max_duration: Bound on that, in seconds.
        max_share: The share of the targets that may be out at once, from 0 to 1, rounded down; one target always stays.

    Raises:
        ConfigError: The durations contradict each other.
    """

    failures: int = Field(default=5, ge=1)
    duration: Duration = 30.0
    max_duration: Duration = 300.0
    max_share: float = Field(default=0.5, gt=0, le=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if seconds(self.duration) <= 0:
            raise ConfigError("duration: more than zero seconds; to eject nobody leave the ejection out")
        if seconds(self.duration) > seconds(self.max_duration):
            raise ConfigError(
                f"duration={self.duration:g} is longer than max_duration={self.max_duration:g}; "
                "raise max_duration or lower duration"
            )
        return self

    def most(self, targets: int) -> int:
        """How many of so many targets may be out at once."""
        return min(int(targets * self.max_share), targets - 1)


class Health:
    """What is known of one target's health."""

    __slots__ = ("ejected_at", "ejected_until", "ejections", "failures")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.failures = 0
        self.ejections = 0
        self.ejected_at = float("-inf")
        self.ejected_until = float("-inf")

    def is_out(self, now: float) -> bool:
        """Whether the target is left alone at this moment."""
        return now < self.ejected_until

    def answered(self, began: float) -> None:
        """A call that began at `began` was answered as a whole."""
        if began >= self.ejected_at:  # one that was under way before says nothing of the time after
            self.failures = self.ejections = 0

    def failed(self, began: float, limit: int) -> bool:
        """A call that began at `began` failed; whether the target has earned an ejection."""
        if began < self.ejected_at:
            return False
        self.failures += 1
        return self.failures >= limit

    def eject(self, now: float, spec: Ejection) -> float:
        """Leave the target alone from now on; for how many seconds."""
        duration = min(seconds(spec.duration) * 2.0 ** min(self.ejections, 32), seconds(spec.max_duration))
        self.ejections += 1
        self.ejected_at, self.ejected_until = now, now + duration
        return duration
