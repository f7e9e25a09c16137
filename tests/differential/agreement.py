"""The same bytes, read by a provider's own SDK and by Lamellar: both must say the same of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from tests.differential.scenarios import ANSWERS, ERRORS, IN_BAND, Fixed, Same
from tests.differential.sdk import OPTIONS, REQUEST, Counts, Failure, Said, Sdk

from lamellar import Chunk, End, ReasoningChunk, Stack, Start, Usage
from lamellar.chat.content import ContentPart, ThoughtSignature, ToolCall, reasoning_of, text_of
from lamellar.errors import ExecutorError, StreamInterruptedError, StreamTruncatedError
from lamellar.executor import LlmExecutor
from lamellar.testing.simulator import Answer, Cut, ProviderSimulator, Reply

__all__ = ["Agreement"]


class Agreement:
    """The tests of one dialect. Derive from it, and name the SDK and the dialect's own scenarios."""

    sdk_class: ClassVar[type[Sdk]]
    own: ClassVar[Mapping[str, Fixed]] = {}
    """What this provider sends and the shared scenarios do not have."""

    @classmethod
    def scenarios(cls) -> dict[str, dict[str, Reply]]:
        """The scenarios that this provider has a place for, by the name of the test's argument."""
        played = {"answer": {**ANSWERS, **cls.own}, "error": ERRORS, "in_band": IN_BAND}
        cannot = cls.sdk_class.cannot
        return {
            name: {title: reply for title, reply in shared.items() if title not in cannot}
            for name, shared in played.items()
        }

    async def test_answers(self, sdk: Sdk, simulator: ProviderSimulator, answer: Reply, stream: bool) -> None:
        if isinstance(answer, Answer):
            answer = replace(answer, stream_usage=sdk.usage_in)
        simulator.reset(Same(answer))
        theirs = sdk.streamed() if stream else sdk.whole()
        ours = await _ask(sdk, simulator, stream=stream)
        assert isinstance(ours, Said)
        calls = tuple(
            (None if told is None else call_id, name, arguments)
            for (call_id, name, arguments), (told, _, _) in zip(ours.calls, theirs.calls, strict=False)
        )
        assert len(ours.calls) == len(theirs.calls)
        answer_id = ours.answer_id if sdk.names_answers else None
        assert replace(ours, calls=calls, answer_id=answer_id) == theirs
        assert simulator.request_count == 2

    async def test_errors(self, sdk: Sdk, simulator: ProviderSimulator, error: Reply, stream: bool) -> None:
        simulator.reset(Same(error))
        theirs = _failure(sdk, stream=stream)
        ours = await _ask(sdk, simulator, stream=stream)
        assert isinstance(ours, ExecutorError)
        if theirs is None:  # a success to the SDK: Google tells a blocked prompt so
            assert (ours.status, ours.kind) == (200, "content_filtered")
        else:
            assert ours.status == theirs.status
            assert ours.kind in theirs.kinds

    async def test_errors_within_a_stream(self, sdk: Sdk, simulator: ProviderSimulator, in_band: Reply) -> None:
        simulator.reset(Same(in_band))
        theirs = None if sdk.silent_in_band else _failure(sdk, stream=True)
        ours = await _ask(sdk, simulator, stream=True)
        assert isinstance(ours, ExecutorError)
        if not sdk.silent_in_band:
            assert theirs is not None
            assert ours.kind in theirs.kinds

    async def test_a_stream_that_ends_too_early(self, sdk: Sdk, simulator: ProviderSimulator) -> None:
        """To every SDK it is an answer, which only lacks its reason to stop."""
        simulator.reset(Same(Cut(ANSWERS["text"], after=2, how="clean")))
        theirs = sdk.streamed()
        ours = await _ask(sdk, simulator, stream=True)
        assert theirs.stop is None
        assert isinstance(ours, StreamTruncatedError)
        assert ours.text == theirs.text == "Paris is"


def _failure(sdk: Sdk, *, stream: bool) -> Failure | None:
    try:
        sdk.streamed() if stream else sdk.whole()
    except Exception as error:  # the SDK tells whether it is one of its own
        return sdk.failure(error)
    return None


async def _ask(sdk: Sdk, simulator: ProviderSimulator, *, stream: bool) -> Said | ExecutorError:
    """What we say of the same answer."""
    async with Stack(sdk.provider(simulator.base_url)).build() as executor:
        try:
            return await (_streamed if stream else _whole)(executor, sdk.model)
        except StreamInterruptedError as error:
            return error
        except ExecutorError as error:
            return error


async def _whole(executor: LlmExecutor, model: str) -> Said:
    response = await executor.exec_chat_response(model, REQUEST, OPTIONS)
    assert response.text == text_of(response.content)
    assert (response.reasoning_content or "") == (reasoning_of(response.content) or "")
    stop = response.stop_reason
    return _said(response.content, stop and stop.raw, response.usage, response.provider_model, response.response_id)


async def _streamed(executor: LlmExecutor, model: str) -> Said:
    async with await executor.exec_chat_stream_events(model, REQUEST, OPTIONS) as stream:
        events = [event async for event in stream]
    assert isinstance(events[0], Start)
    end = events[-1]
    assert isinstance(end, End)
    content = end.content or ()
    assert "".join(event.content for event in events if isinstance(event, Chunk)) == text_of(content)
    thought = "".join(event.content for event in events if isinstance(event, ReasoningChunk))
    assert thought == (reasoning_of(content) or "")
    stop = end.stop_reason
    return _said(content, stop and stop.raw, end.usage, end.provider_model, end.response_id)


def _said(content: tuple[ContentPart, ...], stop: Any, usage: Usage | None, model: str | None, answer_id: Any) -> Said:
    calls = [part for part in content if isinstance(part, ToolCall)]
    signatures: list[str] = []
    for part in content:
        if isinstance(part, ThoughtSignature):
            signatures.append(part.signature)
        elif isinstance(part, ToolCall):
            signatures.extend(part.thought_signatures or ())
    return Said(
        text_of(content),
        reasoning_of(content) or "",
        tuple((call.call_id, call.fn_name, call.fn_arguments) for call in calls),
        tuple(signatures),
        stop,
        _counts(usage),
        model,
        answer_id,
    )


def _counts(usage: Usage | None) -> Counts | None:
    if usage is None:
        return None
    prompt, completion = usage.prompt_details, usage.completion_details
    return Counts(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        prompt and prompt.cached_tokens,
        prompt and prompt.cache_creation_tokens,
        completion and completion.reasoning_tokens,
    )
