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
from opentelemetry.trace import get_tracer_provider
from tests.cli.command import environment, lamellar

from lamellar import Stack
from lamellar.cli.demo.burst import busiest_second
from lamellar.cli.demo.spans import SpanKeeper
from lamellar.cli.demo.timeline import timeline
from lamellar.middleware import Tracing
from lamellar.providers import OpenAI


@pytest.fixture(scope="module")
def runs():
    """The demo three times at once: as facts, in a pipe, and on a terminal. It mostly waits."""
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        # A proxy in the environment must not stand between two ends of one machine.
        json = pool.submit(lamellar, "demo", "--json", env={"HTTP_PROXY": "http://127.0.0.1:9"})
        plain = pool.submit(lamellar, "demo")
        terminal = pool.submit(on_a_terminal)
    assert time.monotonic() - began < 20
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
    told = [scene["scene"] for scene in facts["scenes"]]
    assert told == ["stream", "cache", "retry_after", "fallback", "silence", "burst"]
    assert all(passed is True for scene in facts["scenes"] for passed in scene["checks"].values())
    assert all(len(scene["checks"]) >= 6 for scene in facts["scenes"])


def test_the_stack_is_one_that_loads(facts):
    stack = Stack.loads(facts["stack"])
    assert [layer.kind for layer in stack.layers] == ["tracing", "cache", "timeout"]
    targets = {target.name: target for target in stack.executor.targets}
    assert {name: target.executor.kind for name, target in targets.items()} == {
        "primary": "openai",
        "backup": "anthropic",
    }
    assert [layer.kind for layer in targets["primary"].layers] == ["retry", "rate_limit"]


def test_the_requests_that_arrived(scenes):
    assert statuses(scenes["stream"]) == {"primary": [200], "backup": []}
    assert statuses(scenes["cache"]) == {"primary": [], "backup": []}
    assert statuses(scenes["retry_after"]) == {"primary": [429, 200], "backup": []}
    assert statuses(scenes["fallback"]) == {"primary": [503, 503], "backup": [200]}
    assert statuses(scenes["silence"]) == {"primary": [None], "backup": [200]}
    assert statuses(scenes["burst"]) == {"primary": [200] * 20, "backup": []}


def test_two_dialects_are_spoken(scenes):
    paths = {
        (name, request["path"], request["model"])
        for scene in scenes.values()
        for name, log in scene["upstream"].items()
        for request in log
    }
    assert paths == {
        ("primary", "/v1/chat/completions", "gpt-4o-mini"),
        ("backup", "/v1/messages", "claude-haiku-4-5"),
    }


def test_the_cache_answers_the_same_question_without_a_request(scenes):
    first, again = scenes["stream"], scenes["cache"]
    assert again["question"] == first["question"]
    assert again["text"] == first["text_sent"]
    assert (first["cached"], again["cached"]) == (False, True)
    assert (again["attempts"], again["answered_by"]) == ([], None)
    assert 0 < again["hit_took"] < 1


def test_retry_after_was_obeyed(scenes):
    scene = scenes["retry_after"]
    limited, answered = scene["upstream"]["primary"]
    assert answered["at"] - limited["ended_at"] >= scene["retry_after"] == 1.0
    assert scene["gap_after_429"] >= 1.0


ASKED = ("stream", "retry_after", "fallback", "silence")
"""The scenes with one question that a provider answers."""


def test_the_text_is_what_the_provider_sent(scenes):
    assert len({scenes[name]["text"] for name in ASKED}) == 4
    for name in ASKED:
        scene = scenes[name]
        assert scene["text"] == scene["text_sent"] != ""
        (sent,) = [each for each in scene["upstream"][scene["answered_by"]] if each["status"] == 200]
        assert sent["chunks_sent"] == scene["pieces"]
    assert [scenes[name]["answered_by"] for name in ASKED] == ["primary", "primary", "backup", "backup"]


def test_the_record_of_the_attempts(scenes):
    told = {name: [(each["target"], each["kind"]) for each in scenes[name]["attempts"]] for name in ASKED}
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


def test_the_trace_of_the_call_that_fell_over(scenes):
    call, *tries = scenes["fallback"]["spans"]
    assert (call["parent"], call["kind"], call["status"]) == (None, "client", "unset")
    assert {span["parent"] for span in tries} == {call["id"]}
    told = [(span["attributes"]["lamellar.attempt.target"], span["attributes"].get("error.type")) for span in tries]
    assert told == [("primary", "overloaded"), ("primary", "overloaded"), ("backup", None)]
    assert all(call["at"] <= span["at"] <= span["at"] + span["seconds"] <= call["seconds"] + 0.01 for span in tries)
    assert call["attributes"]["gen_ai.response.model"] == "claude-haiku-4-5"


def test_the_burst_was_held_by_the_limiter(scenes):
    scene = scenes["burst"]
    arrived = [request["at"] for request in scene["upstream"]["primary"]]
    assert arrived == sorted(arrived)
    for at in arrived:
        assert sum(at <= other < at + 1 for other in arrived) <= scene["busiest_second"] <= scene["provider_limit"]
    assert scene["limit"] < scene["provider_limit"] < len(arrived) == 20
    assert arrived[-1] - arrived[0] >= 0.9 * 19 / scene["limit"]
    waits = [call["waited"] for call in scene["calls"]]
    assert sum(wait > 0 for wait in waits) > 10
    assert max(waits) == scene["longest_wait"] > 1


def test_each_of_the_burst_got_its_own_answer(scenes):
    answers = [(call["question"], call["text"]) for call in scenes["burst"]["calls"]]
    assert answers == [(f"What is {n} times {n}?", f"{n} times {n} is {n * n}.") for n in range(1, 21)]


def bare(text):
    """Lines without numbers, bars and spacing, for these differ from run to run."""
    text = re.sub(r"\d+(\.\d+)?( ms| s)?\b", "N", text)
    text = re.sub(r"N(·+N)+", "N", re.sub(r"█+", "█", text))
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]


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
        assert re.search(r"✓  6 scenes, 28 requests, \d+\.\d s. All 45 checks against", result.out)
        assert 'lamellar chat -m MODEL "Hello"' in result.out
        assert "sk-demo" not in result.out
        assert max(map(len, result.out.splitlines())) <= 100

    def test_on_a_terminal_of_80_columns_it_shows_the_wait_and_fits(self, runs):
        out = runs[2]
        assert re.search(r"waiting, as asked: 0\.\d s to go", out)
        assert re.search(r"silence for 0\.\d s; the limit is 1 s", out)
        assert re.search(r"1\d of 20 have arrived", out)
        assert "\x1b[36m" in out
        bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out)
        lines = [line.rpartition("\r")[2] for line in bare.replace("\r\n", "\n").split("\n")]
        assert max(map(len, lines)) <= 80
        assert any(re.match(r" +3 backup +claude-haiku-4-5 +completed +200 ", line) for line in lines)

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

by_name = {scene.key: scene for scene in scenes.SCENES}
refused = {name: (unauthorized(),) for name in ("primary", "backup")}
scenes.STACK = "\\n".join(line for line in scenes.STACK.splitlines() if "rate_limit" not in line)
scenes.SCENES = (
    replace(by_name["stream"], answers="backup"),
    replace(by_name["cache"], question="Why is the sky dark at night?"),
    replace(by_name["fallback"], scripts=refused),
    by_name["burst"],
)
sys.exit(main())
"""


def test_claims_that_do_not_hold_are_told_and_fail():
    with ThreadPoolExecutor() as pool:
        plain, json = [pool.submit(lamellar, "demo", *more, script=FALSE_CLAIMS) for more in ([], ["--json"])]
    result = plain.result()
    assert (result.code, result.err) == (1, "")
    for claim in (
        "answered by the right provider",
        "cache hit made no request",
        "answer is marked as cached",
        "call succeeded",
        "failures on the way are not on it",
        "provider refused none",
        "no second held more than the provider takes",
        "limiter held the burst",
    ):
        assert f"✗  Not so: {claim}." in result.out, claim
    assert "unauthorized at backup from anthropic/claude-haiku-4-5 (401" in result.out
    assert re.search(r"✗  4 scenes, \d+ requests, .* of 32 checks failed\.", result.out)

    result = json.result()
    assert (result.code, result.err, result.json["ok"]) == (1, "", False)
    assert result.json["scenes"][2]["error"]["kind"] == "unauthorized"


WITHOUT_SDK = """
import sys
from lamellar.cli import main
from lamellar.cli.demo import scenes

sys.modules["opentelemetry.sdk"] = None
scenes.SCENES = tuple(scene for scene in scenes.SCENES if scene.key == "fallback")
sys.exit(main())
"""


def test_without_the_sdk_there_is_no_trace_and_that_is_said():
    with ThreadPoolExecutor() as pool:
        plain, json = [pool.submit(lamellar, "demo", *more, script=WITHOUT_SDK) for more in ([], ["--json"])]
    result = plain.result()
    assert (result.code, result.err) == (0, "")
    assert "The trace of a call is shown with the extra `otel`: pip install 'lamellar[otel]'" in result.out
    (scene,) = json.result().json["scenes"]
    assert (scene["ok"], scene["spans"]) == (True, None)
    assert "one_inference_span" not in scene["checks"]


def test_a_tracer_provider_of_the_program_is_left_alone(monkeypatch):
    stack, before = Stack(Tracing(), OpenAI()), get_tracer_provider()
    watched = SpanKeeper().watch(stack)
    assert get_tracer_provider() is before
    assert stack == Stack(Tracing(), OpenAI())
    assert watched.layers[0].tracer_provider not in (None, before)

    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    keeper = SpanKeeper()
    assert keeper.watch(stack) is stack
    assert "OTEL_SDK_DISABLED" in keeper.missing
    assert keeper.take() is None


def test_the_busiest_second():
    assert busiest_second([]) == 0
    assert busiest_second([5.0]) == 1
    assert busiest_second([0.0, 0.5, 0.999, 1.0]) == 3  # a second is over when the next one begins
    assert busiest_second([0.0, 2.0, 2.1, 2.2, 4.0]) == 3


def test_a_timeline():
    assert timeline([0.0, 0.01, 0.05, 0.51], 70) == ("2·1·················1", "0 s                 0.5 s", 0.025)
    marks, scale, step = timeline([0.0] * 10 + [100.0], 70)
    assert (marks[0], marks[-1], len(marks), step) == ("*", "1", 70, 100 / 69)
    assert scale.startswith("0 s")
    assert len(scale) <= 70


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
