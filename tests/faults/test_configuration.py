"""Failure 35: what is misspelled in a configuration is told, offline, and never dropped."""

from __future__ import annotations

import socket

import pytest

from lamellar import ChatOptions, ConfigError, Stack

TYPOS = [
    ("timeout: {first_contents: 10s}", "layers[0].timeout.first_contents", "first_content"),
    ("retry: {attemps: 3}", "layers[0].retry.attemps", "attempts"),
    ("retri: {attempts: 3}", "retri", "retry"),
]


@pytest.mark.failure(35)
@pytest.mark.parametrize(("layer", "place", "meant"), TYPOS, ids=[place for _, place, _ in TYPOS])
def test_a_typo_is_told_by_its_place_with_what_was_meant(
    layer: str, place: str, meant: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key, without a network: what is wrong is found before anything is built."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("no network is needed"))
    file = tmp_path / "stack.yaml"
    file.write_text(f"version: 1\nlayers:\n  - {layer}\nexecutor: openai\n")
    with pytest.raises(ConfigError) as caught:
        Stack.load(file)
    told = str(caught.value)
    assert told.startswith(f"{file}:3:")
    assert place in told
    assert f"did you mean '{meant}'" in told


@pytest.mark.failure(35)
def test_all_that_is_wrong_is_told_at_once(tmp_path) -> None:
    file = tmp_path / "stack.json"
    file.write_text(
        '{"layer": [], "layers": [{"timeout": {"totl": 3}}],'
        ' "executor": {"fallback": {"targets": [{"executor": {"openai": {"api_keys": "x"}}}]}}}'
    )
    with pytest.raises(ConfigError) as caught:
        Stack.load(file)
    problems = caught.value.problems
    assert len(problems) == 3
    for wrong, meant in (("layer", "layers"), ("totl", "total"), ("api_keys", "api_key")):
        assert any(wrong in problem and f"did you mean '{meant}'" in problem for problem in problems), problems


@pytest.mark.failure(35)
def test_options_of_a_call_are_not_dropped_either() -> None:
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        ChatOptions(temprature=0.2)
