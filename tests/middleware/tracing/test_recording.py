"""What is recorded when: samplers, spans that are not recorded, providers that misbehave, and none at all."""

from __future__ import annotations

import contextlib
import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, ParentBased, Sampler, SamplingResult

from lamellar import ChatRequest, Chunk, End, ExecutorError, Stack
from lamellar.middleware import Tracing
from lamellar.testing import ScriptedExecutor, run_virtual

from .telemetry import Telemetry

REQUEST = ChatRequest.from_user("hi")


class Watching(Sampler):
    def __init__(self) -> None:
        self.seen: list[tuple[str, dict]] = []

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None):
        self.seen.append((name, dict(attributes or {})))
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "watching"


def call(stack: Stack, *, streaming: bool = False) -> None:
    async def main() -> None:
        async with stack.build() as executor:
            with contextlib.suppress(ExecutorError):
                if streaming:
                    await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
                else:
                    await executor.exec_chat_response("m", REQUEST)

    run_virtual(main())


def test_a_sampler_sees_who_is_asked() -> None:
    class Leaf(ScriptedExecutor):
        from lamellar.providers.http import ServerAddress

        server = ServerAddress("api.example.com", 443)

    sampler = Watching()
    call(Stack(Telemetry(sampler).tracing(), Leaf("x", name="mistral")))
    assert sampler.seen == [
        (
            "chat m",
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "mistral_ai",
                "gen_ai.request.model": "m",
                "server.address": "api.example.com",
                "server.port": 443,
            },
        ),
        (
            "attempt mistral",
            {
                "lamellar.attempt.number": 1,
                "lamellar.attempt.kind": "initial",
                "lamellar.attempt.target": "mistral",
            },
        ),
    ]


@pytest.mark.parametrize("streaming", [True, False])
def test_without_a_recording_span_nothing_is_built_but_the_metrics(
    streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lamellar_middleware.tracing import content, inference

    def never(*args: object, **options: object) -> None:
        raise AssertionError("built for nobody")

    monkeypatch.setattr(content, "to_json", never)
    monkeypatch.setattr(content.Content, "of_request", never)
    monkeypatch.setattr(content.Content, "of_answer", never)
    monkeypatch.setattr(inference, "request_attributes", never)
    told = Telemetry(ParentBased(ALWAYS_OFF))
    seen = []

    async def look() -> None:
        seen.append(trace.get_current_span().get_span_context())

    call(Stack(told.tracing(capture_content=True), ScriptedExecutor([look, Chunk("a"), End()])), streaming=streaming)
    assert told.spans == []
    assert len(told.points("gen_ai.client.operation.duration")) == 1
    assert seen[0].is_valid, "what the leaf makes belongs to the same trace, which is not sampled"
    assert not seen[0].trace_flags.sampled


def test_without_anybody_who_records_the_layer_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.metrics import NoOpMeterProvider
    from opentelemetry.trace import NoOpTracerProvider

    from lamellar_middleware.tracing import executor as layer

    monkeypatch.setattr(layer, "CallTrace", None)
    silent = Tracing(tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider(), capture_content=True)
    call(Stack(silent, ScriptedExecutor("x")))
    call(Stack(silent, ScriptedExecutor("x")), streaming=True)


class Broken(SpanProcessor):
    def on_start(self, span, parent_context=None) -> None:
        raise RuntimeError("the prompt was: hush")

    def on_end(self, span) -> None:
        raise RuntimeError("the prompt was: hush")


@pytest.mark.parametrize("when", ["on_start", "on_end"])
def test_telemetry_that_fails_fails_no_call(when: str, caplog: pytest.LogCaptureFixture) -> None:
    tracers = TracerProvider(shutdown_on_exit=False)
    processor = Broken()
    setattr(processor, "on_end" if when == "on_start" else "on_start", lambda *args, **options: None)
    tracers.add_span_processor(processor)
    leaf = ScriptedExecutor("fine", "fine")

    async def main() -> None:
        async with Stack(Tracing(tracer_provider=tracers, metrics=False), leaf).build() as executor:
            assert (await executor.exec_chat_response("m", REQUEST)).text == "fine"
            assert (await (await executor.exec_chat_stream_events("m", REQUEST)).collect()).text == "fine"

    run_virtual(main())
    logged = [record for record in caplog.records if record.name == "lamellar.tracing"]
    assert logged
    for record in logged:
        assert record.levelno == logging.WARNING
        assert "RuntimeError" in record.getMessage()
        assert "hush" not in caplog.text
        record.expected = True


def test_spans_without_metrics_and_metrics_without_spans(told: Telemetry) -> None:
    call(Stack(told.tracing(metrics=False), ScriptedExecutor("x")))
    assert len(told.spans) == 2
    assert told.metrics() == []
    told.exporter.clear()
    call(Stack(Tracing(meter_provider=told.meters), ScriptedExecutor("x")), streaming=True)
    assert told.spans == []
    assert len(told.points("gen_ai.client.operation.duration")) == 1


def test_outside_of_a_stack_it_works_too(told: Telemetry) -> None:
    async def main() -> None:
        from lamellar_middleware.tracing.executor import TracingExecutor

        executor = TracingExecutor(ScriptedExecutor("one", "two"), told.tracing())
        await executor.exec_chat_response("m", REQUEST)
        await (await executor.exec_chat_stream_events("m", REQUEST)).collect()

    run_virtual(main())
    assert told.tree() == ["chat m CLIENT UNSET", "chat m CLIENT UNSET completed"]
    assert [span.attributes["gen_ai.usage.input_tokens"] for span in told.spans] == [3, 3]
