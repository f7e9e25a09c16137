"""The options of Record."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lamellar.spec import LayerSpec

from .options import CassettePath, Patterns

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

__all__ = ["Record"]


class Record(LayerSpec):
    """Write every call that goes through here to a cassette, from which `Replay` answers.

    A line is written when a call is over. Secrets are masked before: whatever looks like a key or a token, the
    credentials among `extra_headers`, what stands under a secret name in JSON values, and what `scrub` finds. Where a
    stream's text holds one, the run of text it stands in is written as one event. The caller never waits for anything
    but the writing of its own line, and a line that cannot be written is logged and changes nothing.

    Args:
        path: The file; folders that are missing are made. What is there stays, and lines are added.
        overwrite: Whether the file begins anew with the first call that a built stack records.
        scrub: Regular expressions of what else is masked in texts, in requests and answers alike. `Replay` needs the
            same ones to know a request again.
        timing: Whether it is written how long each answer and each event took.
    """

    kind: ClassVar[str] = "record"
    asks_once: ClassVar[bool] = True

    path: CassettePath
    overwrite: bool = False
    scrub: Patterns = ()
    timing: bool = True

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer at work; layers with the same file share its writer."""
        from .recorder import RecordExecutor
        from .scrubbing import Scrubber
        from .writer import CassetteWriter

        path = str(self.path)
        writer = context.share(
            f"cassette:{path}", CassetteWriter, lambda: CassetteWriter(path, self.overwrite), terms=self.overwrite
        )
        return RecordExecutor(inner, writer, Scrubber(self.scrub), context.clock, timing=self.timing)

    def identity(self) -> object:
        """Nothing: what is written down is not changed."""
        return None
