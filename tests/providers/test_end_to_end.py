"""Failures through a whole stack, over HTTP: every provider's are told the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.providers.end_to_end import ASK, LEAVES, Leaf, Simulated, simulated_by

from lamellar.chat.content import Text
from lamellar.errors import ErrorKind, ExecutorError, StreamInterruptedError
from lamellar.executor import LlmExecutor
from lamellar.testing.simulator import (
    Answer,
    Cut,
    InBandError,
    Status,
    bad_request,
    content_policy,
    context_overflow,
    model_not_found,
    overloaded,
    permission_denied,
    quota_exhausted,
    rate_limited,
    server_error,
    unauthorized,
)

FAILURES: dict[ErrorKind, Status] = {
    ErrorKind.RATE_LIMITED: rate_limited(2),
    ErrorKind.QUOTA_EXHAUSTED: quota_exhausted(),
    ErrorKind.OVERLOADED: overloaded(),
    ErrorKind.SERVER_ERROR: server_error(),
    ErrorKind.CONTEXT_OVERFLOW: context_overflow(),
    ErrorKind.CONTENT_FILTERED: content_policy(),
    ErrorKind.INVALID_REQUEST: bad_request(),
    ErrorKind.UNAUTHORIZED: unauthorized(),
    ErrorKind.PERMISSION_DENIED: permission_denied(),
    ErrorKind.MODEL_NOT_FOUND: model_not_found(),
    ErrorKind.TIMEOUT: Status(504),
}
NOT_TOLD = {
    "azure": {ErrorKind.TIMEOUT},
    "vertex-gemini": {ErrorKind.TIMEOUT, ErrorKind.QUOTA_EXHAUSTED},
    "vertex-claude": {ErrorKind.TIMEOUT, ErrorKind.QUOTA_EXHAUSTED},
}
"""Failures that the provider does not tell apart from others."""

IN_BAND: dict[str, list[ErrorKind]] = {
    "bedrock": list(FAILURES),
    "cohere": list(FAILURES),
    "ollama": list(FAILURES),
    "responses": [ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED, ErrorKind.QUOTA_EXHAUSTED],
    "gemini": [ErrorKind.OVERLOADED],
}
"""The errors that a provider tells in the middle of a stream."""


@pytest.fixture
def leaf(request: pytest.FixtureRequest) -> Leaf:
    return LEAVES[request.param]


@pytest.fixture
def simulated(leaf: Leaf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    with simulated_by(leaf, monkeypatch) as make:
        yield make


async def broken_off(executor: LlmExecutor, leaf: Leaf) -> StreamInterruptedError:
    """The error of a stream that had begun."""
    stream = await executor.exec_chat_stream_events(leaf.model, ASK)
    with pytest.raises(StreamInterruptedError) as caught:
        async with stream as events:
            async for _ in events:
                pass
    return caught.value


TOLD = [(name, kind) for name in LEAVES for kind in FAILURES if kind not in NOT_TOLD.get(name, ())]


@pytest.mark.parametrize(("leaf", "kind"), TOLD, indirect=["leaf"])
async def test_failures_are_told_the_same_to_both_paths(leaf: Leaf, simulated: Simulated, kind: ErrorKind):
    reply = Status(kind=kind) if (leaf.provider, kind) == ("bedrock", ErrorKind.TIMEOUT) else FAILURES[kind]
    executor, _ = simulated([reply, reply])
    async with executor:
        with pytest.raises(ExecutorError) as whole:
            await executor.exec_chat_response(leaf.model, ASK)
        with pytest.raises(ExecutorError) as streamed:
            await executor.exec_chat_stream_events(leaf.model, ASK)
    for caught in (whole.value, streamed.value):
        assert caught.kind == kind
        assert (caught.provider, caught.model) == (leaf.provider, leaf.model)
        assert caught.retry_after == (2.0 if kind == "rate_limited" else None)
        assert leaf.key not in repr(caught) + str(caught)


@pytest.mark.parametrize(
    ("leaf", "kind"), [(name, kind) for name, kinds in IN_BAND.items() for kind in kinds], indirect=["leaf"]
)
async def test_an_error_in_band_has_the_kind_it_has_with_a_status(leaf: Leaf, simulated: Simulated, kind: ErrorKind):
    executor, _ = simulated([InBandError(Answer("a b c"), after=after, kind=kind) for after in (0, 0, 1)])
    async with executor:
        with pytest.raises(ExecutorError) as whole:
            await executor.exec_chat_response(leaf.model, ASK)
        with pytest.raises(ExecutorError) as early:
            await executor.exec_chat_stream_events(leaf.model, ASK)
        late = await broken_off(executor, leaf)
    assert [whole.value.kind, early.value.kind, late.kind] == [kind] * 3


@pytest.mark.parametrize("leaf", ["bedrock", "cohere", "gemini", "ollama", "responses"], indirect=True)
async def test_a_cut_is_never_an_answer(leaf: Leaf, simulated: Simulated):
    executor, _ = simulated([Cut(Answer("a b c"), after=2)])
    async with executor:
        late = await broken_off(executor, leaf)
    assert late.partial == (Text("a b"),)
