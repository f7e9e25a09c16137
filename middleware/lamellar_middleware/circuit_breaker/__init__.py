"""CircuitBreaker: leave a target alone while it fails, and find out with few calls when it is well again.

A circuit is **closed** while calls go through, **open** while they are refused, and **half-open** while a few probes
find out whether the target is well. Three things open it: failures in a row, a share of failures in a sliding window,
and an exhausted quota.

What keeps it from wedging:

- Only the provider's faults are verdicts. A probe that was cancelled, abandoned, refused by a layer below or turned
  down for the caller's own fault gives its place back, and says nothing.
- A probe's place is a lease. It runs from the beginning of its attempt, not in a queue; when it is over, another probe
  may go, whatever became of the first. A verdict that comes later still counts, as long as the question is open.
- A call that was let through before the circuit changed says nothing about it afterwards.
"""

from __future__ import annotations

from .spec import CircuitBreaker, CircuitEvent

__all__ = ["CircuitBreaker", "CircuitEvent"]
