"""`lamellar yardstick`: what it prints, what it returns, and what its page says of it."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.cli.command import lamellar, lamellar_each
from tests.docs.pages import PAGES, blocks_of, table

from lamellar.cli.yardstick import yardstick
from lamellar.cli.yardstick.faults import FAULTS
from lamellar.cli.yardstick.judges import stays
from lamellar.cli.yardstick.play import Play
from lamellar.cli.yardstick.table import as_data, print_table

FEW = "S03,S05,S12,s13"


@pytest.fixture(scope="module")
def runs():
    """Both forms at once; both mostly wait."""
    with ThreadPoolExecutor() as pool:
        plain = pool.submit(lamellar, "yardstick", "--only", FEW, "--speed", "4")
        data = pool.submit(lamellar, "yardstick", "--only", FEW, "--speed", "4", "--engine", "httpx", "--json")
    return plain.result(), data.result()


def test_the_table_has_a_line_for_each_fault(runs):
    plain, _ = runs
    assert (plain.code, plain.err) == (0, "")
    heading, *lines, empty, summary = plain.out.splitlines()
    assert heading.split() == ["the", "primary", "primary", "fallback", "longest", "call"]
    assert [line.split()[:2] for line in lines] == [["✓", key] for key in ("S03", "S05", "S12", "S13")]
    assert all(re.search(r"\d\.\d s$", line) for line in lines)
    assert (empty, summary) == ("", "4 of 4, at 4 times the speed")


def test_as_data_it_tells_what_arrived(runs):
    _, result = runs
    assert (result.code, result.err) == (0, "")
    told = result.json
    assert (told["passed"], told["of"], told["speed"]) == (4, 4, 4)
    for row, key in zip(told["faults"], ("S03", "S05", "S12", "S13"), strict=True):
        (fault,) = [each for each in FAULTS if each.key == key]
        assert (row["fault"], row["what"], row["right"]) == (key, fault.what, fault.right)
        assert (row["passed"], row["problems"]) == (True, [])
        assert row["seconds"] > 0
    asked = {row["fault"]: (row["primary_requests"], row["fallback_requests"]) for row in told["faults"]}
    assert asked == {"S03": ([500, 200], []), "S05": ([None, 200], []), "S12": ([400], [200]), "S13": ([400], [])}


def test_a_mistake_in_the_command_is_named():
    mistakes = [
        (["--only", "S01,S99"], "--only: there is no fault 'S99'; they are S01 to S16"),
        (["--engine", "curl"], "--engine: there is no engine 'curl'; they are auto, aiohttp, httpx"),
        (["--speed", "0.5"], "--speed"),
    ]
    results = lamellar_each(*[["yardstick", *options] for options, _ in mistakes])
    for result, (_, said) in zip(results, mistakes, strict=True):
        assert (result.code, result.out) == (2, "")
        assert said in result.err
        assert "See `lamellar yardstick --help`." in result.err


@pytest.fixture
def failed(monkeypatch):
    """A run in which one fault went wrong: nobody was asked."""
    (fault,) = [each for each in FAULTS if each.judge is stays]
    play = Play(fault, 4.0, 0.0)

    async def nothing(*_, **__):
        return [play]

    monkeypatch.setattr("lamellar.cli.yardstick.play.play_faults", nothing)
    return play


@pytest.mark.parametrize("as_json", [True, False])
def test_a_fault_that_went_wrong_is_told_and_fails(failed, as_json, capsys):
    failed.calls.append(type("Seen", (), {"error": None, "text": "", "usage": None, "seconds": 1.0})())
    assert yardstick(speed=4, engine="auto", only="S03", as_json=as_json) == 1
    out = capsys.readouterr().out
    assert "0 requests at the primary, not 2" in out
    if as_json:
        told = json.loads(out)
        assert (told["passed"], told["of"]) == (0, 1)
        assert told == as_data([failed], 4)
    else:
        assert out.splitlines()[1].startswith("✗ S03")
        assert out.endswith("0 of 1, at 4 times the speed\n")
        print_table([failed], 4)
        assert capsys.readouterr().out == out


def test_its_page_tells_the_same_faults():
    page = PAGES / "yardstick.md"
    told = [tuple(row[:3]) for row in table(page.read_text(encoding="utf-8"), "fault")]
    assert told == [(each.key, each.what, each.right) for each in FAULTS]
    printed = next(block.code for block in blocks_of(page) if "longest call" in block.code).splitlines()
    width = max(len(each.what) for each in FAULTS)
    assert [line[: 7 + width].rstrip() for line in printed[1:17]] == [f"✓ {each.key}  {each.what}" for each in FAULTS]
    assert printed[-1] == "16 of 16, at 10 times the speed"
