"""The page that counts the recordings counts those that are there."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from tests.docs.pages import PAGES, table
from tests.wire.recordings import folder, load

COLUMNS = ("openai-chat", "openai-responses", "anthropic", "gemini", "bedrock-converse", "cohere-v2", "ollama")


def row(counts: Counter[str]) -> list[str]:
    return [*(str(counts[each]) for each in COLUMNS), str(counts.total())]


def test_the_table_is_what_there_is() -> None:
    found = folder()
    if found is None or not (found / "index.json").is_file():
        pytest.skip("no recordings: set LAMELLAR_WIRE_DIR to their folder")
    index = json.loads((found / "index.json").read_bytes())
    assert {entry["dialect"] for entry in index} == set(COLUMNS)
    expected = {
        f"`{feature}`": row(Counter(each["dialect"] for each in index if each["feature"] == feature))
        for feature in {entry["feature"] for entry in index}
    }
    expected["**all**"] = row(Counter(each["dialect"] for each in index))
    expected["streams"] = row(Counter(each["dialect"] for each in index if each["streaming"]))
    expected["requests"] = row(Counter(each["dialect"] for each in index if load(each["id"])["request_recorded"]))
    text = (PAGES / "providers" / "recordings.md").read_text(encoding="utf-8")
    assert {cells[0]: list(cells[1:]) for cells in table(text, "feature")} == expected
