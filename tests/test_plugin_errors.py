"""What goes wrong in the code of a plugin is told with its name; what goes wrong in ours is not hidden."""

from __future__ import annotations

import json
import logging
import os
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import DRIVER, lamellar

from lamellar.errors import ConfigError
from lamellar.middleware import Fallback, Retry
from lamellar.providers import OpenAI
from lamellar.spec import LayerSpec
from lamellar.stack import Stack

HOOKS = {
    "checked": "@field_validator('loud')\n@classmethod\ndef checked(cls, value): return {}['validated']",
    "bounded": "def bounded(self, inner, where): return {}['bounded']",
    "limits_below": "def limits_below(self, limits): return {}['limits_below']",
    "standing": "def standing(self): return {}['standing']",
    "children": "def children(self): return {}['children']",
    "identity": "def identity(self): return {}['identity']",
    "wrap": "def wrap(self, inner, context): return helped()['wrap']",
    "odd": "odd: Odd = Odd()",
}

PLUGIN = """
from typing import Any, ClassVar
from lamellar import LayerSpec
from pydantic import field_validator

def helped(): return {{}}

class Odd: ...

class {name}(LayerSpec):
    \"\"\"Break in `{hook}`.\"\"\"

    kind: ClassVar[str] = "{kind}"
    asks_once: ClassVar[bool] = True
    model_config = {{"arbitrary_types_allowed": True}}
    loud: bool = True

    def wrap(self, inner, context): return inner

{body}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A distribution with one broken layer for each hook."""
    folder = tmp_path_factory.mktemp("plugins")
    metadata = folder / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    points = "".join(f"bad_{hook} = acme_{hook}:Bad\n" for hook in HOOKS)
    (metadata / "entry_points.txt").write_text(f"[lamellar.layers]\n{points}")
    for hook, body in HOOKS.items():
        code = PLUGIN.format(name="Bad", hook=hook, kind=f"bad_{hook}", body=textwrap.indent(body, "    "))
        (folder / f"acme_{hook}.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def run(environment: dict[str, str], *commands: list[object]) -> list[tuple[int, str, str]]:
    said = json.dumps([list(map(str, each)) for each in commands]).encode()
    result = lamellar(script=DRIVER, stdin=said, env={**environment, "OPENAI_API_KEY": "k"})
    found: list[tuple[int, str, str]] = result.json
    return found


@pytest.mark.parametrize(
    ("hook", "commands"),
    [
        ("checked", ["check", "graph", "chat"]),
        ("bounded", ["check"]),
        ("limits_below", ["check"]),
        ("standing", ["check"]),
        ("children", ["graph"]),
        ("identity", ["batch"]),
        ("wrap", ["chat", "batch"]),
    ],
)
def test_no_command_ends_in_a_traceback(
    environment: dict[str, str], tmp_path: Path, hook: str, commands: list[str]
) -> None:
    file, questions = tmp_path / "stack.yaml", tmp_path / "in.jsonl"
    file.write_text(f"layers: [retry, bad_{hook}: {{loud: true}}]\nexecutor: {{fallback: {{targets: [openai]}}}}\n")
    questions.write_text('{"prompt": "a"}\n')
    full: dict[str, list[object]] = {
        "check": ["check", file],
        "graph": ["graph", file],
        "chat": ["chat", "-c", file, "-m", "m", "hi"],
        "batch": ["batch", questions, tmp_path / "out.jsonl", "-c", file, "-m", "m"],
    }
    for code, _, err in run(environment, *[full[name] for name in commands]):
        assert code == 2
        assert f"the layer 'bad_{hook}' (acme_{hook}:Bad, of acme 1.0) failed in `" in err
        assert f"KeyError: '{'validated' if hook == 'checked' else hook}'" in err
        assert "mend its code, or take it out of the stack" in err


def test_a_plugin_without_a_schema_costs_the_others_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    schema, init, listed = run(environment, ["schema"], ["init", tmp_path / "stack.yaml"], ["plugins"])
    assert (schema[0], init[0], listed[0]) == (0, 0, 0)
    found = json.loads(schema[1])
    layers: dict[str, Any] = found["$defs"]["layer"]["anyOf"][-2]["properties"]
    assert layers["bad_odd"] == {"description": "Break in `odd`."}
    assert layers["retry"]["anyOf"][0] == {"$ref": "#/$defs/Retry"}
    assert "bad_wrap" in layers
    assert json.loads((tmp_path / "lamellar.schema.json").read_text()) == found


def test_the_schema_warns_of_it_by_name(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from lamellar import registry

    monkeypatch.syspath_prepend(environment["PYTHONPATH"].split(os.pathsep)[0])
    registry._everything.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, "lamellar.schema"):
            Stack.json_schema()
    finally:
        registry._everything.cache_clear()
    told = [record.getMessage() for record in caplog.records]
    assert [each.partition(" cannot be told")[0] for each in told if "bad_odd" in each] == [
        "the options of 'bad_odd' (acme_odd:Bad, of acme 1.0)"
    ]


class Broken(LayerSpec):
    """A layer in code, which nobody has registered."""

    def wrap(self, inner, context):
        raise KeyError("broken")


class Silent(LayerSpec):
    """A layer whose bounds were forgotten."""

    def bounded(self, inner, where):
        inner.times(2)

    def wrap(self, inner, context):
        return inner


def test_the_cause_is_kept_and_a_layer_of_ones_own_is_named_by_its_class() -> None:
    stack = Stack(Retry(), Fallback(Stack(Broken(), OpenAI(api_key="k"))))
    with pytest.raises(ConfigError, match=rf"the layer 'broken' \({__name__}:Broken\) failed in `wrap`") as caught:
        stack.build()
    assert isinstance(caught.value.__cause__, KeyError)


def test_bounds_that_are_none_are_told_as_a_missing_return() -> None:
    with pytest.raises(ConfigError, match="bounded returned NoneType, and Bounds is expected"):
        Stack(Silent(), OpenAI()).bounds()


def test_a_bug_of_ours_looks_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrap(self: Retry, inner: object, context: object) -> object:
        raise KeyError("ours")

    monkeypatch.setattr(Retry, "wrap", wrap)
    with pytest.raises(KeyError, match="ours"):
        Stack(Silent(), Retry(), OpenAI(api_key="k")).build()
