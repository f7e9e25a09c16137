"""`lamellar chat` against a real HTTP server: what is printed where, in which shape, with which exit code."""

import os
import pty
import signal
import subprocess
import sys

import pytest
from tests.cli.command import environment, lamellar, lamellar_each, stack_file

from lamellar.chat.content import ToolCall
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Empty,
    Gate,
    ProviderSimulator,
    overloaded,
    unauthorized,
)

TEXT = "Air scatters blue light."


def ask(folder, simulator, *arguments, backup=None, prompt="Why?", **options):
    file = stack_file(folder, simulator, backup)
    return lamellar("chat", "-c", file, "-m", "any", *arguments, prompt, **options)


def ask_each(folder, replies, *arguments):
    """Several questions from one process, each with its own arguments, to a simulator that plays `replies`."""
    with ProviderSimulator(replies) as simulator:
        file = stack_file(folder, simulator)
        return lamellar_each(*[["chat", "-c", file, "-m", "any", *each, "Why?"] for each in arguments])


class TestWithoutAStackFile:
    def test_the_provider_is_found_by_the_models_name_and_retried(self):
        with ProviderSimulator([overloaded(retry_after=0.01), Answer(TEXT)]) as simulator:
            env = {"GROQ_BASE_URL": simulator.base_url, "GROQ_API_KEY": "k-groq"}
            result = lamellar("chat", "-m", "groq::llama-3.3-70b", "--json", "Why?", env=env)
        assert (result.code, result.json["text"], result.json["provider"]) == (0, TEXT, "groq")
        assert [each["kind"] for each in result.json["attempts"]] == ["overloaded", None]
        assert {request.headers["authorization"] for request in simulator.requests} == {"Bearer k-groq"}

    def test_a_missing_key_an_unknown_namespace_and_a_name_that_no_rule_knows_are_told(self):
        none = {"GROQ_API_KEY": None}
        missing = lamellar("chat", "-m", "groq::llama", "Why?", env=none)
        assert (missing.code, missing.out) == (2, "")
        assert "GROQ_API_KEY" in missing.err
        unknown = lamellar("chat", "-m", "grog::llama", "Why?")
        nobody = {"OLLAMA_BASE_URL": "http://127.0.0.1:9"}
        guessed = lamellar("chat", "-m", "gtp-4o", "Why?", env=nobody)
        assert (unknown.code, guessed.code) == (2, 1)
        assert "unknown namespace 'grog'" in unknown.err
        assert "local Ollama" in guessed.err
        assert "openai::gtp-4o" in guessed.err


class TestText:
    def test_the_answer_goes_to_standard_output_and_nothing_else_anywhere(self, tmp_path):
        with ProviderSimulator([Answer(TEXT)]) as simulator:
            result = ask(tmp_path, simulator)
        assert (result.code, result.out, result.err) == (0, f"{TEXT}\n", "")
        assert simulator.last_request.stream
        assert simulator.last_request.model == "gpt-4o-mini"

    def test_streamed_and_whole_with_a_system_prompt_and_tool_calls(self, tmp_path):
        call = ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Köln"})
        replies = [Answer("one\ntwo\n"), Answer("one\ntwo"), Answer("", tool_calls=[call])]
        with ProviderSimulator(replies) as simulator:
            command = ["chat", "-c", stack_file(tmp_path, simulator), "-m", "any", "Pourquoi\u00a0?"]
            results = lamellar_each(command, [*command, "--no-stream"], [*command, "--system", "Be brief."])
        assert [(result.code, result.out, result.err) for result in results] == [
            (0, "one\ntwo\n", ""),  # it ends its own line
            (0, "one\ntwo\n", ""),
            (0, 'weather({"city": "Köln"})\n', ""),
        ]
        assert [request.stream for request in simulator.requests] == [True, False, True]
        sent = [[(each["role"], each["content"]) for each in request.messages] for request in simulator.requests]
        user = ("user", "Pourquoi\u00a0?")
        assert sent == [[user], [user], [("system", "Be brief."), user]]

    def test_each_piece_is_shown_at_once(self, tmp_path):
        gate = Gate()
        with ProviderSimulator([Answer("first second", chunk_gate=gate)]) as simulator:
            command = [sys.executable, "-m", "lamellar", "chat", "-c", stack_file(tmp_path, simulator), "-m", "a", "hi"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
                gate.step()
                assert os.read(process.stdout.fileno(), 100) == b"first"
                gate.open()
                assert process.stdout.read() == b" second\n"
            assert process.returncode == 0

    @pytest.mark.parametrize("prompt", [["-"], []], ids=["dash", "pipe"])
    def test_the_prompt_comes_from_standard_input(self, tmp_path, prompt):
        with ProviderSimulator([Answer(TEXT)]) as simulator:
            file = stack_file(tmp_path, simulator)
            result = lamellar("chat", "-c", file, "-m", "any", *prompt, stdin="Größe?\nSecond line.\n".encode())
        assert result.code == 0
        assert simulator.last_request.messages[-1]["content"] == "Größe?\nSecond line."

    def test_verbose_prints_the_attempts_on_standard_error(self, tmp_path):
        with ProviderSimulator(overloaded()) as primary, ProviderSimulator([Answer(TEXT)]) as backup:
            result = ask(tmp_path, primary, "-v", backup=backup)
        assert (result.code, result.out) == (0, f"{TEXT}\n")
        header, *rows = result.err.splitlines()
        assert header.split() == ["#", "target", "outcome", "status", "waited", "took", "first", "tokens"]
        assert [row.split()[:3] for row in rows] == [
            ["1", "openai/gpt-4o-mini", "overloaded"],
            ["2", "openai/gpt-4o-mini", "overloaded"],
            ["3", "openai/gpt-4.1-mini", "completed"],
        ]
        assert (primary.request_count, backup.request_count) == (2, 1)

    def test_what_the_text_does_not_tell_is_noted(self, tmp_path):
        bound = "note: the answer stops here because it reached its bound on tokens\n"
        filtered = "note: the provider's content filter ended the answer here\n"
        replies = [Answer(TEXT, stop_reason="max_tokens"), Answer(TEXT, stop_reason="content_filter"), Empty()]
        results = ask_each(tmp_path, replies, [], [], [])
        assert [(result.code, result.err) for result in results] == [
            (0, bound),
            (0, filtered),
            (0, "note: the answer is empty\n"),
        ]

    def test_a_terminal_is_safe_from_what_a_model_says(self, tmp_path):
        with ProviderSimulator([Answer("red \x1b[31malert\x07", chunk_size=3)]) as simulator:
            command = [sys.executable, "-m", "lamellar", "chat", "-c", stack_file(tmp_path, simulator), "-m", "a", "hi"]
            master, slave = pty.openpty()
            with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment()) as process:
                assert process.wait(20) == 0
            assert os.read(master, 1000) == b"red [31malert\r\n"
            os.close(master)
            os.close(slave)


class TestReasoning:
    def test_it_is_shown_on_standard_error_when_asked(self, tmp_path):
        answer = Answer(TEXT, reasoning="Think of dust.\nAnd of air.")
        hidden, shown, whole = ask_each(tmp_path, [answer] * 3, [], ["--reasoning"], ["--reasoning", "--no-stream"])
        assert {result.out for result in (hidden, shown, whole)} == {f"{TEXT}\n"}
        assert hidden.err == ""
        assert shown.err == whole.err == "reasoning: Think of dust.\nAnd of air.\n"

    def test_it_is_dimmed_on_a_terminal_and_labeled_where_there_are_no_styles(self, tmp_path):
        assert self.on_a_terminal(tmp_path) == b"\x1b[2mHm.\x1b[22m\r\nBlue.\r\n"
        assert self.on_a_terminal(tmp_path, NO_COLOR="1") == b"reasoning: Hm.\r\nBlue.\r\n"
        assert self.on_a_terminal(tmp_path, TERM="dumb") == b"reasoning: Hm.\r\nBlue.\r\n"

    def on_a_terminal(self, folder, **env):
        with ProviderSimulator([Answer("Blue.", reasoning="Hm.")]) as simulator:
            command = [sys.executable, "-m", "lamellar", "chat", "-c", stack_file(folder, simulator), "-m", "a", "hi"]
            master, slave = pty.openpty()
            own = environment(**{"TERM": "xterm", **env})
            with subprocess.Popen([*command, "--reasoning"], stdin=slave, stdout=slave, stderr=slave, env=own) as it:
                assert it.wait(20) == 0
            shown = os.read(master, 1000)
            os.close(master)
            os.close(slave)
        return shown


class TestJson:
    def test_success(self, tmp_path):
        call = ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Köln"})
        with ProviderSimulator([overloaded(), Answer(TEXT, reasoning="Hm.", tool_calls=[call])]) as simulator:
            result = ask(tmp_path, simulator, "--json")
        assert (result.code, result.err) == (0, "")
        assert result.out.endswith("}\n")
        found = result.json
        attempts = found.pop("attempts")
        assert found.pop("cached") is False
        usage = found.pop("usage")
        assert found == {
            "text": TEXT,
            "reasoning": "Hm.",
            "tool_calls": [
                {"type": "tool_call", "call_id": "c1", "fn_name": "weather", "fn_arguments": {"city": "Köln"}}
            ],
            "model": "gpt-4o-mini",
            "provider": "openai",
            "provider_model": "gpt-4o-mini",
            "stop_reason": {"kind": "tool_call", "raw": "tool_calls"},
            "response_id": "chatcmpl-sim-2",
        }
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
        assert [(each["number"], each["outcome"], each["kind"]) for each in attempts] == [
            (1, "failed", "overloaded"),
            (2, "completed", None),
        ]
        assert attempts[0]["status"] == 503
        assert attempts[1]["backoff"] > 0
        assert attempts[1]["usage"] == usage

    def test_what_is_unknown_is_null(self, tmp_path):
        for result in ask_each(tmp_path, Answer(TEXT, usage=None), ["--json"], ["--json", "--no-stream"]):
            assert result.json["text"] == TEXT
            assert result.json["usage"] is None
            assert result.json["reasoning"] is None
            assert result.json["tool_calls"] == []

    def test_failures(self, tmp_path):
        refused, cut, wrong = ask_each(
            tmp_path,
            [unauthorized(), Cut(Answer("one two three"), after=2, how="clean")],
            ["--json"],
            ["--json"],
            ["--json", "-m", ""],
        )
        assert (refused.code, cut.code, wrong.code) == (1, 1, 2)
        assert all(set(result.json) == {"error", "attempts"} for result in (refused, cut, wrong))
        assert all(result.err.startswith("error: ") for result in (refused, cut, wrong))
        assert all(result.err.count("\n") == 1 for result in (refused, cut, wrong))

        error = refused.json["error"]
        assert (error["type"], error["kind"], error["status"]) == ("ExecutorError", "unauthorized", 401)
        assert (error["retryable"], error["failover"], error["partial"]) == (False, True, None)
        assert [each["kind"] for each in refused.json["attempts"]] == ["unauthorized"]

        assert cut.json["error"]["type"] in ("StreamInterruptedError", "StreamTruncatedError")
        assert cut.json["error"]["partial"] == "one two"

        assert (wrong.json["error"]["type"], wrong.json["error"]["kind"]) == ("ConfigError", None)
        assert wrong.json["attempts"] == []

    def test_it_is_valid_in_a_locale_that_cannot_print_it(self, tmp_path):
        env = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
        with ProviderSimulator(Answer("Größe 🙂")) as simulator:
            result = ask(tmp_path, simulator, "--json", env=env)
        assert result.out.isascii()
        assert result.json["text"] == "Größe 🙂"

    def test_text_in_a_locale_that_cannot_print_it(self, tmp_path):
        with ProviderSimulator(Answer("Größe 🙂")) as simulator:
            result = ask(tmp_path, simulator, env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
        assert (result.code, result.out) == (0, "Gr??e ?\n")


class TestLeaving:
    def test_ctrl_c_ends_the_call_and_keeps_what_was_printed(self, tmp_path):
        gate = Gate()
        with ProviderSimulator([Answer("one two", chunk_gate=gate)]) as simulator:
            command = [sys.executable, "-m", "lamellar", "chat", "-c", stack_file(tmp_path, simulator), "-m", "a", "hi"]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            with subprocess.Popen(command, **pipes, env=environment()) as process:
                gate.step()
                assert os.read(process.stdout.fileno(), 100) == b"one"
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=10)
            assert (process.returncode, out, err) == (130, b"\n", b"interrupted\n")
            simulator.wait_for(lambda s: s.last_request.outcome == "client_left")

    def test_a_reader_that_leaves_ends_it_without_a_word(self, tmp_path):
        gate = Gate()
        with ProviderSimulator([Answer("one two three four five", chunk_gate=gate)]) as simulator:
            command = [sys.executable, "-m", "lamellar", "chat", "-c", stack_file(tmp_path, simulator), "-m", "a", "hi"]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            with subprocess.Popen(command, **pipes, env=environment()) as process:
                gate.step()
                assert os.read(process.stdout.fileno(), 100) == b"one"
                process.stdout.close()
                gate.open()
                assert process.wait(10) == 141
                assert process.stderr.read() == b""
            simulator.wait_for(lambda s: s.last_request.outcome is not None)

    def test_a_reader_of_json_that_leaves(self, tmp_path):
        with ProviderSimulator([Answer(TEXT)]) as simulator:
            command = [sys.executable, "-m", "lamellar", "chat", "-c", stack_file(tmp_path, simulator), "-m", "a", "hi"]
            read, write = os.pipe()
            os.close(read)
            done = subprocess.run(
                [*command, "--json"], stdout=write, stderr=subprocess.PIPE, env=environment(), check=False, timeout=20
            )
            os.close(write)
        assert (done.returncode, done.stderr) == (141, b"")

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_a_full_disk_is_told(self, tmp_path):
        with ProviderSimulator([Answer(TEXT)]) as simulator, open("/dev/full", "wb") as full:
            command = [sys.executable, "-m", "lamellar", "chat", "-c", stack_file(tmp_path, simulator), "-m", "a", "hi"]
            done = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, env=environment(), check=False, timeout=20
            )
        assert done.returncode == 1
        assert done.stderr.startswith(b"error: ")
        assert b"No space left" in done.stderr
        assert b"Traceback" not in done.stderr


RESTARTING = """
import asyncio, sys
from lamellar.chat.events import Chunk, End, Restart
from lamellar.cli.asking import show_stream
from lamellar.cli.showing import Display
from lamellar.errors import ErrorKind
from lamellar.testing import ScriptedExecutor
from lamellar import ChatRequest

steps = (Chunk("Half an ans"), Restart("backup", "gpt-4.1-mini", ErrorKind.TRUNCATED), Chunk("A whole answer."), End())

async def main():
    events = await ScriptedExecutor(steps).exec_chat_stream_events("any", ChatRequest.from_user("hi"))
    await show_stream(events, Display(reasoning=False))

asyncio.run(main())
"""


def test_a_restart_is_told_where_the_broken_text_stands():
    said = "--- truncated: the answer above was broken off; it starts over at backup ---"
    assert lamellar(script=RESTARTING).out == f"Half an ans\n\n{said}\n\nA whole answer."
