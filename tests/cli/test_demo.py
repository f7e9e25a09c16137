"""`lamellar demo`: what it claims, proved by the providers' logs; and what it looks like."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cli.command import environment, lamellar

from lamellar import Stack


@pytest.fixture(scope="module")
def runs():
    """The demo three times at once: as facts, in a pipe, and on a terminal. It mostly waits."""
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        # A proxy in the environment must not stand between two ends of one machine.
        json = pool.submit(lamellar, "demo", "--json", env={"HTTP_PROXY": "http://127.0.0.1:9"})
        plain = pool.submit(lamellar, "demo")
        terminal = pool.submit(on_a_terminal)
    assert time.monotonic() - began < 15
    return json.result(), plain.result(), terminal.result()


@pytest.fixture(scope="module")
def facts(runs):
    assert (runs[0].code, runs[0].err) == (0, "")
    return runs[0].json


@pytest.fixture(scope="module")
def scenes(facts):
    return {scene["scene"]: scene for scene in facts["scenes"]}


def statuses(scene):
    return {name: [request["status"] for request in log] for name, log in scene["upstream"].items()}


def test_every_check_holds(facts):
    assert facts["ok"] is True
    assert [scene["scene"] for scene in facts["scenes"]] == ["stream", "retry_after", "fallback", "silence"]
    assert all(passed is True for scene in facts["scenes"] for passed in scene["checks"].values())
    assert all(len(scene["checks"]) >= 5 for scene in facts["scenes"])


def test_the_stack_is_one_that_loads(facts):
    stack = Stack.loads(facts["stack"])
    assert [target.name for target in stack.executor.targets] == ["primary", "backup"]


def test_the_requests_that_arrived(scenes):
    assert statuses(scenes["stream"]) == {"primary": [200], "backup": []}
    assert statuses(scenes["retry_after"]) == {"primary": [429, 200], "backup": []}
    assert statuses(scenes["fallback"]) == {"primary": [503, 503], "backup": [200]}
    assert statuses(scenes["silence"]) == {"primary": [None], "backup": [200]}


def test_retry_after_was_obeyed(scenes):
    scene = scenes["retry_after"]
    limited, answered = scene["upstream"]["primary"]
    assert answered["at"] - limited["ended_at"] >= scene["retry_after"] == 1.0
    assert scene["gap_after_429"] >= 1.0


def test_the_text_is_what_the_provider_sent(scenes):
    texts = {name: scene["text"] for name, scene in scenes.items()}
    assert len(set(texts.values())) == 4
    for scene in scenes.values():
        assert scene["text"] == scene["text_sent"] != ""
        (sent,) = [each for each in scene["upstream"][scene["answered_by"]] if each["status"] == 200]
        assert sent["chunks_sent"] == scene["pieces"]
    assert [scenes[name]["answered_by"] for name in texts] == ["primary", "primary", "backup", "backup"]


def test_the_record_of_the_attempts(scenes):
    told = {name: [(each["target"], each["kind"]) for each in scene["attempts"]] for name, scene in scenes.items()}
    assert told == {
        "stream": [("primary", None)],
        "retry_after": [("primary", "rate_limited"), ("primary", None)],
        "fallback": [("primary", "overloaded"), ("primary", "overloaded"), ("backup", None)],
        "silence": [("primary", "timeout"), ("backup", None)],
    }


def test_the_silent_provider_was_left_at_the_limit(scenes):
    (request,) = scenes["silence"]["upstream"]["primary"]
    assert request["outcome"] == "client_left"
    assert 0.9 <= request["ended_at"] - request["at"] <= 3


def bare(text):
    """Lines without numbers and spacing, for these differ from run to run."""
    return [re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?( ms| s)?\b", "N", line)).strip() for line in text.splitlines()]


def test_the_readme_shows_what_it_prints(runs):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    (shown,) = [block for block in blocks if "checks against" in block]
    printed = bare(runs[1].out)
    assert [line for line in bare(shown) if line not in (*printed, "[...]")] == []


class TestLooks:
    def test_in_a_pipe_it_is_plain_lines(self, runs):
        result = runs[1]
        assert (result.code, result.err) == (0, "")
        assert "\x1b" not in result.out
        assert "\r" not in result.out
        assert not re.search(r" $", result.out, re.MULTILINE)
        assert re.search(r"✓  4 scenes, 8 requests, \d+\.\d s. All 25 checks against", result.out)
        assert "sk-demo" not in result.out
        assert max(map(len, result.out.splitlines())) <= 100

    def test_on_a_terminal_of_80_columns_it_shows_the_wait_and_fits(self, runs):
        out = runs[2]
        assert re.search(r"waiting, as asked: 0\.\d s to go", out)
        assert re.search(r"silence for 0\.\d s; the limit is 1 s", out)
        assert "\x1b[36m" in out
        bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out)
        assert max(len(line.rpartition("\r")[2]) for line in bare.replace("\r\n", "\n").split("\n")) <= 80

    def test_ctrl_c(self):
        command = [sys.executable, "-m", "lamellar", "demo"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        assert (process.returncode, err) == (130, b"interrupted\n")

    def test_a_reader_that_leaves(self):
        command = [sys.executable, "-m", "lamellar", "demo"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(15) == 141
            assert process.stderr.read() == b""

    def test_no_color_is_respected(self):
        script = (
            "import io, sys; sys.stdout.isatty = lambda: True; from lamellar.cli.terminal import console\n"
            "console().print('[x]', style='red')"
        )
        assert "\x1b[31m" in lamellar(script=script, env={"TERM": "xterm-256color"}).out
        assert lamellar(script=script, env={"TERM": "xterm-256color", "NO_COLOR": "1"}).out == "[x]\n"


FALSE_CLAIMS = """
import sys
from dataclasses import replace
from lamellar.cli import main
from lamellar.cli.demo import scenes
from lamellar.testing.simulator import unauthorized

refused = {name: (unauthorized(),) for name in ("primary", "backup")}
scenes.SCENES = (replace(scenes.SCENES[0], answers="backup"), replace(scenes.SCENES[2], scripts=refused))
sys.exit(main())
"""


def test_a_claim_that_does_not_hold_is_told_and_fails():
    result = lamellar("demo", script=FALSE_CLAIMS)
    assert (result.code, result.err) == (1, "")
    assert "✗  Not so: answered by the right provider." in result.out
    assert "✗  Not so: call succeeded." in result.out
    assert "unauthorized at backup from openai/gpt-4.1-mini (401" in result.out
    assert re.search(r"✗  2 scenes, 3 requests, .* of 12 checks failed\.", result.out)

    result = lamellar("demo", "--json", script=FALSE_CLAIMS)
    assert (result.code, result.err, result.json["ok"]) == (1, "", False)
    assert result.json["scenes"][1]["error"]["kind"] == "unauthorized"


def on_a_terminal():
    master, slave = pty.openpty()
    env = environment(TERM="xterm-256color", COLUMNS="80", LINES="50")
    with subprocess.Popen(
        [sys.executable, "-m", "lamellar", "demo"], stdin=slave, stdout=slave, stderr=slave, env=env
    ) as process:
        os.close(slave)
        pieces = []
        try:
            while piece := os.read(master, 65536):
                pieces.append(piece)
        except OSError:  # how Linux tells the end of a terminal
            pass
        os.close(master)
        assert process.wait(10) == 0
    return b"".join(pieces).decode()
