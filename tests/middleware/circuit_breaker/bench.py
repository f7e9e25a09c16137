"""A breaker over a script, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy

import pytest

from lamellar import ChatOptions, ChatRequest, ExecutorError, RejectedError, Stack, Target
from lamellar.middleware import CircuitBreaker, Fallback
from lamellar.testing import Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")


def failing(kind: str = "overloaded", **known: object) -> ExecutorError:
    return ExecutorError(kind, "no", **known)


def slowly(seconds: float, entry: object = "ok") -> Scripted:
    """An entry of a script that takes its time before it is accepted."""

    async def pause() -> None:
        await asyncio.sleep(seconds)

    if isinstance(entry, BaseException):
        return Scripted((), (pause, entry))
    return answer(entry, opening=(pause,))


class Bench:
    """A stack with a breaker, built in the loop that runs."""

    def __init__(self, breaker: CircuitBreaker, *script: object, below: tuple[object, ...] = (), target: bool = False):
        self.leaf = ScriptedExecutor(*map(copy, script), name="leaf")
        stack = Stack(breaker, *below, self.leaf)
        self.executor = (Stack(Fallback(Target(stack, model="own", name="here"))) if target else stack).build()

    async def ask(self, model: str = "m", options: ChatOptions | None = None) -> str:
        """What becomes of a call: its text, or the kind of its error."""
        try:
            return (await self.executor.exec_chat_response(model, REQUEST, options)).text
        except (ExecutorError, RejectedError) as error:
            return str(error.kind)

    async def refusal(self, model: str = "m") -> RejectedError:
        """The refusal of a call that is not let through."""
        asked = len(self.leaf.calls)
        with pytest.raises(RejectedError, match="circuit_open") as caught:
            await self.executor.exec_chat_response(model, REQUEST)
        assert len(self.leaf.calls) == asked, "nothing was sent"
        return caught.value

    def start(self, model: str = "m") -> asyncio.Task[str]:
        """A call in a task of its own."""
        return asyncio.create_task(self.ask(model))

    async def stream(self, model: str = "m"):
        """An open stream."""
        return await self.executor.exec_chat_stream_events(model, REQUEST)

    def circuit(self, model: str = "m") -> dict[str, object]:
        """The state of a circuit, as the snapshot shows it."""
        shown = self.executor.snapshot()
        plate = next(each["circuit_breaker"] for each in shown.values() if "circuit_breaker" in each)
        return plate["circuits"][model]

    @property
    def state(self) -> object:
        return self.circuit()["state"]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in virtual time."""
    run_virtual(scenario())
