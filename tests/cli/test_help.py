"""Help reads like a page, and the page of the commands in the documentation is what `--help` prints.

After a change of a command's help: `python -m tests.cli.test_help` writes the page anew.
"""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout

import pytest
from tests.cli.command import lamellar
from tests.docs.pages import PAGES

from lamellar.cli import main
from lamellar.cli.app import app

PAGE = PAGES / "cli.md"
COMMANDS = [str(each.name) for each in app.registered_commands]
_BLOCK = re.compile(r"^## `lamellar( \w+)?`\n.*?^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def help_of(*command: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        assert main([*command, "--help"]) == 0
    return out.getvalue().rstrip() + "\n"


@pytest.fixture(autouse=True)
def _width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def test_the_page_shows_every_command_as_its_help_does() -> None:
    shown = {(name or "").strip(): text for name, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8"))}
    assert list(shown) == ["", *COMMANDS]
    for name, text in shown.items():
        assert text == help_of(*name.split()), f"{PAGE.name}: {name}: run `python -m tests.cli.test_help`"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_a_page(command: str) -> None:
    text = help_of(command)
    usage, empty, first, *_ = text.splitlines()
    assert usage.startswith(f"Usage: lamellar {command} ")
    assert (empty, first.endswith(".")) == ("", True)
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)(.*)$", text, re.MULTILINE)
    assert options
    assert len(re.findall(r"^  +-h, --help +Show this message and exit\.$", text, re.MULTILINE)) == 1


def test_the_list_of_commands_is_whole_sentences() -> None:
    listed = re.findall(r"^  (\w+) {2,}(\S.*)$", help_of().partition("Commands:")[2], re.MULTILINE)
    assert [name for name, _ in listed] == COMMANDS
    assert all(text.endswith(".") and not text.endswith("...") for _, text in listed)


def test_ctrl_c_before_the_command_has_begun_is_no_traceback() -> None:
    result = lamellar("--version", script=EARLY)
    assert (result.code, result.out, result.err) == (130, "", "")


EARLY = """
import sys
import lamellar.cli.app
from lamellar.cli import main

def interrupted():
    raise KeyboardInterrupt

lamellar.cli.app.prepare_streams = interrupted
sys.exit(main())
"""


class TestCompletion:
    def complete(self, line: str, shell: str = "bash") -> list[str]:
        words = line.split(" ")
        env = {
            "_LAMELLAR_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        return lamellar(env=env).out.split()

    def test_commands_and_options(self) -> None:
        assert self.complete("lamellar ba") == ["batch"]
        assert self.complete("lamellar batch --ret") == ["--retry-failed"]

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_other_shells(self, shell: str) -> None:
        assert "--retry-failed" in " ".join(self.complete("lamellar batch --retry-", shell))

    def test_names_of_stacks_and_models(self, tmp_path) -> None:
        file = tmp_path / "stack.yaml"
        assert main(["init", str(file), "--template", "full", "--no-schema"]) == 0
        assert self.complete(f"lamellar batch -c {file} -s ") == ["careful", "patient"]
        assert self.complete(f"lamellar graph {file} -s ") == ["careful", "patient"]
        assert self.complete(f"lamellar graph {file} -s c") == ["careful"]
        assert self.complete(f"lamellar check {file} -s ") == ["careful", "patient"]
        assert self.complete("lamellar check -s ") == []
        assert self.complete(f"lamellar batch -c {file} -m gp") == ["gpt-4o-mini"]
        assert self.complete("lamellar batch -m gr") == ["groq::"]

    def test_a_file_that_cannot_be_read_offers_nothing(self, tmp_path) -> None:
        assert self.complete(f"lamellar batch -c {tmp_path}/no.yaml -s ") == []

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_the_script_of_each_shell_is_shown(self, shell: str) -> None:
        result = lamellar("--show-completion", env={"SHELL": f"/bin/{shell}"}, script=SHELL.format(shell=shell))
        assert (result.code, result.err) == (0, "")
        assert f"_LAMELLAR_COMPLETE=complete_{shell}" in result.out


SHELL = """
import sys
import shellingham
shellingham.detect_shell = lambda *_: ("{shell}", "/bin/{shell}")
from lamellar.cli import main
sys.exit(main())
"""


def write_page() -> None:
    """Put what the commands print into the page."""

    def printed(found: re.Match[str]) -> str:
        return found[0].replace(f"```text\n{found[2]}", f"```text\n{help_of(*(found[1] or '').split())}")

    PAGE.write_text(_BLOCK.sub(printed, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    import os

    os.environ["COLUMNS"] = "100"
    write_page()
