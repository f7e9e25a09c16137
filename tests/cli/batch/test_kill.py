"""The proof: killed twenty times, at the worst moments, and every line is answered exactly once in the end."""

import json
import signal
import time
from collections import Counter
from random import Random

from tests.cli.batch.files import Files, asked

from lamellar.testing.simulator import Answer, Gate, ProviderSimulator

LINES, KILLS, AT_ONCE = 90, 20, 4
PATIENCE = 20


class Echo:
    """Answers with the question, once the gate lets it."""

    def __init__(self):
        self.gate = Gate()

    def __call__(self, request):
        return Answer(f"answer to {asked(request)}", gate=self.gate)


def until(condition, process):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def answered(simulator):
    return sum(request.outcome == "completed" for request in simulator.requests)


def written(files):
    return files.target.read_bytes().count(b"\n") if files.target.exists() else 0


def test_killed_twenty_times_it_ends_with_every_line_exactly_once(tmp_path):
    rng = Random(6)
    echo = Echo()
    lost: Counter[str] = Counter()
    with ProviderSimulator(echo) as simulator:
        files = Files(tmp_path, simulator)
        files.prompts(LINES)
        for kill in range(KILLS):
            before, served = written(files), answered(simulator)
            with files.start("--concurrency", AT_ONCE) as process:
                until(lambda: echo.gate.waiting == AT_ONCE, process)
                echo.gate.step(2)
                until(lambda most=before + 2: written(files) == most, process)
                until(lambda: echo.gate.waiting == AT_ONCE, process)
                if (
                    kill % 3 == 1
                ):  # between an answer and its write: the answer is on its way to a process that is stopped
                    process.send_signal(signal.SIGSTOP)
                    echo.gate.step(2)
                    simulator.wait_for(lambda s, most=served + 4: answered(s) == most)
                process.kill()
                process.wait(PATIENCE)
            simulator.wait_for(lambda _: echo.gate.waiting == 0 and simulator.open_connections == 0)
            whole = files.target.read_bytes()
            assert whole.endswith(b"\n")
            assert whole.count(b"\n") == before + 2
            if kill % 3 == 2:  # inside a write: of the last line there is only a part
                last = whole.rindex(b"\n", 0, -1) + 1
                lost[asked_of(whole[last:])] += 1
                files.target.write_bytes(whole[: rng.randrange(last + 1, len(whole) - 1)])
        echo.gate.open()
        result = files.run("--concurrency", AT_ONCE)
        requests = Counter(asked(request) for request in simulator.requests if request.outcome == "completed")
    assert result.code == 0, result.err
    answers = files.answers
    assert sorted(answers) == list(range(1, LINES + 1))
    assert {number: (each["id"], each["text"]) for number, each in answers.items()} == {
        number: (f"q{number}", f"answer to question {number}") for number in range(1, LINES + 1)
    }
    assert sum(lost.values()) == KILLS // 3
    unwritten = 2 * len(range(1, KILLS, 3))
    assert requests.total() == LINES + sum(lost.values()) + unwritten, "what was written is never asked again"
    assert all(requests[question] > 1 for question in lost)


def asked_of(line):
    return json.loads(line)["text"].removeprefix("answer to ")
