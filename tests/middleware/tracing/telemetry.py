"""A whole SDK for one test: what was exported, as trees and points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from lamellar.middleware import Tracing


class Telemetry:
    """Providers of its own, so that tests do not share the process's global ones."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.tracer = self.tracers.get_tracer("test")

    def tracing(self, **options: Any) -> Tracing:
        return Tracing(**{"tracer_provider": self.tracers, "meter_provider": self.meters, **options})

    @property
    def spans(self) -> list[ReadableSpan]:
        """What was exported, in the order it began; each span once."""
        found = sorted(self.exporter.get_finished_spans(), key=lambda span: (span.start_time, span.end_time))
        ids = [span.context.span_id for span in found]
        assert len(set(ids)) == len(ids), "a span was exported twice"
        return found

    def span(self, name: str) -> ReadableSpan:
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, f"{len(found)} spans named {name!r} of {[span.name for span in self.spans]}"
        return found[0]

    def tree(self) -> list[str]:
        """Every span as a line, indented below its parent: `name KIND STATUS error.type outcome`."""
        spans = self.spans
        ids = {span.context.span_id for span in spans}

        def lines(parent: int | None, depth: int) -> list[str]:
            told = []
            for span in spans:
                above = span.parent.span_id if span.parent is not None else None
                if (above if above in ids else None) == parent:
                    told.append("  " * depth + line(span))
                    told.extend(lines(span.context.span_id, depth + 1))
            return told

        return lines(None, 0)

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        """The points of one metric: attributes, and the sum (of a counter its value)."""
        return [
            (dict(point.attributes), getattr(point, "sum", getattr(point, "value", None)))
            for metric in self.metrics(name)
            for point in metric.data.data_points
        ]

    def metrics(self, name: str | None = None) -> list[Any]:
        data = self.reader.get_metrics_data()
        found = [
            metric
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return found if name is None else [metric for metric in found if metric.name == name]

    def everything(self) -> str:
        """All that was exported, as text to look for what must not be in it."""
        spans = [span.to_json() for span in self.spans]
        data = self.reader.get_metrics_data()
        return "\n".join([*spans, data.to_json() if data is not None else ""])


def line(span: ReadableSpan) -> str:
    said = [span.name, span.kind.name, span.status.status_code.name]
    said += [
        str(span.attributes[name]) for name in ("error.type", "lamellar.stream.outcome") if name in span.attributes
    ]
    return " ".join(said)


def content(span: ReadableSpan, name: str) -> Any:
    """The JSON of a content attribute."""
    return json.loads(span.attributes[name])


def ours(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name.startswith("lamellar.")}
