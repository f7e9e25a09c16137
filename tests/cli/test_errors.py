"""Whatever goes wrong is one clear message on standard error, with the right exit code and no traceback."""

import socket
from importlib.metadata import entry_points

import pytest
from tests.cli.command import KEY_VARIABLE, STACK, lamellar, lamellar_each, stack_file

from lamellar.testing.simulator import (
    Answer,
    Cut,
    ProviderSimulator,
    Silence,
    context_overflow,
    rate_limited,
    unauthorized,
)


def chat(file, *more, **options):
    return lamellar("chat", "-c", file, "-m", "any", *(more or ("hi",)), **options)


class TestUsage:
    def test_a_mistake_in_the_command_names_it_and_the_help(self):
        chat_with = ["chat", "-c", "stack.yaml", "-m", "any"]
        mistakes = [
            (["chat", "--jsn", "hi"], "No such option: --jsn"),
            (["chta"], "No such command 'chta'"),
            (["chat", "hi"], "no model: pass one with -m"),
            (["chat", "-c", "stack.yaml", "hi"], "no model: pass one with -m"),
            ([*chat_with, "b", "c"], "unexpected extra argument"),
            (["chat", "-c"], "requires an argument"),
            (["demo", "--fast"], "No such option: --fast"),
            ([*chat_with, ""], "the prompt is empty"),
            ([*chat_with, "  \n"], "the prompt is empty"),
            ([*chat_with, "abc\udcff"], "the prompt is not UTF-8 text (character 3)"),
        ]
        results = lamellar_each(*[arguments for arguments, _ in mistakes])
        for (arguments, said), result in zip(mistakes, results, strict=True):
            assert (result.code, result.out) == (2, ""), arguments
            first, second = result.err.splitlines()
            assert first.startswith("error: ")
            assert said in first
            assert "--help`" in second

    def test_the_process_itself_exits_with_2(self):
        result = lamellar("chat", "--jsn", "hi")
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("error: No such option: --jsn")

    def test_nothing_on_standard_input(self):
        result = chat("stack.yaml", "-")
        assert (result.code, result.err.splitlines()[0]) == (2, "error: the prompt is empty")

    def test_an_unreadable_prompt_on_standard_input(self):
        result = chat("stack.yaml", "-", stdin=b"abc\xff")
        assert result.code == 2
        assert result.err.startswith("error: the prompt on standard input is not UTF-8 text (byte 3)")

    def test_a_closed_standard_input(self):
        script = (
            "import sys; from lamellar.cli import main; sys.stdin = None; print(main(), main([*sys.argv[1:], '-']))"
        )
        result = lamellar("chat", "-c", "stack.yaml", "-m", "any", script=script)
        assert result.out == "2 2\n"
        assert result.err.count("error: no prompt: standard input is closed") == 2

    def test_what_belongs_to_one_question_and_what_to_a_conversation(self):
        on_a_terminal = "import sys; from lamellar.cli import main; sys.stdin.isatty = lambda: True; sys.exit(main())"
        as_json = lamellar("chat", "-m", "any", "--json", script=on_a_terminal)
        assert (as_json.code, as_json.out) == (2, "")
        assert as_json.err.startswith("error: --json answers one question")
        remembered = lamellar("chat", "-m", "any", "--history", "lines", "Why?")
        assert (remembered.code, remembered.out) == (2, "")
        assert remembered.err.startswith("error: --history belongs to a conversation")

    def test_a_conversation_whose_stack_is_wrong_does_not_begin(self, tmp_path):
        on_a_terminal = "import sys; from lamellar.cli import main; sys.stdin.isatty = lambda: True; sys.exit(main())"
        missing = lamellar("chat", "-m", "any", "-c", tmp_path / "none.yaml", script=on_a_terminal)
        assert (missing.code, missing.out) == (2, "")
        assert missing.err == f"error: {tmp_path}/none.yaml: cannot be read: No such file or directory\n"


class TestStackFiles:
    def test_a_missing_file_and_a_directory(self, tmp_path):
        (tmp_path / "stack.yaml").mkdir()
        missing, directory = lamellar_each(
            *[["chat", "-c", tmp_path / name, "-m", "any", "hi"] for name in ("none.yaml", "stack.yaml")]
        )
        assert (missing.code, missing.out) == (directory.code, directory.out) == (2, "")
        assert missing.err == f"error: {tmp_path}/none.yaml: cannot be read: No such file or directory\n"
        assert directory.err == f"error: {tmp_path}/stack.yaml: cannot be read: it is a directory\n"

    def test_the_process_itself_exits_with_2(self, tmp_path):
        result = chat(tmp_path / "none.yaml")
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"error: {tmp_path}/none.yaml: ")

    def test_a_mistake_in_the_file_names_file_place_and_mend(self, tmp_path):
        mistakes = [
            ("layers: [retri]\nexecutor: openai\n", ["unknown layer 'retri'", "did you mean 'retry'"]),
            ("layers: [{retry: {attemps: 3}}]\nexecutor: openai\n", ["unknown option", "did you mean 'attempts'"]),
            ("layers: [{retry: {attempts: many}}]\nexecutor: openai\n", ["attempts", "'many'"]),
            ("executor: opneai\n", ["unknown executor 'opneai'", "did you mean 'openai'"]),
            ("executor: [\n", ["not YAML"]),
            ("layers: []\n", ["executor: required"]),
            ("", ["the file is empty"]),
        ]
        files = []
        for number, (text, _) in enumerate(mistakes):
            files.append(tmp_path / f"stack{number}.yaml")
            files[-1].write_text(text)
        results = lamellar_each(*[["chat", "-c", file, "-m", "any", "hi"] for file in files])
        for file, (_, said), result in zip(files, mistakes, results, strict=True):
            assert (result.code, result.out) == (2, "")
            assert result.err.startswith(f"error: {file}:")
            assert all(part in result.err for part in said), result.err

    def test_a_missing_key_names_its_variable(self, tmp_path):
        with ProviderSimulator() as simulator:
            file = stack_file(tmp_path, simulator)
            result = chat(file, env={KEY_VARIABLE: None})
        assert result.code == 2
        assert KEY_VARIABLE in result.err
        assert simulator.request_count == 0

    def test_the_providers_own_variable_is_named_too(self, tmp_path):
        file = tmp_path / "stack.yaml"
        file.write_text("executor: openai\n")
        result = chat(file)
        assert result.code == 2
        assert "OPENAI_API_KEY" in result.err


class TestFailedCalls:
    def test_a_closed_port(self, tmp_path):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        file = tmp_path / "stack.yaml"
        file.write_text(STACK.format(primary=f"http://127.0.0.1:{port}/v1"))
        result = chat(file)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("error: connection from openai/gpt-4o-mini")
        assert [line.split()[2] for line in result.err.splitlines()[3:]] == ["connection", "connection"]

    def test_a_wrong_key(self, tmp_path):
        with ProviderSimulator(unauthorized(message="Incorrect API key provided: sk-wrong-0123456789.")) as simulator:
            command = ["chat", "-c", stack_file(tmp_path, simulator), "-m", "any", "hi"]
            results = lamellar_each(command, [*command, "--no-stream"])
        for result in results:
            assert (result.code, result.out) == (1, "")
            assert result.err.startswith("error: unauthorized from openai/gpt-4o-mini (401")
            assert "sk-wrong" not in result.err
        assert simulator.request_count == 2

    def test_429_for_ever_shows_every_attempt(self, tmp_path):
        with ProviderSimulator(rate_limited()) as simulator:
            result = chat(stack_file(tmp_path, simulator))
        assert (result.code, result.out) == (1, "")
        error, blank, header, *rows = result.err.splitlines()
        assert error.startswith("error: rate_limited from openai/gpt-4o-mini (429")
        assert (blank, header.split()[0]) == ("", "#")
        assert [row.split()[2:4] for row in rows] == [["rate_limited", "429"]] * 2
        assert simulator.request_count == 2

    def test_a_cut_stream_keeps_what_was_printed_and_says_that_it_is_partial(self, tmp_path):
        with ProviderSimulator([Cut(Answer("one two three"), after=2, how="clean")]) as simulator:
            result = chat(stack_file(tmp_path, simulator))
        assert (result.code, result.out) == (1, "one two\n")
        assert "the stream broke after part of the answer was delivered" in result.err
        assert "The answer above is only a part of it." in result.err

    def test_the_error_that_matters_is_told_with_all_attempts(self, tmp_path):
        with ProviderSimulator(Silence()) as primary, ProviderSimulator(unauthorized()) as backup:
            file = stack_file(tmp_path, primary, backup)
            file.write_text(file.read_text().replace("first_content: 2s", "first_content: 300ms"))
            result = chat(file)
        assert result.code == 1
        assert result.err.startswith("error: timeout from openai/gpt-4o-mini (first_content)")
        assert [line.split()[2] for line in result.err.splitlines()[3:]] == ["timeout", "unauthorized"]

    def test_a_message_of_several_lines_and_colours_stays_tame(self, tmp_path):
        with ProviderSimulator(context_overflow(message="too\nlong \x1b[31m[bold]now[/bold]")) as simulator:
            result = chat(stack_file(tmp_path, simulator))
        assert result.code == 1
        assert "\x1b" not in result.err
        assert "[bold]now[/bold]" in result.err


class TestWithoutTheExtra:
    @pytest.mark.parametrize("missing", ["typer", "rich"])
    def test_one_line_names_the_extra(self, missing):
        script = f"import sys; sys.modules['{missing}'] = None; from lamellar.cli import main; sys.exit(main())"
        result = lamellar("demo", script=script)
        assert (result.code, result.out) == (2, "")
        assert result.err.count("\n") == 1
        assert "pip install 'lamellar[cli]'" in result.err


class TestHelp:
    def test_help_is_a_plain_page(self):
        for result in lamellar_each(["--help"], ["-h"], ["chat", "--help"], ["demo", "--help"]):
            assert (result.code, result.err) == (0, "")
            assert result.out.startswith("Usage: lamellar")
            assert all(len(line) <= 100 for line in result.out.splitlines())
            assert result.out.isascii()

    def test_no_command_is_a_mistake_that_shows_the_help(self):
        (result,) = lamellar_each([])
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("Usage: lamellar")

    def test_the_command_is_installed_and_knows_its_version(self):
        from lamellar import __version__

        assert lamellar("--version").out == f"lamellar {__version__}\n"
        (script,) = entry_points(group="console_scripts", name="lamellar")
        assert script.value == "lamellar.cli:main"
