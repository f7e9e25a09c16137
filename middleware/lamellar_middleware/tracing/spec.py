"""The options of Tracing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from lamellar.coderef import CodeRef
from lamellar.errors import ConfigError
from lamellar.masking import show
from lamellar.order import Rank
from lamellar.spec import LayerSpec

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

    GivenTracerProvider = TracerProvider | None
    GivenMeterProvider = MeterProvider | None

__all__ = ["Tracing"]


class _Provider:
    """Validates and dumps an object that only code can give."""

    code_only: ClassVar[bool] = True

    def __init__(self, method: str, global_setter: str) -> None:
        self._method = method
        self._setter = global_setter

    def check(self, value: object) -> object:
        """The object, if it can do what it is wanted for."""
        if value is not None and not callable(getattr(value, self._method, None)):
            raise ConfigError(
                f"expected an object with `{self._method}`, got {show(value)}; a file leaves it out, and the program "
                f"calls opentelemetry's `{self._setter}` once"
            )
        return value

    def dump(self, value: object) -> None:
        """Nothing, where nothing was given."""
        if value is not None:
            raise ConfigError(
                "the provider was given as an object, which a file cannot hold; leave it out, and call opentelemetry's "
                f"`{self._setter}` once in the program"
            )


def _code_only(method: str, setter: str) -> Any:
    how = _Provider(method, setter)
    return Annotated[
        Any,
        BeforeValidator(how.check),
        PlainSerializer(how.dump, return_type=None),
        WithJsonSchema({"type": "null"}),
        how,
    ]


if not TYPE_CHECKING:
    GivenTracerProvider = _code_only("get_tracer", "trace.set_tracer_provider")
    GivenMeterProvider = _code_only("get_meter", "metrics.set_meter_provider")


class Tracing(LayerSpec):
    """Spans and metrics of every call, by OpenTelemetry's conventions for generative AI (v1.41).

    Stand it outermost; further in it covers the part below it.

    Args:
        mode: ``call`` makes one inference span a call, with a plain span beneath for each attempt; ``attempts`` makes
            each attempt an inference span with metrics of its own, below one plain span a call.
        capture_content: Whether messages, tools and answers are recorded on the span; None lets the environment
            variable `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` decide, which is off by default.
        redact: Called with an attribute's name and its content (JSON data) before that is recorded; what it returns is
            recorded, and None leaves the attribute out. If it fails, nothing is recorded.
        metrics: Whether metrics are recorded.
        per_chunk_metrics: Whether the time of every chunk after the first is a point of a metric. Each costs more than
            reading the chunk does.
        tracer_provider: Where tracers come from; None is OpenTelemetry's global provider. In code only.
        meter_provider: Where meters come from; None is OpenTelemetry's global provider. In code only.
    """

    kind: ClassVar[str] = "tracing"
    rank: ClassVar[Rank | None] = Rank.TRACING
    asks_once: ClassVar[bool] = True
    model_config = {"arbitrary_types_allowed": True}

    mode: Literal["call", "attempts"] = "call"
    capture_content: bool | None = None
    redact: CodeRef | None = None
    metrics: bool = True
    per_chunk_metrics: bool = False
    tracer_provider: GivenTracerProvider = None
    meter_provider: GivenMeterProvider = None

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer that makes the spans."""
        from .executor import TracingExecutor

        return TracingExecutor(inner, self)

    def identity(self) -> object:
        """Nothing: watching changes no answer."""
        return None
