"""`lamellar check`: what is told of good, doubtful, wrong and missing files, and with which exit code."""

import pytest
from tests.cli.command import lamellar, lamellar_each

GOOD = """\
layers:
  - timeout: {total: 300, first_content: 10, idle: 15}
  - retry: {attempts: 4}
executor: {openai: {base_url: "http://localhost:8000/v1"}}
"""
WARNED = """\
default: base
stacks:
  base:
    layers:
      - timeout: {total: 300}
      - rate_limit
      - retry
    executor: {openai: {base_url: "http://localhost:8000/v1"}}
  other:
    layers: [timeout]
    executor: {openai: {api_key: {env: CHECK_NO_SUCH_KEY}}}
"""
BROKEN = """\
layers:
  - cache: {max_entry_bytes: 10}
  - timeout
executor: {openai: {base_url: "http://localhost:8000/v1"}}
"""
UNKNOWN = "layers: [retri]\nexecutor: openia\n"


@pytest.fixture
def files(tmp_path):
    found = {}
    for name, text in (("good", GOOD), ("warned", WARNED), ("broken", BROKEN), ("unknown", UNKNOWN)):
        found[name] = tmp_path / f"{name}.yaml"
        found[name].write_text(text, encoding="utf-8")
    return found


def test_a_good_file_has_its_bound_told_and_nothing_else(files):
    result = lamellar("check", "--strict", files["good"])
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        f"{files['good']}: default: at most 4 provider calls, at most 300 s",
        "1 stack: nothing found",
    ]


def test_findings_stand_at_their_lines_with_code_and_mend(files):
    plain, strict, only, keys = lamellar_each(
        ["check", files["warned"]],
        ["check", "--strict", files["warned"]],
        ["check", "--strict", "-s", "other", files["warned"]],
        ["check", "--keys", "-s", "other", files["warned"]],
    )
    assert (plain.code, strict.code, only.code, keys.code) == (0, 1, 0, 1)
    assert plain.out == strict.out
    lines = plain.out.splitlines()
    where = f"{files['warned']}:6:9: warning: stacks.base.layers[1]: the rate_limit stands outside of the retry"
    at = next(number for number, line in enumerate(lines) if line.startswith(where))
    assert lines[at].endswith("[limiter-outside-retry]")
    assert lines[at + 1] == "    put the rate_limit inside the retry"
    assert lines[-1] == "2 stacks: 1 warning, 1 hint"
    assert "base" not in only.out.replace("base_url", "")
    assert "hint: stacks.other.executor" in only.out
    assert "error: stacks.other.executor" in keys.out
    assert "CHECK_NO_SUCH_KEY" in keys.out


def test_errors_fail_and_files_that_are_no_stacks_are_mistakes(files, tmp_path):
    broken, unknown, missing, several, name = lamellar_each(
        ["check", files["broken"]],
        ["check", files["unknown"]],
        ["check", tmp_path / "none.yaml"],
        ["check", files["good"], files["unknown"], files["broken"]],
        ["check", "-s", "bas", files["warned"]],
    )
    assert [each.code for each in (broken, unknown, missing, several, name)] == [1, 2, 2, 2, 2]
    assert "cache-keeps-nothing" in broken.out
    assert "retri" in unknown.err
    assert "openia" in unknown.err, "both problems are told"
    assert "none.yaml" in missing.err
    assert "cache-keeps-nothing" in several.out, "the others are checked all the same"
    assert several.out.endswith("2 stacks: 1 error, 1 file that cannot be used\n")
    assert "'base'" in name.err


def test_json_has_all_of_it(files):
    result = lamellar("check", "--json", files["good"], files["warned"], files["unknown"])
    assert result.code == 2
    good, warned, unknown = result.json["files"]
    assert good["stacks"][0]["bounds"] == {"calls": 4, "seconds": 300.0, "calls_why": None, "seconds_why": None}
    (finding,) = warned["stacks"][0]["findings"]
    assert {name: finding[name] for name in ("line", "column", "code", "severity", "path", "docs")} == {
        "line": 6,
        "column": 9,
        "code": "limiter-outside-retry",
        "severity": "warning",
        "path": "stacks.base.layers[1]",
        "docs": "lint.md#limiter-outside-retry",
    }
    assert finding["file"] == str(files["warned"])
    assert len(unknown["problems"]) == 2


def test_colors_are_for_terminals(files):
    assert "\x1b" not in lamellar("check", files["warned"]).out
    assert "\x1b[1;33m" in lamellar("check", files["warned"], env={"FORCE_COLOR": "1"}).out


def test_help_tells_the_exit_codes():
    result = lamellar("check", "--help")
    assert result.code == 0
    assert "lamellar check --strict stacks/*.yaml" in result.out
    assert "0  nothing was found, or nothing worse than warnings" in result.out
