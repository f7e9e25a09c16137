"""Where a subject is run: over a scripted leaf in virtual time, or over real HTTP on one of the engines."""

from __future__ import annotations

import asyncio
import gc
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from random import Random

from lamellar import Chunk, End, ErrorKind, ExecutorError, ExecutorSpec, StopReason, Usage
from lamellar.providers import (
    Anthropic,
    Auto,
    AzureOpenAI,
    Bedrock,
    Cohere,
    Gemini,
    Ollama,
    OpenAI,
    OpenAIResponses,
    Vertex,
)
from lamellar.reload import WatchedExecutor
from lamellar.root import StackExecutor
from lamellar.testing import Hang, Scripted, ScriptedExecutor, run_virtual
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Empty,
    InBandError,
    ProviderSimulator,
    Reply,
    Silence,
    Stall,
    overloaded,
)

from .subjects import Subject

PIECES = ("Paris ", "is ", "the ", "capital.")
TEXT = "".join(PIECES)
USAGE = Usage(prompt_tokens=7, completion_tokens=4, total_tokens=11)

Scenario = Callable[["Bench"], Awaitable[None]]


class Bench(ABC):
    """One subject, built, over a leaf that behaves in one named way for every call."""

    executor: StackExecutor | WatchedExecutor
    model = "m"

    @abstractmethod
    def run(self, subject: Subject, behaviour: str, scenario: Scenario) -> None:
        """Build the subject, run the scenario, and see that nothing is left open."""

    @abstractmethod
    def upstream_open(self) -> int:
        """How many of the provider's streams are open."""

    @abstractmethod
    async def pause(self) -> None:
        """The consumer takes longer than any limit of the subject."""

    async def eventually(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition that is about to hold, in real or virtual seconds."""
        for _ in range(500):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"never happened: {what}")

    async def _conclude(self, scenario: Scenario) -> None:
        async with self.executor:
            await scenario(self)
            gc.collect()
            await self.eventually(lambda: self.upstream_open() == 0, "every provider's stream is closed")
            shown = self.executor.snapshot()["stack"]
            assert (shown["calls"], shown["streams"]) == (0, 0)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)


def _failure() -> ExecutorError:
    return ExecutorError(ErrorKind.OVERLOADED, "busy", status=503)


_END = End(stop_reason=StopReason("completed", "stop"), usage=USAGE)
_CHUNKS = tuple(Chunk(piece) for piece in PIECES)


class ScriptedBench(Bench):
    """A leaf that plays a script, in virtual time."""

    BEHAVIOURS: dict[str, Callable[[], Scripted]] = {
        "answers": lambda: Scripted((*_CHUNKS, _END)),
        "fails-at-open": lambda: Scripted((), (_failure(),)),
        "fails-before-content": lambda: Scripted((Chunk(""), _failure())),
        "fails-after-content": lambda: Scripted((*_CHUNKS[:2], _failure())),
        "is-empty": lambda: Scripted((End(stop_reason=StopReason("completed", "stop")),)),
        "is-cut-before-content": lambda: Scripted((Chunk(""),)),
        "is-cut-after-content": lambda: Scripted(_CHUNKS[:2]),
        "errs-in-band": lambda: Scripted((Chunk(""), _failure())),
        "stalls": lambda: Scripted((*_CHUNKS[:2], Hang())),
        "is-silent": lambda: Scripted((), (Hang(),)),
    }

    def run(self, subject: Subject, behaviour: str, scenario: Scenario) -> None:
        run_virtual(self._run(subject, behaviour, scenario))

    async def _run(self, subject: Subject, behaviour: str, scenario: Scenario) -> None:
        self.leaf = ScriptedExecutor(self.BEHAVIOURS[behaviour](), repeat=True)
        self.executor = subject.stack(self.leaf).build(rng=Random(0))
        await self._conclude(scenario)

    def upstream_open(self) -> int:
        return self.leaf.open_streams

    async def pause(self) -> None:
        await asyncio.sleep(5000)


class HttpBench(Bench):
    """The HTTP executor against a real server, on one engine."""

    BEHAVIOURS: dict[str, Callable[[], Reply]] = {
        "answers": lambda: Answer(chunks=PIECES, usage=USAGE),
        "fails-at-open": overloaded,
        "fails-before-content": lambda: InBandError(Answer(chunks=PIECES), after=0),
        "fails-after-content": lambda: Cut(Answer(chunks=PIECES), after=2, how="reset"),
        "is-empty": lambda: Empty(usage=False),
        "is-cut-before-content": lambda: Cut(Answer(chunks=PIECES), after=0, how="clean"),
        "is-cut-after-content": lambda: Cut(Answer(chunks=PIECES), after=2, how="clean"),
        "errs-in-band": lambda: InBandError(Answer(chunks=PIECES), named=True),
        "stalls": lambda: Stall(Answer(chunks=PIECES), after=2),
        "is-silent": Silence,
    }

    # Each provider: the simulator's dialect, and the leaf that speaks it.
    PROVIDERS: dict[str, tuple[str, Callable[..., ExecutorSpec]]] = {
        "openai": ("chat", OpenAI),
        "anthropic": ("anthropic", Anthropic),
        "gemini": ("gemini", Gemini),
        "bedrock": ("converse", Bedrock),
        "responses": ("responses", OpenAIResponses),
        "ollama": ("ollama", Ollama),
        "cohere": ("cohere", Cohere),
        "azure": ("azure", AzureOpenAI),
        "vertex": ("vertex", Vertex),
        "vertex-claude": ("vertex", lambda **said: Vertex(project="p", publisher="anthropic", **said)),
        "auto": ("chat", lambda engine, **said: Auto(providers={"groq": said}, engine=engine)),
    }

    def __init__(self, engine: str, provider: str) -> None:
        self.engine = engine
        self.dialect, self.leaf = self.PROVIDERS[provider]
        self.model = "groq::m" if provider == "auto" else "m"

    def run(self, subject: Subject, behaviour: str, scenario: Scenario) -> None:
        with ProviderSimulator(self.BEHAVIOURS[behaviour](), dialect=self.dialect) as self.simulator:
            asyncio.run(self._run(subject, scenario))

    async def _run(self, subject: Subject, scenario: Scenario) -> None:
        leaf = self.leaf(base_url=self.simulator.base_url, api_key="sk-conformance", engine=self.engine)
        self.executor = subject.stack(leaf).build(rng=Random(0))
        await self._conclude(scenario)

    def upstream_open(self) -> int:
        return sum(request.outcome is None for request in self.simulator.requests)

    async def pause(self) -> None:
        await asyncio.sleep(0.02)


assert HttpBench.BEHAVIOURS.keys() == ScriptedBench.BEHAVIOURS.keys(), "both benches know every behaviour"

__all__ = ["PIECES", "TEXT", "USAGE", "Bench", "HttpBench", "ScriptedBench"]
