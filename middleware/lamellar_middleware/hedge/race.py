"""One call, and the targets that race for its answer.

Each racer runs in a task of its own, in a branch of the call's scope, so that what it notes of its tries is not taken
for another's. The caller's task waits for them, and holds a winner's stream afterwards: a stream is bound to a task
only while it is being read. A call does not end before its racers have, but for one that does not let itself be
cancelled: the winner waits for it a moment, and then no longer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic

from lamellar.decisive import decisive
from lamellar.errors import ExecutorError, LamellarError, RejectedError
from lamellar.executor import ResultT, discard, respond

from ..targets import Question, grant

if TYPE_CHECKING:
    from lamellar.scope import CallScope
    from lamellar.target import TargetExecutor

    from .executor import HedgeExecutor

__all__ = ["Race"]

_GRACE = 0.1
"""Seconds that a cancelled racer is waited for. It takes a few turns of the loop, unless its leaf resists."""


class _Racer(Generic[ResultT]):
    """One target at work."""

    __slots__ = ("began", "hedge", "place", "scope", "target", "task")

    def __init__(
        self,
        target: TargetExecutor,
        place: int,
        scope: CallScope | None,
        task: asyncio.Task[ResultT | ExecutorError | RejectedError],
        began: float,
        hedge: bool,
    ) -> None:
        self.target = target
        self.place = place
        self.scope = scope
        self.task = task
        self.began = began
        self.hedge = hedge


class Race(Generic[ResultT]):
    """One call.

    Args:
        layer: The composite.
        question: The call.
        targets: The targets, the primary first.
        hedged: Whether a target may be asked while another is at work.
    """

    __slots__ = (
        "_errors",
        "_finished",
        "_hedged",
        "_layer",
        "_left",
        "_losers",
        "_places",
        "_question",
        "_racers",
        "_woken",
    )

    def __init__(
        self, layer: HedgeExecutor, question: Question[ResultT], targets: tuple[TargetExecutor, ...], *, hedged: bool
    ) -> None:
        self._layer = layer
        self._question = question
        self._hedged = hedged
        self._places = {target: place for place, target in enumerate(targets)}
        self._left = list(targets)
        self._racers: list[_Racer[ResultT]] = []
        self._losers: list[_Racer[ResultT]] = []
        self._finished: list[_Racer[ResultT]] = []
        self._errors: list[LamellarError] = []
        self._woken: asyncio.Future[None] | None = None

    async def answer(self) -> ResultT:
        """The first answer.

        Raises:
            LamellarError: The error that decides, when no target has an answer.
        """
        outcome: ResultT | None = None
        handed_over = False
        try:
            outcome = await self._first()
            await self._end_the_others()
            handed_over = True
            return outcome
        except (Exception, asyncio.CancelledError):
            await self._end_the_others()
            raise
        finally:
            self._cancel()
            if outcome is not None and not handed_over:
                discard(outcome)
            self._join()
            # An error's traceback holds this frame: what the frame holds would live as long as anyone keeps the error.
            self._errors.clear()
            self._losers.clear()
            self._finished.clear()
            outcome = None

    async def _first(self) -> ResultT:
        """The answer of whoever has one first; the others are still at work."""
        outcome: ResultT | ExecutorError | RejectedError | None = None
        racer: _Racer[ResultT] | None = None
        try:
            self._begin(hedge=False)
            while True:
                for racer in [each for each in self._racers if each.task.done()]:
                    outcome = self._take(racer)
                    if not isinstance(outcome, LamellarError):
                        self._note_winner(racer)
                        return outcome
                    if self._ends_with(racer, outcome):
                        raise outcome
                if not self._racers:
                    if not self._left:
                        raise decisive(self._errors)
                    self._begin(hedge=False)
                await self._until_something_happens()
        finally:
            outcome = racer = None

    # -- who is at work -----------------------------------------------------------------------------------------

    def _begin(self, *, hedge: bool) -> None:
        """The next target sets out."""
        target = self._left.pop(0)
        scope = self._view(target)
        task = asyncio.get_running_loop().create_task(self._question.ask(target, scope))
        self._racers.append(_Racer(target, self._places[target], scope, task, self._layer.clock.now(), hedge))
        self._layer.racing.add(task)
        task.add_done_callback(self._layer.racing.discard)
        task.add_done_callback(self._wake)

    def _view(self, target: TargetExecutor) -> CallScope | None:
        scope = self._question.scope
        if scope is None:
            return None
        place = self._places[target]
        view = scope.branch()
        if place or scope.observer is not None:
            view = view.at_target(place, primary=place == 0)
        # One after the other, each leaves time for those after it; at the same time nobody has to.
        return view if self._hedged else grant(view, len(self._left))

    def _take(self, racer: _Racer[ResultT]) -> ResultT | ExecutorError | RejectedError:
        """The outcome of a racer that is done; what is no outcome is raised."""
        self._racers.remove(racer)
        self._finished.append(racer)
        return racer.task.result()

    def _note_winner(self, racer: _Racer[ResultT]) -> None:
        layer = self._layer
        if racer.hedge:
            layer.won()
        if not self._hedged or not layer.delays.learns:
            return
        streaming = self._question.operation is not respond
        for each in (racer, *self._racers):
            if each.place == 0:
                layer.delays.seen(layer.clock.now() - each.began, streaming=streaming)

    def _ends_with(self, racer: _Racer[ResultT], error: ExecutorError | RejectedError) -> bool:
        """Whether this error of a racer is the call's; if not, who may come after it is known now."""
        if self._question.goes_on(error, self._layer.spec.rules):
            self._left = self._question.better(self._left, racer.target, error)
        elif racer.place == 0:
            return True  # as it would be without a hedge
        else:
            self._left = []  # this target says that no other would do better, but those at work may know better
        self._errors.append(error)
        return False

    # -- waiting ------------------------------------------------------------------------------------------------

    async def _until_something_happens(self) -> None:
        """A racer is done, or the next target's time has come, and it sets out."""
        clock = self._layer.clock
        due = self._due()
        self._woken = asyncio.get_running_loop().create_future()
        handle = clock.call_at(due, self._wake) if due is not None else None
        try:
            await self._woken
        finally:
            self._woken = None
            if handle is not None:
                handle.cancel()
        if due is None or clock.now() < due or any(each.task.done() for each in self._racers):
            return
        if self._layer.affords():
            scope = self._question.scope
            if scope is not None:
                scope.note("lamellar.hedge.fired", True)
            self._begin(hedge=True)
        else:
            self._hedged = False  # the budget is spent, and this call goes on as it would without

    def _due(self) -> float | None:
        """When the next target is to set out, whatever the others do; None when none is."""
        if not self._hedged or not self._left or len(self._racers) >= self._layer.spec.max_parallel:
            return None
        streaming = self._question.operation is not respond
        return self._racers[-1].began + self._layer.delays.delay(streaming=streaming)

    def _wake(self, _: object = None) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    # -- the end ------------------------------------------------------------------------------------------------

    def _cancel(self) -> None:
        """Nobody wants the answers of those that are still at work. Each is told so once."""
        for racer in self._racers:
            if racer.task.done():
                _drop(racer.task)
            else:
                racer.task.cancel()
                racer.task.add_done_callback(_drop)
        self._losers += self._racers
        self._racers = []

    async def _end_the_others(self) -> None:
        """Cancel those that are still at work, and wait until they have ended."""
        self._cancel()
        tasks = [racer.task for racer in self._losers if not racer.task.done()]
        if not tasks:
            return
        limit = self._layer.clock.timeout_at(self._layer.clock.now() + _GRACE)
        try:
            async with limit:
                await asyncio.wait(tasks)
        except TimeoutError:
            if not limit.expired:
                raise

    def _join(self) -> None:
        """The call's record rests on the last racer that was done: the winner, or the last to fail."""
        scope = self._question.scope
        if scope is not None:
            scope.join([racer.scope for racer in (*self._losers, *self._finished) if racer.scope is not None])


def _drop(task: asyncio.Task[ResultT | ExecutorError | RejectedError]) -> None:
    """A racer that nobody waits for has ended: its answer is not wanted, and its error is nobody's."""
    if not task.cancelled() and task.exception() is None:
        outcome = task.result()
        if not isinstance(outcome, LamellarError):
            discard(outcome)
