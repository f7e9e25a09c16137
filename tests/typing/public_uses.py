"""Public uses, as a user's type checker sees them. Checked, never run: see `test_public_types.py`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar, assert_type

from lamellar import (
    AttemptRecord,
    CallContext,
    ChatMessage,
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Chunk,
    CompositeExecutor,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    ExecutorSpec,
    ExecutorWrapper,
    LayerSpec,
    LlmEventStream,
    LlmExecutor,
    Operation,
    Outcome,
    RejectedError,
    Secret,
    Stack,
    StackExecutor,
    StopReason,
    StreamEvent,
    StreamInterruptedError,
    SyncExecutor,
    Text,
    Tool,
    ToolCall,
    Usage,
)
from lamellar.build import BuildContext
from lamellar.middleware import Fallback, Retry, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.testing import ManualClock, ScriptedExecutor, answer

AnswerT = TypeVar("AnswerT", bound=ChatResponse | LlmEventStream)


async def the_front_page() -> None:
    stack = Stack(
        Timeout(total=300, first_content="10s", idle=15),
        Fallback(
            Target(Retry(attempts=3), OpenAI(), model="gpt-4o-mini"),
            Target(Retry(attempts=2), OpenAI(api_key=Secret(env="KEY")), model="other"),
            OpenAI(base_url="http://localhost:8000/v1"),
        ),
    )
    async with stack.build() as executor:
        assert_type(executor, StackExecutor)
        response = await executor.exec_chat_response("gpt-4o-mini", ChatRequest.from_user("Why is the sky blue?"))
        assert_type(response, ChatResponse)
        assert_type(response.text, str)
        assert_type(response.usage, Usage | None)
        assert_type(response.attempts, tuple[AttemptRecord, ...])
        assert_type(response.tool_calls, tuple[ToolCall, ...])
        assert_type(response.stop_reason, StopReason | None)

        async with await executor.exec_chat_stream_events("m", ChatRequest.from_user("Again.")) as events:
            assert_type(events, LlmEventStream)
            async for event in events:
                assert_type(event, StreamEvent)
                match event:
                    case Chunk(content=text):
                        assert_type(text, str)
                    case End(usage=usage, stop_reason=reason):
                        assert_type(usage, Usage | None)
                        assert_type(reason, StopReason | None)
            assert_type(events.outcome, Outcome | None)
        assert_type(await (await executor.exec_chat_stream_events("m", ChatRequest())).collect(), ChatResponse)


def a_stack_as_data(client: object) -> None:
    stack = Stack.load("stack.yaml")
    assert_type(stack, Stack)
    assert_type(stack.describe(), str)
    assert_type(Stack.loads("executor: openai", "yaml").dump("json"), str)
    executor = stack.build(clock=ManualClock(), rng=Random(0), http_client=client)
    assert_type(executor.find(ScriptedExecutor), ScriptedExecutor | None)
    assert_type(executor.children(), tuple[LlmExecutor, ...])


def synchronous(executor: LlmExecutor) -> None:
    with SyncExecutor(executor) as sync:
        assert_type(sync.exec_chat_response("m", ChatRequest.from_user("hi")), ChatResponse)
        with sync.exec_chat_stream_events("m", ChatRequest.from_user("hi")) as events:
            for event in events:
                assert_type(event, StreamEvent)


def failures(error: ExecutorError, refusal: RejectedError, broken: StreamInterruptedError, wrong: ConfigError) -> None:
    assert_type(error.kind, ErrorKind)
    assert_type(error.retry_after, float | None)
    assert_type(error.status, int | None)
    assert_type((error.retryable, error.failover, error.counts_against_health), tuple[bool, bool, bool])
    assert_type(refusal.kind, ErrorKind)
    assert_type(broken.text, str)
    assert_type(broken.open_tool_call, ToolCall | None)
    assert_type(wrong.problems, tuple[str, ...])
    assert_type(error.attempts, tuple[AttemptRecord, ...])


def requests() -> None:
    request = ChatRequest.from_user(["look at this", Text("please")]).with_system("be kind")
    assert_type(request, ChatRequest)
    assert_type(request.append_message(ChatMessage.assistant("yes")).messages, tuple[ChatMessage, ...])
    assert_type(request.with_tools(Tool(name="search", schema={"type": "object"})), ChatRequest)
    options = ChatOptions(temperature=0.5, call=CallContext(timeout="30s", tags={"team": "a"}, cache="bypass"))
    assert_type(options.over(None), ChatOptions)


class Renaming(LayerSpec):
    """A layer of a user's own."""

    kind = "renaming"
    model: str

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        return RenamingExecutor(inner, self.model)


class RenamingExecutor(ExecutorWrapper):
    """Asks for another model, for answers and streams alike."""

    def __init__(self, inner: LlmExecutor, model: str) -> None:
        super().__init__(inner)
        self.model = model

    async def _exec(
        self, operation: Operation[AnswerT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> AnswerT:
        return await operation(self.inner, self.model, chat_req, options)


class Mine:
    """A leaf of a user's own: three members and nothing else."""

    @property
    def name(self) -> str:
        return "mine"

    async def exec_chat_response(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> ChatResponse:
        return ChatResponse(content=(Text("hi"),), model=model, provider=self.name)

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        return LlmEventStream.of(await ScriptedExecutor(answer("hi")).exec_chat_stream_events(model, chat_req))


def of_ones_own() -> None:
    mine: LlmExecutor = Mine()
    layer: LayerSpec = Renaming(model="other")
    leaf: ExecutorSpec = OpenAI()
    composite: Callable[[str, tuple[LlmExecutor, ...]], CompositeExecutor] = CompositeExecutor
    assert_type(Stack(layer, mine).build(), StackExecutor)
    assert_type(Stack(Renaming(model="m"), leaf), Stack)
    assert_type(composite("all", (mine,)).targets, tuple[LlmExecutor, ...])
