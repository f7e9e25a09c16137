"""What the tests of the field's failures share: a provider with two models, stacks in front of it, and a consumer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lamellar import ChatOptions, ChatRequest, Chunk, End, LlmExecutor, Restart, Stack, Start, Target, Usage
from lamellar.middleware import Fallback
from lamellar.providers import OpenAI
from lamellar.testing.simulator import Answer, ProviderSimulator, RequestLog

ENGINES = ("aiohttp", "httpx")
KEY = "sk-sentinel-0123456789abcdef"
REQUEST = ChatRequest.from_user("Say four words.")

PIECES = ("one ", "two ", "three ", "four")
WHOLE = Answer(chunks=PIECES)
TEXT = "".join(PIECES)
SPARE = Answer(chunks=("un ", "deux ", "trois ", "quatre"))


def leaf(simulator: ProviderSimulator, engine: str, **options: object) -> OpenAI:
    # Without certificates to check, none are loaded: it is plain HTTP, and reading them takes longer than most tests.
    return OpenAI(base_url=simulator.base_url, api_key=KEY, engine=engine, verify=False, **options)


def stack(simulator: ProviderSimulator, engine: str, *layers: object, **options: object) -> Stack:
    """Layers round one provider; the caller names the model."""
    return Stack(*layers, leaf(simulator, engine, **options))


def pair(simulator: ProviderSimulator, engine: str, *layers: object, **options: object) -> Fallback:
    """The models `primary` and `spare`, each behind these layers; `options` are the fallback's."""
    provider = leaf(simulator, engine)
    return Fallback(
        *[Target(*layers, provider, model=model, name=model) for model in ("primary", "spare")],
        **options,
    )


def asked(simulator: ProviderSimulator, model: str) -> list[RequestLog]:
    """The requests that arrived for one model."""
    return [each for each in simulator.requests if each.model == model]


def counts(simulator: ProviderSimulator, *models: str) -> tuple[int, ...]:
    """How many requests arrived for each model."""
    return tuple(len(asked(simulator, model)) for model in models)


async def all_closed(simulator: ProviderSimulator) -> None:
    """Wait until no connection is open at the provider."""
    await simulator.wait_for_async(lambda server: server.open_connections == 0)


@dataclass
class Held:
    """What a consumer holds that obeys the events.

    Args:
        on_chunk: Called after each piece of text.
    """

    text: str = ""
    starts: int = 0
    restarts: int = 0
    chunks: int = 0
    model: str | None = None
    end: End | None = None
    on_chunk: Callable[[], None] | None = None

    @property
    def usage(self) -> Usage | None:
        return self.end.usage if self.end is not None else None

    def take(self, event: object) -> None:
        """Do what one event says."""
        match event:
            case Start(model=model):
                self.starts += 1
                self.model = model
            case Restart(model=model):
                self.restarts += 1
                self.model, self.text = model, ""
            case Chunk(content=text):
                self.chunks += 1
                self.text += text
                if self.on_chunk is not None:
                    self.on_chunk()
            case End():
                assert self.end is None, "one end"
                self.end = event


async def read(
    executor: LlmExecutor, model: str = "m", options: ChatOptions | None = None, held: Held | None = None
) -> Held:
    """Ask for a stream and read it to its end."""
    held = held or Held()
    async with await executor.exec_chat_stream_events(model, REQUEST, options) as events:
        async for event in events:
            held.take(event)
    return held


async def ask(executor: LlmExecutor, streaming: bool, model: str = "m", options: ChatOptions | None = None) -> str:
    """The text of an answer, whole or streamed."""
    if streaming:
        return (await read(executor, model, options)).text
    return (await executor.exec_chat_response(model, REQUEST, options)).text
