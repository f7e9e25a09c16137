"""The stacks of a watched file, one after another: the one that serves calls, and those that still end theirs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..masking import scrub
from .changes import changes
from .record import Reload

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..clock import Clock
    from ..stack import Stack
    from .source import Look
    from .version import Builder, Version

__all__ = ["Succession"]

_MOST_RETIRED = 16
"""Old stacks that may end their calls at a time; of more, the oldest is closed at once."""

_logger = logging.getLogger("lamellar.reload")


class Succession:
    """Takes a new stack in the place of the old one, and closes the old one when its calls are over.

    Args:
        origin: Where the stacks come from, for log lines.
        first: What stands there at first.
        builder: Builds them.
        clock: Where time comes from.
        grace: Seconds that a stack has for its last calls and streams.
        on_reload: Told of every change; None for nobody.

    Raises:
        ConfigError: The first cannot be built.
    """

    def __init__(
        self,
        origin: str,
        first: Look,
        builder: Builder,
        *,
        clock: Clock,
        grace: float,
        on_reload: Callable[[Reload], object] | None,
    ) -> None:
        if first.stack is None or isinstance(first.stack, ConfigError):
            raise first.stack or ConfigError(f"{origin}: there is no stack")
        self.current: Version = builder.build(first.stack, None)
        self.last_error: ConfigError | None = None
        """Why the file's stack does not serve calls; None while it does."""
        self._origin = origin
        self._secrets = first.secrets
        self._builder = builder
        self._clock = clock
        self._grace = grace
        self._on_reload = on_reload
        self._retired: dict[Version, asyncio.Task[None] | None] = {}
        self._hurried: set[asyncio.Task[None]] = set()
        self._lock = RLock()  # reentrant: a signal may ask for a reload in the middle of one

    def forked(self) -> None:
        """This process is a child of the one that made this: nobody here will open a lock that was held there."""
        self._lock = RLock()

    # -- taking --------------------------------------------------------------------------------------------------

    def take(self, look: Look, *, anyway: bool = False) -> Reload:
        """Let what was read serve calls, if it can.

        Args:
            look: What was read.
            anyway: Whether the stack is built anew even if nothing has changed.
        """
        with self._lock:
            told = self._take(look, anyway)
            record = told or Reload(self._clock.wall(), self.current.number)
        if told is not None:
            self._tell(told)
        return record

    def _take(self, look: Look, anyway: bool) -> Reload | None:
        """What became of it; None where nothing has changed."""
        old, stack = self.current, look.stack
        if stack is None or isinstance(stack, ConfigError):
            return self._refused(stack or ConfigError("there is no stack"))
        if stack == old.spec and look.secrets == self._secrets and not anyway:
            if self.last_error is None:
                return None
            self.last_error = None
            _logger.info("%s is again what version %d was made of", self._origin, old.number)
            return Reload(self._clock.wall(), old.number)
        try:
            made = self._build(stack, old)
        except ConfigError as error:
            return self._refused(error)
        self.current = made  # from here on calls go there; whoever comes too late at the old door is sent there too
        old.retire()
        self._retired[old] = None
        self._secrets, self.last_error = look.secrets, None
        said = changes(old.spec, stack)
        _logger.info("%s: version %d serves calls now (%s)", self._origin, made.number, "; ".join(said) or "no changes")
        return Reload(self._clock.wall(), made.number, None, said)

    def _build(self, stack: Stack, old: Version) -> Version:
        try:
            return self._builder.build(stack, old)
        except ConfigError as error:
            raise ConfigError(str(error), problems=error.problems) from None  # without the frames it came through
        except Exception as error:  # a plate of anybody's is made here, and the old stack is to go on
            _logger.debug("the stack cannot be built", exc_info=True)
            raise ConfigError(f"the stack cannot be built: {type(error).__name__}: {scrub(str(error))}") from None

    def _refused(self, error: ConfigError) -> Reload:
        error = error.with_traceback(None)
        error.__context__ = None
        self.last_error = error
        _logger.warning("%s is refused, and version %d goes on: %s", self._origin, self.current.number, error)
        return Reload(self._clock.wall(), self.current.number, error)

    def _tell(self, record: Reload) -> None:
        if self._on_reload is not None:
            try:
                self._on_reload(record)
            except Exception:
                _logger.exception("the on_reload hook failed")

    # -- ending --------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Close the old stacks as their calls end, in tasks of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for version in tuple(self._retired)[:-_MOST_RETIRED]:
                _cancel(self._retired.pop(version))
                task = loop.create_task(self._close(version, 0.0))
                self._hurried.add(task)
                task.add_done_callback(self._hurried.discard)
            for version, closing in tuple(self._retired.items()):
                if closing is None or closing.done() or closing.get_loop().is_closed():
                    self._retired[version] = loop.create_task(self._close(version, self._grace))

    async def _close(self, version: Version, grace: float) -> None:
        try:
            await version.aclose(grace)
        except Exception:
            _logger.exception("closing version %d failed", version.number)
        self._retired.pop(version, None)

    async def aclose(self, grace: float) -> None:
        """Close all of them.

        Args:
            grace: Seconds that calls and streams of any of them have left.
        """
        with self._lock:
            versions = (*self._retired, self.current)
            tasks = [*self._hurried, *[task for task in self._retired.values() if task is not None]]
            self._retired.clear()
        loop = asyncio.get_running_loop()
        for task in tasks:
            if task not in self._hurried:
                _cancel(task)
        await asyncio.gather(*[task for task in tasks if task.get_loop() is loop], return_exceptions=True)
        results = await asyncio.gather(*[version.aclose(grace) for version in versions], return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    # -- looking -------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, JsonValue]:
        """The version that serves calls, why the file's stack does not, and what old versions still have to end."""
        retired: list[JsonValue] = [
            {"version": each.number, "calls": each.calls, "streams": each.streams} for each in tuple(self._retired)
        ]
        error = None if self.last_error is None else str(self.last_error)
        return {"version": self.current.number, "last_error": error, "retired": retired}


def _cancel(task: asyncio.Task[None] | None) -> None:
    """End a task, of whichever loop it is."""
    if task is not None and not task.done():
        with suppress(RuntimeError):  # its loop is closed, and the task with it
            task.get_loop().call_soon_threadsafe(task.cancel)
