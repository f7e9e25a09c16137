"""A watched stack whose file is held in the hand: changed by assignment, read without a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import TypeVar

from lamellar import ChatRequest, ConfigError, LayerSpec, LlmExecutor, Stack
from lamellar.clock import Clock, LoopClock
from lamellar.reload import Reload, WatchedExecutor
from lamellar.reload.source import Look
from lamellar.reload.version import Builder
from lamellar.testing import ScriptedExecutor

T = TypeVar("T")

REQUEST = ChatRequest.from_user("hi")

INTERVAL = 5.0
NOTICED = INTERVAL + 1
"""Virtual seconds after which any change was noticed and dealt with."""


class Held:
    """A source that holds whatever it is given."""

    def __init__(self, stack: Stack | ConfigError) -> None:
        self._stack = stack
        self._changes = 0
        self.secrets = 0
        self.looks = self.loads = 0

    @property
    def stack(self) -> Stack | ConfigError:
        """What it holds; each assignment is a change."""
        return self._stack

    @stack.setter
    def stack(self, stack: Stack | ConfigError) -> None:
        self._stack = stack
        self._changes += 1

    def look(self) -> Look:
        self.looks += 1
        return Look((self._changes, self.secrets), self.secrets)

    def load(self) -> Look:
        self.loads += 1
        return Look((self._changes, self.secrets), self.secrets, self._stack)

    def __str__(self) -> str:
        return "held.yaml"


def at_once(work: Callable[[], T], then: Callable[[T], None], /) -> None:
    """No thread: virtual time would jump over its answer."""
    asyncio.get_running_loop().call_soon(then, work())


def watched(
    *plates: object,
    grace: float = 300.0,
    on_reload: Callable[[Reload], object] | None = None,
    shared: dict[str, object] | None = None,
    clock: Clock | None = None,
) -> tuple[WatchedExecutor, Held]:
    """An executor of these plates, and what holds them."""
    held, clock = Held(Stack(*plates)), clock or LoopClock()
    builder = Builder(clock=clock, rng=Random(0), http_client=None, shared=shared)
    executor = WatchedExecutor(
        held, builder, clock=clock, interval=INTERVAL, grace=grace, on_reload=on_reload, background=at_once
    )
    assert isinstance(executor, LlmExecutor)
    return executor, held


def reload_of(executor: WatchedExecutor) -> Mapping[str, object]:
    """What its snapshot says of reloads."""
    shown = executor.snapshot()["stack"]["reload"]
    assert isinstance(shown, dict)
    return shown


def leaf(text: str) -> ScriptedExecutor:
    """A provider that says always this."""
    return ScriptedExecutor(text, repeat=True)


async def ask(executor: WatchedExecutor) -> str:
    """The text of a whole answer."""
    return (await executor.exec_chat_response("m", REQUEST)).text


class Owner(LayerSpec):
    """A layer that notes when its stack is closed."""

    kind = "owner"
    name: str
    closed: list[str]

    def wrap(self, inner, context):
        context.own(_Resource(self))
        return inner


class _Resource:
    def __init__(self, spec: Owner) -> None:
        self.spec = spec

    async def aclose(self) -> None:
        self.spec.closed.append(self.spec.name)


def owner(name: str, closed: list[str]) -> Owner:
    made = Owner.model_construct(name=name, closed=closed)
    object.__setattr__(made, "__pydantic_fields_set__", {"name", "closed"})
    return made
