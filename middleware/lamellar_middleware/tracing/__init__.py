"""Tracing: spans and metrics of a call, by OpenTelemetry's conventions for generative AI.

One *inference span* a call, from the call to the end of its stream, with one *attempt span* beneath for every try at a
provider, and under those whatever the HTTP client's own instrumentation makes. What was retried or routed around is
told by the attempt spans alone: the inference span and its metrics tell how the call ended.

A span is ended by the finish callbacks of the stream contract, so it is exported exactly once however the stream ends.
It is current only while something below it runs: round the call, and round each wait for the provider. Between two
events of a stream the consumer's own span is the current one.

Only the OpenTelemetry API is needed. Without an SDK nothing is built and nothing is serialized.
"""

from __future__ import annotations

from .spec import Tracing

__all__ = ["Tracing"]
