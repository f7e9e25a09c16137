"""A limit over a leaf whose calls take time, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.middleware.gauge import Gauge, Plan

from lamellar import CallContext, ChatOptions, ChatRequest, ExecutorError, RejectedError, Stack
from lamellar.middleware import ConcurrencyLimit
from lamellar.testing import run_virtual

REQUEST = ChatRequest.from_user("hi")


def options(**said: object) -> ChatOptions:
    return ChatOptions(call=CallContext(**said))


def taking(seconds: float) -> Callable[[int], Plan]:
    """Every call takes so long."""
    return lambda _: Plan(first=seconds)


class Bench:
    """A stack with a limit, built in the loop that runs."""

    def __init__(self, limit: ConcurrencyLimit, plan: Callable[[int], Plan] = taking(1.0), *, outside: object = ()):  # noqa: B008
        self.gauge = Gauge(plan)
        self.executor = Stack(*outside, limit, self.gauge).build()
        self.ended: list[str] = []

    async def ask(self, model: str = "m", **said: object) -> str:
        """What becomes of a call: its text, or the kind of its error."""
        try:
            return (await self.executor.exec_chat_response(model, REQUEST, options(**said) if said else None)).text
        except (ExecutorError, RejectedError) as error:
            return str(error.kind)

    async def start(self, name: str = "", model: str = "m", **said: object) -> asyncio.Task[str]:
        """A call in a task of its own, as far as it gets; its name is put down when it has ended."""

        async def call() -> str:
            try:
                return await self.ask(model, **said)
            finally:
                self.ended.append(name)

        task = asyncio.create_task(call())
        for _ in range(3):
            await asyncio.sleep(0)
        return task

    async def stream(self, model: str = "m", **said: object):
        """An open stream."""
        return await self.executor.exec_chat_stream_events(model, REQUEST, options(**said) if said else None)

    @property
    def state(self) -> dict[str, object]:
        return self.executor.snapshot()["stack"]["concurrency_limit"]

    @property
    def counts(self) -> tuple[object, object]:
        """Permits in use, and calls that wait."""
        return self.state["in_use"], self.state["queued"]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in virtual time."""
    run_virtual(scenario())
