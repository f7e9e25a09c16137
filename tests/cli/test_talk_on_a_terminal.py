"""`lamellar chat` without a question, as somebody sees it who sits at a terminal."""

import os
import stat
import subprocess
import sys

import pytest
from tests.cli.command import lamellar, stack_file
from tests.cli.keyboard import Terminal

from lamellar.testing.simulator import Answer, Gate, ProviderSimulator, unauthorized
from lamellar.testing.simulator.wire_anthropic import SIGNATURE

PROMPT = "> "
CTRL_D = "\x04"
BACKSPACE = "\x7f"
UP = "\x1b[A"


def command(folder, simulator, *more):
    return ["chat", "-c", stack_file(folder, simulator), "-m", "any", *more]


def said(request):
    return [(each["role"], each["content"]) for each in request.messages]


def test_a_conversation_with_a_failure_in_it(tmp_path):
    replies = [Answer("Air scatters it."), unauthorized(), Answer("Longer way.")]
    with ProviderSimulator(replies) as simulator, Terminal(*command(tmp_path, simulator)) as terminal:
        greeting = terminal.until(PROMPT)
        assert f"Talking to any through {tmp_path}/stack.yaml. /help lists the commands" in greeting
        terminal.press("Why blue?\n")
        assert "Air scatters it.\r\n" in terminal.until(PROMPT)
        terminal.press("And red?\n")
        assert "unauthorized from openai/gpt-4o-mini (401, invalid_api_key)" in terminal.until(PROMPT)
        terminal.press("/retry\n")
        assert "Longer way.\r\n" in terminal.until(PROMPT)
        terminal.press(CTRL_D)
        assert terminal.end() == 0
    first = ("user", "Why blue?"), ("assistant", "Air scatters it.")
    assert said(simulator.last_request) == [*first, ("user", "And red?")]


def test_ctrl_c_stops_the_answer_and_two_more_leave(tmp_path):
    gate = Gate()
    replies = [Answer("one two three", chunk_gate=gate), Answer("four")]
    with ProviderSimulator(replies) as simulator, Terminal(*command(tmp_path, simulator, "-v")) as terminal:
        terminal.until(PROMPT)
        terminal.press("Count.\n")
        gate.step(2)
        terminal.until("one two")
        stopped = terminal.interrupt(PROMPT)
        assert "note: stopped; what came so far is kept as the answer" in stopped
        assert "abandoned" in stopped or "cancelled" in stopped
        simulator.wait_for(lambda s: s.requests[0].outcome == "client_left")
        terminal.press("Go on.\n")
        terminal.until("four")
        terminal.until(PROMPT)
        assert "note: Ctrl-C again leaves" in terminal.interrupt(PROMPT)
        terminal.interrupt("\r\n")
        assert terminal.end() == 130
    assert said(simulator.last_request) == [("user", "Count."), ("assistant", "one two"), ("user", "Go on.")]


def test_ctrl_c_while_the_provider_is_silent(tmp_path):
    gate = Gate()
    with (
        ProviderSimulator([Answer("late", gate=gate)]) as simulator,
        Terminal(*command(tmp_path, simulator)) as terminal,
    ):
        terminal.until(PROMPT)
        terminal.press("Well?\n")
        simulator.wait_for(lambda s: gate.waiting == 1)
        assert "note: stopped; nothing had come" in terminal.interrupt(PROMPT)
        simulator.wait_for(lambda s: s.requests[0].outcome == "client_left")
        terminal.press("/exit\n")
        assert terminal.end() == 0


def test_ctrl_c_at_the_prompt_drops_the_line_and_the_next_one_leaves_only_when_pressed_twice(tmp_path):
    with ProviderSimulator([Answer("Yes.")]) as simulator, Terminal(*command(tmp_path, simulator)) as terminal:
        terminal.until(PROMPT)
        terminal.press("half a li")
        terminal.until("half a li")
        assert "leaves" not in terminal.interrupt(PROMPT)
        terminal.press("whole\n")
        terminal.until("Yes.")
        terminal.until(PROMPT)
        terminal.press(CTRL_D)
        assert terminal.end() == 0
    assert said(simulator.last_request) == [("user", "whole")]


def test_reasoning_is_dimmed_and_escape_sequences_are_harmless(tmp_path):
    file = tmp_path / "stack.yaml"
    answer = Answer("red \x1b[31malert\x07", reasoning="h\x1b]0;m", chunk_size=3)
    with ProviderSimulator([answer, Answer("Yes.")], dialect="anthropic") as simulator:
        file.write_text(
            f'executor: {{anthropic: {{base_url: "{simulator.base_url}", api_key: {{env: CLI_TEST_KEY}}}}}}'
        )
        with Terminal("chat", "-c", file, "-m", "claude-haiku-4-5") as terminal:
            terminal.until(PROMPT)
            terminal.press("Hm?\n")
            shown = terminal.until(PROMPT)
            assert "\x1b[2mh]" in shown
            assert "red [31malert\r\n" in shown
            assert not [each for each in ("\x1b[31m", "\x1b]0", "\x07") if each in shown]
            terminal.press("And?\n")
            terminal.until("Yes.")
            terminal.until(PROMPT)
            terminal.press(CTRL_D)
            assert terminal.end() == 0
    thinking = simulator.last_request.messages[1]["content"][0]
    assert (thinking["type"], thinking["signature"]) == ("thinking", SIGNATURE)


def test_lines_are_edited_called_back_and_completed(tmp_path):
    pytest.importorskip("readline")
    with ProviderSimulator(Answer("Yes.")) as simulator, Terminal(*command(tmp_path, simulator)) as terminal:
        terminal.until(PROMPT)
        terminal.press(f"frist{4 * BACKSPACE}irst\n")
        terminal.until("Yes.")
        terminal.until(PROMPT)
        terminal.press(f"{UP} again\n")
        terminal.until("Yes.")
        terminal.until(PROMPT)
        terminal.press("/us\t\n")
        assert "Spent so far: " in terminal.until("calls")
        terminal.until(PROMPT)
        terminal.press(CTRL_D)
        assert terminal.end() == 0
    assert [said(request)[-1][1] for request in simulator.requests] == ["first", "first again"]


def test_a_history_file_remembers_lines_and_is_nobody_elses(tmp_path):
    pytest.importorskip("readline")
    file = tmp_path / "lines"
    with ProviderSimulator(Answer("Yes.")) as simulator:
        for keys in ("Größe?\n", f"{UP}\n"):
            with Terminal(*command(tmp_path, simulator, "--history", file)) as terminal:
                terminal.until(PROMPT)
                terminal.press(keys)
                terminal.until("Yes.")
                terminal.until(PROMPT)
                terminal.press(CTRL_D)
                assert terminal.end() == 0
    assert file.read_text(encoding="utf-8") == "Größe?\nGröße?\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [said(request) for request in simulator.requests] == [[("user", "Größe?")]] * 2


def test_a_history_file_that_cannot_be_written_is_told_before_anything_is_asked(tmp_path):
    with ProviderSimulator() as simulator:
        own = {"NO_COLOR": "1", "TERM": "dumb"}
        with Terminal(*command(tmp_path, simulator, "--history", tmp_path / "no" / "lines"), **own) as terminal:
            assert terminal.end() == 2
        assert "error: --history: " in terminal.shown
        assert "No such file or directory" in terminal.shown


def test_a_file_gets_the_answers_alone(tmp_path):
    out = tmp_path / "answers.txt"
    answer = Answer("Yes.", reasoning="Hm.")
    with (
        ProviderSimulator(answer) as simulator,
        out.open("wb") as stdout,
        Terminal(*command(tmp_path, simulator), stdout=stdout) as terminal,
    ):
        for question in ("a\n", "b\n"):
            terminal.until(PROMPT)
            terminal.press(question)
        terminal.until(PROMPT)
        terminal.press(CTRL_D)
        assert terminal.end() == 0
    assert out.read_text() == "Yes.\nYes.\n"
    assert "Hm." in terminal.shown


def test_a_pipe_is_one_prompt_still(tmp_path):
    with ProviderSimulator(Answer("Yes.")) as simulator:
        result = lamellar(*command(tmp_path, simulator), stdin=b"/help\nsecond line\n")
    assert (result.code, result.out, result.err) == (0, "Yes.\n", "")
    assert said(simulator.last_request) == [("user", "/help\nsecond line")]


def test_a_terminal_that_goes_away_ends_it(tmp_path):
    with ProviderSimulator() as simulator:
        master, slave = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "lamellar", *map(str, command(tmp_path, simulator))],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            env={**os.environ, "CLI_TEST_KEY": "any", "TERM": "xterm"},
        )
        os.close(slave)
        shown = b""
        while PROMPT.encode() not in shown:
            shown += os.read(master, 1000)
        os.close(master)
        _, err = process.communicate(timeout=20)
        assert process.returncode in (0, 1)
        assert b"Traceback" not in err
