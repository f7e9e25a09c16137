import asyncio

from acme_plates import FixedAnswer

from lamellar import ChatRequest, ErrorKind, ExecutorError, Stack
from lamellar.middleware import Fallback
from lamellar.testing import ScriptedExecutor

SORRY = "The assistant is not available."
REQUEST = ChatRequest.from_user("hi")


def both_ways(executor):
    """The text of a whole answer and of a stream."""

    async def main():
        async with executor:
            whole = await executor.exec_chat_response("m", REQUEST)
            streamed = await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            return whole, streamed

    return asyncio.run(main())


def test_it_answers_when_nobody_else_does():
    down = ScriptedExecutor(ExecutorError(ErrorKind.OVERLOADED, "too busy"), repeat=True)
    for answered in both_ways(Stack(Fallback(down, FixedAnswer(text=SORRY))).build()):
        assert answered.text == SORRY
        assert [attempt.kind for attempt in answered.attempts] == [ErrorKind.OVERLOADED, None]
        assert answered.usage.total_tokens == 0


def test_it_keeps_silent_while_somebody_answers():
    up = ScriptedExecutor("Hello.", repeat=True)
    assert {answered.text for answered in both_ways(Stack(Fallback(up, FixedAnswer(text=SORRY))).build())} == {"Hello."}


def test_a_file_can_name_it():
    stack = Stack.loads(f"executor: {{fixed_answer: {{text: {SORRY}}}}}")
    assert stack == Stack(FixedAnswer(text=SORRY))
    assert Stack.loads(stack.dump()) == stack
