"""Where the scenes are played: two simulated providers, a stack file on disk, and the executor built from it."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...chat.events import Chunk, Start
from ...chat.request import ChatRequest
from ...errors import LamellarError
from ...stack import Stack
from ...testing.simulator import Answer, Reply, RequestLog, rate_limited
from .run import Asked, BurstRun, Run
from .scenes import BACKUP, KEY_VARIABLE, LIMIT, PRIMARY, PROVIDER_LIMIT, STACK, Burst, Scene
from .spans import SpanKeeper
from .watch import Watch
from .witness import ChatProvider, MessagesProvider, Provider, question_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...root import StackExecutor
    from .watch import Audience

__all__ = ["Stage", "open_stage"]

_POLL = 0.04
"""Seconds between two looks into the providers' logs while a scene is played."""

_MODEL = "gpt-4o-mini"
"""What the caller asks for; each target has a model of its own."""


class Stage:
    """Two providers and a stack.

    Args:
        providers: By name.
        executor: The stack, built.
        yaml: The text of the file it was loaded from.
        spans: Keeps the spans of the stack.
        pace: Seconds between the words of an answer.
    """

    def __init__(
        self, providers: Mapping[str, Provider], executor: StackExecutor, yaml: str, spans: SpanKeeper, pace: float
    ) -> None:
        self.yaml = yaml
        self._spans = spans
        self._providers = providers
        self._executor = executor
        self._pace = pace

    # -- one question -------------------------------------------------------------------------------------------

    async def play(self, scene: Scene, audience: Audience) -> Run:
        """Play a scene, and tell the audience as it goes."""
        for name, provider in self._providers.items():
            script = scene.scripts[name]
            provider.play(
                [replace(each, chunk_delay=self._pace) if isinstance(each, Answer) else each for each in script]
            )
        run = Run(began=time.monotonic())
        watch = Watch(self._providers, run.began, audience)

        async def keep_watching() -> None:
            while not run.pieces:
                audience.waiting(watch.look(), time.monotonic() - run.began)
                await asyncio.sleep(_POLL)

        async def ask() -> None:
            try:
                await (self._ask_whole if scene.whole else self._ask)(scene, run, audience, watch)
            except LamellarError as error:
                run.error, run.attempts = error, error.attempts

        await self._perform(run, ask, keep_watching)
        watch.look()
        return run

    async def _ask(self, scene: Scene, run: Run, audience: Audience, watch: Watch) -> None:
        request = ChatRequest.from_user(scene.question)
        async with await self._executor.exec_chat_stream_events(_MODEL, request) as events:
            async for event in events:
                if isinstance(event, Start):
                    run.cached = event.cached
                if isinstance(event, Chunk):
                    run.pieces.append((time.monotonic() - run.began, event.content))
                    if len(run.pieces) == 1:
                        await self._settle(but=1)
                        watch.look()
                    audience.piece(event.content)
            run.attempts = events.attempts
        run.took = time.monotonic() - run.began

    async def _ask_whole(self, scene: Scene, run: Run, audience: Audience, watch: Watch) -> None:
        request = ChatRequest.from_user(scene.question)
        began = time.monotonic()
        response = await self._executor.exec_chat_response(_MODEL, request)
        run.took = time.monotonic() - began
        run.pieces.append((time.monotonic() - run.began, response.text))
        run.cached, run.attempts = response.cached, response.attempts
        watch.look()
        audience.piece(response.text)

    # -- many at once -------------------------------------------------------------------------------------------

    async def play_burst(self, scene: Burst, audience: Audience) -> BurstRun:
        """Ask all questions of a scene at once."""
        primary = self._providers[PRIMARY].simulator
        self._providers[PRIMARY].play(_refusing_above(PROVIDER_LIMIT, lambda: primary.requests, scene.answers))
        self._providers[BACKUP].play(())
        run = BurstRun(began=time.monotonic(), asked=[Asked(question=question) for question in scene.answers])

        async def keep_watching() -> None:
            while True:
                audience.crowd(primary.request_count, len(run.asked))
                await asyncio.sleep(_POLL)

        async def ask() -> None:
            async with asyncio.TaskGroup() as group:
                for asked in run.asked:
                    group.create_task(self._ask_one(asked))

        await self._perform(run, ask, keep_watching)
        return run

    async def _ask_one(self, asked: Asked) -> None:
        try:
            response = await self._executor.exec_chat_response(_MODEL, ChatRequest.from_user(asked.question))
            asked.text, asked.attempts = response.text, response.attempts
        except LamellarError as error:
            asked.error, asked.attempts = error, error.attempts

    # -- either -------------------------------------------------------------------------------------------------

    async def _perform(
        self, run: Run | BurstRun, ask: Callable[[], Awaitable[None]], keep_watching: Callable[[], Awaitable[None]]
    ) -> None:
        """Ask while somebody watches, then gather what the providers have to say of it."""
        self._spans.take()
        watcher = asyncio.ensure_future(keep_watching())
        try:
            await ask()
        finally:
            run.ended = time.monotonic()
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
        await self._settle()
        run.spans, run.spans_missing = self._spans.take(), self._spans.missing
        for name, provider in self._providers.items():
            run.logs[name] = provider.simulator.requests
            run.sent[name] = [provider.text_sent(request) for request in run.logs[name]]

    async def _settle(self, *, but: int = 0) -> None:
        """Wait until the logs know how every reply ended, `but` for one that is being played."""
        limit = time.monotonic() + 2
        while time.monotonic() < limit:
            logs = [provider.simulator.requests for provider in self._providers.values()]
            if sum(request.outcome is None for log in logs for request in log) <= but:
                return
            await asyncio.sleep(0.005)


def _refusing_above(
    limit: int, log: Callable[[], Sequence[RequestLog]], answers: Mapping[str, str]
) -> Callable[[RequestLog], Reply]:
    """A provider that refuses a request when the second before it held `limit` already, as its log has it."""

    def reply(request: RequestLog) -> Reply:
        second = [each for each in log() if request.time - 1 < each.time <= request.time]
        if len(second) > limit:
            return rate_limited(retry_after=1)
        return Answer(answers.get(question_in(request), "?"))

    return reply


@contextmanager
def _environment(key: str) -> Iterator[None]:
    """The key where the stack looks for it, and no proxy between two ends of one machine."""
    around = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1"]))
    said = {KEY_VARIABLE: key, "NO_PROXY": around, "no_proxy": around}
    before = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@asynccontextmanager
async def open_stage(*, pace: float) -> AsyncIterator[Stage]:
    """Start two providers, write the stack file, load it and build it.

    Args:
        pace: Seconds between the words of an answer.
    """
    key = f"sk-demo-{secrets.token_hex(12)}"
    providers: dict[str, Provider] = {PRIMARY: ChatProvider(key), BACKUP: MessagesProvider(key)}
    primary, backup = (provider.simulator for provider in providers.values())
    with _environment(key), primary, backup, tempfile.TemporaryDirectory(prefix="lamellar-demo-") as folder:
        yaml = STACK.format(primary=primary.base_url, backup=backup.base_url, key=KEY_VARIABLE, limit=LIMIT)
        spans = SpanKeeper()
        async with spans.watch(_load(yaml, folder)).build() as executor:
            yield Stage(providers, executor, yaml, spans, pace)


def _load(yaml: str, folder: str) -> Stack:
    """The stack, by way of a file as a user would have it."""
    file = Path(folder, "stack.yaml")
    file.write_text(yaml, encoding="utf-8")
    return Stack.load(file)
