"""Entries and the store in memory, each by itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.middleware.cache.asking import RICH_CONTENT, USAGE

from lamellar import AttemptRecord, ChatResponse, StopReason, Text, ToolCall
from lamellar.middleware import StoredAnswer
from lamellar.testing import ManualClock
from lamellar_middleware.cache.memory import MemoryStore

RESPONSE = ChatResponse(
    content=RICH_CONTENT,
    reasoning_content="Let me think.",
    model="m",
    provider="p",
    provider_model="m-2026",
    stop_reason=StopReason("tool_call", "tool_calls"),
    usage=USAGE,
    response_id="r-1",
    raw={"secret": "body"},
    attempts=(AttemptRecord(1, "t", "p", "m"),),
)


def entry(text: str = "text", ttl: float | None = None) -> StoredAnswer:
    return StoredAnswer.of(ChatResponse(content=(Text(text),), model="m", provider="p"), created=5.0, ttl=ttl)


def test_an_entry_is_the_answer_without_what_was_its_own_callers() -> None:
    stored = StoredAnswer.of(RESPONSE, created=100.0, ttl=60.0)
    assert stored.response == RESPONSE.model_copy(update={"cached": True, "attempts": (), "raw": None})
    assert stored.expires == 160.0
    assert entry().expires is None
    for each in (b"attempts", b"secret", b"cached"):
        assert each not in stored.to_json()


def test_an_entry_comes_back_from_json_as_it_was() -> None:
    stored = StoredAnswer.of(RESPONSE, created=100.5, ttl=60.0)
    for data in (stored.to_json(), stored.to_json().decode()):
        again = StoredAnswer.from_json(data)
        assert again == stored
        assert again.response.stop_reason.raw == "tool_calls"
    assert stored.size == len(stored.to_json())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.text(max_size=20))
def test_arguments_and_text_of_any_kind_come_back(arguments: object, text: str) -> None:
    content = (Text(text), ToolCall(call_id="1", fn_name="f", fn_arguments=arguments))
    stored = StoredAnswer.of(ChatResponse(content=content, model="m", provider="p"), created=0.0, ttl=None)
    assert StoredAnswer.from_json(stored.to_json()).response.content == content


def test_an_infinite_number_comes_back() -> None:
    call = ToolCall(call_id="1", fn_name="f", fn_arguments={"x": math.inf})
    stored = StoredAnswer.of(ChatResponse(content=(call,), model="m", provider="p"), created=0.0, ttl=None)
    assert StoredAnswer.from_json(stored.to_json()).response.content == (call,)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "EOF"),
        ("[]", "no answer"),
        ("{}", "no answer"),
        ('{"format": 1}', "no answer"),
        ('{"format": 2, "created": 1, "ttl": null, "answer": {}}', "no answer"),
        ('{"format": 1, "created": "now", "ttl": null, "answer": {}}', "without the time"),
        ('{"format": 1, "created": 1, "ttl": null, "answer": {}}', "validation error"),
    ],
)
def test_what_is_no_entry_is_a_value_error(data: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StoredAnswer.from_json(data)


def memory(clock: ManualClock, *, max_entries: int = 10, max_bytes: int = 10_000) -> MemoryStore:
    return MemoryStore(clock, max_entries=max_entries, max_bytes=max_bytes)


async def test_memory_lets_go_of_what_has_expired() -> None:
    clock = ManualClock()
    store = memory(clock)
    await store.put("short", entry(ttl=10))
    await store.put("long", entry(ttl=20))
    await store.put("ever", entry())
    await clock.advance(10)
    assert await store.get("short") is None
    assert await store.get("long") is not None
    await clock.advance(10_000)
    assert [await store.get(key) is None for key in ("long", "ever")] == [True, False]
    assert len(store._answers) == 1


async def test_memory_does_not_keep_what_is_larger_than_all_its_room() -> None:
    store = memory(ManualClock(), max_bytes=500)
    await store.put("small", entry())
    await store.put("large", entry("x" * 1000))
    assert await store.get("large") is None
    assert await store.get("small") is not None


async def test_memory_replaces_and_counts_what_it_replaces_once() -> None:
    store = memory(ManualClock(), max_entries=2)
    for text in "abc":
        await store.put("one", entry(text))
    await store.put("two", entry())
    assert (await store.get("one")).response.text == "c"
    assert await store.get("two") is not None
