"""Input that no honest file holds: each is one clear error, in bounded time and memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lamellar.errors import ConfigError
from lamellar.middleware import Cache, Retry, Timeout
from lamellar.providers import OpenAI
from lamellar.stack import Stack

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)
DOUBLING = "stacks:\n  s0: {layers: [retry, retry], executor: openai}\n" + "".join(
    f"  s{level}: {{layers: [{{use: s{level - 1}}}, {{use: s{level - 1}}}], executor: openai}}\n"
    for level in range(1, 60)
)
CHAIN = "stacks:\n" + "".join(f"  s{level}: {{executor: {{use: s{level + 1}}}}}\n" for level in range(1000))
MERGES = f"a: &a {{{', '.join(f'k{number}: 1' for number in range(3000))}}}\nb: [{', '.join(['{<<: *a}'] * 3000)}]\n"
DIGITS = "9" * 1_000_000
TOO_LARGE = "a whole number has 64 bits at most"


@pytest.mark.parametrize(
    ("format_", "text", "said"),
    [
        ("yaml", BOMB, "line 4, column 5: more than 10000 values, references written out"),
        ("yaml", DOUBLING, "values"),
        ("yaml", CHAIN, "stacks that use each other deeper than 100 levels"),
        ("yaml", MERGES, "more than 10000 values"),
        ("yaml", "".join(f"k{number}: 1\n" for number in range(50_000)), "more than 10000 values"),
        ("json", f"[{','.join(['1'] * 50_000)}]", "more than 10000 values"),
        ("toml", "[[a]]\n" * 50_000, "more than 10000 values"),
        ("json", '{"a":' * 100_000, "line 1, column 501: nested deeper than 100 levels"),
        ("yaml", "- " * 100_000, "line 1, column 201: nested deeper than 100 levels"),
        ("toml", "a = " + "[" * 100_000, "nested deeper than 100 levels"),
        ("toml", ".".join("a" * 200_000) + " = 1", "line 1, column 1: nested deeper than 100 levels"),
        ("yaml", "a: &a [*a]", "line 1, column 8: the alias '*a' stands within what it stands for"),
        ("yaml", "a: *b", "line 1, column 4: not YAML: there is no anchor before this alias"),
        ("json", f'{{"a": {DIGITS}}}', f"line 1, column 7: {TOO_LARGE}"),
        ("yaml", f"a: {DIGITS}", f"line 1, column 4: {TOO_LARGE}"),
        ("toml", f"\na = {DIGITS}", f"line 2, column 5: {TOO_LARGE}"),
        ("toml", f"a = 0x{'f' * 500_000}", TOO_LARGE),
        ("json", '{"a": 9223372036854775808}', TOO_LARGE),
        ("json", '{"a": NaN}', "line 1, column 7: not JSON: expected a value"),
        ("json", '{"a": 1e999}', "line 1, column 7: a number is finite, got float inf"),
        ("yaml", "a: .nan", "line 1, column 4: a number is finite, got float nan"),
        ("toml", "a = -inf", "line 1, column 1: a number is finite, got float -inf"),
        ("json", '{"a": "\\ud800"}', "line 1, column 7: not text: half a surrogate pair (U+D800)"),
        ("json", '{"\\udfff": 1}', "line 1, column 2: not text: half a surrogate pair (U+DFFF)"),
        ("yaml", 'a: "\\ud800"', "line 1, column 4: not text: half a surrogate pair (U+D800)"),
        ("yaml", "? [a, b]\n: c", "line 1, column 3: the name of an option is text, got list"),
        ("yaml", "on: 1", "line 1, column 1: the name of an option is text, got bool True; put it in quotes"),
        ("yaml", "~: 1", "line 1, column 1: the name of an option is text, got nothing"),
        ("yaml", "a: !!python/object/apply:os.getcwd []", "line 1, column 4: not YAML that a stack may hold: a tag"),
        (
            "yaml",
            "a: !mine x",
            "line 1, column 4: not YAML that a stack may hold: a tag would make an object",
        ),
        ("yaml", "a: !!set {x}", "would make an object"),
        ("yaml", "executor: openai\n---\nexecutor: openai", "line 2, column 1: a second document begins here"),
        ("yaml", "a: {<<: 3}", "line 1, column 9: not YAML: `<<` merges mappings, got int 3"),
        ("yaml", "a: \x07", "line 1, column 4: not YAML: "),
        ("json", '{"a": 1,}', "line 1, column 9: not JSON: expected another entry after ','"),
        ("json", '{"a": 1} x', "line 1, column 10: not JSON: expected the end of the file"),
        ("json", '{"a": 01}', "line 1, column 7: not JSON: expected a value"),
        ("json", '{"a" 1}', "line 1, column 6: not JSON: expected ':'"),
        ("json", "{a: 1}", "line 1, column 2: not JSON: expected a name in double quotes"),
        ("json", '{"a": "x', "not JSON: unterminated string"),
        ("json", '{"a": "\n"}', "not JSON: invalid control character"),
        ("toml", "a = 'x", "line 1, column 7: not TOML: "),
        ("yaml", "x" * 1_100_000, "larger than 1048576 bytes"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_bad_input_is_one_error_with_a_place_soon(format_: str, text: str, said: str) -> None:
    begin = time.process_time()
    with pytest.raises(ConfigError) as caught:
        Stack.loads(text, format_)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert len(str(caught.value)) < 2000
    assert time.process_time() - begin < 10


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("pipe.yaml", "gone.yaml"):
        with pytest.raises(ConfigError, match="cannot be read: "):
            Stack.load(tmp_path / name)
    with pytest.raises(ConfigError, match="cannot be read: embedded null byte"):
        Stack.load("a\0.yaml")
    with pytest.raises(ConfigError, match=r"text: expected str, got bytes; for a file there is Stack.load"):
        Stack.loads(b"executor: openai")  # type: ignore[arg-type]


def test_many_files_that_include_each_other_come_to_an_end(tmp_path: Path) -> None:
    for number in range(120):
        text = f"include: [{number + 1}.yaml]\nstacks: {{s{number}: {{executor: openai}}}}"
        (tmp_path / f"{number}.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"include\[0\]: more than 100 files are included"):
        Stack.load(tmp_path / "0.yaml", "s0")


# -- what may look bad and is not ------------------------------------------------------------------------------------


def test_what_yaml_alone_would_read_otherwise_is_read_as_the_other_formats_read_it() -> None:
    text = "layers: [cache: {namespace: 2024-01-01, ttl: 1e3, max_entries: 1_000}]\nexecutor: openai"
    assert Stack.loads(text) == Stack(Cache(namespace="2024-01-01", ttl=1000.0, max_entries=1000), OpenAI())
    toml = 'executor = "openai"\n[[layers]]\ncache = {namespace = 2024-01-01}\n'
    assert Stack.loads(toml, "toml").layers == (Cache(namespace="2024-01-01"),)
    with pytest.raises(ConfigError, match="got str '1:30'"):  # 90 in YAML 1.1
        Stack.loads("layers: [timeout: {total: 1:30}]\nexecutor: openai")


def test_merge_keys_are_merged_in_order_and_what_is_said_wins() -> None:
    text = """
layers:
  - timeout: &a {total: 10, idle: 1}
  - timeout: &b {total: 20, first_content: 2}
  - timeout: {<<: [*a, *b], idle: 3}
executor: openai
"""
    assert Stack.loads(text).layers[2] == Timeout(total=10, idle=3, first_content=2)


@pytest.mark.parametrize(
    "text",
    [
        """\
"executor" = "openai" # a [[comment]]
[[layers]]
retry.attempts = 2
[[layers]]
'timeout' = {total = "1m"}
""",
        """\
layers = [ # one
  {retry = {attempts = 2}}, # ] two
  {timeout = {total = '''1m'''}},
]
executor = 'openai'
""",
    ],
)
def test_toml_is_read_in_all_its_spellings(text: str) -> None:
    assert Stack.loads(text, "toml") == Stack(Retry(attempts=2), Timeout(total=60), OpenAI())
