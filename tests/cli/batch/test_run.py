"""`lamellar batch` as a command: what it writes where, with which exit code, and how it goes on."""

import json
import os
import pty
import signal
import subprocess
import sys

import pytest
from tests.cli.batch.files import Files, asked
from tests.cli.command import environment, lamellar_each

from lamellar.testing.simulator import Answer, Gate, ProviderSimulator, overloaded, unauthorized

TEXT = "Air scatters blue light."


@pytest.fixture
def simulator():
    with ProviderSimulator(lambda request: Answer(f"to {asked(request)}")) as started:
        yield started


@pytest.fixture
def files(tmp_path, simulator):
    return Files(tmp_path, simulator)


def test_every_line_is_answered_as_chat_does_and_broken_ones_are_told(files, simulator):
    batch_line = {"method": "POST", "url": "/v1/chat/completions"}
    body = {"model": "x", "messages": [{"role": "user", "content": "c"}]}
    files.ask(
        {"id": "a", "prompt": "a"},
        "",
        "{bad",
        {"messages": [{"role": "user", "content": "b"}], "model": "gpt-4o", "options": {"seed": 3}},
        {"custom_id": "c", **batch_line, "body": body},
        {"id": "d", "promt": "d"},
    )
    result = files.run("--system", "Be brief.")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines() == [
        "5 lines: 3 answered, 2 that cannot be read" + next(iter(result.err.splitlines()[0].split("read")[1:])),
        "  line 3: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "  line 6: promt: unknown option; did you mean 'prompt'?",
        "the same command with --retry-failed asks those again that failed",
    ]
    found = files.answers
    assert {number: (each["id"], each["ok"], each.get("text")) for number, each in found.items()} == {
        1: ("a", True, "to a"),
        3: (None, False, None),
        4: (None, True, "to b"),
        5: ("c", True, "to c"),
        6: ("d", False, None),
    }
    assert found[4]["model"] == "gpt-4o"
    assert {"text", "reasoning", "tool_calls", "usage", "attempts", "cached", "stop_reason"} <= found[1].keys()
    assert found[1]["error"] is None
    assert (found[6]["error"]["kind"], found[6]["attempts"], found[6]["cost"]) == ("invalid_line", [], 0)
    sent = {asked(request): request for request in simulator.requests}
    assert [message["content"] for message in sent["a"].messages] == ["Be brief.", "a"]
    assert not sent["a"].stream


def test_it_goes_on_where_it_ended_and_asks_failures_again_only_when_told(tmp_path):
    with ProviderSimulator([overloaded(), *[Answer(TEXT)] * 3]) as simulator:
        files = Files(tmp_path, simulator)
        files.prompts(2)
        first = files.run("--concurrency", "1")
        assert (first.code, simulator.request_count) == (1, 2)
        assert "1 answered, 1 failed (1 overloaded)" in first.err
        failure = files.answers[1]
        assert (failure["ok"], failure["error"]["kind"], failure["error"]["status"]) == (False, "overloaded", 503)
        assert [each["kind"] for each in failure["attempts"]] == ["overloaded"]
        again = files.run()
        assert (again.code, simulator.request_count) == (1, 2), "nothing is left to ask"
        assert "2 done before (1 of them failed)" in again.err
        files.prompts(3)
        assert files.run("--retry-failed").code == 0
        assert simulator.request_count == 4
    assert {number: each["text"] for number, each in files.answers.items()} == dict.fromkeys((1, 2, 3), TEXT)


def test_an_answer_to_another_question_is_told(files, simulator):
    files.prompts(3)
    assert files.run().code == 0
    before = files.target.read_bytes()
    files.ask({"prompt": "another"}, *files.source.read_text().splitlines()[1:])
    changed = files.run()
    files.prompts(3)
    system = files.run("--system", "Be brief.")
    model = files.run("-m", "gpt-4.1")
    files.prompts(2)
    gone = files.run()
    files.source.write_text("")
    all_gone = files.run()
    assert [result.code for result in (changed, system, model, gone, all_gone)] == [2] * 5
    assert "line 1 (or -m, or --system) is not what" in changed.err
    assert "each of the lines 1, 2, 3 (or -m, or --system) is not what" in system.err
    assert "each of the lines 1, 2, 3 (or -m, or --system) is not what" in model.err
    assert "any more, such as line 3" in gone.err
    assert "answers lines that are not in IN any more, such as line" in all_gone.err
    assert (simulator.request_count, files.target.read_bytes()) == (3, before)


def test_answers_of_another_stack_stand_and_are_told(files, simulator):
    files.prompts(2)
    assert "note:" not in files.run().err
    files.prompts(3)
    files.stack.write_text(files.stack.read_text().replace("attempt: 10s", "attempt: 11s"))
    assert "note:" not in files.run().err, "what changes no answer makes no other stack"
    files.prompts(4)
    files.stack.write_text(files.stack.read_text().replace("api_key", "headers: {x-team: b}, api_key"))
    changed = files.run()
    assert changed.code == 0
    assert f"note: in {files.target}, 3 lines were answered by another stack than this one" in changed.err
    assert simulator.request_count == 4


def test_a_mistake_that_all_lines_share_stops_it_early(tmp_path):
    with ProviderSimulator(unauthorized()) as simulator:
        files = Files(tmp_path, simulator)
        files.prompts(100)
        result = files.run("--concurrency", "2")
        assert result.code == 1
        assert simulator.request_count <= 11
    assert "stopped: the first 10 lines all failed with unauthorized" in result.err


def test_mistakes_in_the_command_and_the_files(files, tmp_path):
    files.prompts(1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    here, there = str(files.source), str(files.target)
    given = ["batch", here, there, "-m", "m", "-c", str(files.stack)]
    mistakes = [
        (["batch", here], "Missing argument"),
        ([*given, "--patience", "soon"], "--patience: expected a duration"),
        ([*given, "--concurrency", "0"], "--concurrency"),
        (["batch", here, there, "-s", "x"], "-s names a stack of a file"),
        (["batch", "no.jsonl", *given[2:]], "no.jsonl: cannot be read: No such file"),
        (["batch", str(tmp_path), *given[2:]], "Is a directory"),
        (["batch", "/dev/zero", there, *given[3:]], "not with a pipe or a device"),
        (["batch", str(pipe), there, *given[3:]], "not with a pipe or a device"),
        (["batch", here, "x" * 300, *given[3:]], "cannot be written: File name too long; name another file"),
        (["batch", here, here, *given[3:]], "IN and OUT are the same file"),
        (["batch", here, "/dev/full", *given[3:]], "not a regular file"),
        (["batch", here, str(tmp_path / "no" / "out.jsonl"), *given[3:]], "first\n"),
        ([*given[:-1], "no.yaml"], "no.yaml"),
    ]
    for (arguments, said), result in zip(mistakes, lamellar_each(*[each for each, _ in mistakes]), strict=True):
        assert (result.code, result.out) == (2, ""), arguments
        assert said in result.err
    assert not files.target.exists() or not files.size


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
from lamellar.cli import main
sys.exit(main())
"""


def test_a_disk_that_fills_up_loses_nothing(files):
    files.prompts(40)
    result = files.run("--concurrency", "4", script=LIMITED)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "cannot be written: File too large; what stands in it is whole" in result.err
    assert 4000 < files.size <= 6000
    assert files.target.read_bytes().endswith(b"}\n")
    assert 0 < len(files.answers) < 40
    assert files.run().code == 0
    assert len(files.answers) == 40


def test_it_ends_by_the_answers_where_nothing_can_be_told(files):
    files.prompts(2)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lamellar", *map(str, files.arguments())],
            stderr=full,
            env=environment(),
            timeout=30,
            check=False,
        )
    assert done.returncode == 0
    assert len(files.answers) == 2


class TestLeaving:
    @pytest.fixture
    def gate(self):
        return Gate()

    @pytest.fixture
    def held(self, tmp_path, gate):
        """A provider that holds its answers, and a run over ten lines that waits for the first three."""
        with ProviderSimulator(lambda _: Answer(TEXT, gate=gate)) as simulator:
            files = Files(tmp_path, simulator)
            files.prompts(10)
            with files.start("--concurrency", "3") as process:
                simulator.wait_for(lambda _: gate.waiting == 3, timeout=20)
                yield simulator, files, process
                process.kill()

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_what_is_in_flight_is_waited_for_and_the_rest_is_left(self, held, gate, number, code):
        simulator, files, process = held
        process.send_signal(number)
        assert process.stderr.readline() == b"waiting for 3 calls in flight; Ctrl-C again does not wait\n"
        gate.open()
        assert process.wait(20) == code
        told = process.stderr.read().decode()
        assert "3 answered, 7 left" in told
        assert "the same command goes on" in told
        assert sorted(files.answers) == [1, 2, 3]
        assert files.run().code == 0
        assert simulator.request_count == 10
        assert len(files.answers) == 10

    def test_a_target_that_is_deleted_ends_it_before_more_is_asked(self, held):
        simulator, files, process = held
        files.target.unlink()
        assert process.wait(20) == 2
        assert b"was deleted, or replaced by another file, while answers were written to it" in process.stderr.read()
        assert simulator.request_count == 3
        assert not files.target.exists()

    def test_a_second_ctrl_c_does_not_wait(self, held):
        _, files, process = held
        process.send_signal(signal.SIGINT)
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert "0 answered, 10 left" in process.stderr.read().decode()
        assert files.size == 0


def test_on_a_terminal_a_bar_shows_how_far_it_is(files):
    files.prompts(3)
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "lamellar", *map(str, files.arguments())]
    with subprocess.Popen(command, stderr=slave, env=environment(TERM="xterm", NO_COLOR="1")) as process:
        assert process.wait(20) == 0
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        shown += piece
        if not piece:
            break
    os.close(master)
    assert b"3 lines: 3 answered" in shown
    assert b"\x1b[3" not in shown, "no colors with NO_COLOR"


def test_lines_are_json_that_any_reader_takes(files):
    files.ask({"id": "ü", "prompt": "Größe \u2028 🙂"})
    assert files.run(env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}).code == 0
    (line,) = files.target.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["text"] == "to Größe \u2028 🙂"
