"""One case: a stack, its consumers and perhaps a closer, run in virtual time and judged."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

from lamellar import Stack
from lamellar.middleware import Chaos
from lamellar.root import StackExecutor
from lamellar.testing import run_virtual

from .consumers import Consumer, Plan, random_plans
from .invariants import busy, judge, judge_remains
from .stacks import every, random_stack, smaller
from .world import Complaint, Invariant, World

__all__ = ["Case", "quiet_collector"]

PATIENCE = 10_000.0
"""Seconds after which a consumer that waits for a silent target gives up."""


@dataclass(frozen=True)
class Case:
    """One case; a seed makes the same one again.

    Args:
        seed: What it is made of.
        plans: The consumers.
        closes_at: Seconds after which the executor is closed in the middle of it all; None is at the end.
        grace: Seconds of grace then.
        cassette: The file that Replay answers from.
        without: The way to a smaller stack than the seed's: which of the smaller ones, again and again.
    """

    seed: int
    plans: tuple[Plan, ...]
    closes_at: float | None
    grace: float
    cassette: str
    without: tuple[int, ...] = ()

    @classmethod
    def of(cls, seed: int, cassette: str) -> Case:
        rng = Random(f"case {seed}")
        closes_at = rng.choice((None,) * 18 + (1.5, 4, 9))
        return cls(seed, random_plans(seed), closes_at, rng.choice((0, 0, 1, 5)), cassette)

    def stack(self, world: World) -> Stack:
        """The stack of this case, its targets in this world."""
        stack = random_stack(self.seed, world)
        for place in self.without:
            stack = list(smaller(stack))[place]
        return stack

    def run(self) -> World:
        """Run it and judge it; the world tells what was wrong."""
        world = World(self.cassette)
        with world.listening(), _unraisable(world):
            run_virtual(self._run(world))
            gc.collect()
        return world

    async def _run(self, world: World) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, found: _complain_of(world, found))
        stack = self.stack(world)
        world.stack = stack
        executor = stack.build(rng=Random(self.seed), shared={})
        consumers = [Consumer(plan, executor, world) for plan in self.plans]
        before = asyncio.all_tasks()
        await self._play(executor, consumers, world)
        for consumer in consumers:
            judge(consumer, stack, world, closed=self.closes_at is not None)
        del consumers
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)
        judge_remains(executor, world)
        await executor.aclose()
        await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() - before if not task.done()]
        if left:
            world.complain(Invariant.LEAKS, f"tasks: {left}")
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        if timers:
            world.complain(Invariant.LEAKS, f"timers: {timers}")

    async def _play(self, executor: StackExecutor, consumers: list[Consumer], world: World) -> None:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(consumer.run()) for consumer in consumers]
        others = [loop.create_task(consumer.strike(task)) for consumer, task in zip(consumers, tasks, strict=True)]
        others.append(loop.create_task(_look(executor, world)))
        if self.closes_at is not None:
            others.append(loop.create_task(self._close(executor, world)))
        _, waiting = await asyncio.wait(tasks, timeout=PATIENCE)
        for consumer, task in zip(consumers, tasks, strict=True):
            if task in waiting:
                consumer.gave_up = True
                world.tell(f"consumer {consumer.plan.number} gives up")
        hung = [call for call in world.target_calls if call.hangs]
        for task in waiting:
            task.cancel()
        if waiting:
            if not hung and not _may_fall_silent(world):
                world.complain(Invariant.NO_HANG, "somebody waits, and no target is silent")
            await asyncio.wait(waiting, timeout=PATIENCE)
        await asyncio.wait(others, timeout=PATIENCE)
        for consumer, task in zip(consumers, tasks, strict=True):
            _judge_task(consumer, task, world)
        for other in others:
            if not other.done():
                world.complain(Invariant.NO_HANG, "a close does not come to its end")
                other.cancel()
            elif other.exception() is not None:
                world.complain(Invariant.OWN_ERRORS, f"closing raised {other.exception()!r}")

    async def _close(self, executor: StackExecutor, world: World) -> None:
        await asyncio.sleep(self.closes_at or 0)
        world.tell(f"the executor is closed, with {self.grace:g} s of grace")
        await executor.aclose(grace=self.grace)
        world.tell("the executor is closed now")

    # -- smaller cases ------------------------------------------------------------------------------------------

    def smallest(self, complaint: Complaint) -> Case:
        """A case that is as small as it gets and breaks the same invariant."""
        case = self
        while True:
            found = next((each for each in case._smaller() if each._breaks(complaint.invariant)), None)
            if found is None:
                return case
            case = found

    def _breaks(self, invariant: Invariant) -> bool:
        try:
            return any(each.invariant is invariant for each in self.run().complaints)
        except Exception:  # it cannot be built
            return False

    def _smaller(self) -> Iterator[Case]:
        for place in range(len(self.plans)):
            yield replace(self, plans=(*self.plans[:place], *self.plans[place + 1 :]))
        if self.closes_at is not None:
            yield replace(self, closes_at=None)
        for place in range(len(list(smaller(self.stack(World(self.cassette)))))):
            yield replace(self, without=(*self.without, place))


async def _look(executor: StackExecutor, world: World) -> None:
    """See what is under way now and then: where nothing ever were, that nothing is left would say little."""
    for moment in (0.7, 1.8, 4.1):
        await asyncio.sleep(moment)
        for state in executor.snapshot().values():
            world.deeds.update(f"busy {name.rpartition('.')[2]}" for name in busy(state))


def _may_fall_silent(world: World) -> bool:
    """Whether a plate of the stack makes silences of its own."""
    return world.stack is not None and any(isinstance(each, Chaos) for each in every(world.stack))


def _judge_task(consumer: Consumer, task: asyncio.Task[None], world: World) -> None:
    who = f"consumer {consumer.plan.number}"
    if not task.done():
        world.complain(Invariant.CANCELLATION, f"{who} cannot be canceled")
    elif task.cancelled():
        if not (consumer.canceled or consumer.gave_up):
            world.complain(Invariant.CANCELLATION, f"{who} was canceled by nobody")
    elif task.exception() is not None:
        world.complain(Invariant.OWN_ERRORS, f"{who} was told {task.exception()!r}")
    elif consumer.canceled or consumer.gave_up:
        world.complain(Invariant.CANCELLATION, f"{who} was canceled, and its call goes on to its end")


def _complain_of(world: World, found: dict[str, object]) -> None:
    world.complain(Invariant.SILENCE, f"the loop says: {found.get('message')} {found.get('exception')!r}")


@contextmanager
def _unraisable(world: World) -> Iterator[None]:
    """Complain of what is raised where nobody can be told, and of warnings."""

    def hook(found: sys.UnraisableHookArgs) -> None:
        world.complaints.append(Complaint(Invariant.SILENCE, f"unraisable: {found.exc_value!r} in {found.object!r}"))

    was, sys.unraisablehook = sys.unraisablehook, hook
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        sys.unraisablehook = was


@contextmanager
def quiet_collector() -> Iterator[None]:
    """The garbage collector runs where a case says so, and looks at what the cases made alone."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()  # what was frozen stays so: the whole suite keeps what it has collected out of the way
