"""Uses that a type checker must refuse: each line marked `wrong` is an error, and no other line is."""

from __future__ import annotations

from lamellar import ChatOptions, ChatRequest, LlmExecutor, Stack
from lamellar.middleware import Retry, Timeout
from lamellar.providers import OpenAI


async def calls(executor: LlmExecutor) -> None:
    await executor.exec_chat_response("m", "hi")  # wrong
    await executor.exec_chat_response(ChatRequest())  # wrong
    print((await executor.exec_chat_response("m", ChatRequest())).nothing)  # wrong
    async with executor.exec_chat_stream_events("m", ChatRequest()) as events:  # wrong
        print(events)


def specs() -> None:
    Retry(atempts=3)  # wrong
    Retry(attempts="three")  # wrong
    Timeout(total=[])  # wrong
    ChatOptions(temprature=1)  # wrong
    Stack(OpenAI()).build(clock=5)  # wrong
    Stack.loads("", "ini")  # wrong
    executor: LlmExecutor = Retry()  # wrong
    print(executor)
