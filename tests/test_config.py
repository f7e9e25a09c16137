"""Stacks in files."""

from __future__ import annotations

import builtins
import json
import re

import pytest

from lamellar.errors import ConfigError
from lamellar.middleware import Fallback, Retry, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.stack import Stack

STACK = Stack(
    Timeout(total=300, first_content=10, idle=15),
    Fallback(
        Target(Retry(attempts=3), OpenAI(), model="gpt-4o-mini"),
        Target(Retry(), OpenAI(api_key={"env": "OTHER_KEY"}), model="other"),
    ),
)
YAML = """
version: 1
layers:
  - timeout: {total: 5m, first_content: 10s, idle: 15s}
executor:
  fallback:
    targets:
      - model: gpt-4o-mini
        layers: [{retry: {attempts: 3}}]
        executor: openai                  # the key from OPENAI_API_KEY
      - model: other
        layers: [retry]
        executor: {openai: {api_key: {env: OTHER_KEY}}}
"""
TOML = """
version = 1

[[layers]]
timeout = {total = "5m", first_content = "10s", idle = 15}

[[executor.fallback.targets]]
model = "gpt-4o-mini"
layers = [{retry = {attempts = 3}}]
executor = "openai"

[[executor.fallback.targets]]
model = "other"
layers = ["retry"]
executor = {openai = {api_key = {env = "OTHER_KEY"}}}
"""
JSON = json.dumps(
    {
        "version": 1,
        "layers": [{"timeout": {"total": "300s", "first_content": 10, "idle": 15}}],
        "executor": {
            "fallback": {
                "targets": [
                    {"model": "gpt-4o-mini", "layers": [{"retry": {"attempts": 3}}], "executor": "openai"},
                    {"model": "other", "layers": ["retry"], "executor": {"openai": {"api_key": {"env": "OTHER_KEY"}}}},
                ]
            }
        },
    }
)
SPELLINGS = {"yaml": YAML, "toml": TOML, "json": JSON}


@pytest.mark.parametrize(("spelling", "text"), SPELLINGS.items(), ids=SPELLINGS)
def test_three_spellings_of_one_stack(spelling, text: str) -> None:
    assert Stack.loads(text, spelling) == STACK
    assert Stack.loads(STACK.dump(spelling), spelling) == STACK


@pytest.mark.parametrize("name", ["s.yaml", "s.yml", "s.YAML", "s.toml", "s.json"])
def test_a_file_is_read_by_its_ending(name: str, tmp_path) -> None:
    spelling = {"ya": "yaml", "ym": "yaml", "to": "toml", "js": "json"}[name.lower()[2:4]]
    (tmp_path / name).write_text(SPELLINGS[spelling])
    assert Stack.load(tmp_path / name) == Stack.load(str(tmp_path / name)) == STACK


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path) -> None:
    (tmp_path / "s.json").write_bytes(b"\xef\xbb\xbf" + JSON.encode())
    assert Stack.load(tmp_path / "s.json") == STACK


def test_a_file_need_not_say_its_version() -> None:
    assert Stack.loads("executor: openai") == Stack(OpenAI())


def test_a_dump_says_its_version_first() -> None:
    for text in (STACK.dump("yaml"), STACK.dump("toml"), STACK.dump("json").removeprefix('{\n  "')):
        assert text.startswith("version")


# -- files that cannot be read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.yaml", None, "cannot be read: No such file"),
        ("s.yaml", b"", "the file is empty; it needs at least `executor:`"),
        ("s.yaml", b"# nothing but a comment\n", "the file is empty"),
        ("s.json", b" \n", "the file is empty"),
        ("s.toml", b"", "the file is empty"),
        ("s.yaml", b"\x80\x02stack", "not UTF-8 text (byte 0)"),
        ("s.yaml", b"executor: \x00", "not YAML"),
        ("s.json", b"\xff\xfe{\x00}\x00", "not UTF-8 text"),
        ("s.json", b"{,}", "not JSON: "),
        ("s.toml", b"executor = ", "not TOML: "),
        ("s.yaml", b"executor: [", "not YAML: "),
        ("s.yaml", b"a:\n  - b\n c: d", ":3:2: not YAML: "),
        ("s.json", b"[" * 100_000, ":1:101: nested deeper than 100 levels"),
        ("s.yaml", b"[" * 10_000, ":1:101: nested deeper than 100 levels"),
        ("s.yaml", b"- retry", "expected a mapping with `version`, `layers` and `executor`, got list"),
        ("s.yaml", b"stack", "got str"),
        ("s.json", b"3", "got int"),
        ("s.yaml", b"x" * (1 << 20) + b"y", "larger than 1048576 bytes; is this the right file?"),
        ("s.ini", b"", "unknown kind of file '.ini'; name it .yaml, .toml or .json"),
        ("stack", b"", "unknown kind of file ''"),
    ],
)
def test_a_file_that_is_no_stack_is_refused_by_name(name: str, content: bytes | None, said: str, tmp_path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Stack.load(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}:")
    assert said in str(caught.value)


def test_a_directory_is_no_file(tmp_path) -> None:
    (tmp_path / "dir.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        Stack.load(tmp_path / "dir.yaml")


def test_yaml_tags_make_nothing() -> None:
    with pytest.raises(ConfigError, match=r"line 1, column 11: .*a tag would make an object"):
        Stack.loads("executor: !!python/object/apply:os.system ['echo']")


@pytest.mark.parametrize(
    ("spelling", "text", "place"),
    [
        ("yaml", "layers: [retry]\nlayers: []\nexecutor: openai", "line 2, column 1: not YAML: "),
        ("yaml", "executor: openai\nlayers: [retry: {max: 1, max: 2}]", "line 2, column 26: not YAML: "),
        ("json", '{"executor": "openai", "layers": ["retry"], "layers": []}', "line 1, column 45: not JSON: "),
        ("toml", "executor = 'openai'\nlayers = ['retry']\nlayers = []", "line 3, column 12: not TOML: "),
    ],
)
def test_a_name_that_is_said_twice_is_refused_since_one_would_hide_the_other(spelling, text: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Stack.loads(text, spelling)
    assert str(caught.value).startswith(place)


def test_yaml_may_use_anchors_and_merges() -> None:
    text = """
    executor:
      fallback:
        targets:
          - &primary {executor: openai, model: a}
          - {<<: *primary, model: b}
    """
    assert Stack.loads(text) == Stack(Fallback(Target(OpenAI(), model="a"), Target(OpenAI(), model="b")))


def test_an_unknown_format_is_refused_both_ways() -> None:
    for act in (lambda: Stack.loads("executor: openai", "ini"), lambda: STACK.dump("ini")):  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="format: expected yaml, toml or json, got 'ini'"):
            act()


@pytest.mark.parametrize(
    ("module", "act", "extra"),
    [
        ("yaml", lambda: Stack.loads("executor: openai"), "lamellar[yaml]"),
        ("yaml", lambda: STACK.dump("yaml"), "lamellar[yaml]"),
        ("tomli_w", lambda: STACK.dump("toml"), "lamellar[toml]"),
    ],
)
def test_a_missing_package_is_told_with_its_extra(module: str, act, extra: str, monkeypatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == module:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError) as caught:
        act()
    assert f"pip install '{extra}'" in str(caught.value)


# -- what files say wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layers: [retry]", "executor: required, but missing; for example `executor: openai`"),
        ("executor:", "executor: expected an executor, got nothing"),
        ("executor: opnai", "executor: unknown executor 'opnai'; did you mean 'openai'?"),
        ("executor: retry", "executor: 'retry' is a layer, and an executor is expected here"),
        ("layers: [retri]\nexecutor: openai", "layers[0]: unknown layer 'retri'; did you mean 'retry'?"),
        ("layers: [openai]\nexecutor: openai", "layers[0]: 'openai' is an executor, and a layer is expected here"),
        (
            "layers: [{retry: {}, timeout: {}}]\nexecutor: openai",
            "layers[0]: expected one layer, got a mapping of 2 names (retry, timeout); indent the options",
        ),
        ("layers: [{}]\nexecutor: openai", "layers[0]: expected one layer, got a mapping of 0 names"),
        ("layers: [[retry]]\nexecutor: openai", "layers[0]: expected a layer, got list"),
        ("layers: retry\nexecutor: openai", "layers: expected a list, got str 'retry'"),
        ("layers: {retry: {}}\nexecutor: openai", "layers: expected a list, got dict"),
        ("executor: {openai: [1]}", "executor.openai: expected a mapping of options, got list"),
        ("layer: []\nexecutor: openai", "layer: unknown option; did you mean 'layers'?"),
        ("1: 2\nexecutor: openai", "the name of an option is text, got int 1; put it in quotes if it is a name"),
        (
            "layers: [retry: {atempts: 3}]\nexecutor: openai",
            "layers[0].retry.atempts: unknown option; did you mean 'attempts'?",
        ),
        (
            "executor: {fallback: {targets: [{executor: openai}, {executor: openai, modle: a}]}}",
            "executor.fallback.targets[1].modle: unknown option; did you mean 'model'?",
        ),
        (
            "executor: {fallback: {targets: [{executor: openai, layers: [timeout: {total: x}]}]}}",
            "executor.fallback.targets[0].layers[0].timeout.total: expected a duration such as",
        ),
        ("executor: {fallback: {targets: []}}", "executor.fallback.targets: a fallback needs at least one target"),
        ("version: 2\nexecutor: openai", "version: this Lamellar reads version 1 of the format, got int 2"),
        ("version: '1'\nexecutor: openai", "version: this Lamellar reads version 1 of the format, got str '1'"),
        ("version: true\nexecutor: openai", "version: this Lamellar reads version 1 of the format, got bool True"),
        ("version:\nexecutor: openai", "version: this Lamellar reads version 1 of the format, got nothing"),
    ],
)
@pytest.mark.failure(35)
def test_what_is_wrong_is_told_by_its_place(text: str, said: str, tmp_path) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        Stack.load(tmp_path / "s.yaml")
    assert re.match(rf"{re.escape(str(tmp_path / 's.yaml'))}:\d+:\d+: {re.escape(said)}", str(caught.value))
    with pytest.raises(ConfigError) as caught:
        Stack.loads(text)
    assert said in str(caught.value)


@pytest.mark.failure(35)
def test_every_problem_of_a_file_is_told_at_once(tmp_path) -> None:
    (tmp_path / "s.yaml").write_text("version: 3\nlayers: [retri, timeout: {totl: 3}]\nexecutor: opnai\nextra: 1")
    with pytest.raises(ConfigError) as caught:
        Stack.load(tmp_path / "s.yaml")
    assert len(caught.value.problems) == len(str(caught.value).splitlines()) == 5


def test_a_key_in_a_file_is_in_no_message() -> None:
    key = "sk-proj-abcdefghijklmnop"
    for text in (f"executor: {{openai: {{api_key: {key}, nope: 1}}}}", f"executor: {{openai: {{verify: {key}}}}}"):
        with pytest.raises(ConfigError) as caught:
            Stack.loads(text)
        assert key not in str(caught.value)
