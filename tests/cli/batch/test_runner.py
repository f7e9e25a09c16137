"""The run in virtual time: how many at once, what is waited for, what is given up, and what is left to the next run."""

import asyncio
import json

import pytest

from lamellar.chat.usage import Usage
from lamellar.cli.batch.lines import Fingerprint, lines_of
from lamellar.cli.batch.output import Output
from lamellar.cli.batch.policy import StopRule
from lamellar.cli.batch.runner import Runner
from lamellar.cli.batch.tally import Tally
from lamellar.clock import LoopClock
from lamellar.errors import ConfigError, ErrorKind, ExecutorError, RejectedError
from lamellar.testing import ScriptedExecutor, answer, run_virtual

OPEN = RejectedError(ErrorKind.CIRCUIT_OPEN, "open", retry_after=5)
OVERLOADED = ExecutorError(ErrorKind.OVERLOADED, "busy")
UNAUTHORIZED = ExecutorError(ErrorKind.UNAUTHORIZED, "wrong key", status=401)


class Crowd:
    """Answers after a second, and counts how many ask at once."""

    name = "crowd"

    def __init__(self):
        self.now = self.most = 0

    async def exec_chat_response(self, model, chat_req, options=None):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(1)
        self.now -= 1
        return await ScriptedExecutor("Hello.").exec_chat_response(model, chat_req, options)


class Run:
    """A run over lines `{"prompt": …}`, and what came of it."""

    def __init__(self, folder, count):
        self.source, self.target = folder / "in.jsonl", folder / "out.jsonl"
        self.source.write_text("".join(f'{{"prompt": "{number}"}}\n' for number in range(1, count + 1)))
        self.count = count
        self.ticks = 0

    def over(self, executor, *, concurrency=1, most=None, patience=600.0, stop_at=None):
        return run_virtual(self._over(executor, concurrency, most, patience, stop_at))

    async def _over(self, executor, concurrency, most, patience, stop_at):
        clock = LoopClock()
        began = clock.now()
        with self.source.open("rb") as file, Output(self.target) as output:
            self.tally = Tally(self.count, output.ledger.count)
            self.runner = Runner(
                executor,
                lines_of(file),
                output,
                fingerprint=Fingerprint(None),
                tally=self.tally,
                concurrency=concurrency,
                model="m",
                system=None,
                stop_rule=StopRule(most),
                patience=patience,
                clock=clock,
            )
            if stop_at is not None:
                asyncio.get_running_loop().call_later(stop_at, self.runner.stop, "told to")
            await self.runner.run(self._tick)
        self.seconds = clock.now() - began

    def _tick(self):
        self.ticks += 1

    @property
    def lines(self):
        return [json.loads(line) for line in self.target.read_text().splitlines()]


@pytest.fixture
def run(tmp_path):
    return lambda count: Run(tmp_path, count)


def test_no_more_than_so_many_at_once_and_no_fewer(run):
    crowd, found = Crowd(), run(12)
    found.over(crowd, concurrency=4)
    assert (crowd.most, found.tally.answered, found.seconds) == (4, 12, 3.0)
    assert found.ticks > 1


class TestNotNow:
    def test_a_line_waits_as_long_as_it_is_told_and_is_asked_again(self, run):
        found = run(1)
        executor = ScriptedExecutor(OPEN, OPEN, "Hello.")
        found.over(executor)
        assert (len(executor.calls), found.tally.answered, found.seconds) == (3, 1, 10.0)

    def test_without_a_hint_the_waits_double(self, run):
        found = run(1)
        full = RejectedError(ErrorKind.QUEUE_FULL, "full")
        found.over(ScriptedExecutor(full, full, full, "Hello."))
        assert found.seconds == 1 + 2 + 4

    def test_a_limit_with_a_hint_is_waited_for_and_one_without_is_not(self, run):
        found = run(2)
        limited = ExecutorError(ErrorKind.RATE_LIMITED, "slow down", retry_after=30)
        found.over(ScriptedExecutor(limited, "Hello.", ExecutorError(ErrorKind.RATE_LIMITED, "slow down")))
        assert (found.tally.answered, found.tally.failures, found.seconds) == (1, {"rate_limited": 1}, 30.0)

    def test_patience_ends(self, run):
        found = run(1)
        found.over(ScriptedExecutor(OPEN, repeat=True), patience=12)
        assert (found.tally.failures, found.seconds) == ({"circuit_open": 1}, 10.0)
        assert found.lines[0]["error"]["kind"] == "circuit_open"

    def test_a_line_that_waits_when_the_run_ends_is_left(self, run):
        found = run(3)
        found.over(ScriptedExecutor(OPEN, repeat=True), concurrency=2, stop_at=3)
        assert (found.tally.done, found.tally.left, found.seconds) == (0, 3, 3.0)
        assert found.tally.waiting == 0


class TestStopping:
    def test_what_is_asked_already_is_waited_for(self, run):
        found = run(10)
        found.over(Crowd(), concurrency=3, stop_at=0.5)
        assert (found.tally.answered, found.tally.left, found.seconds) == (3, 7, 1.0)
        assert found.runner.stopped == "told to"

    def test_a_mistake_that_all_share_stops_it_after_ten(self, run):
        found = run(50)
        found.over(ScriptedExecutor(UNAUTHORIZED, repeat=True))
        assert (found.tally.failed, found.tally.left) == (10, 40)
        assert "first 10 lines all failed with unauthorized" in found.runner.stopped

    @pytest.mark.parametrize("first", ["Hello.", OVERLOADED], ids=["an answer", "another failure"])
    def test_anything_else_before_it_shows_that_not_all_share_it(self, run, first):
        found = run(30)
        found.over(ScriptedExecutor(first, UNAUTHORIZED, repeat=True))
        assert (found.tally.failures["unauthorized"], found.runner.stopped) == (29, None)

    def test_failures_that_pass_do_not_stop_it(self, run):
        found = run(30)
        found.over(ScriptedExecutor(OVERLOADED, repeat=True))
        assert (found.tally.failed, found.runner.stopped) == (30, None)

    def test_the_bound_on_failures(self, run):
        found = run(30)
        found.over(ScriptedExecutor("Hello.", OVERLOADED, repeat=True), most=3)
        assert (found.tally.answered, found.tally.failed) == (1, 3)
        assert "--max-failures" in found.runner.stopped

    def test_a_used_up_budget_leaves_the_line_to_the_next_run(self, run):
        found = run(5)
        found.over(ScriptedExecutor("Hello.", RejectedError(ErrorKind.BUDGET, "10 USD a day are used up")))
        assert (found.tally.answered, found.tally.failed, found.tally.left) == (1, 0, 4)
        assert "10 USD a day are used up" in found.runner.stopped

    def test_a_disk_that_is_full_ends_it_and_cancels_the_others(self, run, monkeypatch):
        found, crowd = run(10), Crowd()

        def full(*_):
            raise ConfigError("full")

        monkeypatch.setattr(Output, "append", full)
        with pytest.raises(ConfigError, match=r"^full$"):
            found.over(crowd, concurrency=3)
        assert found.tally.in_flight == 0


class TestLines:
    def test_lines_that_are_done_are_not_asked_again(self, run):
        found = run(5000)
        found.over(ScriptedExecutor("Hello.", repeat=True), concurrency=8)
        again = ScriptedExecutor("Hello.", repeat=True)
        found.target.write_text("".join(f"{json.dumps(each)}\n" for each in found.lines if each["line"] % 1000))
        found.over(again, concurrency=8)
        assert [call.chat_req.messages[0].content[0].text for call in again.calls] == [
            "1000", "2000", "3000", "4000", "5000",
        ]  # fmt: skip
        assert sorted(each["line"] for each in found.lines) == list(range(1, 5001))

    def test_half_a_character_and_odd_line_breaks_are_written_so_that_every_reader_takes_them(self, run):
        found = run(2)
        found.over(ScriptedExecutor("half \ud83d", "a\u2028b\u0085c"))
        text = found.target.read_bytes().decode()
        assert len(text.splitlines()) == 2
        assert [each["text"] for each in found.lines] == ["half \ud83d", "a\u2028b\u0085c"]

    def test_the_cost_is_known_where_prices_are(self, run):
        pytest.importorskip("genai_prices")
        found = run(2)
        million = Usage(prompt_tokens=1_000_000, completion_tokens=0, total_tokens=1_000_000)
        executor = ScriptedExecutor(answer("a", usage=million), answer("b", usage=None), name="openai")
        found.source.write_text('{"prompt": "a", "model": "gpt-4o-mini"}\n{"prompt": "b", "model": "gpt-4o-mini"}\n')
        found.over(executor)
        assert [each["cost"] for each in found.lines] == [0.15, None]
        assert found.tally.cost == 0.15
