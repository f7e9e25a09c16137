"""`lamellar models`: what the providers of a stack offer."""

from __future__ import annotations

import pytest

from lamellar.testing import ProviderSimulator

from .command import KEY, lamellar, lamellar_each, stack_file


@pytest.fixture
def simulator():
    with ProviderSimulator(models=["gpt-4o-mini", "gpt-5"], require_key=KEY) as running:
        yield running


def test_a_table_and_json(tmp_path, simulator):
    file = stack_file(tmp_path, simulator)
    shown = lamellar("models", "-c", file)
    assert (shown.code, shown.err) == (0, "")
    title, *lines = shown.out.splitlines()
    assert title.split() == ["provider", "model", "created"], "columns of which nobody says anything are left out"
    assert [line.split()[:2] for line in lines] == [["openai", "gpt-4o-mini"], ["openai", "gpt-5"]]
    data = lamellar("models", "-c", file, "openai", "--json").json
    assert [each["id"] for each in data["models"]] == ["gpt-4o-mini", "gpt-5"]
    assert data["models"][0]["created"].endswith("+00:00")
    assert data["models"][0]["context_window"] is None


def test_any_provider_by_its_name(simulator):
    env = {"GROQ_BASE_URL": simulator.base_url, "GROQ_API_KEY": KEY}
    assert lamellar("models", "groq", env=env).out.splitlines()[1].split()[:2] == ["groq", "gpt-4o-mini"]
    wrong = lamellar("models", "groq", "--json", env={**env, "GROQ_API_KEY": "gsk_wrong_key_0123456789"})
    assert (wrong.code, wrong.json["error"]["kind"]) == (1, "unauthorized")
    assert "unauthorized" in wrong.err


def test_mistakes_are_told():
    nobody, unknown, keyless = lamellar_each(("models",), ("models", "grok"), ("models", "groq"))
    assert (nobody.code, unknown.code, keyless.code) == (2, 2, 2)
    assert "no provider" in nobody.err
    assert "unknown namespace 'grok'" in unknown.err
    assert "GROQ_API_KEY" in keyless.err
