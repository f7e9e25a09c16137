"""A leaf whose calls take time, and that knows how many of them are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lamellar import ChatResponse, Chunk, End, LlmEventStream
from lamellar.chat.content import Text
from lamellar.source import EventSource


@dataclass(frozen=True)
class Plan:
    """How one call goes: seconds until the first content, seconds until the end, and the error it ends with."""

    first: float = 0.0
    rest: float = 0.0
    before: BaseException | None = None
    after: BaseException | None = None


class Gauge:
    """A leaf that follows a plan for each call, by its number from 0."""

    name = "gauge"

    def __init__(self, plan: Callable[[int], Plan] = lambda _: Plan()) -> None:
        self.plan = plan
        self.asked: list[float] = []
        self.under_way = 0
        self.most = 0

    def _enter(self) -> Plan:
        plan = self.plan(len(self.asked))
        self.asked.append(asyncio.get_running_loop().time())
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return plan

    async def exec_chat_response(self, model, chat_req, options=None):
        plan = self._enter()
        try:
            await asyncio.sleep(plan.first)
            if plan.before is not None:
                raise plan.before
            await asyncio.sleep(plan.rest)
            if plan.after is not None:
                raise plan.after
            return ChatResponse(content=(Text(text="ok"),), model=model, provider=self.name)
        finally:
            self.under_way -= 1

    async def exec_chat_stream_events(self, model, chat_req, options=None):
        return LlmEventStream(_Planned(self, self._enter()))


class _Planned(EventSource):
    def __init__(self, gauge: Gauge, plan: Plan) -> None:
        self._gauge = gauge
        self._plan = plan
        self._step = 0

    async def read(self):
        self._step += 1
        if self._step == 1:
            await asyncio.sleep(self._plan.first)
            if self._plan.before is not None:
                raise self._plan.before
            return (Chunk("ok"),)
        await asyncio.sleep(self._plan.rest)
        if self._plan.after is not None:
            raise self._plan.after
        return (End(),)

    def finish(self, finish):
        self._gauge.under_way -= 1
