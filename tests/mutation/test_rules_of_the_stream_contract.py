"""For each rule of architecture section 4: a small patch that breaks it turns a named test red.

Each patch is made to a copy of the sources, and the named test is run over the copy. A patch that no longer applies
fails too, so this table is kept in step with the code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = "tests/conformance/test_contract.py::"
TIMEOUTS = "tests/middleware/test_timeout.py::"
STREAMS = "tests/test_stream.py::"
RESTART = "tests/middleware/test_interruption.py::TestRestart::"
CACHE = "tests/middleware/cache/"


@dataclass(frozen=True)
class Patch:
    """One way to break one rule.

    Args:
        rule: The rule's number.
        breaks: What is broken, in a few words.
        file: The file, from the root.
        old: What stands there, once.
        new: What is put in its place.
        test: The test that turns red.
    """

    rule: int
    breaks: str
    file: str
    old: str
    new: str
    test: str

    def __str__(self) -> str:
        return f"rule-{self.rule}-{self.breaks.replace(' ', '-')}"


PATCHES = [
    Patch(
        1,
        "the call returns before the commit point",
        "src/lamellar/stream.py",
        "        while not self._committed:\n",
        "        while False:\n",
        CONTRACT + "test_an_error_before_content_is_raised_by_the_call[scripted-leaf-fails-before-content]",
    ),
    Patch(
        1,
        "ready does not close on failure",
        "src/lamellar/stream.py",
        "            core.end(Finish(Outcome.FAILED, error))\n",
        "            pass\n",
        CONTRACT + "test_an_error_before_content_is_raised_by_the_call[scripted-leaf-fails-before-content]",
    ),
    Patch(
        2,
        "an answer that just stops passes for whole",
        "src/lamellar/source.py",
        "            raise StreamTruncatedError from None\n",
        "            return (End(),)\n",
        STREAMS + "test_an_iterator_that_just_stops_is_truncated",
    ),
    Patch(
        2,
        "iteration goes on after the end",
        "src/lamellar/stream.py",
        "                self._core.end(Finish(Outcome.COMPLETED, None, event))  # type: ignore[arg-type]\n",
        "                pass\n",
        CONTRACT + "test_a_stream_is_one_start_then_content_then_one_end[scripted-leaf]",
    ),
    Patch(
        2,
        "there is no start",
        "src/lamellar/attempt.py",
        "        visible.append(self._start)\n",
        "",
        CONTRACT + "test_a_stream_is_one_start_then_content_then_one_end[scripted-leaf]",
    ),
    Patch(
        3,
        "heartbeats reset the idle clock",
        "src/lamellar/attempt.py",
        "        if alive:\n            watch.idle_for = 0.0\n",
        "        watch.idle_for = 0.0\n",
        TIMEOUTS + "test_heartbeats_do_not_reset_the_idle_clock_and_progress_does",
    ),
    Patch(
        3,
        "a heartbeat commits",
        "src/lamellar/source.py",
        "        return bool(event.content)",
        "        return True",
        STREAMS + "test_an_empty_chunk_commits_nothing",
    ),
    Patch(
        4,
        "the first-content limit does not act",
        "src/lamellar/watch.py",
        'name = "idle" if self.committed else "first_content"',
        'name = "idle"',
        TIMEOUTS + "test_no_content_in_time_is_a_timeout_of_the_attempt_and_not_retried",
    ),
    Patch(
        4,
        "events of a lost attempt are seen",
        "src/lamellar/attempt.py",
        "                    self._held.append(event)\n                    continue\n",
        "                    visible.append(event)\n                    continue\n",
        STREAMS + "test_what_comes_before_content_is_held_behind_start",
    ),
    Patch(
        5,
        "an interruption looks retryable to outer layers",
        "src/lamellar/errors.py",
        "            retryable=False,\n            failover=False,\n",
        "            retryable=True,\n            failover=True,\n",
        CONTRACT + "test_an_error_after_content_interrupts_with_the_partial[scripted-leaf-interrupted]",
    ),
    Patch(
        5,
        "the partial is lost",
        "src/lamellar/interruption.py",
        "        partial=delivered.parts(whole=False),\n",
        "",
        CONTRACT + "test_an_error_after_content_interrupts_with_the_partial[scripted-leaf-interrupted]",
    ),
    Patch(
        5,
        "a new answer follows a broken one without a word",
        "middleware/lamellar_middleware/recovery/splice.py",
        "beyond = [restart, *self._held]",
        "beyond = list(self._held)",
        RESTART + "test_the_first_difference_tells_the_consumer_to_drop_what_it_has[retried]",
    ),
    Patch(
        5,
        "what a new answer repeats is sent twice",
        "middleware/lamellar_middleware/recovery/splice.py",
        "beyond.append(kind(said[overlap:]))",
        "beyond.append(kind(said))",
        RESTART + "test_what_repeats_is_not_sent_twice[retried]",
    ),
    Patch(
        6,
        "the end holds no whole calls",
        "src/lamellar/attempt.py",
        "        if end.content is not None:\n            return end\n",
        "        return end\n",
        STREAMS + "test_tool_calls_come_as_deltas_and_whole_at_the_end",
    ),
    Patch(
        7,
        "a stream ends more than once",
        "src/lamellar/ending.py",
        "        if self.finish is not None:\n            return\n        self.finish = finish\n",
        "        self.finish = finish\n",
        STREAMS + "test_callbacks_run_once_innermost_first_before_anything_is_awaited",
    ),
    Patch(
        7,
        "leaving early counts as a failure",
        "src/lamellar/stream.py",
        "(Finish(Outcome.ABANDONED))\n        self._buffer.clear()\n        if self._core.reading",
        "(Finish(Outcome.FAILED))\n        self._buffer.clear()\n        if self._core.reading",
        CONTRACT + "test_leaving_early_closes_the_provider_and_is_abandoned[scripted-leaf-stalls]",
    ),
    Patch(
        8,
        "a collected stream stays open",
        "src/lamellar/ending.py",
        "            alive.call_soon_threadsafe(core.abandon)\n",
        "            pass\n",
        CONTRACT + "test_a_collected_stream_is_abandoned_once[scripted-leaf]",
    ),
    Patch(
        8,
        "a close does not wake the read that waits",
        "src/lamellar/stream.py",
        "        if self._core.reading:\n            self._core.interruption.fire()\n",
        "",
        STREAMS + "test_a_close_wakes_the_read_that_waits",
    ),
    Patch(
        8,
        "two tasks read at once",
        "src/lamellar/stream.py",
        "        if core.reading:\n",
        "        if False:\n",
        STREAMS + "test_a_second_reader_is_refused_and_the_first_goes_on",
    ),
    Patch(
        9,
        "the consumer's own time counts",
        "src/lamellar/watch.py",
        "began = clock.now()\n",
        "began = self._left or clock.now()\n",
        TIMEOUTS + "test_the_consumers_own_time_counts_for_no_limit",
    ),
    Patch(
        9,
        "the scope is held across a yield",
        "src/lamellar/scope.py",
        "                _scope.reset(self._token)\n",
        "                pass\n",
        CONTRACT + "test_nothing_is_held_across_a_yield[scripted-leaf]",
    ),
    Patch(
        10,
        "a kept answer comes back as one lump of text",
        "src/lamellar/replay.py",
        "        elif isinstance(part, ToolCall):\n",
        "        elif False:\n",
        "tests/test_replay.py::test_a_replayed_answer_keeps_its_reasoning_and_its_tool_calls_apart_from_its_text",
    ),
    Patch(
        10,
        "a kept answer serves one kind of call",
        "middleware/lamellar_middleware/cache/executor.py",
        "self._keys.key(model, chat_req, options)",
        "self._keys.key(f'{model} {operation is respond}', chat_req, options)",
        CACHE + "test_answers.py::test_one_entry_serves_both_kinds_of_call[stream-ask-True]",
    ),
    Patch(
        10,
        "what was left is kept",
        "middleware/lamellar_middleware/cache/sources.py",
        "        if finish.outcome is Outcome.COMPLETED:\n",
        "        if True:\n",
        CACHE + "test_keeping.py::test_what_was_left_or_cancelled_is_not_kept[False]",
    ),
    Patch(
        10,
        "an answer is kept before its end is handed to anybody",
        "middleware/lamellar_middleware/cache/flight.py",
        "                self.answer = self._whole.response(())\n",
        "                self.answer = self._whole.response(())\n                self._complete()\n",
        CACHE + "test_keeping.py::test_an_answer_whose_end_nobody_was_handed_is_not_kept[True]",
    ),
    Patch(
        10,
        "a filtered answer is kept",
        "middleware/lamellar_middleware/cache/rules.py",
        'if reason in ("content_filter", "other"):',
        'if reason == "other":',
        CACHE + "test_keeping.py::test_only_whole_answers_are_kept[filtered-True-stream]",
    ),
]


def _copy(target: Path) -> Path:
    for folder in ("src", "middleware", "tests"):
        shutil.copytree(
            ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__", "wire", "mutation", "docs")
        )
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def _run(root: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root / "middleware")])}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _try(patch: Patch, copies: Queue[Path]) -> str:
    """What became of the named test over a patched copy: `red`, or what was printed instead."""
    root = copies.get()
    file = root / patch.file
    whole = file.read_text()
    try:
        if whole.count(patch.old) != 1:
            return f"the patch no longer applies to {patch.file}"
        file.write_text(whole.replace(patch.old, patch.new))
        done = _run(root, patch.test)
        return "red" if done.returncode == 1 and "1 failed" in done.stdout else done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        return "red"  # a test that never ends
    finally:
        file.write_text(whole)
        copies.put(root)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Patch, str]:
    """Every patch tried, two at a time: each is a process of its own, and most of that is starting it."""
    copies: Queue[Path] = Queue()
    for _ in range(2):
        copies.put(_copy(tmp_path_factory.mktemp("mutated")))
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(PATCHES, pool.map(lambda patch: _try(patch, copies), PATCHES), strict=True))


def test_every_named_test_is_green_without_a_patch() -> None:
    done = _run(ROOT, *sorted({patch.test for patch in PATCHES}))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("patch", PATCHES, ids=str)
def test_a_patch_that_breaks_the_rule_turns_its_test_red(patch: Patch, outcomes: dict[Patch, str]) -> None:
    assert outcomes[patch] == "red", f"{patch.test} is still green"


def test_every_rule_has_a_patch() -> None:
    assert {patch.rule for patch in PATCHES} == set(range(1, 11))
