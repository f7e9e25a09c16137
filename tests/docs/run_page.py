"""Runs the code of one page of the documentation, as its reader would: `python run_page.py page.md`.

All the python blocks of a page are one program, run in the order of the page in a working directory of its own.
Providers answer behind OPENAI_BASE_URL and OPENAI_API_KEY, and behind Anthropic's and Gemini's counterparts. What the
fences of a page may say besides their language:

- a block with a title that is a file's name (``python title="my_layers.py"``) is written to that file first; a titled
  python block is then imported by the others, from the directory or its `src`, instead of being run;
- a ``toml title="pyproject.toml"`` block registers its entry points, as installing it would;
- a ``text title="Output"`` block right after a python block is what that one prints;
- every yaml block is a whole stack, and loads;
- functions named ``test_...`` are called at the end.

The lint finds nothing doubtful in the stacks that a page shows, but on the pages that are about that.

On a page about a layer, the stack of the python block under "Example" equals that of `stack.yaml`.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import os
import sys
import tomllib
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from pages import Block, blocks_of

if TYPE_CHECKING:
    from lamellar import Stack

STOP = "## ProviderSimulator"
"""The section from which on the testing page shows fragments; the simulator's own tests cover it."""


DOUBTFUL = ("lint.md", "check-in-ci.md")
"""The pages that show what the lint is for."""

LEFT_OUT = ("no-timeout", "missing-key")
"""What a page that shows one layer may leave out, and keys that no reader has."""


def write_files(blocks: list[Block]) -> None:
    for block in blocks:
        if block.title and block.language != "text":
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.code, encoding="utf-8")
        if block.title == "pyproject.toml":
            groups = tomllib.loads(block.code)["project"]["entry-points"]
            folder = Path("page_plugin-1.0.dist-info")
            folder.mkdir()
            (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: page-plugin\nVersion: 1.0\n")
            lines = [
                f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
                for group, entries in groups.items()
            ]
            (folder / "entry_points.txt").write_text("\n".join(lines))


def run_block(block: Block, page: Path, namespace: dict[str, object], runner: asyncio.Runner) -> str:
    """Run it, with the page's own line numbers; what it prints."""
    source = "\n" * block.line + block.code
    code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with redirect_stdout(printed):
        result = eval(code, namespace)
        if inspect.iscoroutine(result):
            runner.run(result)
    return printed.getvalue()


def check_is_clean(stack: Stack, where: str) -> None:
    """The lint finds nothing worse than a hint."""
    found = [each for each in stack.lint() if each.severity != "hint" and each.code not in LEFT_OUT]
    assert not found, f"{where}: {found}"


def main(page: Path) -> None:
    blocks = blocks_of(page, until=STOP)
    sys.path[:0] = [os.getcwd(), os.path.join(os.getcwd(), "src")]
    write_files(blocks)
    from lamellar import Stack
    from lamellar.testing import ProviderSimulator

    with ExitStack() as simulators, asyncio.Runner() as runner:
        for dialect, name in (("chat", "OPENAI"), ("anthropic", "ANTHROPIC"), ("gemini", "GEMINI")):
            os.environ[f"{name}_BASE_URL"] = simulators.enter_context(ProviderSimulator(dialect=dialect)).base_url
            os.environ[f"{name}_API_KEY"] = "sk-of-the-documentation"
        for block in blocks:
            if block.language == "yaml":
                stack = Stack.loads(block.code)
                assert Stack.loads(stack.dump()) == stack, f"{page}:{block.line}: changes when it is written"
                assert stack.describe()
                if page.name not in DOUBTFUL:
                    check_is_clean(stack, f"{page}:{block.line}")
        namespace: dict[str, object] = {"__name__": "__page__"}
        built: list[Stack] = []
        build = Stack.build
        Stack.build = lambda self, **options: built.append(self) or build(self, **options)  # type: ignore[method-assign,func-returns-value]
        printed = ""
        for block in blocks:
            if block.language == "python" and not block.title:
                printed = run_block(block, page, namespace, runner)
            elif block.title == "Output":
                assert printed == block.code, f"{page}:{block.line}: prints\n{printed}\nand not\n{block.code}"
        if page.parent.name == "layers" and Path("stack.yaml").exists():
            assert Stack.load("stack.yaml") == namespace["stack"], "the example in YAML is another stack"
        for name, value in list(namespace.items()):
            if name.startswith("test_") and callable(value):
                value()
        for stack in built if page.name not in DOUBTFUL else ():
            check_is_clean(stack, str(page))
        ran = sum(block.language in ("python", "yaml") for block in blocks)
        print(f"{page.name}: {ran} blocks")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
