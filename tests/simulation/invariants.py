"""What holds after every case, whatever the stack."""

from __future__ import annotations

from collections.abc import Iterator

from lamellar import End, LamellarError, Outcome, Restart, Stack, Start, StreamInterruptedError
from lamellar.chat.content import reasoning_of, text_of
from lamellar.chat.events import Progress
from lamellar.errors import StreamClosedError
from lamellar.executor import walk
from lamellar.middleware import SimulateStream
from lamellar.root import StackExecutor
from lamellar_middleware.rate_limit.executor import RateLimitExecutor

from .consumers import Consumer
from .stacks import attempts_bound, every, hedges, total_bound
from .world import Invariant, World, plain

__all__ = ["BUSY", "busy", "judge", "judge_remains"]

BUSY = ("in_use", "queued", "pending", "racing", "reserved", "probes", "calls", "streams")
"""What is counted while it is under way, in `StackExecutor.snapshot()`: nothing of it is left after the last call."""

RECORDED = "A recorded answer."
"""What Replay says."""

_SLACK = 0.06
"""Seconds by which a bound is enforced late, so that an attempt's own limit comes first (documented as 0.05)."""

_HEDGE_GRACE = 0.1
"""Seconds that a hedge waits for those it has canceled."""


def judge(consumer: Consumer, stack: Stack, world: World, *, closed: bool) -> None:
    """Judge what one consumer saw."""
    for found in (_outcome, _order, _answer, _interruption, _attempts, _deadline):
        for invariant, said in found(consumer, stack, world):
            world.complain(invariant, f"consumer {consumer.plan.number} ({consumer.plan.way}) {said}")
    _count(consumer, world)
    if consumer.gave_up and (closed or consumer.canceled or consumer.closed):
        world.complain(Invariant.NO_HANG, f"consumer {consumer.plan.number} waits on, although it was told to stop")


def _count(consumer: Consumer, world: World) -> None:
    deeds = world.deeds
    deeds.update(f"outcome {each}" for each in consumer.outcomes)
    deeds["restart"] += sum(isinstance(each, Restart) for each in consumer.events)
    deeds["cached"] += sum(isinstance(each, Start) and each.cached for each in consumer.events)
    deeds["whole answer"] += consumer.answer is not None
    deeds["canceled"] += consumer.canceled
    deeds["closed from elsewhere"] += consumer.closed
    deeds["gave up"] += consumer.gave_up
    deeds.update(f"attempt {each.outcome}" for each in consumer.attempts or ())
    if consumer.failure is not None:
        deeds[f"{consumer.failure.type.__name__}: {consumer.failure.kind}"] += 1


Found = Iterator[tuple[Invariant, str]]


def _outcome(consumer: Consumer, stack: Stack, world: World) -> Found:
    outcomes, failure = consumer.outcomes, consumer.failure
    if not consumer.opened:
        if outcomes:
            yield Invariant.ONE_OUTCOME, f"has no stream, and outcomes {outcomes}"
        return
    if consumer.plan.way != "drop" and len(outcomes) != 1:
        yield Invariant.ONE_OUTCOME, f"has a stream with outcomes {outcomes}"
        return
    if failure is None or consumer.plan.way == "text":
        return
    if not issubclass(failure.type, StreamClosedError) and outcomes != [Outcome.FAILED]:
        yield Invariant.ONE_OUTCOME, f"was told {failure}, and the outcome is {outcomes}"


def _order(consumer: Consumer, stack: Stack, world: World) -> Found:
    events = consumer.events
    if not events:
        return
    if not isinstance(events[0], Start) or sum(isinstance(each, Start) for each in events) > 1:
        yield Invariant.ORDER, f"reads {events}"
    if any(isinstance(each, End) for each in events[:-1]):
        yield Invariant.ORDER, f"reads on after the end: {events}"
    if any(isinstance(each, Progress) or getattr(each, "content", None) == "" for each in events):
        yield Invariant.ORDER, f"reads what says nothing: {events}"
    completed = consumer.outcomes == [Outcome.COMPLETED]
    if completed != isinstance(events[-1], End) and consumer.plan.way not in ("drop", "text"):
        yield Invariant.ORDER, f"reads {events[-1]} last, and the outcome is {consumer.outcomes}"


def _answer(consumer: Consumer, stack: Stack, world: World) -> Found:
    held, events = consumer.held, consumer.events
    known = world.whole | _other_answers(stack)
    if consumer.answer is not None and plain(consumer.answer) not in known:
        yield Invariant.ONE_ANSWER, f"got {consumer.answer!r}, of {known}"
    if events and isinstance(end := events[-1], End):
        if plain(held.text) not in known:
            yield Invariant.ONE_ANSWER, f"holds {held.text!r}, of {known}"
        content = end.content or ()
        if text_of(content) != held.text or (reasoning_of(content) or "") != held.reasoning:
            yield Invariant.ONE_ANSWER, f"holds {held}, and the end says {content}"
        if len(end.tool_calls) != held.calls:
            yield Invariant.ONE_ANSWER, f"holds {held}, and the end says {end.tool_calls}"
    elif held.text and not set("<[") & set(held.text):
        texts = [*world.begun, *known]
        if not any(text.startswith(plain(held.text)) for text in texts):
            yield Invariant.ONE_ANSWER, f"holds {held.text!r}, which nobody began"


def _interruption(consumer: Consumer, stack: Stack, world: World) -> Found:
    failure = consumer.failure
    if failure is None:
        return
    if not issubclass(failure.type, LamellarError):
        yield Invariant.OWN_ERRORS, f"was told {failure}"
    if not issubclass(failure.type, StreamInterruptedError) or consumer.plan.way == "text":
        return
    if not consumer.opened and failure.partial:
        yield Invariant.ONE_ANSWER, f"was told of a part {failure.partial!r} that was never delivered"
    if not consumer.opened and failure.type is StreamInterruptedError:
        yield Invariant.ORDER, f"was told of a break before anything was delivered: {failure}"
    if consumer.events and failure.partial != consumer.held.text:
        yield Invariant.ONE_ANSWER, f"was told of the part {failure.partial!r}, and holds {consumer.held.text!r}"
    if consumer.opened and any(failure.judged):
        yield Invariant.ONE_OUTCOME, f"was told that the call may be made again: {failure}"


def _attempts(consumer: Consumer, stack: Stack, world: World) -> Found:
    bound = attempts_bound(stack)
    asked = [call for call in world.target_calls if call.call == consumer.plan.number]
    if len(asked) > bound:
        yield Invariant.ATTEMPTS, f"asked targets {len(asked)} times, {bound} at most"
    attempts = consumer.attempts
    if attempts is None or (consumer.failure is not None and not attempts and not asked):
        return
    kinds = _kinds(stack)
    if [each.number for each in attempts] != list(range(1, len(attempts) + 1)):
        yield Invariant.ATTEMPTS, f"has a record that is out of order: {attempts}"
    if "cache" not in kinds and len(attempts) > bound:
        yield Invariant.ATTEMPTS, f"has {len(attempts)} attempts on record, {bound} at most"
    if not {"cache", "chaos", "replay"} & kinds and len(asked) > len(attempts):
        yield Invariant.ATTEMPTS, f"asked {len(asked)} times, and has {len(attempts)} attempts on record"
    for each in attempts:
        if each.outcome is None and "cache" not in kinds and consumer.plan.way not in ("drop", "text"):
            yield Invariant.ATTEMPTS, f"has an open record: {each}"
        if each.code == "unexpected_exception" and "somebody else's" not in (each.message or ""):
            yield Invariant.OWN_ERRORS, f"met an error that nobody raised on purpose: {each.message}"
        if each.outcome is Outcome.FAILED and each.kind is None and "replay" not in kinds:
            yield Invariant.ATTEMPTS, f"has a failure without a kind: {each}"


def _deadline(consumer: Consumer, stack: Stack, world: World) -> Found:
    if any(isinstance(each, SimulateStream) and each.delay for each in every(stack)):
        return  # the answer is whole, and is told at leisure: no limit takes it back
    bounds = [each for each in (consumer.plan.call.timeout, total_bound(stack)) if each is not None]
    if bounds and consumer.waited > (allowed := min(map(float, bounds)) + _SLACK + _HEDGE_GRACE * hedges(stack)):
        yield Invariant.DEADLINE, f"waited {consumer.waited:.3f} s, {allowed:.3f} s at most"


# -- what is left ------------------------------------------------------------------------------------------------------


def judge_remains(executor: StackExecutor, world: World) -> None:
    """Judge what is left after the last call."""
    for call in world.target_calls:
        if call.running:
            world.complain(Invariant.TARGETS, f"#{call.number} at {call.target} is still running")
        if call.opened and len(call.outcomes) != 1:
            world.complain(Invariant.TARGETS, f"the stream #{call.number} at {call.target} ended as {call.outcomes}")
    for place, state in executor.snapshot().items():
        for name in busy(state):
            world.complain(Invariant.LEAKS, f"{place}.{name} in {state}")
    for each in walk(executor):
        if isinstance(each, RateLimitExecutor):  # its queue is no part of the snapshot
            queues = {label: levels for label, levels in each.limiter.levels().items() if levels["waiting"]}
            if queues:
                world.complain(Invariant.LEAKS, f"callers in the queues of a rate limit: {queues}")
    if world.spans.open:
        world.complain(Invariant.SPANS, f"open: {sorted(world.spans.open.values())}")
    if world.spans.twice:
        world.complain(Invariant.SPANS, f"ended twice: {world.spans.twice}")


def busy(state: object, path: str = "") -> Iterator[str]:
    """The names of what is under way by this state; a breaker's and a hedge's `calls` are totals."""
    if not isinstance(state, dict):
        return
    for name, value in state.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, dict):
            yield from busy(value, here)
        elif name in BUSY and value and not (name == "calls" and path):
            yield here


def _kinds(stack: Stack) -> frozenset[str]:
    return frozenset(each.kind for each in every(stack))


def _other_answers(stack: Stack) -> set[str]:
    """Answers that no simulated target gave."""
    kinds = _kinds(stack)
    found = set()
    if "chaos" in kinds:
        found.add("")
    if "replay" in kinds:
        found.add(plain(RECORDED))
    return found
