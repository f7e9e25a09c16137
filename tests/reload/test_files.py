"""Real files: what counts as a change, and how one is noticed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lamellar import ChatRequest, ConfigError, Stack
from lamellar.files_read import files_read
from lamellar.reload import Reload, WatchedExecutor
from lamellar.reload.source import FileSource
from lamellar.testing import ProviderSimulator

REQUEST = ChatRequest.from_user("hi")
SOON = 0.02


def document(*, attempts: int = 1, **executor: object) -> str:
    return json.dumps({"layers": [{"retry": {"attempts": attempts}}], "executor": {"openai": executor}})


def stack_file(folder: Path, text: str) -> Path:
    file = folder / "stack.json"
    file.write_text(text)
    return file


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to pass")


def version(executor: WatchedExecutor) -> int:
    state = executor.snapshot()["stack"]["reload"]
    assert isinstance(state, dict)
    return int(str(state["version"]))


# -- the source --------------------------------------------------------------------------------------------------------


def test_what_the_file_holds_counts_and_not_its_times(tmp_path: Path) -> None:
    file = stack_file(tmp_path, document())
    source = FileSource(Stack, file, None)
    first = source.load()
    times = file.stat().st_mtime_ns
    file.write_text(document())
    os.utime(file, (1, 1))
    assert source.look().fingerprint == first.fingerprint
    file.write_text(document(attempts=2))  # of the same length, and made to look as old
    os.utime(file, ns=(times, times))
    assert source.look().fingerprint != first.fingerprint
    assert source.load().stack == Stack.load(file)


def test_a_link_that_points_elsewhere_is_a_change(tmp_path: Path) -> None:
    """As a mounted ConfigMap is changed: all its files at once, by a link that is put in the place of another."""
    for name, attempts in (("v1", 1), ("v2", 2)):
        (tmp_path / name).mkdir()
        stack_file(tmp_path / name, document(attempts=attempts))
    (tmp_path / "data").symlink_to(tmp_path / "v1")
    (tmp_path / "stack.json").symlink_to(Path("data") / "stack.json")
    source = FileSource(Stack, tmp_path / "stack.json", None)
    first = source.load()
    (tmp_path / "next").symlink_to(tmp_path / "v2")
    (tmp_path / "next").replace(tmp_path / "data")
    assert source.look().fingerprint != first.fingerprint
    assert source.load().stack == Stack.load(tmp_path / "v2" / "stack.json")


def test_included_files_values_and_secrets_are_parts_of_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-the-first-key-1")
    (tmp_path / "attempts").write_text("2")
    (tmp_path / "base.json").write_text(
        json.dumps({"stacks": {"base": {"executor": {"openai": {"api_key": {"file": "key"}}}}}})
    )
    file = stack_file(
        tmp_path,
        json.dumps(
            {
                "include": ["base.json"],
                "stacks": {
                    "main": {
                        "layers": [{"retry": {"attempts": {"file": "attempts"}}}],
                        "executor": {"use": "base"},
                    }
                },
                "default": "main",
            }
        ),
    )
    source = FileSource(Stack, file, None)
    seen = source.load()
    assert seen.is_valid, seen
    for name, text in (("key", "sk-the-second-key-2"), ("attempts", "3"), ("base.json", '{"stacks": {}}')):
        before = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text)
        now = source.look()
        assert now.fingerprint != seen.fingerprint, name
        assert (now.secrets != seen.secrets) == (name == "key")
        (tmp_path / name).write_text(before)
        assert source.look() == (seen.fingerprint, seen.secrets, None)


def test_a_file_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    """The one that an include names, too: its coming is a change."""
    file = stack_file(tmp_path, json.dumps({"include": ["late.json"], "default": "late"}))
    source = FileSource(Stack, file, None)
    before = source.load()
    assert isinstance(before.stack, ConfigError)
    assert before.stack.__traceback__ is None
    (tmp_path / "late.json").write_text(json.dumps({"stacks": {"late": {"executor": "openai"}}}))
    assert source.look().fingerprint != before.fingerprint
    assert source.load().is_valid


def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack_file(tmp_path, document())
    monkeypatch.chdir(tmp_path)
    source = FileSource(Stack, "stack.json", None)
    first = source.load()
    monkeypatch.chdir("/")
    assert source.load() == first


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stack.json")
    assert isinstance(FileSource(Stack, tmp_path / "stack.json", None).load().stack, ConfigError)


def test_files_are_noted_where_somebody_asks(tmp_path: Path) -> None:
    file = stack_file(tmp_path, document())
    with files_read() as outer:
        with files_read() as inner:
            Stack.load(file)
        assert list(inner) == [file]
    assert list(outer) == []


# -- at work -----------------------------------------------------------------------------------------------------------


def test_a_file_is_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "lamellar.reload")
    told: list[Reload] = []

    async def main(simulator: ProviderSimulator) -> None:
        reach = {"base_url": simulator.base_url, "api_key": "sk-secret-key-0001"}
        file = stack_file(tmp_path, document(**reach))
        async with Stack.watch(file, interval=SOON, on_reload=told.append) as executor:
            await executor.exec_chat_response("m", REQUEST)
            file.write_text(document(attempts=3, **reach))
            await until(lambda: version(executor) == 2)
            assert told[0].changes == ("layers[0].retry.attempts: 3, was 1",)
            file.write_text(document(attempts=3, **reach)[:-9])
            await until(lambda: executor.last_error is not None)
            file.unlink()
            await until(lambda: "cannot be read" in str(executor.last_error))
            await executor.exec_chat_response("m", REQUEST)
            file.write_text(document(attempts=3, **reach))
            await until(lambda: executor.last_error is None)
            assert version(executor) == 2
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with ProviderSimulator() as simulator:
        asyncio.run(main(simulator))
    for thread in threading.enumerate():
        if thread.name == "lamellar-watch":
            thread.join(5)  # the last look may just be ending
    assert "lamellar-watch" not in [thread.name for thread in threading.enumerate()]
    assert [each.ok for each in told] == [True, False, False, True]
    assert "sk-secret" not in caplog.text
    assert "sk-secret" not in repr(told)


def test_a_key_that_is_rotated_is_used(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-the-first-key-1\n")

    async def main(simulator: ProviderSimulator) -> None:
        reach = {"base_url": simulator.base_url, "api_key": {"file": str(key)}}
        async with Stack.watch(stack_file(tmp_path, document(**reach)), interval=SOON) as executor:
            await executor.exec_chat_response("m", REQUEST)
            key.write_text("sk-the-second-key-2\n")
            await until(lambda: version(executor) == 2)
            await executor.exec_chat_response("m", REQUEST)
            key.unlink()
            await until(lambda: executor.last_error is not None)
            await executor.exec_chat_response("m", REQUEST)
        used = [request.headers["authorization"] for request in simulator.requests]
        assert used == [f"Bearer sk-the-{which}" for which in ("first-key-1", "second-key-2", "second-key-2")]

    with ProviderSimulator() as simulator:
        asyncio.run(main(simulator))


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_signal_may_ask_for_it(tmp_path: Path) -> None:
    async def main() -> None:
        file = stack_file(tmp_path, document(api_key="sk-1-abcdefgh"))
        async with Stack.watch(file, interval="1h") as executor:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, executor.reload)
            file.write_text(document(attempts=2, api_key="sk-1-abcdefgh"))
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: version(executor) == 2)
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)

    asyncio.run(main())


def test_a_program_that_forgets_to_close_it_ends_without_a_word(tmp_path: Path) -> None:
    with ProviderSimulator() as simulator:
        file = stack_file(tmp_path, document(base_url=simulator.base_url, api_key="sk-1-abcdefgh"))
        program = f"""
import asyncio
from lamellar import ChatRequest, Stack, SyncExecutor
executor = Stack.watch({str(file)!r}, interval=0.01)
async def main():
    for _ in range(5):
        print((await executor.exec_chat_response("m", ChatRequest.from_user("hi"))).text)
        await asyncio.sleep(0.02)
asyncio.run(main())
sync = SyncExecutor(Stack.watch({str(file)!r}, interval=0.01))
print(sync.exec_chat_response("m", ChatRequest.from_user("hi")).text)
"""
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
    assert (set(done.stdout.splitlines()), done.returncode) == ({"The simulator answers, word by word."}, 0)
    assert "lamellar" not in done.stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"interval": 0}, "interval: more than zero seconds"),
        ({"interval": "often"}, "interval: expected a duration"),
        ({"grace": -1}, "grace: expected a duration of zero"),
        ({"on_reload": "print"}, "on_reload: expected a function, got str"),
    ],
)
def test_options_are_checked(option: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        Stack.watch(stack_file(tmp_path, document(api_key="sk-1-abcdefgh")), **option)  # type: ignore[arg-type]


def test_a_file_that_is_wrong_at_first_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="attemptz"):
        Stack.watch(stack_file(tmp_path, '{"layers": [{"retry": {"attemptz": 2}}], "executor": "openai"}'))
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        Stack.watch(stack_file(tmp_path, '{"executor": "openai"}'))
