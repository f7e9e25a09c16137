"""One run of `batch`: the files are opened, the run is let go, and its outcome becomes an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...clock import LoopClock
from ...errors import ConfigError
from ...plugin_errors import plugins_named
from ..report import FAILED, UsageError, told
from .lines import Fingerprint, lines_of
from .output import Output
from .policy import StopRule
from .progress import print_strangers, print_sum, progress_on
from .runner import Runner
from .survey import survey
from .tally import Tally

if TYPE_CHECKING:
    from ...root import StackExecutor
    from ...stack import Stack
    from .progress import Progress

__all__ = ["Job", "Limits"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Limits(NamedTuple):
    """How hard the run tries.

    Args:
        concurrency: Calls in flight at most.
        max_failures: Stop when so many lines have failed; None is no bound.
        patience: Seconds that a line waits while the stack says "not now".
    """

    concurrency: int
    max_failures: int | None
    patience: float


class Job:
    """A file of questions, and the file of their answers.

    Args:
        source: The questions.
        target: The answers.
        model: The model of lines that name none.
        system: The system prompt of lines that have none.
        retry_failed: Whether lines that failed are asked again.
    """

    def __init__(
        self, source: Path, target: Path, *, model: str | None, system: str | None, retry_failed: bool
    ) -> None:
        self._source = source
        self._target = target
        self._model = model
        self._system = system
        self._retry_failed = retry_failed
        self._signal: signal.Signals | None = None

    def run(self, stack: Stack, limits: Limits) -> int:
        """Ask every line that is not done.

        Args:
            stack: Who is asked.
            limits: How hard.

        Returns:
            The exit code.

        Raises:
            ConfigError: A file, the stack or a key is wrong, or the disk is full.
        """
        with self._questions() as file:
            executor = stack.build()
            with plugins_named():
                fingerprint = Fingerprint(self._system, self._model, stack.identity())
            with Output(
                self._target,
                retry_failed=self._retry_failed,
                most=os.fstat(file.fileno()).st_size + 2,  # there is no line without a byte
                is_current=fingerprint.same_stack,
            ) as output:
                return self._run(executor, file, output, fingerprint, limits)

    def _run(
        self,
        executor: StackExecutor,
        file: BufferedReader,
        output: Output,
        fingerprint: Fingerprint,
        limits: Limits,
    ) -> int:
        found = survey(file, output.ledger, fingerprint, self._source, self._target)
        file.seek(found.start)
        if output.strangers:
            told(lambda: print_strangers(output.strangers, self._target))
        tally = Tally(found.total, output.ledger.count, output.failed)
        clock = LoopClock()
        runner = Runner(
            executor,
            lines_of(file, number=found.number),
            output,
            fingerprint=fingerprint,
            tally=tally,
            concurrency=limits.concurrency,
            model=self._model,
            system=self._system,
            stop_rule=StopRule(limits.max_failures),
            patience=limits.patience,
            clock=clock,
        )
        progress = progress_on(tally, clock.now)
        try:
            asyncio.run(self._ask(executor, runner, tally, progress))
        finally:
            progress.close()
        told(lambda: print_sum(tally, runner.stopped, self._target))
        if self._signal is not None:
            return 128 + self._signal
        return FAILED if tally.failed + tally.bad + tally.failed_before + tally.left else 0

    async def _ask(self, executor: StackExecutor, runner: Runner, tally: Tally, progress: Progress) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- for the type checker: this runs in one

        def on_signal(number: signal.Signals) -> None:
            if self._signal is not None:
                task.cancel()
                return
            self._signal = number
            runner.stop("interrupted")
            if tally.in_flight:
                waiting = f"waiting for {tally.in_flight} calls in flight; Ctrl-C again does not wait\n"
                told(lambda: sys.stderr.write(waiting))

        with _signals(on_signal):
            try:
                async with executor:
                    await runner.run(progress.tick)
            except asyncio.CancelledError:
                if self._signal is None:
                    raise

    @contextmanager
    def _questions(self) -> Iterator[BufferedReader]:
        try:
            # Looked at before it is opened: a pipe without a writer would hold us up there.
            if not stat.S_ISREG(mode := os.stat(self._source).st_mode) and not stat.S_ISDIR(mode):
                raise UsageError(
                    f"{self._source}: a run can go on only with a file, not with a pipe or a device", "batch"
                )
            file = open(self._source, "rb")  # noqa: SIM115 -- it is closed below
        except OSError as error:
            raise ConfigError(f"{self._source}: cannot be read: {error.strerror or error}") from None
        with file:
            with suppress(OSError):  # there is no OUT yet, or it cannot be opened, which is told when it is tried
                if os.path.samestat(os.fstat(file.fileno()), os.stat(self._target)):
                    raise UsageError(f"{self._target}: IN and OUT are the same file", "batch")
            yield file


@contextmanager
def _signals(on_signal: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Have `on_signal` called on the loop; where the platform or the thread has no such thing, Ctrl-C just ends it."""
    loop = asyncio.get_running_loop()
    caught = []
    for number in _SIGNALS:
        try:
            loop.add_signal_handler(number, on_signal, number)
        except (NotImplementedError, RuntimeError, ValueError):
            continue
        caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
