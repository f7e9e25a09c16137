"""What one Tracing layer records with, looked up when it is first needed: the order of setting things up is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import metrics, trace

from lamellar import __version__

from .attributes import first_place
from .content import Content, captures
from .metrics import Meters
from .names import G1

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Tracer, TracerProvider

    from lamellar.executor import LlmExecutor

    from .spec import Tracing

__all__ = ["Kit"]

_SCOPE = "lamellar"
"""The name of the instrumentation scope."""


class Kit:
    """Tracer, instruments and options of one layer.

    Args:
        spec: The options.
        inner: What is inside the layer; its first leaf is the best guess at who will answer.
    """

    def __init__(self, spec: Tracing, inner: LlmExecutor) -> None:
        self.names = G1
        self.each_attempt = spec.mode == "attempts"
        self.place = first_place(inner)
        self.content = Content(self.names, spec.redact) if captures(spec.capture_content) else None
        self.per_chunk = spec.per_chunk_metrics
        self.tracer: Tracer | None = None
        self.meters: Meters | None = None
        self._spec = spec
        self._seen: tuple[object, object] = (None, None)

    def listening(self) -> bool:
        """Whether anybody records spans or metrics; a provider that is set later is found then."""
        spec = self._spec
        if self.tracer is None:
            provider: TracerProvider = (
                trace.get_tracer_provider() if spec.tracer_provider is None else spec.tracer_provider
            )
            if _records(provider) and provider is not self._seen[0]:
                tracer = provider.get_tracer(_SCOPE, __version__, self.names.schema_url)
                self.tracer = tracer if _records(tracer) else None
                self._seen = (provider, self._seen[1])
        if self.meters is None and spec.metrics:
            meters: MeterProvider = metrics.get_meter_provider() if spec.meter_provider is None else spec.meter_provider
            if _records(meters) and meters is not self._seen[1]:
                meter = meters.get_meter(_SCOPE, __version__, self.names.schema_url)
                self.meters = Meters(meter, self.names) if _records(meter) else None
                self._seen = (self._seen[0], meters)
        return self.tracer is not None or self.meters is not None


def _records(thing: object) -> bool:
    """Whether it may record: the classes of the API itself are placeholders that never do."""
    return not type(thing).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))
