"""Where the scenes are played: two simulated providers, a stack file on disk, and the executor built from it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ...chat.events import Chunk
from ...chat.request import ChatRequest
from ...errors import LamellarError
from ...stack import Stack
from ...testing.simulator import Answer, ChatWire, ProviderSimulator, RequestLog
from .scenes import BACKUP, KEY_VARIABLE, PRIMARY, STACK, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...call import AttemptRecord
    from ...root import StackExecutor
    from ...testing.simulator.steps import Part

__all__ = ["Audience", "Happening", "Run", "Theatre", "happenings", "open_theatre"]

_POLL = 0.04
"""Seconds between two looks into the providers' logs while a scene is played."""


class WitnessWire(ChatWire):
    """The simulator's wire format, which keeps what it sent: the facts are taken from there."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[int, tuple[float, list[Part]]] = {}

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """The events, kept by the request's number with the time at which they begin."""
        parts = super().render_stream(answer, request)
        self.streams[request.number] = (time.monotonic(), parts)
        return parts


class Provider:
    """One simulated provider.

    Args:
        key: The key that it demands.
    """

    def __init__(self, key: str) -> None:
        self.wire = WitnessWire()
        self.simulator = ProviderSimulator(dialect=self.wire, require_key=key)

    def text_sent(self, request: RequestLog) -> str:
        """The text in the content events that went out for `request`, read back from their bytes."""
        if request.number not in self.wire.streams:
            return ""
        content = [part.data for part in self.wire.streams[request.number][1] if part.kind == "content"]
        events = [json.loads(data.decode().removeprefix("data: ")) for data in content[: request.chunks_sent]]
        return "".join(event["choices"][0]["delta"].get("content") or "" for event in events)


@dataclass(frozen=True)
class Happening:
    """Something that a provider's log tells.

    Args:
        at: Seconds since the scene began.
        provider: Whose log.
        what: ``request``, ``reply`` or ``left`` (the client gave up).
        request: The request as it stands in the log.
    """

    at: float
    provider: str
    what: str
    request: RequestLog

    @property
    def identity(self) -> tuple[str, int, str]:
        """What tells it from the others of its scene."""
        return self.provider, self.request.number, self.what


@dataclass
class Run:
    """One scene as it was played.

    Args:
        began: When, on the monotonic clock, which is the simulators' too.
        pieces: The pieces of text that the consumer got, with the seconds since the beginning.
        ended: When it was over.
        attempts: The library's record.
        error: What the call failed with, if it did.
        logs: Each provider's log.
        sent: Each provider's text, per request.
    """

    began: float
    pieces: list[tuple[float, str]] = field(default_factory=list)
    ended: float = 0.0
    attempts: tuple[AttemptRecord, ...] = ()
    error: LamellarError | None = None
    logs: dict[str, tuple[RequestLog, ...]] = field(default_factory=dict)
    sent: dict[str, list[str]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole text that the consumer got."""
        return "".join(piece for _, piece in self.pieces)


class Audience(Protocol):
    """Who watches a scene."""

    def happened(self, happening: Happening) -> None:
        """Something happened at a provider."""

    def waiting(self, happenings: Sequence[Happening], now: float) -> None:
        """Nothing new; this is where things stand, `now` seconds into the scene."""

    def piece(self, text: str) -> None:
        """A piece of the answer has arrived."""


class Theatre:
    """Two providers and a stack.

    Args:
        providers: By name.
        executor: The stack, built.
        yaml: The text of the file it was loaded from.
        pace: Seconds between the words of an answer.
    """

    def __init__(self, providers: dict[str, Provider], executor: StackExecutor, yaml: str, pace: float) -> None:
        self.yaml = yaml
        self._providers = providers
        self._executor = executor
        self._pace = pace

    async def play(self, scene: Scene, audience: Audience) -> Run:
        """Play a scene, and tell the audience as it goes."""
        for name, provider in self._providers.items():
            provider.wire.streams.clear()
            script = [self._paced(reply) if isinstance(reply, Answer) else reply for reply in scene.scripts[name]]
            provider.simulator.reset(script)
        run = Run(time.monotonic())
        watch = _Watch(self, run, audience)
        watcher = asyncio.create_task(watch.keep_watching())
        try:
            await self._ask(scene, run, audience, watch)
        except LamellarError as error:
            run.error, run.attempts = error, error.attempts
        finally:
            run.ended = time.monotonic()
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
        await self._settle()
        watch.look()
        for name, provider in self._providers.items():
            run.logs[name] = provider.simulator.requests
            run.sent[name] = [provider.text_sent(request) for request in run.logs[name]]
        return run

    async def _ask(self, scene: Scene, run: Run, audience: Audience, watch: _Watch) -> None:
        request = ChatRequest.from_user(scene.question)
        async with await self._executor.exec_chat_stream_events("any", request) as events:
            async for event in events:
                if isinstance(event, Chunk):
                    run.pieces.append((time.monotonic() - run.began, event.content))
                    if len(run.pieces) == 1:
                        await self._settle(but=1)
                        watch.look()
                    audience.piece(event.content)
            run.attempts = events.attempts

    async def _settle(self, *, but: int = 0) -> None:
        """Wait until the logs know how every reply ended, `but` for one that is being played."""
        limit = time.monotonic() + 2
        while time.monotonic() < limit:
            logs = [provider.simulator.requests for provider in self._providers.values()]
            if sum(request.outcome is None for log in logs for request in log) <= but:
                return
            await asyncio.sleep(0.005)

    def _paced(self, answer: Answer) -> Answer:
        return replace(answer, chunk_delay=self._pace)

    def happenings(self, began: float) -> list[Happening]:
        """What the providers' logs tell, in the order of time."""
        told: list[Happening] = []
        for name, provider in self._providers.items():
            told += happenings(name, provider.simulator.requests, provider.wire, began)
        # That the client has left a silent provider is noticed a moment after the next one was asked.
        return sorted(told, key=lambda each: each.at - (0.05 if each.what == "left" else 0.0))


def happenings(name: str, requests: Sequence[RequestLog], wire: WitnessWire, began: float) -> Iterator[Happening]:
    """What one provider's log tells."""
    for request in requests:
        yield Happening(request.time - began, name, "request", request)
        if request.status is not None:
            started, _ = wire.streams.get(request.number, (request.ended_at, None))
            yield Happening((started or request.time) - began, name, "reply", request)
        if request.outcome == "client_left":
            yield Happening((request.ended_at or request.time) - began, name, "left", request)


class _Watch:
    """Looks into the providers' logs while a scene is played, and tells the audience what is new."""

    def __init__(self, theatre: Theatre, run: Run, audience: Audience) -> None:
        self._theatre = theatre
        self._run = run
        self._audience = audience
        self._told: set[tuple[str, int, str]] = set()

    def look(self) -> list[Happening]:
        """Tell what is new; everything so far."""
        known = self._theatre.happenings(self._run.began)
        if sum(happening.request.outcome is None for happening in known if happening.what == "request") > 1:
            return known  # a request was given up this moment; its log will say so first
        for happening in known:
            if happening.identity not in self._told:
                self._told.add(happening.identity)
                self._audience.happened(happening)
        return known

    async def keep_watching(self) -> None:
        """Until the answer begins."""
        while not self._run.pieces:
            known = self.look()
            self._audience.waiting(known, time.monotonic() - self._run.began)
            await asyncio.sleep(_POLL)


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
async def open_theatre(*, pace: float) -> AsyncIterator[Theatre]:
    """Start two providers, write the stack file, load it and build it.

    Args:
        pace: Seconds between the words of an answer.
    """
    key = f"sk-demo-{secrets.token_hex(12)}"
    providers = {name: Provider(key) for name in (PRIMARY, BACKUP)}
    primary, backup = (provider.simulator for provider in providers.values())
    with _environment(key), primary, backup, tempfile.TemporaryDirectory(prefix="lamellar-demo-") as folder:
        yaml = STACK.format(primary=primary.base_url, backup=backup.base_url, key=KEY_VARIABLE)
        async with _load(yaml, folder).build() as executor:
            yield Theatre(providers, executor, yaml, pace)


def _load(yaml: str, folder: str) -> Stack:
    """The stack, by way of a file as a user would have it."""
    file = Path(folder, "stack.yaml")
    file.write_text(yaml, encoding="utf-8")
    return Stack.load(file)
