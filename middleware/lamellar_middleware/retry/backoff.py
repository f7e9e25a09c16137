"""How often and how long: tenacity's stop and wait objects, fed with the stack's own clock and randomness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tenacity import RetryCallState, stop_after_attempt, stop_before_delay, wait_exponential

from lamellar.durations import seconds
from lamellar.errors import ErrorKind

from .spec import KindPolicy

if TYPE_CHECKING:
    import random

    from lamellar.errors import ExecutorError

    from .spec import Retry

__all__ = ["Backoff"]


class Backoff:
    """Plans the waits between the attempts of one call; made when its first attempt has failed.

    Args:
        spec: The options of the layer.
        rng: Where jitter comes from: tenacity's own would come from the process-wide generator.
    """

    def __init__(self, spec: Retry, rng: random.Random) -> None:
        self._spec = spec
        self._rng = rng
        # The state's time stamps are ours; tenacity's constructor and setters would read `time.monotonic()`.
        self._state = RetryCallState(cast("Any", None), None, (), {})
        self._state.start_time = 0.0

    def wait_before_next(self, number: int, elapsed: float, error: ExecutorError) -> float | None:
        """Seconds to wait after attempt `number` failed, or None when there is to be no other.

        Args:
            number: Attempts made so far.
            elapsed: Seconds since the first of them began.
            error: What the last one failed with.
        """
        spec, state = self._spec, self._state
        policy = spec.kinds.get(error.kind)
        policy = policy if isinstance(policy, KindPolicy) else KindPolicy()
        hint = error.retry_after
        if hint is not None and hint > seconds(spec.retry_after_cap):
            return None
        state.attempt_number = number
        state.outcome_timestamp = elapsed
        wait = self._drawn(policy, error) if spec.wait is None else float(spec.wait(state))
        if hint is not None:
            # A floor, never cut short; a little later for each, so that those told the same do not return as one.
            wait = max(wait, hint + self._rng.uniform(0, 0.1 * hint))
        state.upcoming_sleep = wait
        if error.code == "connect_timeout" and number >= 2:
            return None  # a route that does not answer is tried once more, not three times
        return None if self._stops(policy) else wait

    def _stops(self, policy: KindPolicy) -> bool:
        spec = self._spec
        if spec.stop is not None:
            return bool(spec.stop(self._state))
        if stop_after_attempt(policy.attempts or spec.attempts)(self._state):
            return True
        return spec.window is not None and stop_before_delay(seconds(spec.window))(self._state)

    def _drawn(self, policy: KindPolicy, error: ExecutorError) -> float:
        spec = self._spec
        initial = policy.initial
        if initial is None:
            initial = spec.overloaded_initial if error.kind is ErrorKind.OVERLOADED else spec.initial
        longest = seconds(spec.max if policy.max is None else policy.max)
        backoff = wait_exponential(multiplier=seconds(initial), max=longest, exp_base=spec.multiplier)(self._state)
        if spec.jitter == "full":
            return self._rng.uniform(0, backoff)
        if spec.jitter == "equal":
            return self._rng.uniform(backoff / 2, backoff)
        return float(backoff)
