"""What is written down before secrets are taken out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .finding import Finding, finding
from .plates import Plate

__all__ = ["redaction"]


def redaction(plates: Sequence[Plate]) -> Iterator[Finding]:
    """Each redaction inside of what records the content of calls."""
    for plate in plates:
        if plate.kind != "redact":
            continue
        for outer in plate.above:
            if _records(outer):
                yield finding(
                    "content-before-redaction",
                    plate,
                    f"the {outer.kind} at {outer.path} writes down what is asked and answered, and stands outside of "
                    "the redact, so it writes what that takes out",
                    f"put redact outside of {outer.kind}",
                )


def _records(plate: Plate) -> bool:
    if plate.kind == "tracing":
        return plate.option("capture_content") is True and plate.option("redact") is None
    return plate.kind == "record" or (plate.kind == "log" and plate.option("content") is True)
