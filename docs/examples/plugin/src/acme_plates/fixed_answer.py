"""An answer of last resort."""

from typing import ClassVar

from pydantic import Field

from lamellar import ChatResponse, Chunk, End, ExecutorSpec, LlmEventStream, StopReason, Text, Usage

NOTHING_SPENT = Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)


class FixedAnswer(ExecutorSpec):
    """Answer every call with the same text; as the last target of a fallback, when nobody else has answered.

    Args:
        text: The answer.
    """

    kind: ClassVar[str] = "fixed_answer"

    text: str = Field(min_length=1)

    def make(self, context):
        return context.attempt(FixedAnswerExecutor(self.text))


class FixedAnswerExecutor:
    name = "fixed_answer"

    def __init__(self, text):
        self.text = text

    async def exec_chat_response(self, model, chat_req, options=None):
        return ChatResponse(
            content=(Text(self.text),),
            model=model,
            provider=self.name,
            stop_reason=StopReason("completed"),
            usage=NOTHING_SPENT,
        )

    async def exec_chat_stream_events(self, model, chat_req, options=None):
        return LlmEventStream.of(self._events())

    async def _events(self):
        yield Chunk(self.text)
        yield End(stop_reason=StopReason("completed"), usage=NOTHING_SPENT)
