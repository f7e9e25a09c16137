"""`lamellar init` and `lamellar schema`: a stack to begin with, and what an editor needs."""

import json

import pytest
from tests.cli.command import lamellar_each

from lamellar import Stack
from lamellar.cli.init import starter

TEMPLATES = ["preset", "minimal", "full"]


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_writes_a_stack_that_loads_builds_and_passes_the_lint(tmp_path, template):
    file = tmp_path / "stack.yaml"
    (result,) = lamellar_each(["init", file, "--template", template])
    assert (result.code, result.err) == (0, "")
    assert file.read_text(encoding="utf-8") == starter(template)
    stacks = Stack.load_all(file)
    for name, stack in stacks.items():
        assert stack.lint() == (), name
        assert stack.bounds().seconds is not None
        stack.build()
    assert Stack.load(file) in stacks.values()


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_explains_itself(template):
    lines = starter(template).splitlines()
    assert lines[0] == "# yaml-language-server: $schema=lamellar.schema.json"
    comments = [line for line in lines if line.lstrip().startswith("#")]
    assert len(comments) >= 5
    assert max(map(len, lines)) <= 120


def test_the_preset_is_the_preset():
    from lamellar import Target
    from lamellar.providers import Anthropic, OpenAI

    targets = Target(OpenAI(), model="gpt-4o-mini"), Target(Anthropic(), model="claude-haiku-4-5")
    assert Stack.loads(starter("preset")) == Stack.preset(*targets)


def test_it_says_what_it_wrote_and_what_to_do_next(tmp_path):
    file = tmp_path / "stack.yaml"
    first, again, forced = lamellar_each(["init", file], ["init", file], ["init", file, "--force"])
    assert first.out.startswith(f"wrote {file} and {tmp_path / 'lamellar.schema.json'}\n\nNext:\n")
    assert f"lamellar check {file}" in first.out
    assert json.loads((tmp_path / "lamellar.schema.json").read_text()) == Stack.json_schema()
    assert (again.code, again.out) == (2, "")
    assert "it is there already; name another file, or write over it with --force" in again.err
    assert forced.code == 0


def test_a_file_that_is_there_is_never_touched(tmp_path):
    file, schema = tmp_path / "stack.yaml", tmp_path / "lamellar.schema.json"
    file.write_text("mine")
    schema.write_text("{}")
    refused, other = lamellar_each(["init", file], ["init", tmp_path / "other.yml", "--template", "minimal"])
    assert (refused.code, other.code) == (2, 0)
    assert (file.read_text(), schema.read_text()) == ("mine", "{}")
    assert other.out.startswith(f"wrote {tmp_path / 'other.yml'}\n")


def test_mistakes_are_named(tmp_path):
    mistakes = [
        (["init", "--template", "ful"], "there is no template 'ful'; did you mean 'full'?"),
        (["init", tmp_path / "stack.toml"], "a starter is YAML; name it stack.yaml"),
        (["init", tmp_path / "no" / "stack.yaml"], "cannot be written: No such file or directory"),
        (["schema", "-o", tmp_path], "cannot be written: Is a directory"),
    ]
    for (arguments, said), result in zip(mistakes, lamellar_each(*[each for each, _ in mistakes]), strict=True):
        assert (result.code, result.out) == (2, ""), arguments
        assert said in result.err
    assert list(tmp_path.iterdir()) == []


def test_the_schema_is_printed_or_written(tmp_path):
    printed, written = lamellar_each(["schema"], ["schema", "-o", tmp_path / "s.json"])
    assert (printed.code, written.code, written.out) == (0, 0, "")
    assert printed.json == json.loads((tmp_path / "s.json").read_text()) == Stack.json_schema()
