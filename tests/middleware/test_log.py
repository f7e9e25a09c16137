"""Log: one line a call, at its end, and never what must not be told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    End,
    ExecutorError,
    LamellarError,
    RejectedError,
    Stack,
    Start,
    StreamInterruptedError,
    Target,
    Usage,
)
from lamellar.middleware import Budget, Fallback, Log, Retry
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("the question, with sk-abcdefgh12345678")
USAGE = Usage(prompt_tokens=3, completion_tokens=2)
KEY = "sk-abcdefgh12345678"


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def only(self) -> logging.LogRecord:
        (record,) = self.records
        return record


@pytest.fixture
def records() -> Iterator[Records]:
    handler, logger = Records(), logging.getLogger("lamellar.calls")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def call(stack: Stack, *, streaming: bool = False, options: ChatOptions | None = None, pause: float = 0) -> object:
    async def main() -> object:
        async with stack.build() as executor:
            try:
                if not streaming:
                    return await executor.exec_chat_response("m", REQUEST, options)
                async with await executor.exec_chat_stream_events("m", REQUEST, options) as stream:
                    async for _ in stream:
                        await asyncio.sleep(pause)
                return stream
            except LamellarError as error:
                return error

    return run_virtual(main())


def facts(record: logging.LogRecord) -> dict[str, object]:
    return {
        name.removeprefix("lamellar_"): value for name, value in vars(record).items() if name.startswith("lamellar_")
    }


@pytest.mark.parametrize("streaming", [False, True])
def test_a_call_that_is_answered_is_one_line(records: Records, streaming: bool) -> None:
    slow = Scripted((Chunk("a"), lambda: asyncio.sleep(1.5), End(usage=USAGE)))
    target = Target(ScriptedExecutor(slow), model="theirs", name="main")
    options = ChatOptions(call=CallContext(tags={"team": "search"}))
    call(Stack(Log(), Fallback(target)), streaming=streaming, options=options, pause=100)
    record = records.only
    assert record.levelno == logging.INFO
    assert record.getMessage() == "m completed after 1.500 s, target main, 3 + 2 tokens, team=search"
    assert facts(record) == {
        "model": "m",
        "target": "main",
        "provider": "scripted",
        "target_model": "theirs",
        "stream": streaming,
        "outcome": "completed",
        "kind": None,
        "status": None,
        "attempts": 1,
        "latency": 1.5,
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "cached": False,
        "tags": {"team": "search"},
    }


@pytest.mark.parametrize("streaming", [False, True])
def test_a_call_that_fails_says_how(records: Records, streaming: bool) -> None:
    busy = ExecutorError("overloaded", f"busy with {KEY} and the question", status=503)
    call(Stack(Log(), Retry(attempts=2, jitter="none"), ScriptedExecutor(busy, repeat=True)), streaming=streaming)
    assert records.only.levelno == logging.WARNING
    assert records.only.getMessage() == "m failed after 2.000 s: overloaded (503), target scripted, 2 attempts"
    assert facts(records.only)["kind"] == "overloaded"


def test_a_refusal_is_no_failure_of_a_target(records: Records) -> None:
    call(Stack(Log(), Budget(tokens=1), ScriptedExecutor("never")))
    assert (facts(records.only)["outcome"], facts(records.only)["kind"]) == ("refused", "budget")
    assert records.only.levelno == logging.WARNING


def test_a_refusal_after_an_answer_is_a_failure(records: Records) -> None:
    inner = ScriptedExecutor(ExecutorError("overloaded", "busy"))
    call(Stack(Log(), Fallback(inner, Target(Budget(tokens=1), ScriptedExecutor("never")))))
    assert (facts(records.only)["outcome"], facts(records.only)["kind"]) == ("failed", "overloaded")


def test_a_stream_that_breaks_says_so_at_its_end(records: Records) -> None:
    cut = StreamInterruptedError(ExecutorError("connection", "reset"), usage=USAGE)
    call(Stack(Log(), ScriptedExecutor([Chunk("a"), cut])), streaming=True)
    told = facts(records.only)
    assert (told["outcome"], told["kind"], told["prompt_tokens"]) == ("failed", "connection", 3)


@pytest.mark.parametrize("how", ["left", "cancelled", "call cancelled"])
def test_leaving_and_cancelling_is_nobodys_failure(records: Records, how: str) -> None:
    async def main() -> None:
        steps = [Hang()] if how == "call cancelled" else [Chunk("a"), Hang()]
        async with Stack(Log(), ScriptedExecutor(steps)).build() as executor:

            async def consume() -> None:
                async with await executor.exec_chat_stream_events("m", REQUEST) as stream:
                    async for event in stream:
                        if how == "left" and isinstance(event, Chunk):
                            break

            task = asyncio.create_task(consume())
            await asyncio.sleep(1)
            if how != "left":
                assert records.records == []
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run_virtual(main())
    assert facts(records.only)["outcome"] == ("abandoned" if how == "left" else "cancelled")
    assert records.only.levelno == logging.INFO


def test_what_comes_from_a_cache_is_told(records: Records) -> None:
    call(Stack(Log(), ScriptedExecutor([Start("m", "p", cached=True), Chunk("a"), End()])), streaming=True)
    assert facts(records.only)["cached"] is True
    assert ", cached, " in records.only.getMessage()


@pytest.mark.parametrize("streaming", [False, True])
def test_neither_what_was_said_nor_a_key_is_told(records: Records, streaming: bool) -> None:
    tags = {"api_key": "hush-hush", "who": f"bob {KEY}", "line": "a\nERROR forged"}
    options = ChatOptions(call=CallContext(tags=tags), extra_headers={"authorization": f"Bearer {KEY}"})
    call(Stack(Log(), ScriptedExecutor("the answer")), streaming=streaming, options=options)
    told = records.only.getMessage() + repr(facts(records.only))
    for secret in ("question", "the answer", "hush", "abcdefgh", "\n"):
        assert secret not in told
    assert "forged" in told


def test_a_models_name_shows_no_key_either(records: Records) -> None:
    async def main() -> None:
        async with Stack(Log(), ScriptedExecutor("x")).build() as executor:
            await executor.exec_chat_response(f"proxy/{KEY}", REQUEST)

    run_virtual(main())
    assert records.only.getMessage().startswith("proxy/********** completed")
    assert "abcdefgh" not in repr(facts(records.only))


@pytest.mark.parametrize("streaming", [False, True])
def test_with_content_it_is_told_without_keys(records: Records, streaming: bool) -> None:
    call(Stack(Log(content=True), ScriptedExecutor(f"the answer {KEY}")), streaming=streaming)
    told = facts(records.only)
    assert "the question, with **********" in told["request"]
    assert told["response"] == "the answer **********"
    assert "abcdefgh" not in records.only.getMessage() + repr(told)


def test_a_broken_stream_with_content_tells_what_was_delivered(records: Records) -> None:
    call(Stack(Log(content=True), ScriptedExecutor([Chunk("half"), ExecutorError("connection", "x")])), streaming=True)
    assert facts(records.only)["response"] == "half"


def test_a_slow_call_is_a_warning(records: Records) -> None:
    slow = Scripted((lambda: asyncio.sleep(2), *answer("x").steps))
    call(Stack(Log(level="DEBUG", slow=2), ScriptedExecutor(slow)))
    call(Stack(Log(level="DEBUG", slow=2.1), ScriptedExecutor(slow)))
    assert [record.levelno for record in records.records] == [logging.WARNING, logging.DEBUG]


def test_nothing_is_made_of_a_line_that_nobody_reads(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the line was made")

    monkeypatch.setattr("lamellar_middleware.log._told", never)
    monkeypatch.setattr("lamellar_middleware.log._Line._facts", never)
    logging.getLogger("lamellar.calls").setLevel(logging.WARNING)
    assert call(Stack(Log(), ScriptedExecutor("x"))).text == "x"
    monkeypatch.setattr("lamellar_middleware.log._Line.__init__", never)
    logging.getLogger("lamellar.calls").setLevel(logging.ERROR)
    assert call(Stack(Log(), ScriptedExecutor("x"))).text == "x"
    assert records.records == []


def test_the_logger_and_the_levels_are_options() -> None:
    handler, logger = Records(), logging.getLogger("mine")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        layer = Log(logger="mine", level="DEBUG", failure_level="CRITICAL")
        call(Stack(layer, ScriptedExecutor("x")))
        call(Stack(layer, ScriptedExecutor(RejectedError("closed", "no"))))
    finally:
        logger.removeHandler(handler)
    assert [record.levelno for record in handler.records] == [logging.DEBUG, logging.CRITICAL]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"level": "LOUD"}, "level"), ({"logger": ""}, "logger"), ({"contents": True}, "did you mean 'content'")],
)
def test_wrong_options_are_named(wrong: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Log(**wrong)
