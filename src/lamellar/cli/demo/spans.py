"""The spans of a call, kept in memory: the demo's own tracer provider, told to nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...middleware import Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from ...call import AttemptRecord
    from ...stack import Stack

__all__ = ["SpanKeeper", "span_checks", "span_data"]


class SpanKeeper:
    """Keeps the spans of a stack, where OpenTelemetry's SDK is there to make them."""

    def __init__(self) -> None:
        self.missing: str | None = None
        """Why there are no spans; None where there are."""
        self._kept: InMemorySpanExporter | None = None

    def watch(self, stack: Stack) -> Stack:
        """The stack with the demo's tracer provider in its tracing layers; a global one is left as it is."""
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import SimpleSpanProcessor
            from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
            from opentelemetry.trace import NoOpTracer
        except ImportError:
            self.missing = "The trace of a call is shown with the extra `otel`: pip install 'lamellar[otel]'"
            return stack
        # What the environment says of the program's traces (a sampler, a resource) is not about the demo's.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.get_empty(), shutdown_on_exit=False)
        if isinstance(provider.get_tracer("lamellar"), NoOpTracer):
            self.missing = "The trace of a call is not shown: OTEL_SDK_DISABLED switches OpenTelemetry off."
            return stack
        self._kept = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        layers = [
            layer.model_copy(update={"tracer_provider": provider, "metrics": False})
            if isinstance(layer, Tracing)
            else layer
            for layer in stack.layers
        ]
        return stack.model_copy(update={"layers": tuple(layers)})

    def take(self) -> tuple[ReadableSpan, ...] | None:
        """The spans that ended since the last time, the first begun first; None where there are none to be had."""
        if self._kept is None:
            return None
        spans = sorted(self._kept.get_finished_spans(), key=lambda span: span.start_time or 0)
        self._kept.clear()
        return tuple(spans)


def span_data(spans: Sequence[ReadableSpan]) -> list[dict[str, Any]]:
    """`spans` as JSON data."""
    first = min([span.start_time or 0 for span in spans], default=0)
    return [
        {
            "id": _id(span.context),
            "parent": _id(span.parent),
            "name": span.name,
            "kind": span.kind.name.lower(),
            "status": span.status.status_code.name.lower(),
            "at": round(((span.start_time or 0) - first) / 1e9, 4),
            "seconds": round(((span.end_time or 0) - (span.start_time or 0)) / 1e9, 4),
            "attributes": dict(span.attributes or {}),
        }
        for span in spans
    ]


def _id(context: Any) -> str | None:
    return None if context is None else f"{context.span_id:016x}"


def span_checks(spans: Sequence[Mapping[str, Any]], attempts: Sequence[AttemptRecord]) -> dict[str, bool]:
    """Whether there is one span for a call that succeeded, and one beneath it for each attempt, in their order."""
    calls = [span for span in spans if span["parent"] is None]
    tries = [span for span in spans if span["parent"] is not None]
    one = len(calls) == 1
    return {
        "one_inference_span": one and calls[0]["kind"] == "client",
        "failures_on_the_way_are_not_on_it": one and calls[0]["status"] == "unset",
        "one_child_span_per_attempt": one
        and len(tries) == len(attempts)
        and all(
            span["parent"] == calls[0]["id"]
            and span["attributes"].get("lamellar.attempt.target") == each.target
            and span["attributes"].get("error.type") == (None if each.kind is None else str(each.kind))
            for span, each in zip(tries, attempts, strict=True)
        ),
    }
