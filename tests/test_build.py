"""What specs are built with: what is shared by name, and what a layer is told of its inside."""

import pytest

from lamellar import ConfigError, ExecutorWrapper, LayerSpec, Stack
from lamellar.build import BuildContext
from lamellar.clock import LoopClock
from lamellar.middleware import Retry, Timeout
from lamellar.testing import ScriptedExecutor


class Looker(LayerSpec):
    kind = "looker"

    name: str = "looker"

    def wrap(self, inner, context):
        seen[self.name] = tuple(type(spec).__name__ for spec in context.below)
        return ExecutorWrapper(inner)


class Sharer(LayerSpec):
    kind = "sharer"

    name: str

    def wrap(self, inner, context):
        wrapper = ExecutorWrapper(inner)
        wrapper.held = context.share(self.name, list, list)
        return wrapper


seen: dict[str, tuple[str, ...]] = {}


def test_a_layer_is_told_what_stands_inside_it():
    Stack(Looker(name="outer"), Retry(), Looker(name="inner"), Timeout(), ScriptedExecutor()).build()
    assert seen == {"outer": ("Retry", "Looker", "Timeout", "Given"), "inner": ("Timeout", "Given")}


def held(stack, **build):
    return stack.build(**build).inner.held


def test_what_is_shared_by_name_is_made_once():
    both = Stack(Sharer(name="a"), Sharer(name="a"), ScriptedExecutor()).build()
    assert both.inner.held is both.inner.inner.held
    stack, shared = Stack(Sharer(name="a"), ScriptedExecutor()), {}
    first = held(stack, shared=shared)
    assert held(stack, shared=shared) is first is shared["a"]
    assert held(stack) is not first
    given = ["mine"]
    assert held(stack, shared={"a": given}) is given


def test_one_name_for_two_kinds_of_thing_is_refused():
    context = BuildContext(LoopClock(), None, shared={"a": {}})
    with pytest.raises(ConfigError, match="'a' is shared as dict, and list is expected"):
        context.share("a", list, list)
