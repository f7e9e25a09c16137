"""Only the API is needed, the order of setting up is free, and declaring the layer loads nothing of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

API_ONLY = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "opentelemetry.sdk" or name.startswith("opentelemetry.sdk."):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
"""
CALLS = """
import asyncio
from lamellar import ChatRequest, Stack
from lamellar.middleware import Tracing
from lamellar.testing import ScriptedExecutor

async def calls(executor):
    response = await executor.exec_chat_response("m", ChatRequest.from_user("hi"))
    stream = await executor.exec_chat_stream_events("m", ChatRequest.from_user("hi"))
    return response.text + (await stream.collect()).text
"""


def run(code: str, **environment: str) -> str:
    import os

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_it_works_with_the_api_alone() -> None:
    code = f"""{API_ONLY}{CALLS}
async def main():
    async with Stack(Tracing(capture_content=True), ScriptedExecutor("x", "y")).build() as executor:
        print(await calls(executor))
asyncio.run(main())
assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")]
"""
    assert run(code) == "xy"


def test_a_global_provider_is_found_whenever_it_is_set() -> None:
    code = f"""{CALLS}
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

async def main():
    async with Stack(Tracing(), ScriptedExecutor("x", "y", "x", "y")).build() as executor:
        await calls(executor)
        exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(MeterProvider([reader]))
        await calls(executor)
        [scope] = reader.get_metrics_data().resource_metrics[0].scope_metrics
        print(len(exporter.get_finished_spans()), scope.scope.name, scope.scope.schema_url)
asyncio.run(main())
"""
    assert run(code) == "4 lamellar https://opentelemetry.io/schemas/1.41.0"


def test_an_sdk_that_is_switched_off_is_none() -> None:
    code = f"""{CALLS}
from lamellar_middleware.tracing import executor as layer
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
layer.CallTrace = None
tracing = Tracing(tracer_provider=TracerProvider(), meter_provider=MeterProvider())

async def main():
    async with Stack(tracing, ScriptedExecutor("x", "y")).build() as executor:
        print(await calls(executor))
asyncio.run(main())
"""
    assert run(code, OTEL_SDK_DISABLED="true") == "xy"


@pytest.mark.parametrize("verb", ["describe()", "dump()"])
def test_declaring_it_loads_no_opentelemetry(verb: str) -> None:
    code = (
        "import sys; from lamellar import Stack; from lamellar.middleware import Tracing; "
        "from lamellar.providers import OpenAI; "
        f"Stack(Tracing(mode='attempts'), OpenAI()).{verb}; "
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    assert run(code) == "[]"
