"""The options of Replay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from lamellar.spec import ExecutorSpec

from .options import CassettePath, Patterns

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor
    from lamellar.lint.bounds import Bounds, Where

__all__ = ["Replay"]


class Replay(ExecutorSpec):
    """Answer from a cassette that `Record` wrote; no provider is asked.

    A request is known again by its model, its messages and tools, and the options that are sent. What the caller says
    to the stack (`call`) does not count, nor credentials, nor whether a stream is asked: an answer is told as a stream
    where one is asked, and a stream collected where an answer is. Each recording is played once; of several for one
    request, those of the same kind of call come first, in their order. `reset` (of a stack, by target) winds back.

    Answers have the name and the model of the target they are played at. Errors have their kind, their verdicts and
    their words. A stream that was left early plays as far as it was read, and says so where it is read on.

    Args:
        path: The file.
        order: ``any`` finds the recording of a request wherever it stands; ``recorded`` demands that requests come in
            the order of the lines, which is that in which the calls ended.
        scrub: Regular expressions, as for `Record`; what they find is masked in recordings and requests alike. So they
            can also leave out what is different in every run, such as a date.
        timing: Whether answers and events take as long as they took when they were recorded.
        name: What the executor is called; ``replay`` by default.

    Raises:
        ConfigError: At `build()`: the file cannot be read, or is no cassette. At the call: there is no recording of the
            request (the nearest one is named, with what is different), or it was left early.
    """

    kind: ClassVar[str] = "replay"

    path: CassettePath
    order: Literal["any", "recorded"] = "any"
    scrub: Patterns = ()
    timing: bool = False
    name: str | None = None

    @property
    def label(self) -> str:
        """Its name."""
        return self.name or self.kind

    def bounded(self, where: Where) -> Bounds:
        """No provider is asked; the attempt keeps to its limits all the same."""
        return replace(where.attempt(self.label), calls=0)

    def make(self, context: BuildContext) -> LlmExecutor:
        """The cassette, read, as a leaf."""
        from .library import Library
        from .player import ReplayExecutor
        from .scrubbing import Scrubber

        library = Library.load(str(self.path), Scrubber(self.scrub), in_order=self.order == "recorded")
        return context.attempt(ReplayExecutor(self.label, library, context.clock, timing=self.timing))
