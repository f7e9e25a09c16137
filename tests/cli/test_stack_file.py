"""Which stack of a file a command works on."""

from __future__ import annotations

import pytest

from lamellar.cli.stack_file import load_stack
from lamellar.errors import ConfigError
from lamellar.providers import OpenAI
from lamellar.stack import Stack

from .command import lamellar_each

SEVERAL = "default: b\nstacks:\n  a: {executor: {openai: {verify: false}}}\n  b: {executor: openai}\n"


def test_a_stack_is_taken_by_name_or_by_default(tmp_path) -> None:
    (tmp_path / "s.yaml").write_text(SEVERAL)
    assert load_stack(str(tmp_path / "s.yaml")) == Stack(OpenAI())
    assert load_stack(str(tmp_path / "s.yaml"), "a") == Stack(OpenAI(verify=False))
    with pytest.raises(ConfigError, match="there is no stack 'c'"):
        load_stack(str(tmp_path / "s.yaml"), "c")


def test_a_file_of_several_stacks_is_told_how_to_name_one(tmp_path) -> None:
    (tmp_path / "s.yaml").write_text(SEVERAL.removeprefix("default: b\n"))
    with pytest.raises(ConfigError) as caught:
        load_stack(str(tmp_path / "s.yaml"))
    said = f"{tmp_path / 's.yaml'}: it holds several stacks (a, b); name one"
    assert str(caught.value) == f"{said} with `-s a`, or write `default: a`"
    with pytest.raises(ConfigError) as caught:
        Stack.load(tmp_path / "s.yaml")
    assert str(caught.value) == f"{said}, or write `default: a`"


def test_what_is_wrong_is_told_by_its_place_with_one_message_a_problem(tmp_path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(SEVERAL)
    bad.write_text("layers:\n  - retry: {atempts: 3}\n  - timeot\nexecutor: openai")
    unknown, wrong, alone = lamellar_each(
        ["chat", "-c", good, "-s", "c", "-m", "m", "hi"],
        ["chat", "-c", bad, "-m", "m", "hi"],
        ["chat", "-s", "a", "-m", "m", "hi"],
    )
    assert (unknown.code, wrong.code, alone.code) == (2, 2, 2)
    assert unknown.err == f"error: {good}: there is no stack 'c'; valid names: a, b\n"
    assert wrong.err.splitlines() == [
        f"error: {bad}:2:13: layers[0].retry.atempts: unknown option; did you mean 'attempts'?",
        f"       {bad}:3:5: layers[1]: unknown layer 'timeot'; did you mean 'timeout'?",
    ]
    assert "-s names a stack of a file: pass the file with -c" in alone.err
