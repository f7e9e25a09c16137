"""`lamellar providers`: the catalogue as a table, as one row, and as JSON; never a key."""

import pytest
from tests.cli.command import KEY, lamellar, lamellar_each

from lamellar.providers.catalog import CATALOG


@pytest.fixture(scope="module")
def table():
    unset = {row.key_variable: None for row in CATALOG.values() if row.key_variable}
    return lamellar("providers", env={**unset, "GROQ_API_KEY": KEY, "XAI_BASE_URL": "http://gate.test/v1"})


def row_of(table, namespace):
    return next(line for line in table.out.splitlines() if line.split()[:1] == [namespace])


def test_the_table_has_every_row(table):
    assert (table.code, table.err) == (0, "")
    listed = [line.split()[0] for line in table.out.splitlines() if line.strip()]
    assert listed[1 : len(CATALOG) + 1] == list(CATALOG)


def test_a_row_tells_dialect_key_endpoint_and_rules(table):
    assert row_of(table, "anthropic").split() == [
        "anthropic",
        "anthropic",
        "ANTHROPIC_API_KEY",
        "(not",
        "set)",
        "https://api.anthropic.com/v1",
        "claude*",
    ]
    assert "GROQ_API_KEY (set)" in row_of(table, "groq")
    assert "none needed" in row_of(table, "ollama")
    assert "(not needed)" in row_of(table, "vllm")
    assert "http://gate.test/v1" in row_of(table, "xai")


def test_one_row_in_full_and_as_json():
    deepseek, as_json, whole, openai = lamellar_each(
        ["providers", "deepseek"],
        ["providers", "deepseek", "--json"],
        ["providers", "--json"],
        ["providers", "openai"],
    )
    assert 'declared as  Provider("deepseek")' in deepseek.out
    assert "reasoning_back='reasoning_content'" in deepseek.out
    assert "deepseek-chat      no images, no documents, no audio" in deepseek.out
    data = as_json.json
    assert (data["namespace"], data["dialect"], data["rules"]) == ("deepseek", "chat", ["deepseek-*"])
    assert data["models"][0]["images"] is False
    assert [row["namespace"] for row in whole.json] == list(CATALOG)
    assert data in whole.json
    assert "gpt-4o*" in openai.out


def test_a_row_that_is_not_there_is_told():
    (result,) = lamellar_each(["providers", "grog"])
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[0] == "error: there is no provider 'grog'; did you mean 'groq'?"
