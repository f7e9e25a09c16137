"""The options: what is refused, and what a file can hold."""

from __future__ import annotations

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from lamellar import ConfigError, Stack
from lamellar.identity import identity_of
from lamellar.middleware import Tracing
from lamellar.providers import OpenAI


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "both"}, "mode.*'call' or 'attempts'"),
        ({"tracer_provider": NoOpMeterProvider()}, "tracer_provider.*get_tracer.*set_tracer_provider"),
        ({"meter_provider": "my_telemetry:provider"}, "meter_provider.*get_meter.*set_meter_provider"),
        ({"redact": "os:nothing_there"}, "redact"),
        ({"per_chunk": True}, "did you mean 'per_chunk_metrics'"),
    ],
)
def test_wrong_options_are_named(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Tracing(**options)


@pytest.mark.parametrize(
    "tracing",
    [Tracing(tracer_provider=NoOpTracerProvider()), Tracing(meter_provider=NoOpMeterProvider())],
    ids=["tracer", "meter"],
)
def test_a_provider_is_not_dumped(tracing: Tracing) -> None:
    with pytest.raises(ConfigError, match="a file cannot hold"):
        Stack(tracing, OpenAI()).dump()


def test_none_goes_to_a_file_and_back() -> None:
    stack = Stack(Tracing(tracer_provider=None, capture_content=False), OpenAI())
    assert Stack.loads(stack.dump()) == stack


def test_it_changes_no_answer() -> None:
    assert identity_of([Tracing(mode="attempts", capture_content=True)]) == []
