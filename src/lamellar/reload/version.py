"""One of the stacks that a watched file has held."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, NoReturn

from ..build import BuildContext
from ..inheritance import Inheritance
from ..plugin_errors import plugins_named
from ..root import StackExecutor
from ..state import isolate, isolated

if TYPE_CHECKING:
    import random

    from ..clock import Clock
    from ..executor import LlmExecutor
    from ..stack import Stack

__all__ = ["Builder", "SupersededError", "Version"]


class SupersededError(Exception):
    """A call has come to a stack that another has taken the place of; it belongs there. Nobody outside sees this."""


class Version(StackExecutor):
    """A built stack that can be retired.

    Args:
        inner: The outermost plate.
        spec: What it was built from.
        context: What it was built with.
        number: From 1, in the order they were taken.
    """

    def __init__(self, inner: LlmExecutor, spec: Stack, context: BuildContext, *, number: int) -> None:
        super().__init__(inner, clock=context.clock, rng=context.rng, resources=context.resources, spec=spec)
        self.number = number
        self.inheritance = context.inheritance

    @property
    def spec(self) -> Stack:
        """What it was built from."""
        return self._spec

    @property
    def calls(self) -> int:
        """Calls under way."""
        return len(self._calls)

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    def retire(self) -> None:
        """Let no call in any more; those under way go on until it is closed."""
        self._closed = True

    def _turn_away(self) -> NoReturn:
        raise SupersededError


class Builder:
    """Builds the stacks of a watched file, each with what the one before leaves to it.

    Args:
        clock: As for `Stack.build`.
        rng: As for `Stack.build`.
        http_client: As for `Stack.build`.
        shared: As for `Stack.build`; None shares with no other stack.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rng: random.Random,
        http_client: object | None,
        shared: MutableMapping[str, object] | None,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._http_client = http_client
        self._shared = shared

    def build(self, stack: Stack, before: Version | None) -> Version:
        """The stack, built; nothing is changed where that fails.

        Raises:
            ConfigError: A key is missing, or something that is named is not there.
        """
        # What a stack that fails to build has shared is forgotten with it.
        overlay: dict[str, object] = {}
        context = BuildContext(
            clock=self._clock,
            rng=self._rng,
            http_client=self._http_client,
            shared=ChainMap(overlay, {} if self._shared is None else self._shared),
            inheritance=Inheritance(None if before is None else before.inheritance),
        )
        with plugins_named():
            inner = stack.make(context)
        made = Version(inner, stack, context, number=1 if before is None else before.number + 1)
        if self._shared is not None:
            for name, state in overlay.items():
                self._shared.setdefault(name, state)
        if before is not None:
            _stay_isolated(before, made)
        context.inheritance.settle()
        return made


def _stay_isolated(before: Version, after: Version) -> None:
    """What a hand has taken out of service stays out."""
    names = isolated(after).keys()
    for name, is_out in isolated(before).items():
        if is_out and name in names:
            isolate(after, name)
