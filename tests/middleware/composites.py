"""What the tests of composites have in common: leaves that answer by hand, and what is seen of a call."""

from __future__ import annotations

import asyncio

from lamellar import ChatRequest, ChatResponse, Chunk, End, ExecutorError
from lamellar.root import StackExecutor
from lamellar.testing import Hang, Scripted, ScriptedExecutor

REQUEST = ChatRequest.from_user("hi")
SILENT = Scripted((), (Hang(),))


def leaf(name: str, *script: object, repeat: bool = True) -> ScriptedExecutor:
    """A leaf that plays a script, its last entry for ever; by default it says its name."""
    return ScriptedExecutor(*(script or (name,)), name=name, repeat=repeat)


def after(seconds: float, *steps: object) -> Scripted:
    """What happens after so long; an answer by default."""
    return Scripted(steps or (Chunk("ok"), End()), (lambda: asyncio.sleep(seconds),))


def failing(kind: str = "server_error") -> ExecutorError:
    return ExecutorError(kind, "no")


async def answered(executor: StackExecutor, *, stream: bool = False, **said: object) -> ChatResponse:
    """The answer, whole or collected."""
    asked = ChatRequest(messages=REQUEST.messages, **said)
    if stream:
        return await (await executor.exec_chat_stream_events("m", asked)).collect()
    return await executor.exec_chat_response("m", asked)


def tries(attempts: object) -> list[tuple[str, str, float]]:
    """Target, outcome and latency of each attempt."""
    return [(each.target, each.outcome.value, round(each.latency, 3)) for each in attempts]


def balanced(name: str, executor: StackExecutor) -> dict[str, object]:
    """What a balancer shows of a target."""
    return executor.snapshot()[name]["balance"]


def now() -> float:
    return asyncio.get_running_loop().time()


def others() -> list[asyncio.Task]:
    """Tasks that are still there, besides the test's own."""
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
