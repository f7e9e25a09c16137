"""The run itself: so many workers, each of which takes the next line, asks, and has the answer written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...clock import Interruption
from ...errors import ConfigError, ErrorKind, LamellarError
from .policy import Patience, StopRule
from .questions import identifier_of, read_question
from .records import answered, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...chat.response import ChatResponse
    from ...clock import Clock
    from ...executor import LlmExecutor
    from .lines import Fingerprint, Line
    from .output import Output
    from .questions import Question
    from .records import Record
    from .tally import Tally

__all__ = ["Runner"]

_SKIPS = 1000
"""Lines that are passed over before others get a turn of the loop."""

_TICK = 0.25
"""Seconds between two looks at the numbers."""

_SYNC = 1.0
"""Seconds between two times that OUT is put on the disk."""


class Runner:
    """One run over the lines that are not done.

    Nothing is read ahead: a worker takes a line when it is free to ask it, so that memory holds as many lines as there
    are calls in flight.

    Args:
        executor: Who is asked.
        lines: The lines of IN, from the first that is not done.
        output: Where answers are written, which also knows what is done.
        fingerprint: Tells one question from another.
        tally: The numbers, which are kept here.
        concurrency: Calls in flight at most.
        model: The model of lines that name none.
        system: The system prompt of lines that have none.
        stop_rule: When to give up.
        patience: Seconds that a line waits while the stack says "not now".
        clock: Where time comes from.
    """

    def __init__(
        self,
        executor: LlmExecutor,
        lines: Iterator[Line],
        output: Output,
        *,
        fingerprint: Fingerprint,
        tally: Tally,
        concurrency: int,
        model: str | None,
        system: str | None,
        stop_rule: StopRule,
        patience: float,
        clock: Clock,
    ) -> None:
        self._executor = executor
        self._lines = lines
        self._output = output
        self._fingerprint = fingerprint
        self._tally = tally
        self._concurrency = concurrency
        self._model = model
        self._system = system
        self._stop_rule = stop_rule
        self._patience = patience
        self._clock = clock
        self._rests: set[Interruption] = set()
        self.stopped: str | None = None
        """Why no more lines are taken, or None."""

    def stop(self, why: str) -> None:
        """Take no more lines; what is asked already is waited for, what waits to be asked is left to the next run."""
        self.stopped = self.stopped or why
        for rest in tuple(self._rests):
            rest.fire()

    async def run(self, on_tick: Callable[[], None]) -> None:
        """Ask every line that is not done, and return when the last answer is written.

        Args:
            on_tick: Called several times a second.

        Raises:
            ConfigError: OUT cannot be written any more.
        """
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep(on_tick))
                async with asyncio.TaskGroup() as workers:
                    for _ in range(max(1, min(self._concurrency, self._tally.left))):
                        workers.create_task(self._work())
                keeper.cancel()
        except BaseExceptionGroup as many:
            raise _first(many) from None

    async def _keep(self, on_tick: Callable[[], None]) -> None:
        """Put OUT on the disk now and then, and have the numbers shown."""
        due = self._clock.now() + _SYNC
        while True:
            await self._clock.sleep(_TICK)
            on_tick()
            if self._clock.now() >= due:
                await asyncio.to_thread(self._output.sync)
                due = self._clock.now() + _SYNC

    async def _work(self) -> None:
        while self.stopped is None and (line := await self._next()) is not None:
            fingerprint = self._fingerprint.of(line)
            try:
                if line.data is None:
                    raise ConfigError("the line is too long to be a question")
                question = read_question(line.data, model=self._model, system=self._system)
            except ConfigError as error:
                self._write(failed(line.number, fingerprint, identifier_of(line.data), error, bad=True), bad=True)
                continue
            record = await self._ask(line, fingerprint, question)
            if record is not None:
                self._write(record)

    async def _next(self) -> Line | None:
        """The next line that is not done."""
        for passed, line in enumerate(self._lines, 1):
            if not self._output.ledger.has(line.number):
                return line
            if passed % _SKIPS == 0:
                await asyncio.sleep(0)
                if self.stopped is not None:
                    return None
        return None

    async def _ask(self, line: Line, fingerprint: str, question: Question) -> Record | None:
        """The line's answer or error; None where the run ends before it has one."""
        patience = Patience(self._patience)
        while True:
            outcome = await self._call(question)
            if not isinstance(outcome, LamellarError):
                return answered(line.number, fingerprint, question.id, outcome)
            if getattr(outcome, "kind", None) is ErrorKind.BUDGET:
                self.stop(f"the stack's budget refuses more: {outcome}")
                return None
            pause = patience.wait(outcome)
            if pause is None:
                return failed(line.number, fingerprint, question.id, outcome)
            if not await self._rest(pause):
                return None

    async def _call(self, question: Question) -> ChatResponse | LamellarError:
        """One call; its error as a value, so that no frame holds on to it."""
        self._tally.in_flight += 1
        try:
            return await self._executor.exec_chat_response(question.model, question.request, question.options)
        except LamellarError as error:
            return error.with_traceback(None)
        finally:
            self._tally.in_flight -= 1

    async def _rest(self, pause: float) -> bool:
        """Wait; False when the run ends meanwhile."""
        rest = Interruption()
        rest.enter()
        self._rests.add(rest)
        self._tally.waiting += 1
        try:
            if self.stopped is None:
                await self._clock.sleep(pause)
        except asyncio.CancelledError:
            if not rest.absorb():
                raise
        finally:
            rest.leave()
            self._rests.discard(rest)
            self._tally.waiting -= 1
        return self.stopped is None

    def _write(self, record: Record, *, bad: bool = False) -> None:
        self._output.append(record.data)
        self._tally.note(record, bad=bad)
        if record.error is None:
            self._stop_rule.answered()
        elif not bad and (why := self._stop_rule.failed(record.error)) is not None:
            self.stop(why)


def _first(many: BaseExceptionGroup[BaseException]) -> BaseException:
    found = many.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
