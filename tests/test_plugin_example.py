"""The distribution under docs/examples/plugin: installed into a fresh environment, and used there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from tests.docs.pages import PAGES, ROOT, blocks_of

EXAMPLE = ROOT / "docs" / "examples" / "plugin"
PAGE = PAGES / "how-to" / "write-a-plugin.md"

USE = """
import asyncio, json
from lamellar import CallContext, ChatOptions, ChatRequest, Stack
from lamellar.plugins import plugins
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer, overloaded

async def main():
    stack = Stack.load("stack.yaml")
    options = ChatOptions(call=CallContext(tags={"team": "search"}))
    async with stack.build() as executor:
        asked = [await executor.exec_chat_response("m", ChatRequest.from_user("hi"), options) for _ in range(2)]
    return [each.text for each in asked]

import os
with ProviderSimulator([Answer("Hello."), overloaded()]) as provider:
    os.environ.update(OPENAI_BASE_URL=provider.base_url, OPENAI_API_KEY="any")
    texts = asyncio.run(main())
    headers = provider.requests[0].headers
theirs = {each.kind: each.distribution for each in plugins() if not each.distribution.startswith("lamellar ")}
picture = Stack.load("stack.yaml").to_mermaid()
owner = {name.lower(): value for name, value in headers.items()}.get("x-quota-owner")
print(json.dumps({"texts": texts, "owner": owner, "theirs": theirs, "picture": picture}))
"""

STACK = """
layers: [{quota_header: {default: nobody}}]
executor:
  fallback:
    targets:
      - executor: openai
      - executor: {fixed_answer: {text: Please try again later.}}
"""


class Environment:
    """A virtual environment that has what this one has, and the example."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "env", with_pip=False, symlinks=os.name != "nt")
        self.folder = folder
        self.python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        libraries = Path(self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
        # The packages of this environment, in place of a download; an editable installation is a path of its own.
        (libraries / "here.pth").write_text("\n".join(path for path in sys.path if path and Path(path).is_dir()))

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "PYTEST_"))}
        return subprocess.run(
            [self.python, *map(str, arguments)],
            cwd=cwd or self.folder,
            env={**kept, "PYTHONUTF8": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    pytest.importorskip("hatchling", reason="the example is built with hatchling")
    pytest.importorskip("pip", reason="the example is installed with pip")
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "example", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    fresh = Environment(folder)
    done = fresh.run("-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", folder / "example")
    assert done.returncode == 0, done.stdout + done.stderr
    return fresh


def test_a_file_uses_its_plates_once_it_is_installed(environment: Environment) -> None:
    (environment.folder / "stack.yaml").write_text(STACK, encoding="utf-8")
    done = environment.run("-W", "error", "-c", USE)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["texts"] == ["Hello.", "Please try again later."]
    assert said["owner"] == "search"
    assert said["theirs"] == {"quota_header": "acme-plates 1.0", "fixed_answer": "acme-plates 1.0"}
    assert "quota_header" in said["picture"]


def test_its_own_tests_pass_there(environment: Environment) -> None:
    tests = environment.folder / "example"
    done = environment.run("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", cwd=tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_page_shows_the_files_of_the_example() -> None:
    shown = {block.title: block.code for block in blocks_of(PAGE) if (EXAMPLE / block.title).is_file() and block.title}
    assert set(shown) >= {"pyproject.toml", "src/acme_plates/quota_header.py", "src/acme_plates/fixed_answer.py"}
    for title, code in shown.items():
        assert code == (EXAMPLE / title).read_text(encoding="utf-8"), title
