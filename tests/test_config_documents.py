"""Several stacks a document: names, `use`, `include`, and where what is wrong with them is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lamellar.errors import ConfigError
from lamellar.middleware import Fallback, Retry, Route, Timeout
from lamellar.providers import OpenAI
from lamellar.stack import Stack
from lamellar.target import Target

SEVERAL = """
version: 1
default: main
stacks:
  careful:
    layers: [{retry: {attempts: 5}}, timeout]
  base:
    layers: [{use: careful}]
    executor: {openai: {verify: false}}
  main:
    layers: [{timeout: {total: 5m}}]
    executor: {use: base}
  spread:
    executor:
      fallback:
        targets:
          - {use: base}
          - {model: other, layers: [retry, {use: careful}], executor: {use: base}}
  routed:
    executor: {route: {routes: {fast: {use: base}}, default: {use: main}}}
"""
CAREFUL = (Retry(attempts=5), Timeout())
BASE = Stack(*CAREFUL, OpenAI(verify=False))
MAIN = Stack(Timeout(total=300), BASE)


def write(folder: Path, **files: str) -> Path:
    """Files by name, `_` for the dot; the first of them."""
    paths = [folder / name.replace("_", ".") for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths[0]


def problems(text: str, format_: str = "yaml") -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        Stack.loads(text, format_)  # type: ignore[arg-type]
    return caught.value.problems


# -- one of several --------------------------------------------------------------------------------------------------


def test_a_stack_is_taken_by_name_or_by_default(tmp_path: Path) -> None:
    file = write(tmp_path, s_yaml=SEVERAL)
    assert Stack.load(file) == Stack.load(file, "main") == Stack.loads(SEVERAL, name="main") == MAIN
    assert Stack.load(file, "base") == BASE


def test_all_stacks_are_had_by_name_and_groups_of_layers_are_none(tmp_path: Path) -> None:
    assert list(Stack.load_all(write(tmp_path, s_yaml=SEVERAL))) == ["base", "main", "spread", "routed"]
    assert Stack.load_all(write(tmp_path, t_yaml="executor: openai")) == {"default": Stack(OpenAI())}


def test_the_only_stack_needs_no_default() -> None:
    text = "stacks: {group: {layers: [retry]}, one: {layers: [{use: group}], executor: openai}}"
    assert Stack.loads(text) == Stack(Retry(), OpenAI())


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("stacks: {a: {executor: openai}, b: {executor: openai}}", None, "several stacks (a, b); name one, or write"),
        (SEVERAL, "mian", "there is no stack 'mian'; did you mean 'main'?"),
        (SEVERAL, "careful", "'careful' is a group of layers; a stack has an `executor:`"),
        ("executor: openai", "main", "it is one stack without a name, and 'main' is asked for"),
        ("stacks: {a: {layers: [retry]}}", None, "it holds no stack, only layers to be used"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(text: str, name: str | None, said: str, tmp_path: Path) -> None:
    file = write(tmp_path, s_yaml=text)
    with pytest.raises(ConfigError) as caught:
        Stack.load(file, name)
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)


# -- use -------------------------------------------------------------------------------------------------------------


def test_a_stack_is_used_wherever_an_executor_stands_and_a_group_among_layers() -> None:
    assert Stack.loads(SEVERAL, name="spread") == Stack(
        Fallback(Target(BASE), Target(Retry(), *CAREFUL, BASE, model="other"))
    )
    assert Stack.loads(SEVERAL, name="routed") == Stack(Route({"fast": Target(BASE)}, default=Target(MAIN)))


def test_the_layers_of_a_stack_may_be_used_without_its_executor() -> None:
    text = "default: b\nstacks:\n  a: {layers: [retry], executor: openai}\n  b: {layers: [{use: a}], executor: gemini}"
    assert [layer.kind for layer in Stack.loads(text).layers] == ["retry"]


def test_a_stack_that_is_written_inside_another_is_unpacked_as_in_code() -> None:
    text = "layers: [timeout]\nexecutor: {stack: {layers: [retry], executor: openai}}"
    assert Stack.loads(text) == Stack(Timeout(), Stack(Retry(), OpenAI()))


@pytest.mark.parametrize("format_", ["yaml", "toml", "json"])
def test_what_is_used_is_written_out_by_a_dump(format_) -> None:
    for name in ("base", "main", "spread", "routed"):
        stack = Stack.loads(SEVERAL, name=name)
        dumped = stack.dump(format_)
        assert "use" not in dumped
        assert Stack.loads(dumped, format_) == stack


def test_an_option_that_is_a_mapping_may_hold_the_word() -> None:
    text = "executor: {fallback: {targets: [{executor: openai, options: {extra_body: {use: it, env: {env: X}}}}]}}"
    (target,) = Stack.loads(text).executor.targets  # type: ignore[attr-defined]
    assert target.options.extra_body == {"use": "it", "env": {"env": "X"}}


@pytest.mark.parametrize(
    ("stacks", "said"),
    [
        ("a: {executor: {use: b}}", "stacks.a.executor: use: there is no stack 'b'"),
        ("base: {executor: {use: bas}}", "there is no stack 'bas'; did you mean 'base'?"),
        ("a: {executor: {use: 3}}", "stacks.a.executor: use: expected the name of a stack, got int 3"),
        ("a: {executor: {use: [b]}}", "expected the name of a stack, got list"),
        ("a: {executor: {use: a}}", "use: 'a' would stand within itself (a → a)"),
        ("a: {executor: {use: b}}\n  b: {executor: {use: a}}", "use: 'a' would stand within itself (a → b → a)"),
        ("g: {layers: [{use: g}]}", "stacks.g.layers[0]: use: 'g' would stand within itself"),
        ("g: {layers: [retry]}\n  a: {executor: {use: g}}", "'g' is a group of layers, and an executor is expected"),
        (
            "b: {executor: openai}\n  a: {executor: {fallback: {targets: [{use: b, model: m}]}}}",
            "`use` stands in the executor's place: `executor: {use: …}`",
        ),
        ("a: {executor: openai, layer: []}", "stacks.a.layer: unknown option; did you mean 'layers'?"),
        ("a: 3", "stacks.a: expected a mapping with `layers` and `executor`, got int 3"),
        ("a: {}", "stacks.a.executor: required, but missing"),
        ("a: {version: 1, executor: openai}", "stacks.a.version: the version is said once, at the top of the file"),
        ("'a b': {executor: openai}", "str 'a b': a name has 1 to 100 letters, digits"),
    ],
)
def test_what_is_wrong_with_several_stacks_is_told(stacks: str, said: str) -> None:
    (problem,) = [each for each in problems(f"stacks:\n  {stacks}") if said in each]
    assert problem.startswith(("line 2, ", "line 3, "))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stacks: []", "stacks: expected stacks by name, got list"),
        ("stacks: {}", "stacks: expected stacks by name, got none"),
        (
            "stacks: {a: {executor: openai}}\nexecutor: openai",
            "a document is one stack (`layers`, `executor`) or several",
        ),
        ("stacks: {a: {executor: openai}}\ndefalt: a", "defalt: unknown option; did you mean 'default'?"),
        ("stacks: {a: {executor: openai}}\ndefault: b", "default: expected the name of a stack, got str 'b'"),
        (
            "stacks: {a: {executor: openai}}\nversion: 2",
            "version: this Lamellar reads version 1 of the format, got int 2",
        ),
    ],
)
def test_what_is_wrong_at_the_top_is_told(text: str, said: str) -> None:
    assert any(said in each for each in problems(text))


# -- include ---------------------------------------------------------------------------------------------------------


def test_included_files_may_be_of_any_format_and_lie_anywhere(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "b.toml").write_text('include = "c.json"\n[stacks.b]\nlayers = [{use = "c"}]\n')
    (tmp_path / "parts" / "c.json").write_text(json.dumps({"stacks": {"c": {"layers": ["retry"]}}}))
    file = write(tmp_path, a_yaml="include: [parts/b.toml, parts/c.json]\nlayers: [{use: b}]\nexecutor: openai")
    assert Stack.load(file) == Stack(Retry(), OpenAI())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {
                "a_yaml": "include: [b.yaml]\nstacks: {x: {executor: openai}}",
                "b_yaml": "\nstacks: {x: {executor: openai}}",
            },
            "{folder}/b.yaml:2:10: stacks.x: 'x' is said twice; the other stands at {folder}/a.yaml:2:10",
        ),
        (
            {"a_yaml": "include: [b.yaml]\nexecutor: openai", "b_yaml": "include: a.yaml\nstacks: {b: {layers: []}}"},
            "{folder}/b.yaml:1:10: include: {folder}/a.yaml includes itself, by way of b.yaml",
        ),
        (
            {"a_yaml": "include: [a.yaml]\nexecutor: openai"},
            "{folder}/a.yaml:1:11: include[0]: {folder}/a.yaml includes",
        ),
        (
            {"a_yaml": "include: [gone.yaml]\nexecutor: openai"},
            "{folder}/a.yaml:1:11: include[0]: {folder}/gone.yaml: cannot be read: No such file",
        ),
        (
            {"a_yaml": "include: [3]\nexecutor: openai"},
            "a.yaml:1:11: include[0]: expected the path of a file, got int 3",
        ),
        ({"a_yaml": "include: [b.yaml]\nexecutor: openai", "b_yaml": "a: ["}, "{folder}/b.yaml:1:5: not YAML"),
        (
            {"a_yaml": "include: [b.yaml]\nexecutor: openai", "b_yaml": "executor: openai"},
            "{folder}/b.yaml:1:1: it is one stack without a name; to be included, it stands under `stacks:`",
        ),
        (
            {
                "a_yaml": "include: b.toml\nexecutor: {use: b}",
                "b_toml": '[stacks.b]\nexecutor = "openai"\n\n[[stacks.b.layers]]\nretry.atempts = 3\n',
            },
            "{folder}/b.toml:5:1: stacks.b.layers[0].retry.atempts: unknown option; did you mean 'attempts'?",
        ),
    ],
)
def test_what_is_wrong_with_an_include_is_told_in_its_file(files: dict[str, str], said: str, tmp_path: Path) -> None:
    file = write(tmp_path, **files)
    with pytest.raises(ConfigError) as caught:
        Stack.load(file)
    (problem,) = [each for each in caught.value.problems if said.format(folder=tmp_path) in each]
    assert problem.startswith(str(tmp_path))


# -- places ----------------------------------------------------------------------------------------------------------

PLACES = {
    "yaml": """\
stacks:
  base:
    executor: openai
    layers:
      - timeout
      - retry:
          atempts: 3
""",
    "toml": """\
[stacks.base]
executor = "openai"
layers = [
  "timeout", # first
  {retry = {atempts = 3}},
]
""",
    "json": """\
{"stacks": {"base": {
  "executor": "openai",
  "layers": ["timeout",
    {"retry": {"atempts": 3}}]}}}
""",
}


@pytest.mark.parametrize(("format_", "place"), [("yaml", "7:11"), ("toml", "5:13"), ("json", "4:16")])
def test_file_line_column_and_path_are_told(format_: str, place: str, tmp_path: Path) -> None:
    file = tmp_path / f"stack.{format_}"
    file.write_text(PLACES[format_])
    with pytest.raises(ConfigError) as caught:
        Stack.load(file)
    said = "stacks.base.layers[1].retry.atempts: unknown option; did you mean 'attempts'?"
    assert str(caught.value) == f"{file}:{place}: {said}"


def test_what_is_used_and_what_is_aliased_is_told_once_where_it_is_written() -> None:
    text = """\
stacks:
  shared: {layers: [{retry: &r {atempts: 3}}, timeout]}
  a: {layers: [{use: shared}, {retry: *r}, {timeout: {totl: 1}}], executor: openai}
  b: {layers: [{retry: {<<: *r}}], executor: {use: a}}
"""
    assert [each.partition(": unknown")[0] for each in problems(text)] == [
        "line 2, column 33: stacks.shared.layers[0].retry.atempts",
        "line 3, column 55: stacks.a.layers[2].timeout.totl",
    ]


def test_all_that_is_wrong_in_all_stacks_is_told_at_once() -> None:
    text = "stacks: {a: {executor: opnai}, b: {layers: [{retry: {attempts: 0, x: 1}}], executor: openai}, c: 3}"
    assert len(problems(text)) == 4


def test_a_name_with_dots_is_one_name() -> None:
    text = "executor:\n  route:\n    routes:\n      gpt-4.1:\n        executor: openai\n        modle: x"
    (problem,) = problems(text)
    assert problem.startswith("line 6, column 9: executor.route.routes.gpt-4.1.modle: unknown option")
