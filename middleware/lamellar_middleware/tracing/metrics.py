"""The metrics: those of the conventions for an inference, and ours for what the layers did.

The attributes of an inference are the conventions' and nothing else, so that every point has few neighbors: operation,
provider, models, server, and `error.type` on the duration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .names import (
    ATTEMPT_KIND,
    ATTEMPT_TARGET,
    CACHE_HIT,
    ERROR_TYPE,
    METRIC_ATTEMPTS,
    METRIC_CACHE_LOOKUPS,
    METRIC_FALLBACKS,
    METRIC_INTERRUPTIONS,
    METRIC_LIMITER_WAIT,
    TIME_BUCKETS,
    TOKEN_BUCKETS,
    Generation,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from .attributes import Attributes, Tokens

__all__ = ["Meters"]


class Meters:
    """The instruments of one Tracing layer.

    Args:
        meter: What makes them.
        names: What those of the conventions are called.
    """

    def __init__(self, meter: Meter, names: Generation) -> None:
        self._token_type = names.token_type
        self._duration = meter.create_histogram(
            names.metric_duration,
            "s",
            "Duration of a call, its retries, fallbacks and stream included.",
            explicit_bucket_boundaries_advisory=TIME_BUCKETS,
        )
        self._first_chunk = meter.create_histogram(
            names.metric_time_to_first_chunk,
            "s",
            "Time from the call to the first content of its stream.",
            explicit_bucket_boundaries_advisory=TIME_BUCKETS,
        )
        self._per_chunk = meter.create_histogram(
            names.metric_time_per_output_chunk,
            "s",
            "Time waited for each chunk after the first.",
            explicit_bucket_boundaries_advisory=TIME_BUCKETS,
        )
        self._tokens = meter.create_histogram(
            names.metric_token_usage,
            "{token}",
            "Tokens of a call, those of its failed attempts included.",
            explicit_bucket_boundaries_advisory=TOKEN_BUCKETS,
        )
        self._attempts = meter.create_counter(METRIC_ATTEMPTS, "{attempt}", "Attempts at a target.")
        self._fallbacks = meter.create_counter(METRIC_FALLBACKS, "{fallback}", "Attempts at another target.")
        self._lookups = meter.create_counter(METRIC_CACHE_LOOKUPS, "{lookup}", "Calls that a cache looked up.")
        self._interruptions = meter.create_counter(
            METRIC_INTERRUPTIONS, "{interruption}", "Streams that failed after their first content."
        )
        self._limiter_wait = meter.create_histogram(
            METRIC_LIMITER_WAIT,
            "s",
            "Time an attempt waited in queues and limiters.",
            explicit_bucket_boundaries_advisory=TIME_BUCKETS,
        )

    def ended(self, attributes: Attributes, seconds: float, error: str | None, first_chunk: float | None) -> None:
        """An inference is over."""
        if first_chunk is not None:
            self._first_chunk.record(first_chunk, attributes)
        self._duration.record(seconds, attributes if error is None else {**attributes, ERROR_TYPE: error})

    def billed(self, attributes: Attributes, tokens: Tokens) -> None:
        """Tokens that a provider has told."""
        if tokens.input is not None:
            self._tokens.record(tokens.input, {**attributes, self._token_type: "input"})
        if tokens.output is not None:
            self._tokens.record(tokens.output, {**attributes, self._token_type: "output"})

    def chunk(self, attributes: Attributes, seconds: float) -> None:
        """A chunk after the first has come."""
        self._per_chunk.record(seconds, attributes)

    def attempted(self, target: str, kind: str, error: str | None, waited: float) -> None:
        """An attempt is over."""
        of_target: Attributes = {ATTEMPT_TARGET: target}
        told: Attributes = {ATTEMPT_TARGET: target, ATTEMPT_KIND: kind}
        self._attempts.add(1, told if error is None else {**told, ERROR_TYPE: error})
        if kind == "fallback":
            self._fallbacks.add(1, of_target)
        if waited > 0:
            self._limiter_wait.record(waited, of_target)

    def looked_up(self, hit: bool) -> None:
        """A cache was asked."""
        self._lookups.add(1, {CACHE_HIT: hit})

    def interrupted(self, error: str | None) -> None:
        """A stream failed after its first content."""
        self._interruptions.add(1, {} if error is None else {ERROR_TYPE: error})
