"""The metrics: their names, units, buckets and attributes, and how many points there are."""

from __future__ import annotations

import asyncio

import pytest

from lamellar import ChatRequest, Chunk, End, ExecutorError, Stack, Target, ToolCallChunk, Usage
from lamellar.errors import LamellarError
from lamellar.middleware import Fallback, Retry
from lamellar.providers.http import ServerAddress
from lamellar.testing import Scripted, ScriptedExecutor, run_virtual

from .telemetry import Telemetry

REQUEST = ChatRequest.from_user("hi")
SECONDS = tuple(0.01 * 2**k for k in range(14))
TOKENS = tuple(4**k for k in range(14))


class Leaf(ScriptedExecutor):
    server = ServerAddress("api.example.com", 443)


def after(seconds: float):
    return lambda: asyncio.sleep(seconds)


def call(stack: Stack, *, streaming: bool = False, pause: float = 0) -> None:
    async def main() -> None:
        async with stack.build() as executor:
            try:
                if streaming:
                    async with await executor.exec_chat_stream_events("m", REQUEST) as stream:
                        async for _ in stream:
                            await asyncio.sleep(pause)
                else:
                    await executor.exec_chat_response("m", REQUEST)
            except LamellarError:
                pass

    run_virtual(main())


def test_names_units_and_buckets(told: Telemetry) -> None:
    steps = [Chunk("a"), Chunk("b"), End(usage=Usage(prompt_tokens=1))]
    call(Stack(told.tracing(per_chunk_metrics=True), Leaf(steps)), streaming=True)
    found = {metric.name: metric for metric in told.metrics() if metric.name.startswith("gen_ai.")}
    assert {name: metric.unit for name, metric in found.items()} == {
        "gen_ai.client.operation.duration": "s",
        "gen_ai.client.operation.time_to_first_chunk": "s",
        "gen_ai.client.operation.time_per_output_chunk": "s",
        "gen_ai.client.token.usage": "{token}",
    }
    for name, metric in found.items():
        bounds = TOKENS if name == "gen_ai.client.token.usage" else SECONDS
        for point in metric.data.data_points:
            assert tuple(point.explicit_bounds) == pytest.approx(bounds), name
    assert told.metrics("gen_ai.client.operation.duration")[0].description


def test_a_point_falls_into_its_bucket(told: Telemetry) -> None:
    call(Stack(told.tracing(), Leaf(Scripted((Chunk("x"), End()), (after(0.5),)))))
    [point] = told.metrics("gen_ai.client.operation.duration")[0].data.data_points
    assert point.count == 1
    assert point.sum == pytest.approx(0.5)
    assert list(point.bucket_counts).index(1) == 6, "0.32 to 0.64 s"


IDENTITY = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "scripted",
    "gen_ai.request.model": "m",
    "server.address": "api.example.com",
    "server.port": 443,
}


def test_the_attributes_are_the_conventions_and_nothing_else(told: Telemetry) -> None:
    call(Stack(told.tracing(), Leaf("x")), streaming=True)
    answered = {**IDENTITY, "gen_ai.response.model": "m"}
    assert [each for each, _ in told.points("gen_ai.client.operation.duration")] == [answered]
    assert [each for each, _ in told.points("gen_ai.client.operation.time_to_first_chunk")] == [answered]
    assert told.points("gen_ai.client.token.usage") == [
        ({**answered, "gen_ai.token.type": "input"}, 3),
        ({**answered, "gen_ai.token.type": "output"}, 2),
    ]


@pytest.mark.parametrize("streaming", [True, False])
def test_a_failure_is_one_point_with_its_kind(told: Telemetry, streaming: bool) -> None:
    leaf = Leaf(ExecutorError("overloaded", "no"), repeat=True)
    call(Stack(told.tracing(), Retry(attempts=3, overloaded_initial=0.1), leaf), streaming=streaming)
    assert [each for each, _ in told.points("gen_ai.client.operation.duration")] == [
        {**IDENTITY, "error.type": "overloaded"}
    ]
    [point] = told.metrics("gen_ai.client.operation.duration")[0].data.data_points
    assert point.count == 1
    assert told.points("gen_ai.client.token.usage") == []
    assert told.points("gen_ai.client.operation.time_to_first_chunk") == []


def test_each_chunk_after_the_first_is_a_point_only_where_that_is_asked(told: Telemetry) -> None:
    steps = [Chunk("a"), after(2), Chunk("b"), after(3), ToolCallChunk(0, "c", "f", "{}"), after(4), End()]
    call(Stack(told.tracing(), Leaf(steps)), streaming=True)
    assert told.points("gen_ai.client.operation.time_per_output_chunk") == []
    call(Stack(told.tracing(per_chunk_metrics=True), Leaf(steps)), streaming=True, pause=100)
    [point] = told.metrics("gen_ai.client.operation.time_per_output_chunk")[0].data.data_points
    assert (point.count, point.sum) == (2, pytest.approx(5)), "the consumer's own time is not counted"
    assert dict(point.attributes) == {**IDENTITY, "gen_ai.response.model": "m"}


def test_ours_tell_what_the_layers_did(told: Telemetry) -> None:
    one = Leaf(ExecutorError("server_error", "no"), repeat=True)
    stack = Stack(
        told.tracing(),
        Fallback(Target(Retry(attempts=2, initial=0.001), one, name="one"), Target(Leaf("x"), name="two")),
    )
    call(stack)
    assert told.points("lamellar.attempts") == [
        (
            {
                "lamellar.attempt.target": "one",
                "lamellar.attempt.kind": "initial",
                "error.type": "server_error",
            },
            1,
        ),
        ({"lamellar.attempt.target": "one", "lamellar.attempt.kind": "retry", "error.type": "server_error"}, 1),
        ({"lamellar.attempt.target": "two", "lamellar.attempt.kind": "fallback"}, 1),
    ]
    assert told.points("lamellar.fallbacks") == [({"lamellar.attempt.target": "two"}, 1)]
    assert told.points("lamellar.cache.lookups") == []


def test_two_layers_of_one_meter_share_its_instruments(told: Telemetry) -> None:
    for _ in range(2):
        call(Stack(told.tracing(), Leaf("x")))
    assert len(told.metrics("gen_ai.client.operation.duration")) == 1
