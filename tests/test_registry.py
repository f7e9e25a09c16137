"""Which kinds there are: ours and third parties' alike."""

from __future__ import annotations

import importlib.metadata
import logging
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import pytest

from lamellar import registry
from lamellar.errors import ConfigError
from lamellar.middleware import Retry
from lamellar.providers import OpenAI
from lamellar.registry import kinds, lookup, parse
from lamellar.spec import ExecutorSpec, LayerSpec
from lamellar.stack import Stack

GROUPS = {LayerSpec: "lamellar.layers", ExecutorSpec: "lamellar.executors"}
DECLARED = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["entry-points"]


class Shout(LayerSpec):
    """A third party's layer."""

    kind: ClassVar[str] = "shout"
    loud: bool = True

    def wrap(self, inner, context):
        return inner


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch):
    """Registers entry points besides the installed ones."""
    installed = importlib.metadata.entry_points

    def register(*points: tuple[str, str, str]) -> None:
        extra = [EntryPoint(*point) for point in points]

        def entry_points(*, group: str):
            return [*installed(group=group), *[each for each in extra if each.group == group]]

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
        registry._entry_points.cache_clear()

    yield register
    monkeypatch.undo()
    registry._entry_points.cache_clear()


@pytest.mark.parametrize("base", GROUPS)
def test_every_kind_that_is_declared_is_installed_and_says_its_own_name(base) -> None:
    assert set(DECLARED[GROUPS[base]]) == set(kinds(base))
    for kind in kinds(base):
        assert lookup(kind, base).kind == kind


def test_a_kind_is_a_layer_or_an_executor_never_both() -> None:
    assert not set(kinds(LayerSpec)) & set(kinds(ExecutorSpec))  # type: ignore[type-abstract]


def test_a_third_partys_layer_is_like_ours(plugins) -> None:
    plugins(("shout", f"{__name__}:Shout", "lamellar.layers"))
    stack = Stack.loads("layers: [shout: {loud: false}]\nexecutor: openai")
    assert stack.layers[0].model_dump() == {"loud": False}
    assert Stack.loads(stack.dump()) == stack


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no.such.module:X", "the plugin 'mine' (no.such.module:X) cannot be loaded: ModuleNotFoundError"),
        ("json:NoSuch", "the plugin 'mine' (json:NoSuch) cannot be loaded: AttributeError"),
        ("json:dumps", "the plugin 'mine' (json:dumps) is not a LayerSpec"),
        ("lamellar.providers:OpenAI", "the plugin 'mine' (lamellar.providers:OpenAI) is not a LayerSpec"),
    ],
)
def test_a_plugin_that_cannot_serve_is_named(plugins, value: str, said: str) -> None:
    plugins(("mine", value, "lamellar.layers"))
    with pytest.raises(ConfigError) as caught:
        parse("mine", LayerSpec)  # type: ignore[type-abstract]
    assert str(caught.value).startswith(said)
    assert "retry" in kinds(LayerSpec)  # type: ignore[type-abstract]


def test_of_two_plugins_of_one_name_the_first_is_used_and_a_warning_says_so(plugins, caplog) -> None:
    plugins(("retry", "json:dumps", "lamellar.layers"))
    with caplog.at_level(logging.WARNING, "lamellar.registry"):
        assert lookup("retry", LayerSpec) is Retry  # type: ignore[type-abstract]
    assert "two distributions register 'retry'" in caplog.text


def test_the_same_plugin_found_twice_is_no_reason_to_warn(plugins, caplog) -> None:
    plugins(("retry", "lamellar_middleware.retry:Retry", "lamellar.layers"))
    kinds(LayerSpec)  # type: ignore[type-abstract]
    assert not caplog.records


def test_what_is_parsed_already_is_itself() -> None:
    spec = OpenAI()
    assert parse(spec, ExecutorSpec) is spec  # type: ignore[type-abstract]
