"""The README is true: its programs run as they stand, against a simulated provider, and print what it says."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from lamellar import Stack
from lamellar.testing.simulator import Answer, ProviderSimulator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [(match[1], match[2]) for match in re.finditer(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]
PROGRAMS = [code for kind, code in BLOCKS if kind == "python"]
SHELL = [code for kind, code in BLOCKS if kind == "sh"]
(YAML,) = [code for kind, code in BLOCKS if kind == "yaml"]
SHOWN = {code: text for (kind, code), (after, text) in pairwise(BLOCKS) if (kind, after) == ("python", "text")}
"""What the README shows as the output of a program: the block of text right after it."""

DEMO = "python3 -m venv .venv && .venv/bin/pip install -e '.[all]' && .venv/bin/lamellar demo\n"
TESTS = "python3 -m venv .venv && .venv/bin/pip install -e '.[all,dev]' && .venv/bin/pytest\n"

TEXT = "Air scatters blue light."
KEY = "sk-readme-0123456789"


@pytest.fixture
def run(tmp_path):
    """Run a command where `stack.yaml` lies, with the providers' variables pointing at simulators; what it prints."""
    (tmp_path / "stack.yaml").write_text(YAML, encoding="utf-8")
    with (
        ProviderSimulator(Answer(TEXT), require_key=KEY) as openai,
        ProviderSimulator(Answer(TEXT), require_key=KEY, dialect="anthropic") as anthropic,
    ):
        env = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
        env |= {"OPENAI_BASE_URL": openai.base_url, "OPENAI_API_KEY": KEY, "PYTHONUTF8": "1"}
        env |= {"ANTHROPIC_BASE_URL": anthropic.base_url, "ANTHROPIC_API_KEY": KEY}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"

        def command(*words):
            done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr.decode()
            assert done.stderr == b""
            return done.stdout.decode()

        yield command


def run_program(run, folder, code):
    if "def test_" in code:
        (folder / "test_from_readme.py").write_text(code, encoding="utf-8")
        return run(
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "test_from_readme.py"
        )
    (folder / "program.py").write_text(code, encoding="utf-8")
    return run(sys.executable, "-W", "error", "program.py")


@pytest.mark.parametrize("code", PROGRAMS, ids=range(1, len(PROGRAMS) + 1))
def test_every_program_runs_and_prints_what_is_said(run, tmp_path, code):
    out = run_program(run, tmp_path, code)
    if code in SHOWN:
        assert out == SHOWN[code]
    elif "def test_" in code:
        assert f"{code.count('def test_')} passed" in out
    elif "SyncExecutor" in code:
        assert out == f"{TEXT}\n"
    else:
        whole, streamed, end = out.splitlines()
        assert whole.startswith(f"{TEXT} Usage(prompt_tokens=5, completion_tokens=4")
        assert "AttemptRecord(number=1, target='openai/gpt-4o-mini'" in whole
        assert streamed == TEXT
        assert end.endswith(" completed")


def test_the_file_is_the_same_stack_as_the_code(run, tmp_path):
    (code,) = [code for code in PROGRAMS if "stack = Stack(  " in code]
    definition, _, _ = code.partition("async def main")
    run_program(run, tmp_path, f'{definition}\nassert Stack.load("stack.yaml") == stack\n')
    assert Stack.loads(YAML).dump("yaml")


def test_the_commands_to_install_stand_alone_in_one_line_each():
    assert SHELL[:2] == [DEMO, TESTS]


@pytest.mark.parametrize("code", SHELL[2:])
def test_every_other_command_runs(run, code):
    assert run("sh", "-c", code) == f"{TEXT}\n"


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert "CHANGELOG.md" in links
    missing = [link for link in links if not link.startswith("https://") and not (ROOT / link).is_file()]
    assert missing == []
