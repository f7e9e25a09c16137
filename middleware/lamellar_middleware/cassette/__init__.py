"""Cassettes: Record writes what goes through it to a file, and Replay answers from such a file.

A cassette is a text file of JSON lines. The first line says the version of the format; every other line is one
exchange: what was asked (`model`, `request`, `options`), how (`streaming`), and what came of it: a `response`, the
`events` of a stream with the seconds at which they came, or an `error`.
"""

from __future__ import annotations

from .record import Record
from .replay import Replay

__all__ = ["Record", "Replay"]
