"""The one interface, its bases, and walking a tree."""

from __future__ import annotations

import pytest

from lamellar.call import Outcome
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.executor import (
    CompositeExecutor,
    ExecutorWrapper,
    LlmExecutor,
    find,
    open_stream,
    respond,
    walk,
    when_finished,
)
from lamellar.source import Finish
from lamellar.testing import Hang, ScriptedExecutor, answer

REQUEST = ChatRequest.from_user("hi")
OPTIONS = ChatOptions(seed=1)


class First(CompositeExecutor):
    """A composite that asks its first target."""

    async def _exec(self, operation, model, chat_req, options):
        return await operation(self.targets[0], model, chat_req, options)


def leaf(name: str = "leaf") -> ScriptedExecutor:
    return ScriptedExecutor("a", "b", name=name)


# -- the interface ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [leaf, lambda: ExecutorWrapper(leaf()), lambda: First("first", (leaf(),))])
async def test_every_part_serves_both_calls_and_passes_all_on(make) -> None:
    part = make()
    assert isinstance(part, LlmExecutor)
    assert (await part.exec_chat_response("m", REQUEST, OPTIONS)).text == "a"
    async with await part.exec_chat_stream_events("m", REQUEST, OPTIONS) as events:
        assert [piece async for piece in events.text()] == ["b"]
    found = find(part, ScriptedExecutor)
    assert found is not None
    assert [(call.model, call.chat_req, call.options, call.streaming) for call in found.calls] == [
        ("m", REQUEST, OPTIONS, False),
        ("m", REQUEST, OPTIONS, True),
    ]


async def test_options_are_optional() -> None:
    inner = leaf()
    await ExecutorWrapper(inner).exec_chat_response("m", REQUEST)
    assert inner.calls[0].options is None


async def test_a_layer_may_override_one_of_the_two_calls() -> None:
    class Loud(ExecutorWrapper):
        async def exec_chat_response(self, model, chat_req, options=None):
            response = await super().exec_chat_response(model, chat_req, options)
            return response.model_copy(update={"model": "loud"})

    loud = Loud(leaf())
    assert (await loud.exec_chat_response("m", REQUEST)).model == "loud"
    assert (await (await loud.exec_chat_stream_events("m", REQUEST)).collect()).text == "b"


async def test_a_layer_may_override_both_at_once() -> None:
    class Renamed(ExecutorWrapper):
        async def _exec(self, operation, model, chat_req, options):
            return await super()._exec(operation, "other", chat_req, options)

    inner = leaf()
    layer = Renamed(inner)
    await layer.exec_chat_response("m", REQUEST)
    await (await layer.exec_chat_stream_events("m", REQUEST)).aclose()
    assert [call.model for call in inner.calls] == ["other", "other"]


def test_a_wrapper_forwards_nothing_by_magic() -> None:
    with pytest.raises(AttributeError):
        _ = ExecutorWrapper(leaf()).calls  # type: ignore[attr-defined]


@pytest.mark.parametrize("thing", [object(), "openai", None, 5, First])
def test_other_things_are_no_executors(thing: object) -> None:
    assert not isinstance(thing, LlmExecutor) or isinstance(thing, type)


# -- names and reprs -------------------------------------------------------------------------------------------------


def test_names() -> None:
    inner = leaf("mine")
    assert ExecutorWrapper(ExecutorWrapper(inner)).name == "mine"
    assert First("first", (inner,)).name == "first"


def test_reprs_show_the_tree() -> None:
    tree = ExecutorWrapper(First("first", (leaf("a"),)))
    assert repr(tree) == "ExecutorWrapper(First(ScriptedExecutor(name='a', calls=0)))"


# -- walking ---------------------------------------------------------------------------------------------------------


def test_a_tree_is_walked_outermost_first_and_in_order() -> None:
    a, b, c = leaf("a"), leaf("b"), leaf("c")
    inner = First("inner", (b, c))
    wrapped = ExecutorWrapper(inner)
    tree = First("outer", (a, wrapped))
    assert list(walk(tree)) == [tree, a, wrapped, inner, b, c]
    assert tree.children() == (a, wrapped)
    assert wrapped.children() == (inner,)


def test_finding_by_type() -> None:
    a, b = leaf("a"), leaf("b")
    inner = First("inner", (b,))
    tree = First("outer", (ExecutorWrapper(inner), a))
    assert tree.find(ScriptedExecutor) is b
    assert tree.find(First) is tree
    assert tree.find(ExecutorWrapper) is tree.targets[0]
    assert tree.find(dict) is None
    assert find(a, ScriptedExecutor) is a


def test_what_is_no_executor_is_not_walked() -> None:
    assert list(walk("nothing")) == []
    assert find(object(), object) is None


def test_an_executor_of_a_users_own_may_say_what_is_inside_it() -> None:
    class Theirs:
        name = "theirs"

        def __init__(self) -> None:
            self.inside = leaf()

        def children(self):
            return (self.inside,)

        async def exec_chat_response(self, model, chat_req, options=None):
            raise NotImplementedError

        async def exec_chat_stream_events(self, model, chat_req, options=None):
            raise NotImplementedError

    theirs = Theirs()
    assert list(walk(ExecutorWrapper(theirs)))[1:] == [theirs, theirs.inside]


# -- operations ------------------------------------------------------------------------------------------------------


async def test_opening_a_stream_waits_for_its_commit_point() -> None:
    reached: list[str] = []

    async def note() -> None:
        reached.append("committed")

    stream = await open_stream(ScriptedExecutor([note, *answer("a").steps]), "m", REQUEST, None)
    assert reached == ["committed"]
    await stream.aclose()


async def test_when_finished_is_now_for_an_answer_and_at_its_end_for_a_stream() -> None:
    seen: list[Finish] = []
    inner = ScriptedExecutor("a", [*answer("b").steps[:1], Hang()])
    when_finished(await respond(inner, "m", REQUEST, None), seen.append)
    assert [finish.outcome for finish in seen] == [Outcome.COMPLETED]
    stream = await open_stream(inner, "m", REQUEST, None)
    when_finished(stream, seen.append)
    assert len(seen) == 1
    await stream.aclose()
    assert [finish.outcome for finish in seen] == [Outcome.COMPLETED, Outcome.ABANDONED]
