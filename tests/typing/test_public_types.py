"""What type checkers say of public uses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RIGHT, WRONG = HERE / "public_uses.py", HERE / "wrong_uses.py"
CACHE = ("--cache-dir", str(HERE.parents[1] / ".mypy_cache" / "typing"))
MARKED = {number for number, line in enumerate(WRONG.read_text().splitlines(), 1) if line.endswith("# wrong")}


@cache
def mypy() -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", *CACHE, str(RIGHT), str(WRONG)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE, check=False)
    print(done.stdout)
    return {(name, int(line)) for name, line in re.findall(r"(\w+\.py):(\d+): error", done.stdout)}


@cache
def pyright() -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", str(RIGHT), str(WRONG)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE, check=False)
    print(done.stdout)
    found = [each for each in json.loads(done.stdout)["generalDiagnostics"] if each["severity"] == "error"]
    return {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in found}


@pytest.mark.parametrize("check", [mypy, pyright])
def test_right_uses_are_right(check) -> None:
    assert {line for name, line in check() if name != WRONG.name} == set()


@pytest.mark.parametrize("check", [mypy, pyright])
def test_wrong_uses_are_wrong(check) -> None:
    assert {line for name, line in check() if name == WRONG.name} == MARKED
