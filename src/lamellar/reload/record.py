"""What is told of one reload."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError

__all__ = ["Reload"]


@dataclass(frozen=True, slots=True)
class Reload:
    """One change of a watched file, and what became of it.

    Args:
        at: When it was dealt with, in seconds since the epoch.
        version: The number of the stack that serves calls from here on; the first has 1.
        error: Why the new stack was refused and the old one goes on; None where it was taken.
        changes: What is different from the stack before, a line each, such as ``layers[1].retry.attempts: 3, was 2``;
            empty where nothing is, or where the new stack was refused.
    """

    at: float
    version: int
    error: ConfigError | None = None
    changes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the file's stack serves calls now."""
        return self.error is None
